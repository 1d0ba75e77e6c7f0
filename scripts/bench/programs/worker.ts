/**
 * Runs our worker: `worker.ts SERVER CONCURRENCY [JOBS]`. After JOBS jobs it prints the measurement, without the first
 * jobs that warm it up, and ends. Without JOBS it runs until it is killed.
 */

import process from "node:process";
import { GearmanWorker } from "../../../mod.ts";
import { startMeasuring, warmUp } from "./measure.ts";

const [server, concurrency, count] = process.argv.slice(2) as [string, string, string?];
const jobs = Number(count ?? 0);
const worker = new GearmanWorker({ servers: server, concurrency: Number(concurrency) });
const before = warmUp(jobs);
let done = 0;
let print: ReturnType<typeof startMeasuring>;
worker.addFunction("echo", (job) => {
  if (done === before) print = startMeasuring();
  done++;
  if (done === jobs) {
    print(done - before);
    worker.close();
  }
  return job.workload;
});
await worker.run();
