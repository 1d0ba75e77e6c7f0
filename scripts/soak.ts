// deno-lint-ignore-file no-console -- it is there to print
/**
 * Runs random calls of clients under random faults, and accounts for each call.
 *
 *     deno task soak [SECONDS] [SEED]     default 600 seconds
 *
 * There are two job servers: gearmand, if it is installed, and a JobServer. Proxies in front of them split, delay,
 * reset, half-close and stall connections; now and then all connections are reset or ended, or a server is killed and
 * restarted. Three clients, one for each balancing policy, make calls of every kind, some with a signal.
 *
 * - Each call has to end: with its result, its signal's reason, or an error with its `delivery`.
 * - No job may run twice, and no job that was not sent may run at all.
 * - Every accepted background job has to run, unless its server was killed afterwards.
 * - At the end, all tables of the clients have to be empty.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { ConnectionError, dialTcp, GearmanClient, GearmanWorker, JobFailedError } from "../mod.ts";
import type { Dial } from "../mod.ts";
import { JobServer } from "../src/server/mod.ts";
import { findProgram, REQUIRED } from "../test/support/requirements.ts";
import { startGearmand } from "../test/support/gearmand.ts";
import { type Faults, Proxy } from "../test/support/proxy.ts";
import { watchSessions } from "../test/support/session_size.ts";

const seconds = Number(process.argv[2] ?? 600);
let state = Number(process.argv[3] ?? Date.now() % 1_000_000);
console.log(`Soaking for ${seconds} s, seed ${state}`);

/** Returns a random whole number below `limit` (mulberry32). */
function random(limit: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
}
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

// ---- servers, workers, proxies

interface Server {
  readonly name: string;
  port: number;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Number of times that the server was killed. Each time, the jobs that it had accepted are lost. */
  kills: number;
  proxy: Proxy;
}

async function startServer(name: string, launch: (port?: number) => Promise<{ port: number; stop(): Promise<void> }>) {
  let { port, stop } = await launch();
  const server: Server = {
    ...{ name, port, kills: 0, proxy: await Proxy.start(port), stop: () => stop() },
    start: async () => {
      ({ port, stop } = await launch(server.port));
    },
  };
  server.proxy.faults = randomFaults;
  return server;
}

function randomFaults(): Faults {
  const after = random(4_000);
  switch (random(12)) {
    case 0:
      return { split: true };
    case 1:
      return { delay: random(3) };
    case 2:
      return { resetAfter: after };
    case 3:
      return { endAfter: after };
    case 4:
      return { stallAfter: after };
    case 5:
      return { split: true, resetAfter: after };
    default:
      return {};
  }
}

async function startJobServer(port = 0): Promise<{ port: number; stop(): Promise<void> }> {
  const server = new JobServer();
  return { port: (await server.listen({ port })).port, stop: () => server.close() };
}

const real = findProgram("gearmand") !== undefined || REQUIRED;
if (!real) console.log("gearmand is not installed (Debian: gearman-job-server): both servers are JobServers");
const servers = [
  await startServer("gearmand", real ? (port) => startGearmand(port === undefined ? {} : { port }) : startJobServer),
  await startServer("JobServer", startJobServer),
];

/** Number of runs of each job, by the number in its workload. A map with millions of entries would look like a leak. */
const runs = new Uint8Array(1 << 25);
const numberOf = (id: string) => Number(id.slice("job ".length));
const workers = servers.map(({ port }) => {
  const worker = new GearmanWorker({ servers: `127.0.0.1:${port}`, concurrency: 20, maxBackoff: 50 });
  const count = (id: string) => runs[numberOf(id)]!++;
  worker.addFunction("echo", (job) => {
    count(job.text());
    return job.text();
  });
  worker.addFunction("stream", async function* (job) {
    count(job.text());
    await job.sendStatus(1, 2);
    for (let i = 0; i < 5; i++) yield "x".repeat(1_000);
    return job.text();
  });
  worker.addFunction("slow", async (job) => {
    count(job.text());
    await pause(20);
    return job.text();
  });
  worker.addFunction("fail", (job) => {
    count(job.text());
    throw new Error("expected");
  });
  worker.run();
  return worker;
});

// ---- clients and their calls

const sizeOfSessions = watchSessions();

