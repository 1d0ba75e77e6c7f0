// deno-lint-ignore-file no-console -- it is there to print
/** A script's checks: each by its name, counted, and a closing line. */

import process from "node:process";

/** How many went well, and how many did not. */
const counts = { passed: 0, failed: 0 };

/** Runs one check, which fails by throwing; what it returns is printed beside its name. */
export async function check(name: string, body: () => unknown): Promise<void> {
  try {
    const note = await body();
    counts.passed++;
    console.log(`ok     ${name}${note === undefined ? "" : `: ${note}`}`);
  } catch (error) {
    counts.failed++;
    console.log(`FAILED ${name}\n${error instanceof Error ? error.stack : error}`);
  }
}

/** Prints the closing line, which the CI adds up. */
export function closeChecks(): void {
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  if (counts.failed > 0) process.exitCode = 1;
}
