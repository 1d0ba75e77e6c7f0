// Runs a client for long, and prints its memory as JSON: `client_tasks.ts rounds|lines|stuck PORT COUNT`.

import process from "node:process";
import { ConnectionError, type Dial, dialTcp, GearmanClient } from "../../mod.ts";
import { collectGarbage } from "../support/collect_garbage.ts";
import { Proxy } from "../support/proxy.ts";
import { watchSessions } from "../support/session_size.ts";

const [task, port, count] = process.argv.slice(2) as [string, string, string];

/** Returns the bytes in use after a garbage collection. */
function inUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const sizeOfSessions = watchSessions();

/** Runs rounds of 100 jobs and 5 aborts. After each round the connection is reset with jobs in flight. */
async function runRounds(count: number): Promise<object> {
  await using proxy = await Proxy.start(Number(port));
  const client = new GearmanClient({ servers: `127.0.0.1:${proxy.port}`, minBackoff: 0, maxBackoff: 0 });
  const memory: number[] = [];
  const ended = { done: 0, aborted: 0, lost: 0 };
  const reason = new Error("aborted");
  const end = (error: unknown) => {
    if (error === reason) ended.aborted++;
    else if (error instanceof ConnectionError) ended.lost++;
    else throw error;
  };
  for (let round = 1; round <= count; round++) {
    const calls = Array.from({ length: 100 }, async (_, i) => {
      const workload = `${i}`.repeat(100);
      if (i % 4 === 0) await client.do("echo", workload).text();
      else if (i % 4 === 1) { for await (const _ of client.do("echo", workload, { unique: `u${i % 3}` })); }
      else if (i % 4 === 2) await client.doBackground("echo", workload);
      else await client.jobStatus((await client.doBackground("echo", workload)).handle);
      ended.done++;
    });
    await Promise.all(calls);
    const controller = new AbortController();
    const held = Array.from({ length: 8 }, (_, i) => client.do("hold", "", i < 5 ? { signal: controller.signal } : {}));
    const outcomes = held.map((job) => job.text().catch(end));
    await Promise.all(held.slice(round % 5).map((job) => job.created()));
    controller.abort(reason);
    proxy.resetAll();
    await Promise.all(outcomes);
    if (round % (count / 10) === 0) memory.push(inUse());
  }
  const reconnects = proxy.accepted;
  const size = sizeOfSessions();
  await client.close();
  return { ...ended, reconnects, size, memory };
}

/** Submits lines as background jobs. All have one unique, so that the server keeps only one job. */
async function submitLines(count: number): Promise<object> {
  const client = new GearmanClient(`127.0.0.1:${port}`);
  const memory: number[] = [];
  function* source() {
    for (let i = 0; i < count; i++) yield `line ${i} of a file that is longer than memory`;
  }
  let done = 0;
  const started = performance.now();
  for await (const _ of client.doBackgroundAll("lines", source(), { unique: () => "one" })) {
    done++;
    if (done % (count / 10) === 0) memory.push(inUse());
  }
  const rate = Math.round(done / (performance.now() - started) * 1_000);
  await client.close();
  return { done, rate, memory };
}

/**
 * Submits the same MB again and again to a server that does not read. Prints "stuck" when nothing is written any more.
 */
async function fillConnection(count: number): Promise<object> {
  let written = 0;
  const dial: Dial = async (server, options) => {
    const transport = await dialTcp()(server, options);
    const write = transport.write.bind(transport);
    transport.write = (bytes) => {
      written += bytes.length;
      return write(bytes);
    };
    return transport;
  };
  const client = new GearmanClient({ servers: `127.0.0.1:${port}`, dial, probeInterval: 60_000, minBackoff: 0 });
  const workload = new Uint8Array(1_000_000);
  const before = { rss: process.memoryUsage().rss, inUse: inUse() };
  const jobs = Array.from({ length: count }, () => client.do("f", workload));
  const outcomes = jobs.map((job) => job.text().catch((error) => error.delivery));
  let last = -1;
  while (written !== last || written === 0) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const rss = process.memoryUsage().rss - before.rss;
  const growth = inUse() - before.inUse;
  process.stdout.write("stuck ");
  const ended = await Promise.all(outcomes);
  const countEnded = (delivery: string) => ended.filter((each) => each === delivery).length;
  await client.close();
  return { rss, growth, written, notSent: countEnded("not-sent"), unknown: countEnded("unknown") };
}

const tasks: Record<string, (count: number) => Promise<object>> = {
  rounds: runRounds,
  lines: submitLines,
  stuck: fillConnection,
};
process.stdout.write(JSON.stringify(await tasks[task]!(Number(count))));
