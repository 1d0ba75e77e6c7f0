/** What every program of the bench prints: one line of JSON. */

import { readFileSync } from "node:fs";
import process from "node:process";

/** One measurement. */
export interface Measure {
  readonly jobs: number;
  readonly ms: number;
  /** Of the process, user and system, in ms. */
  readonly cpu: number;
  /** Bytes: the most that the process ever had. */
  readonly peak: number;
  /** Bytes that each job takes, where that is what is measured. */
  readonly each?: number;
}

/** 32 bytes: what a job works on. */
export const WORKLOAD = "0123456789abcdef0123456789abcdef";

/** What the codecs are measured with: chunks of as much as a socket gives at once. */
export const CHUNK = 65_536;
export const HANDLE = "H:box:12345";
/** With the handle and its NUL, a body of 64 bytes. */
export const DATA: Uint8Array = new Uint8Array(52).fill(120);

/** The port of `127.0.0.1:PORT`, in whose place a raw socket or a client of others needs a number. */
export function portOf(server: string): number {
  return Number(server.split(":")[1]);
}

/** Starts measuring; the function that it returns prints what so many jobs took until then. */
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
 * How many jobs are done before those that are counted: code is compiled while it runs, beside it, and that takes Bun the
 * first 20,000 jobs.
 */
export const warmUp = (jobs: number): number => Math.floor(Math.min(Math.max(20_000, jobs / 20), jobs / 2));

/** Measures the work of so many jobs, warmed up by some that are not `counted`, and prints it. */
export async function measure(
  jobs: number,
  work: (jobs: number, counted: boolean) => unknown,
  before: number = warmUp(jobs),
): Promise<void> {
  if (before > 0) await work(before, false);
  const print = startMeasuring();
  await work(jobs, true);
  print(jobs);
}

/** Calls `each` so many times, with so many calls under way. */
export async function inFlight(jobs: number, window: number, each: (i: number) => PromiseLike<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < jobs) await each(next++);
  };
  await Promise.all(Array.from({ length: window }, lane));
}
