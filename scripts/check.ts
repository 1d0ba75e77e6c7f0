/**
 * Every check but the tests: format, lint, types, documentation, the public surface, and what would be published.
 *
 *     deno task check
 */

import config from "../deno.json" with { type: "json" };
import { closeSteps, runStep, SOURCE_CHECKS, type Step } from "./support/steps.ts";

const CHECKS: readonly Step[] = [
  ...SOURCE_CHECKS,
  { name: "documentation of every exported symbol", args: ["doc", "--lint", ...Object.values(config.exports)] },
  {
    name: "examples in documentation (those in README: check:readme)",
    args: ["test", "-A", "--doc", "mod.ts", "src"],
  },
  { name: "links", args: ["run", "--allow-read", "scripts/checks/links.ts"], verbose: true },
  { name: "pages of the documentation", args: ["run", "-A", "scripts/build/doc.ts"] },
  { name: "the public surface is that of test/api.txt", args: ["run", "-A", "scripts/build/api.ts", "--check"] },
  {
    name: "the picture in README is the one that is drawn",
    args: ["run", "-A", "scripts/pictures/main.ts", "--check"],
  },
  { name: "imports (layers)", args: ["test", "-A", "test/layers_test.ts"] },
  { name: "what would be published", args: ["publish", "--dry-run", "--allow-dirty"] },
];

const outcomes: boolean[] = [];
for (const check of CHECKS) outcomes.push(await runStep(check));
closeSteps(outcomes);
