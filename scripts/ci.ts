// deno-lint-ignore-file no-console -- it is there to print
/** Runs the tests on every runtime, with the real components required, and every check; ends with `N passed, N failed`. */

import { spawnSync } from "node:child_process";
import process from "node:process";

import { EXCEPTIONS, type Runtime } from "../test/support/exceptions.ts";

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** What the tests of the step run on. */
  readonly runtime?: Runtime;
}

/** The binaries of Node come from the npm package of that name. */
const node = (version: string): Step => ({
  name: `tests on Node ${version}`,
  command: ["npx", "-y", "-p", "deno@2", "-p", `node@${version}`, "deno", "task", "test:node"],
  runtime: "node",
});

const STEPS: readonly Step[] = [
  { name: "tests on Deno", command: ["npx", "-y", "deno@2", "task", "test"], runtime: "deno" },
  { name: "tests on Bun", command: ["npx", "-y", "deno@2", "task", "test:bun"], runtime: "bun" },
  node("20"),
  node("22"),
  { name: "checks", command: ["npx", "-y", "deno@2", "task", "check"] },
  { name: "demo", command: ["npx", "-y", "deno@2", "task", "demo"] },
];

/** The closing lines of the runners: what they count as passed, failed and skipped. */
const COUNTS: Record<"passed" | "failed" | "skipped", readonly RegExp[]> = {
  passed: [/^(?:ok|FAILED) \| (\d+) passed/m, /\| \d+ passed \((\d+) step/m, /^ *(\d+) pass$/m, /^# pass (\d+)$/m],
  failed: [/\| (\d+) failed/m, /^ *(\d+) fail$/m, /^# fail (\d+)$/m],
  skipped: [/\| (\d+) ignored/m, /^ *(\d+) skip$/m, /^# skipped (\d+)$/m],
};

const total = { passed: 0, failed: 0, skipped: 0 };
for (const { name, command, runtime } of STEPS) {
  console.log(`\n=== ${name}: ${command.join(" ")}`);
  const started = Date.now();
  const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), {
    encoding: "utf8",
    env: { ...process.env, GEARMAN_REQUIRED: "1", NO_COLOR: "1" },
    maxBuffer: 1 << 28,
    timeout: 900_000, // a step that hangs has failed
  });
  const output = `${stdout}${stderr}`;
  const count = (kind: keyof typeof COUNTS) =>
    COUNTS[kind].reduce((sum, pattern) => sum + Number(pattern.exec(output)?.[1] ?? 0), 0);
  const checks = /^(\d+) passed, (\d+) failed$/m.exec(output);
  const passed = checks === null ? count("passed") || Number(status === 0) : Number(checks[1]);
  const skipped = count("skipped");
  // With everything there, nothing is skipped but what the list of exceptions names.
  const excused = EXCEPTIONS.filter(({ skippedOn }) => runtime !== undefined && skippedOn.includes(runtime)).length;
  const unexcused = Math.abs(skipped - excused);
  const failed = Math.max((checks === null ? count("failed") : Number(checks[2])) + unexcused, status === 0 ? 0 : 1);
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  console.log(failed > 0 ? output : output.split("\n").slice(-12).join("\n"));
  console.log(
    `=== ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped, in ${
      Math.round((Date.now() - started) / 1_000)
    } s`,
  );
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 ? 1 : 0);