/** Dials the servers by name, so that a token tells which server has the job. */
const dial: Dial = ({ port }, options) =>
  dialTcp()({ hostname: "127.0.0.1", port: servers[port - 1]!.proxy.port }, options);
const clients = (["failover", "round-robin", "unique"] as const).map((balance) =>
  new GearmanClient({
    ...{ servers: ["first:1", "second:2"], dial, balance },
    ...{ minBackoff: 1, maxBackoff: 50, connectTimeout: 1_000, probeInterval: 400 },
  })
);

/** The accepted background jobs, with the number of times that their server had been killed before. */
let accepted: { id: string; server: Server; kills: number }[] = [];
let background = 0;
const unsent: string[] = [];
const surprises: string[] = [];
const table = new Map<string, Map<string, number>>();
let calls = 0, open = 0, count = 0;
let stopping = false;
const nextId = () => `job ${count++}`;

type Call = (client: GearmanClient, signal: AbortSignal | undefined) => Promise<void>;
const signalled = (signal: AbortSignal | undefined) => signal === undefined ? {} : { signal };

/** The accepted jobs that have not run yet, without those of servers that were killed since. */
const pending = () => accepted.filter(({ id, server, kills }) => runs[numberOf(id)] === 0 && server.kills === kills);

/** Records a background job that a server has accepted. */
function note(id: string, name: string): void {
  const server = servers[name === "first:1" ? 0 : 1]!;
  accepted.push({ id, server, kills: server.kills });
  background++;
}

/** Runs a submission; if it fails with `not-sent`, the job must never run. */
async function recordUnsent(id: string, call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (error instanceof ConnectionError && error.delivery === "not-sent") unsent.push(id);
    throw error;
  }
}

const CALLS: Record<string, Call> = {
  do: (client, signal) => {
    const id = nextId();
    return recordUnsent(id, async () => {
      assert.equal(await client.do("echo", id, signalled(signal)).text(), id);
      assert.equal(runs[numberOf(id)], 1);
    });
  },
  stream: (client, signal) => {
    const id = nextId();
    return recordUnsent(id, async () => {
      let size = 0;
      for await (const event of client.do("stream", id, { unique: id, ...signalled(signal) })) {
        if ("data" in event) size += event.data.length;
        if (random(200) === 0) return; // abandons the job
      }
      assert.equal(size, 5_000 + id.length);
    });
  },
  slow: (client, signal) => {
    const id = nextId();
    return recordUnsent(id, async () => assert.equal(await client.do("slow", id, signalled(signal)).text(), id));
  },
  fail: (client, signal) => {
    const id = nextId();
    return recordUnsent(id, async () => {
      await assert.rejects(client.do("fail", id, signalled(signal)).text(), (error) => {
        if (!(error instanceof JobFailedError)) throw error;
        return true;
      });
    });
  },
  background: (client, signal) => {
    const id = nextId();
    return recordUnsent(id, async () => note(id, (await client.doBackground("echo", id, signalled(signal))).server));
  },
  all: async (client, signal) => {
    const ids = Array.from({ length: 50 }, nextId);
    let i = 0;
    for await (const { server } of client.doBackgroundAll("echo", ids, { inFlight: 10, ...signalled(signal) })) {
      note(ids[i++]!, server);
    }
    assert.equal(i, 50);
  },
  status: async (client, signal) => {
    const { known } = await client.jobStatus("first:1//H:none:1", signalled(signal));
    assert.equal(known, false);
  },
  bare: async (client, signal) => assert.equal((await client.jobStatus("H:none:1", signalled(signal))).known, false),
  byUnique: async (client, signal) => {
    assert.equal((await client.jobStatusByUnique("none", signalled(signal))).known, false);
  },
  watch: async (client, signal) => {
    for await (const { known } of client.watch("second:2//H:none:1", signalled(signal))) assert.equal(known, false);
  },
  echo: async (client, signal) => {
    assert.equal(new TextDecoder().decode(await client.echo("there?", signalled(signal))), "there?");
  },
};

/** Resolves to the outcome of a call in one word. */
async function outcomeOf(call: Promise<void>, signal: AbortSignal | undefined, name: string): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason) return "aborted";
    if (error instanceof ConnectionError) return error.delivery ?? "lost";
    surprises.push(`${name}: ${error instanceof Error ? error.stack : error}`);
    return "surprise";
  }
}

