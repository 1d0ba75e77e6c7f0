// A program that a test starts: a worker that says what it does, until SIGTERM tells it to finish and go.

import process from "node:process";
import { GearmanWorker } from "../../mod.ts";

const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

const worker = new GearmanWorker({ servers: process.argv[2]!, concurrency: 8 });
worker.addFunction("f", async (job) => {
  process.stdout.write(`begun ${job.text()}\n`);
  await new Promise((resolve) => setTimeout(resolve, Number(job.text()) % 20)); // what it works on takes a while
  process.stdout.write(`done ${job.text()}\n`);
  return `by ${process.pid}: ${job.text()}`;
});
await worker.run({ signal: stop.signal });
process.stdout.write("ended\n");
