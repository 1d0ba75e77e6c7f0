// deno-lint-ignore-file no-console -- it is there to print
/**
 * Runs every test and every check, with the real components required; ends with what failed, once more and together, and
 * with `N passed, N failed`.
 */

import { spawnSync } from "node:child_process";
import process from "node:process";

/** Each step, by the arguments of `deno`, ends with a line of what it counted; the demo passes as a whole. */
const STEPS = [
  ["task", "test:all"],
  ["task", "check"],
  ["task", "demo"],
  ["task", "soak", "60"],
  ["run", "-A", "scripts/checks/package.ts"],
  ["run", "-A", "scripts/weight.ts"],
  ["run", "-A", "scripts/checks/consumers.ts"],
  ["run", "-A", "scripts/checks/edge.ts"],
  ["run", "-A", "scripts/checks/browser.ts"],
];

const total = { passed: 0, failed: 0 };
const failures: string[] = [];
for (const step of STEPS) {
  console.log(`\n=== deno ${step.join(" ")}`);
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, step, {
    encoding: "utf8",
    env: { ...process.env, GEARMAN_REQUIRED: "1", NO_COLOR: "1" },
    maxBuffer: 1 << 28,
    timeout: 1_500_000, // a step that hangs has failed
  });
  console.log(`${stdout}${stderr}`);
  if (status !== 0) failures.push(`In deno ${step.join(" ")}:`, ...(stdout.match(/^FAILED .*(?:\n {2,}.*)*/gm) ?? []));
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
  total.passed += Number(passed ?? (status === 0 ? 1 : 0));
  total.failed += Math.max(Number(failed ?? 0), status === 0 ? 0 : 1);
  console.log(`=== deno ${step.join(" ")}: ${Math.round((performance.now() - started) / 1_000)} s`);
}
if (failures.length > 0) console.log(`\n${failures.join("\n")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 ? 1 : 0);