async function caller(client: GearmanClient): Promise<void> {
  const names = Object.keys(CALLS);
  while (!stopping) {
    const name = names[random(names.length)]!;
    const signal = random(4) === 0 ? AbortSignal.timeout(random(60)) : undefined;
    calls++;
    open++;
    const hang = setTimeout(() => surprises.push(`${name} hangs`), 30_000);
    const outcome = await outcomeOf(CALLS[name]!(client, signal), signal, name);
    clearTimeout(hang);
    open--;
    const row = table.get(name) ?? new Map<string, number>();
    table.set(name, row.set(outcome, (row.get(outcome) ?? 0) + 1));
    if (outcome !== "ok") await pause(1); // without a pause, calls to a server that is down would fail in a busy loop
  }
}

/** Breaks all connections of a server, or kills the server, at random times. */
async function breakServers(): Promise<void> {
  while (!stopping) {
    await pause(50 + random(400));
    const server = servers[random(servers.length)]!;
    const what = random(20);
    if (what < 6) server.proxy.resetAll();
    else if (what < 10) server.proxy.endAll();
    else if (what < 13) server.proxy.stall();
    else if (what < 14 && !stopping) {
      await server.stop();
      server.proxy.resetAll();
      await pause(50 + random(200));
      await server.start();
      server.kills++; // after the restart: until then, answers of the killed server may still arrive
    }
    if (what < 13) setTimeout(() => server.proxy.resetStalled(), 2_000);
  }
}

process.on("unhandledRejection", (error) => surprises.push(`unhandled: ${error}`));
const started = performance.now();
const memory: number[] = [];
const work = Promise.all([
  breakServers(),
  ...clients.flatMap((client) => Array.from({ length: 15 }, () => caller(client))),
]);
while (performance.now() - started < seconds * 1_000) {
  await pause(Math.min(seconds * 100, 30_000));
  accepted = pending();
  memory.push(process.memoryUsage().heapUsed >> 20);
  console.log(`${Math.round((performance.now() - started) / 1_000)} s: ${calls} calls, ${memory.at(-1)} MiB`);
}
stopping = true;
await Promise.race([work, pause(60_000)]);
if (open > 0) surprises.push(`${open} calls have not ended`);

// Without faults, the queued jobs are done; then everything is checked.
for (const { proxy } of servers) {
  proxy.faults = () => ({});
  proxy.resetAll();
}
for (let i = 0; i < 200 && pending().length > 0; i++) await pause(50);
await Promise.all(clients.map((client) => client.echo("calm").catch(() => client.echo("calm"))));
for (let i = 0; i < 200 && sizeOfSessions() > 0; i++) await pause(50);

for (const { id, server } of pending()) surprises.push(`${id} was accepted by ${server.name} and has not run`);
runs.forEach((times, id) => times > 1 && surprises.push(`job ${id} has run ${times} times`));
for (const id of unsent) if (runs[numberOf(id)]! > 0) surprises.push(`${id} was not sent, and has run`);
if (sizeOfSessions() > 0) surprises.push(`the tables of the clients still have ${sizeOfSessions()} entries`);
const kills = servers.map((server) =>
  `${server.name} was killed ${server.kills} times, ${server.proxy.accepted} connections`
);

await Promise.all(clients.map((client) => client.close()));
await Promise.all(workers.map((worker) => worker.close()));
for (const server of servers) {
  await server.proxy.close();
  await server.stop();
}

const outcomes = ["ok", "aborted", "not-sent", "unknown", "accepted", "lost", "surprise"];
const line = (name: string, cells: unknown[]) =>
  [name.padEnd(11), ...cells.map((cell) => `${cell}`.padStart(9))].join("");
console.log(`\n${line("", outcomes)}`);
for (const [name, row] of table) console.log(line(name, outcomes.map((outcome) => row.get(outcome) ?? 0)));
console.log(`\n${kills.join("; ")}; ${count} jobs were submitted, ${background} accepted in the background`);
for (const surprise of surprises.slice(0, 20)) console.log(`SURPRISE ${surprise}`);
console.log(`${calls} calls in ${seconds} s, ${surprises.length} surprises`);
console.log(`${surprises.length === 0 ? 1 : 0} passed, ${surprises.length} failed`);
process.exit(surprises.length > 0 ? 1 : 0);
