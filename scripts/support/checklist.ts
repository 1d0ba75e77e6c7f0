// deno-lint-ignore-file no-console -- it is there to print
/** The checks of a script: each is a function with a name; they are counted, and printed with a closing line. */

import process from "node:process";

const counts = { passed: 0, failed: 0 };

/** Runs one check, which fails by throwing; what it returns is printed beside its name. */
export async function check(name: string, body: () => unknown): Promise<void> {
  try {
    const note = await body();
    counts.passed++;
    console.log(`ok     ${name}${note === undefined ? "" : `: ${note}`}`);
  } catch (error) {
    counts.failed++;
    const description = String(error instanceof Error ? error.stack : error);
    console.log(`FAILED ${name}\n${description.replace(/^/gm, "       ")}`);
  }
}

/** Prints the closing line, which the CI adds up, and sets the exit code. */
export function closeChecks(): void {
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  if (counts.failed > 0) process.exitCode = 1;
}
