// deno-lint-ignore-file no-console -- it is there to print
/**
 * Every test and every check, with the real programs required. `.ci/run` installs them and runs this:
 *
 *     deno task ci
 *
 * It prints the output and the seconds of each step. At the end it repeats all failures, and prints `N passed, N
 * failed`.
 */

import { spawnSync } from "node:child_process";
import process from "node:process";

/**
 * The tasks of `deno.json`, in this order. The last line of each says what it counted; a task without one counts as
 * one.
 */
const TASKS = [
  ["test:all"],
  ["check"],
  ["demo"],
  ["soak", "60"],
  ["check:package"],
  ["weight"],
  ["check:types"],
  ["check:consumers"],
  ["check:edge"],
  ["check:browser"],
  ["check:gateway"],
  ["check:readme"],
];

/** Milliseconds after which a task is considered to hang. */
const TIMEOUT = 1_500_000;

const total = { passed: 0, failed: 0 };
const failures: string[] = [];
for (const task of TASKS) {
  const name = `deno task ${task.join(" ")}`;
  console.log(`\n=== ${name}`);
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ["task", ...task], {
    encoding: "utf8",
    env: { ...process.env, GEARMAN_REQUIRED: "1", NO_COLOR: "1" },
    maxBuffer: 1 << 28,
    timeout: TIMEOUT,
  });
  console.log(`${stdout}${stderr}`);
  if (status !== 0) failures.push(`In ${name}:`, ...(stdout.match(/^FAILED .*(?:\n {2,}.*)*/gm) ?? []));
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
  total.passed += Number(passed ?? (status === 0 ? 1 : 0));
  total.failed += Math.max(Number(failed ?? 0), status === 0 ? 0 : 1);
  console.log(`=== ${name}: ${Math.round((performance.now() - started) / 1_000)} s`);
}
if (failures.length > 0) console.log(`\n${failures.join("\n")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 ? 1 : 0);
