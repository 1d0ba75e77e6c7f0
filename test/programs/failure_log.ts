// Lets a log leave out lines: the program must still end by itself, before the 10 s are over.
// `failure_log.ts`

// deno-lint-ignore-file no-console -- the program reads what is written there
import process from "node:process";
import { FailureLog } from "../../src/worker/failure_log.ts";

const lines: unknown[] = [];
console.error = (line: unknown) => void lines.push(line);
const log = new FailureLog();
for (let i = 0; i < 30; i++) log.report({ type: "error", error: new Error(`broken ${i}`) });
process.once("exit", () => process.stdout.write(`${lines.length} lines`));
