// A program that a test starts: a client that does much, and tells what it keeps as it goes. Its tasks are below.

import process from "node:process";
import { ConnectionError, type Dial, dialTcp, GearmanClient } from "../../mod.ts";
import { Session } from "../../src/client/session.ts";
import { collectGarbage } from "../support/collect_garbage.ts";
import { Proxy } from "../support/proxy.ts";

const [task, port, count] = process.argv.slice(2) as [string, string, string];

/** Bytes in use after a collection. */
function inUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

// The sessions of all clients, whose tables no client shows.
const sessions = new Set<Session>();
const { send } = Session.prototype;
Session.prototype.send = function (request): void {
  sessions.add(this);
  send.call(this, request);
};

/** So many rounds of 100 jobs and 5 aborts, after each of which the connection is reset with jobs on their way. */
async function rounds(most: number): Promise<object> {
  await using proxy = await Proxy.start(Number(port));
  const client = new GearmanClient({ servers: `127.0.0.1:${proxy.port}`, minBackoff: 0, maxBackoff: 0 });
  const memory: number[] = [];
  const ended = { done: 0, aborted: 0, lost: 0 };
  const reason = new Error("enough");
  const end = (error: unknown) => {
    if (error === reason) ended.aborted++;
    else if (error instanceof ConnectionError) ended.lost++;
    else throw error;
  };
  for (let round = 1; round <= most; round++) {
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
    if (round % (most / 10) === 0) memory.push(inUse());
  }
  const reconnects = proxy.accepted;
  const size = [...sessions].reduce((sum, session) => sum + session.size, 0);
  await client.close();
  return { ...ended, reconnects, size, memory };
}

/** A file of so many lines, as background jobs; all of them are one job, so that the server keeps but one. */
async function lines(most: number): Promise<object> {
  const client = new GearmanClient(`127.0.0.1:${port}`);
  const memory: number[] = [];
  function* source() {
    for (let i = 0; i < most; i++) yield `line ${i} of a file that is longer than memory`;
  }
  let done = 0;
  const started = performance.now();
  for await (const _ of client.doBackgroundAll("lines", source(), { unique: () => "one" })) {
    if (++done % (most / 10) === 0) memory.push(inUse());
  }
  const rate = Math.round(done / (performance.now() - started) * 1_000);
  await client.close();
  return { done, rate, memory };
}

/** The same MB so many times, to a server that does not read; when it is stuck it says so, and waits for the end. */
async function stuck(most: number): Promise<object> {
  let written = 0;
  const dial: Dial = async (server, options) => {
    const transport = await dialTcp()(server, options);
    const write = transport.write.bind(transport);
    transport.write = (bytes) => (written += bytes.length, write(bytes));
    return transport;
  };
  const client = new GearmanClient({ servers: `127.0.0.1:${port}`, dial, probeInterval: 60_000, minBackoff: 0 });
  const workload = new Uint8Array(1_000_000);
  const before = { rss: process.memoryUsage().rss, inUse: inUse() };
  const jobs = Array.from({ length: most }, () => client.do("f", workload));
  const outcomes = jobs.map((job) => job.text().catch((error) => error.delivery));
  for (let last = -1; written !== last || written === 0;) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const rss = process.memoryUsage().rss - before.rss;
  const growth = inUse() - before.inUse;
  process.stdout.write("stuck ");
  const ended = await Promise.all(outcomes);
  const count = (delivery: string) => ended.filter((each) => each === delivery).length;
  await client.close();
  return { rss, growth, written, notSent: count("not-sent"), unknown: count("unknown") };
}

const tasks: Record<string, (count: number) => Promise<object>> = { rounds, lines, stuck };
process.stdout.write(JSON.stringify(await tasks[task]!(Number(count))));
