// Starts gearmand as the tests do, and prints the program that runs, or why none does.

import { readlinkSync } from "node:fs";
import { startGearmand } from "../support/gearmand.ts";

try {
  const gearmand = await startGearmand();
  print(readlinkSync(`/proc/${gearmand.process.pid}/exe`));
  await gearmand.stop();
} catch (error) {
  print((error as Error).message);
}

function print(line: string): void {
  // deno-lint-ignore no-console -- the test reads it
  console.log(line);
}
