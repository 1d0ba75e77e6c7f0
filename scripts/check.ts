// deno-lint-ignore-file no-console -- it is there to print
/** Every check but the tests: format, lint, types, documentation, and what would be published. */

import { spawnSync } from "node:child_process";
import process from "node:process";

const DOORS = Object.values(
  (await import("../deno.json", { with: { type: "json" } })).default.exports,
);

/** Each check by its name: the arguments of `deno`. */
const CHECKS: Record<string, string[]> = {
  "format": ["fmt", "--check"],
  "lint": ["lint"],
  "types": ["check", "mod.ts", "src", "test", "scripts"],
  "documentation of every exported symbol": ["doc", "--lint", ...DOORS],
  "examples in README and documentation": ["test", "-A", "--doc", "README.md", "mod.ts", "src"],
  "links": ["run", "--allow-read", "scripts/checks/links.ts"],
  "pages of the documentation": ["run", "-A", "scripts/build/doc.ts"],
  "imports (layers)": ["test", "-A", "test/layers_test.ts"],
  "what would be published": ["publish", "--dry-run", "--allow-dirty"],
};

let failed = 0;
for (const [name, args] of Object.entries(CHECKS)) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  if (status !== 0) failed++;
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${name}`);
  if (status !== 0 || name === "links") console.log(`${stdout}${stderr}`);
}
console.log(`${Object.keys(CHECKS).length - failed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
