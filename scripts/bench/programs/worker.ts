/**
 * Our worker: `worker.ts SERVER CONCURRENCY [JOBS]`. With a number of jobs it prints how long they took, from the first
 * to the last, and ends; otherwise it is killed.
 */

import process from "node:process";
import { GearmanWorker } from "../../../mod.ts";
import { startMeasuring } from "./measure.ts";

const [server, concurrency, jobs] = process.argv.slice(2) as [string, string, string?];
const worker = new GearmanWorker({ servers: server, concurrency: Number(concurrency) });
let done = 0;
let print: ReturnType<typeof startMeasuring>;
worker.addFunction("echo", (job) => {
  if (done++ === 0) print = startMeasuring();
  if (done === Number(jobs)) {
    print(done);
    void worker.close();
  }
  return job.workload;
});
await worker.run();
