import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { encodeRequest, PacketType as P } from "../../src/codec/mod.ts";
import { Connection, dialTcp, memoryPipe } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { request as r, Wire } from "./wire.ts";

const ANYWHERE = { hostname: "", port: 0 };

/** Submits so many background jobs of one function, then has them all done; returns what that costs, in ms of CPU. */
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
    if (++done === jobs) break;
  }
  worker.send(P.ECHO_REQ, "");
  for await (const packet of worker) if (packet.type === P.ECHO_RES) break;
  assert.deepEqual(server.inspect().jobs, []);
  const { user, system } = process.cpuUsage(started);
  await server.close();
  return (user + system) / 1_000;
}

test("100,000 jobs queue up, and a job costs no more than where there are few", { timeout: 120_000 }, async () => {
  await queueAndWork(5_000); // warm
  const few = await queueAndWork(10_000) / 10_000;
  const many = await queueAndWork(100_000) / 100_000;
  // Linear in the queue would be ten times as much, and quadratic work in all.
  assert.ok(many < few * 5, `${few} ms for a job of few, ${many} ms for one of many`);
});

test("100,000 jobs wait for their time", { timeout: 120_000 }, async () => {
  const server = new JobServer();
  const client = new Connection(await server.dial(ANYWHERE, {}));
  for (let i = 0; i < 100_000; i++) {
    client.send(P.SUBMIT_JOB_EPOCH, "f", "", String(99_999_999_999 - (i * 7_919) % 100_003), "");
  }
  let created = 0;
  for await (const _ of client) if (++created === 100_000) break;
  assert.equal(server.inspect().functions[0]!.normal, 100_000);
  await server.close();
});

test("1,000 connections are served, each job by one of them", { timeout: 120_000 }, async () => {
  const server = new JobServer();
  const address = await server.listen();
  const workers = await Promise.all(Array.from({ length: 500 }, async () => new Wire(await dialTcp()(address, {}))));
  const clients = await Promise.all(Array.from({ length: 500 }, async () => new Wire(await dialTcp()(address, {}))));
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

test("a client that never reads its results is closed when 64 MiB wait for it, and costs the others nothing", async () => {
  const server = new JobServer();
  const [here, there] = memoryPipe();
  server.accept(there);
  await here.write(encodeRequest(P.SUBMIT_JOB, "f", "", "")); // and that is never read
  const worker = new Wire(await server.dial(ANYWHERE, {}));
  await worker.send(r(P.CAN_DO, "f"), r(P.GRAB_JOB));
  const handle = /H:gearwire:\d+/.exec(await worker.sync())![0];
  const data = r(P.WORK_DATA, handle, new Uint8Array(1_048_576));
  let sent = 0;
  while (server.inspect().connections === 2) {
    await worker.send(data);
    await worker.sync();
    sent++;
    assert.ok(sent < 200, "it is still open with 200 MiB that nobody reads");
  }
  assert.ok(sent >= 64);
  await server.close();
});

test("who asks and does not read is served no more until he does, and then all of it", async () => {
  let served = 0;
  const server = new JobServer({
    fault: (request) => void (request.magic === "REQ" && request.args[0]!.length > 99 && served++),
  });
  const sender = new Connection(await server.dial(ANYWHERE, {}));
  for (let i = 0; i < 100; i++) sender.send(P.ECHO_REQ, new Uint8Array(1_048_576));
  const other = new Wire(await server.dial(ANYWHERE, {}));
  for (let i = 0; i < 100; i++) await other.sync();
  assert.ok(served > 0 && served < 10, `${served} were served`);
  let echoes = 0;
  for await (const _ of sender) if (++echoes === 100) break;
  await server.close();
});

test("a header of 4 GiB that nothing follows costs nothing", async () => {
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
