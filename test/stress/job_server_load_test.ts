/** Tests of JobServer with many jobs, many connections, and clients that do not read. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { encodeRequest, PacketType as P } from "../../src/codec/mod.ts";
import { Connection, dialTcp, memoryPipe, type Transport } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { fullOrQuick } from "../support/requirements.ts";
import { until } from "../support/wait.ts";
import { fakeClock, fakeTimers } from "../support/fake_timers.ts";
import { request as r, Wire } from "../conformance/wire.ts";

const ANYWHERE = { hostname: "", port: 0 };
const MANY = fullOrQuick(100_000, 20_000);

/** Submits background jobs of one function, and does them all; returns the CPU time in ms. */
async function queueAndWork(jobs: number): Promise<number> {
  const server = new JobServer();
  const client = new Connection(await server.dial(ANYWHERE, {}));
  const started = process.cpuUsage();
  for (let i = 0; i < jobs; i++) client.send(P.SUBMIT_JOB_BG, "f", `unique ${i}`, "work");
  let created = 0;
  for await (const _ of client) if (++created === jobs) break;
  assert.equal(server.inspect().functions[0]!.normal, jobs);

  const worker = new Connection(await server.dial(ANYWHERE, {}));
  worker.send(P.CAN_DO, "f");
  for (let i = 0; i < 100; i++) worker.send(P.GRAB_JOB);
  let done = 0;
  for await (const packet of worker) {
    if (packet.type !== P.JOB_ASSIGN) continue;
    worker.send(P.WORK_COMPLETE, packet.args[0], "");
    worker.send(P.GRAB_JOB);
    done++;
    if (done === jobs) break;
  }
  worker.send(P.ECHO_REQ, "");
  for await (const packet of worker) if (packet.type === P.ECHO_RES) break;
  assert.deepEqual(server.inspect().jobs, []);
  const { user, system } = process.cpuUsage(started);
  await server.close();
  return (user + system) / 1_000;
}

test(`a job costs no more among ${MANY} queued jobs than among few`, { timeout: 120_000 }, async () => {
  await queueAndWork(5_000); // warms up
  const few = await queueAndWork(MANY / 10) / (MANY / 10);
  const many = await queueAndWork(MANY) / MANY;
  // A cost that is linear in the length of the queue would be ten times as high.
  assert.ok(many < few * 5, `${few} ms for a job of few, ${many} ms for one of many`);
});

test(
  `${MANY} jobs wait for their time, and are then assigned in the order of submission`,
  { timeout: 120_000 },
  async (t) => {
    const server = new JobServer();
    const client = new Connection(await server.dial(ANYWHERE, {}));
    for (let i = 0; i < MANY; i++) {
      client.send(P.SUBMIT_JOB_EPOCH, "f", "", String(99_999_999_999 - (i * 7_919) % 100_003), "");
    }
    let created = 0;
    for await (const _ of client) if (++created === MANY) break;
    assert.equal(server.inspect().functions[0]!.normal, MANY);

    const { now } = Date;
    t.after(() => void (Date.now = now));
    Date.now = () => 100_000_000_000_000;
    client.send(P.CAN_DO, "f");
    for (let i = 0; i < MANY; i++) client.send(P.GRAB_JOB);
    let assigned = 0;
    for await (const { args } of client) {
      assert.equal(new TextDecoder().decode(args[0]), `H:gearwire:${++assigned}`);
      if (assigned === MANY) break;
    }
    await server.close();
  },
);

