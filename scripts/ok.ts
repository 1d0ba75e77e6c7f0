/**
 * The check to run after each small change: format, lint, types and the fast tests, side by side.
 *
 *     deno task ok
 *
 * It needs no real program, and leaves out test/stress, test/interop and test/conformance. `deno task test` and `deno
 * task check` have the rest.
 */

import { closeSteps, runStep, SOURCE_CHECKS } from "./support/steps.ts";

/** The list of failures, with which the report of `deno test` ends; it is preceded by a line for every test. */
const failures = (output: string): string => output.slice(Math.max(output.indexOf("\n ERRORS \n"), 0));

closeSteps(
  await Promise.all([
    runStep({ name: "fast tests", args: ["task", "--quiet", "test:fast"], excerpt: failures }),
    ...SOURCE_CHECKS.map(runStep),
  ]),
);
