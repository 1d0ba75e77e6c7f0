/** Measures the work of a program, and prints one line of JSON. */

import { readFileSync } from "node:fs";
import process from "node:process";

/** One measurement. */
export interface Measure {
  readonly jobs: number;
  readonly ms: number;
  /** CPU time of the process, user and system, in ms. */
  readonly cpu: number;
  /** Maximum resident memory of the process, in bytes. */
  readonly peak: number;
  /** Bytes of memory for each job, if the program measures them. */
  readonly each?: number;
}

/** The workload of a job: 32 bytes. */
export const WORKLOAD = "0123456789abcdef0123456789abcdef";

/** Size of the chunks that the codecs read, in bytes: as much as one read of a socket returns. */
export const CHUNK = 65_536;
export const HANDLE = "H:box:12345";
/** Makes, with the handle and its NUL, a body of 64 bytes. */
export const DATA: Uint8Array = new Uint8Array(52).fill(120);

/** Returns the port of `127.0.0.1:PORT`, since a raw socket or another client needs a number. */
export function portOf(server: string): number {
  return Number(server.split(":")[1]);
}

/** Starts measuring; the returned function prints the measurement until its call. */
export function startMeasuring(): (jobs: number, each?: number) => void {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  return (jobs, each) => {
    const ms = performance.now() - begin;
    const { user, system } = process.cpuUsage(cpu);
    const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1_024;
    const measure: Measure = { jobs, ms, cpu: (user + system) / 1_000, peak, ...(each === undefined ? {} : { each }) };
    process.stdout.write(`${JSON.stringify(measure)}\n`);
  };
}

/**
 * Returns the number of jobs to do before those that are counted: runtimes compile code while it runs, which takes Bun
 * the first 20,000 jobs.
 */
export const warmUp = (jobs: number): number => Math.floor(Math.min(Math.max(20_000, jobs / 20), jobs / 2));

/**
 * Measures the work of `jobs` jobs, after some that are not `counted`, and prints the measurement. A program that takes
 * turns with others does this each time when a line arrives.
 */
export async function measure(
  jobs: number,
  work: (jobs: number, counted: boolean) => unknown,
  before: number = warmUp(jobs),
): Promise<void> {
  const measureOnce = async () => {
    const print = startMeasuring();
    await work(jobs, true);
    print(jobs);
  };
  if (before > 0) await work(before, false);
  if (process.env["TAKES_TURNS"] === undefined) return await measureOnce();
  process.stdout.write("ready\n");
  for await (const _ of process.stdin) await measureOnce();
}

/** Calls `each` for every job, with at most `window` calls in flight. */
export async function inFlight(jobs: number, window: number, each: (i: number) => PromiseLike<unknown>): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < jobs) {
      const i = next;
      next++;
      await each(i);
    }
  };
  await Promise.all(Array.from({ length: window }, run));
}
