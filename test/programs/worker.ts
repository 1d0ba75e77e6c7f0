// Runs a worker that prints each job that it begins and ends, until SIGTERM makes it finish: `worker.ts SERVER`.

import process from "node:process";
import { GearmanWorker } from "../../mod.ts";

const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

const worker = new GearmanWorker({ servers: process.argv[2]!, concurrency: 8 });
worker.addFunction("f", async (job) => {
  process.stdout.write(`begun ${job.text()}\n`);
  await new Promise((resolve) => setTimeout(resolve, Number(job.text()) % 20)); // simulates work
  process.stdout.write(`done ${job.text()}\n`);
  return `by ${process.pid}: ${job.text()}`;
});
await worker.run({ signal: stop.signal });
process.stdout.write("ended\n");
