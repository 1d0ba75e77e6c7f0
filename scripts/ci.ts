// deno-lint-ignore-file no-console -- it is there to print
/** Runs every test and every check, with the real components required; ends with `N passed, N failed`. */

import { spawnSync } from "node:child_process";
import process from "node:process";

/** Each task ends with a line of what it counted; the demo passes as a whole. */
const TASKS = ["test:all", "check", "demo"];

const total = { passed: 0, failed: 0 };
for (const task of TASKS) {
  console.log(`\n=== deno task ${task}`);
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ["task", task], {
    encoding: "utf8",
    env: { ...process.env, GEARMAN_REQUIRED: "1", NO_COLOR: "1" },
    maxBuffer: 1 << 28,
    timeout: 1_500_000, // a step that hangs has failed
  });
  console.log(`${stdout}${stderr}`);
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
  total.passed += Number(passed ?? (status === 0 ? 1 : 0));
  total.failed += Math.max(Number(failed ?? 0), status === 0 ? 0 : 1);
  console.log(`=== deno task ${task}: ${Math.round((performance.now() - started) / 1_000)} s`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 ? 1 : 0);