const PAIRS = fullOrQuick(500, 100);
test(`${PAIRS * 2} connections are served, and each job has one worker`, { timeout: 120_000 }, async () => {
  const server = new JobServer();
  const address = await server.listen();
  const workers = await Promise.all(Array.from({ length: PAIRS }, async () => new Wire(await dialTcp()(address, {}))));
  const clients = await Promise.all(Array.from({ length: PAIRS }, async () => new Wire(await dialTcp()(address, {}))));
  await Promise.all(workers.map((wire) => wire.send(r(P.CAN_DO, "f"), r(P.PRE_SLEEP)).then(() => wire.sync())));
  await Promise.all(clients.map((wire, i) => wire.send(r(P.SUBMIT_JOB, "f", "", String(i))).then(() => wire.sync())));
  const received = clients.map((wire) => wire.until((received) => received.includes("done")));
  await Promise.all(workers.map(async (wire) => {
    await wire.until((received) => received !== ""); // the NOOP
    await wire.send(r(P.GRAB_JOB));
    const assigned = await wire.until((received) => received.length > 12);
    const handle = /H:gearwire:\d+/.exec(assigned)![0];
    await wire.send(r(P.WORK_COMPLETE, handle, "done"));
    await wire.sync();
  }));
  for (const answer of await Promise.all(received)) assert.match(answer, /done$/);
  assert.deepEqual(server.inspect().jobs, []);
  for (const wire of [...workers, ...clients]) await wire.close();
  await server.close();
});

/** Submits one job many times on one connection, and assigns it to a worker; `say` sends data to all submissions. */
async function joined(server: JobServer, transport: Transport, submissions: number) {
  const client = new Connection(transport);
  for (let i = 0; i < submissions; i++) client.send(P.SUBMIT_JOB, "f", "unique", "");
  await client.flush();
  const worker = new Connection(await server.dial(ANYWHERE, {}));
  const packets = worker[Symbol.asyncIterator]();
  await until(async () => {
    worker.send(P.GET_STATUS_UNIQUE, "unique");
    return String.fromCharCode(...(await packets.next()).value!.args[5]!) === String(submissions);
  });
  worker.send(P.CAN_DO, "f");
  worker.send(P.GRAB_JOB);
  await packets.next();
  const say = async (type: typeof P.WORK_DATA | typeof P.WORK_COMPLETE, bytes: number) => {
    worker.send(type, "H:gearwire:1", new Uint8Array(bytes));
    worker.send(P.ECHO_REQ, "");
    await packets.next(); // the echo: the server has handled it
  };
  return { client, say };
}

test("a client that never reads its results is closed when 64 MiB have waited for 5 s", async () => {
  using clock = fakeClock();
  const server = new JobServer();
  const [here, there] = memoryPipe();
  server.accept(there);
  const { say } = await joined(server, here, 100);
  for (let i = 0; i < 3; i++) await say(P.WORK_DATA, 1_048_576); // 300 MiB
  clock.advance(4_000);
  await say(P.WORK_DATA, 0);
  assert.equal(server.inspect().connections, 2);
  clock.advance(2_000);
  await say(P.WORK_DATA, 0);
  await until(() => server.inspect().connections === 1);
  await server.close();
});

test("a client that never reads its results is closed at once when 1 GiB is waiting", async () => {
  const server = new JobServer();
  const [here, there] = memoryPipe();
  server.accept(there);
  const { say } = await joined(server, here, 100);
  for (let i = 1; i <= 10; i++) {
    await say(P.WORK_DATA, 1_048_576);
    assert.equal(server.inspect().connections, 2, `with ${i * 100} MiB`);
  }
  await say(P.WORK_DATA, 1_048_576); // passes 1 GiB
  await until(() => server.inspect().connections === 1);
  await server.close();
});

test("a client that reads gets results that arrive faster than it reads", { timeout: 120_000 }, async () => {
  const server = new JobServer();
  const address = await server.listen();
  const { client, say } = await joined(server, await dialTcp()(address, {}), 300);
  await say(P.WORK_COMPLETE, 1_048_576);
  let completed = 0;
  for await (const { type } of client) if (type === P.WORK_COMPLETE && ++completed === 300) break;
  await client.close();
  await server.close();
});

test("a client that has ended its side and reads nothing is closed after a while", async () => {
  using timers = fakeTimers(5_000);
  using clock = fakeClock();
  const server = new JobServer();
  const [here, there] = memoryPipe();
  const ended = {
    ...there,
    write: there.write.bind(there),
    close: there.close.bind(there),
    async *[Symbol.asyncIterator]() {
      for (let i = 0; i < 5; i++) yield encodeRequest(P.ECHO_REQ, new Uint8Array(100_000)); // fewer are accepted
    },
  };
  server.accept(ended);
  await until(() => timers.active > 0);
  timers.fire();
  clock.advance(5_001);
  timers.fire();
  await until(() => server.inspect().connections === 0);
  assert.equal(timers.active, 0);
  await here.close();
  await server.close();
});

