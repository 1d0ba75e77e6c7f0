// Runs a worker for many jobs, and prints its memory, timers and listeners as JSON:
// `worker_endurance.ts SERVER JOBS SAMPLES`.

import process from "node:process";
import { GearmanWorker } from "../../mod.ts";
import { collectGarbage } from "../support/collect_garbage.ts";

const [server, jobs, samples] = process.argv.slice(2) as [string, string, string];

/** The time limit of the function, which tells its timers from all others. */
const LIMIT = 54_321;
const timers = new Set<unknown>();
const { setTimeout, clearTimeout } = globalThis;
globalThis.setTimeout = ((run: () => void, ms?: number) => {
  const timer = setTimeout(run, ms);
  if (ms === LIMIT) timers.add(timer);
  return timer;
}) as typeof setTimeout;
globalThis.clearTimeout = (timer) => {
  timers.delete(timer);
  clearTimeout(timer);
};

const stop = new AbortController();
let listeners = 0;
const add = stop.signal.addEventListener.bind(stop.signal);
const remove = stop.signal.removeEventListener.bind(stop.signal);
stop.signal.addEventListener = (...args: Parameters<typeof add>) => {
  listeners++;
  add(...args);
};
stop.signal.removeEventListener = (...args: Parameters<typeof remove>) => {
  listeners--;
  remove(...args);
};

const every = Number(jobs) / Number(samples);
const heap: number[] = [];
let done = 0;
let maxTimers = 0;
const started = performance.now();
const worker = new GearmanWorker({ servers: server, concurrency: 50, onEvent() {} });
worker.addFunction("f", async (job) => {
  maxTimers = Math.max(maxTimers, timers.size);
  done++;
  if (done % every === 0) {
    collectGarbage();
    heap.push(process.memoryUsage().heapUsed);
  }
  if (done === Number(jobs)) stop.abort();
  if (done % 3 === 0) {
    await job.sendStatus(1, 2);
    job.signal.addEventListener("abort", () => {});
  }
  if (done % 100 === 0) throw new Error("expected");
  return job.workload;
}, { timeout: LIMIT });
await worker.run({ signal: stop.signal });
process.stdout.write(JSON.stringify({
  done,
  heap,
  maxTimers,
  timers: timers.size,
  listeners,
  rate: Math.round(done / (performance.now() - started) * 1_000),
}));
