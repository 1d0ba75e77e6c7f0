// deno-lint-ignore-file no-console -- it is there to print
/** Steps that are commands of `deno`: each is run, timed and printed as one line, with its output if it fails. */

import { spawn } from "node:child_process";
import process from "node:process";
import { ROOT } from "./tools.ts";

/** A command of `deno`. */
export interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** True if the output is printed even if the step passes. */
  readonly verbose?: boolean;
  /** The part of a failed step's output that is worth reading; default all of it. */
  readonly excerpt?: (output: string) => string;
}

/** The checks that read nothing but the sources. */
export const SOURCE_CHECKS: readonly Step[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "types", args: ["check", "--quiet", "mod.ts", "src", "test", "scripts"] },
];

/** Runs a step to its end, and prints it; resolves to true if it passed. */
export async function runStep({ name, args, verbose = false, excerpt = (output) => output }: Step): Promise<boolean> {
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => output += text);
  const status = await new Promise((resolve) => child.once("close", resolve));
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (status !== 0) console.log(indented(excerpt(output)));
  else if (verbose) console.log(indented(output));
  return status === 0;
}

/** The CI takes the indented lines after a failure for its description. */
function indented(output: string): string {
  return output.trim().replace(/^/gm, "       ");
}

/** Prints the closing line, which the CI adds up, and sets the exit code. */
export function closeSteps(outcomes: readonly boolean[]): void {
  const failed = outcomes.filter((passed) => !passed).length;
  console.log(`${outcomes.length - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}