test(
  "a client that names functions without end is closed, and the others are served",
  { timeout: 120_000 },
  async () => {
    const server = new JobServer({ workerWakeup: 1 });
    const sleeper = new Connection(await server.dial(ANYWHERE, {}));
    const again = new Connection(await server.dial(ANYWHERE, {}));
    for (let i = 0; i < 100_001; i++) again.send(P.CAN_DO, "again");
    for await (const _ of again);
    for (let i = 0; i < 100_000; i++) sleeper.send(P.CAN_DO, "again");
    sleeper.send(P.PRE_SLEEP);
    sleeper.send(P.SUBMIT_JOB_BG, "again", "", "");
    for await (const { type } of sleeper) if (type === P.NOOP) break;

    const ever = new Connection(await server.dial(ANYWHERE, {}));
    for (let i = 0; i < 100_000; i++) ever.send(P.SUBMIT_JOB_BG, `f${i}`, "", "");
    let created = 0;
    for await (const { type } of ever) if (type === P.JOB_CREATED) created++;
    assert.equal(created, 99_999);
    assert.equal(server.inspect().connections, 1);
    await server.close();
  },
);

test("a client that sends requests and does not read is paused until it reads, and then gets all answers", async () => {
  let served = 0;
  const server = new JobServer({
    fault: (request) => void (request.magic === "REQ" && request.args[0]!.length > 99 && served++),
  });
  const sender = new Connection(await server.dial(ANYWHERE, {}));
  for (let i = 0; i < 40; i++) sender.send(P.ECHO_REQ, new Uint8Array(1_048_576));
  const other = new Wire(await server.dial(ANYWHERE, {}));
  for (let i = 0; i < 100; i++) await other.sync();
  assert.ok(served > 0 && served < 10, `${served} were served`);
  let echoes = 0;
  for await (const _ of sender) if (++echoes === 40) break;
  await server.close();
});

test("a header that announces 4 GiB costs no memory", async () => {
  const server = new JobServer({ maxPacketSize: 0xffff_ffff });
  const wires: Wire[] = [];
  for (let i = 0; i < 100; i++) {
    const wire = new Wire(await server.dial(ANYWHERE, {}));
    await wire.send("\0REQ\0\0\0\x10\xff\xff\xff\xff");
    wires.push(wire);
  }
  const other = new Wire(await server.dial(ANYWHERE, {}));
  assert.equal(await other.sync(), "");
  assert.equal(server.inspect().connections, 101);
  await server.close();
});

test("a list that is longer than a string can be is sent, and the server goes on", { timeout: 120_000 }, async () => {
  const errors: unknown[] = [];
  const server = new JobServer({ onError: (error) => void errors.push(error) });
  const [here, there] = memoryPipe();
  server.accept(there);
  const abilities = 66_000; // V8 has strings of at most 2^29 - 24 characters
  const name = "x".repeat(8_190);
  const canDo = encodeRequest(P.CAN_DO, name);
  // Making the list may take longer than a peer is given to read, and it cannot read meanwhile.
  using _clock = fakeClock({ stepMs: 10_000 });
  for (let i = 0; i < abilities; i++) await here.write(canDo);
  await here.write(new TextEncoder().encode("workers\n"));
  const lines = "1 - - :\n".length + abilities * ` ${name}`.length;
  let received = 0;
  let end = "";
  for await (const chunk of here) {
    received += chunk.length;
    end = String.fromCharCode(...chunk.subarray(-3));
    if (received >= lines + 2) break;
  }
  assert.deepEqual([received, end, errors], [lines + 2, "\n.\n", []]);
  assert.equal(server.inspect().connections, 1);
  await server.close();
});
