/** Tests of functions that are added, changed and removed while a worker runs: what is announced, and when. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GearmanClient, type GearmanWorker, type WorkerOptions } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns, until } from "../support/wait.ts";
import { RawWorker } from "../support/raw_worker.ts";
import {
  countPackets,
  describePacket,
  type Functions,
  heldHandler,
  sentPackets,
  serverWithJobs,
  startWorker,
  untilSent,
} from "../support/workers.ts";
import { functionStatus } from "../support/server_commands.ts";
import { FakeServer } from "../support/fake_server.ts";
import { onEveryServer } from "../support/servers.ts";

const timeout = 30_000;

function start(server: FakeServer, functions: Functions, options: WorkerOptions = {}): GearmanWorker {
  return startWorker({ dial: server.dial, drainTimeout: 50, ...options }, functions);
}

describe("functions that are added and removed", () => {
  test("CANT_DO is not sent while a job of the function runs", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"], ["H:2", "g"]);
    const release = deferred<string>();
    await using worker = start(server, { f: () => release.promise, g: () => "after" });
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) === 1);
    await turns();
    worker.removeFunction("f").removeFunction("never there");
    await turns();
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "CAN_DO g"]);
    release.resolve("done");
    await untilSent(server, "PRE_SLEEP");
    const expected = ["WORK_COMPLETE H:1 done", "CANT_DO f", "WORK_COMPLETE H:2 after"];
    assert.deepEqual(sentPackets(server.peer).slice(2), expected);
  });

  test("a function that is removed and added again before its job ends is never withdrawn", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"], ["H:2", "f"]);
    const release = deferred<string>();
    await using worker = start(server, { f: () => release.promise });
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) === 1);
    await turns();
    worker.removeFunction("f").addFunction("f", () => "new");
    release.resolve("old");
    await untilSent(server, "WORK_COMPLETE H:2 new");
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 old", "WORK_COMPLETE H:2 new"]);
  });

  test("a function that is removed while a grab is in flight still runs the job", { timeout }, async () => {
    const server = new FakeServer();
    await using worker = start(server, { f: () => "done" });
    await untilSent(server, "GRAB_JOB_ALL");
    worker.removeFunction("f");
    server.peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
    await untilSent(server, "CANT_DO f");
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 done", "CANT_DO f"]);
  });

  test("a function that is removed while a grab is in flight is withdrawn after NO_JOB", { timeout }, async () => {
    const server = new FakeServer();
    await using worker = start(server, { f: () => "done", g: () => "done" });
    await untilSent(server, "GRAB_JOB_ALL");
    worker.removeFunction("f");
    server.peer.answer(PacketType.NO_JOB);
    await turns(50);
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "CAN_DO g", "CANT_DO f"]);
    assert.ok(countPackets(server, PacketType.PRE_SLEEP) + countPackets(server, PacketType.GRAB_JOB_ALL) > 1);
  });

  test("a removed function does not stop grabs while jobs of other functions run", { timeout }, async () => {
    const server = new FakeServer();
    const { handler, release } = heldHandler();
    await using worker = start(server, { f: () => "done", g: handler }, { concurrency: 3 });
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) === 3);
    worker.removeFunction("f");
    server.peer.answer(PacketType.NO_JOB);
    server.peer.answer(PacketType.JOB_ASSIGN, "H:1", "g", "");
    server.peer.answer(PacketType.JOB_ASSIGN, "H:2", "g", "");
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) === 4);
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "CAN_DO g", "CANT_DO f"]);
    release.resolve("");
    await until(() => countPackets(server, PacketType.WORK_COMPLETE) === 2);
  });

  test("a changed time limit is announced by CANT_DO and CAN_DO_TIMEOUT when no job of the function is held", {
    timeout,
  }, async () => {
    const server = serverWithJobs(["H:1", "f"], ["H:2", "f"]);
    const { handler, started, release } = heldHandler();
    await using worker = start(server, { f: handler });
    await started.promise;
    worker.addFunction("f", () => "short", { timeout: 500 }).addFunction("f", () => "long", { timeout: 9_000 });
    await turns();
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f"]);
    release.resolve("old");
    await untilSent(server, "PRE_SLEEP");
    worker.addFunction("f", () => "the same limit", { timeout: 9_000 }).addFunction("f", () => "none");
    await turns();
    assert.deepEqual(sentPackets(server.peer), [
      "CAN_DO f",
      "WORK_COMPLETE H:1 old",
      "CANT_DO f",
      "CAN_DO_TIMEOUT f 10000",
      "WORK_COMPLETE H:2 long",
      "CANT_DO f",
      "CAN_DO f",
    ]);
  });

  test("a changed time limit is not announced if the server does not time jobs", { timeout }, async () => {
    const server = serverWithJobs();
    await using worker = start(server, { f: () => {} }, { concurrency: 2 });
    await untilSent(server, "PRE_SLEEP");
    worker.addFunction("f", () => {}, { timeout: 500 }).addFunction("f", () => {}, { timeout: 600 });
    await turns();
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f"]);
  });

  test("a job that arrives after its function was replaced and removed has the last handler", { timeout }, async () => {
    const server = new FakeServer();
    await using worker = start(server, { f: () => "first" });
    await untilSent(server, "GRAB_JOB_ALL");
    worker.addFunction("f", () => "last").removeFunction("f");
    server.peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
    await untilSent(server, "CANT_DO f");
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 last", "CANT_DO f"]);
  });

  test("a new connection announces only the functions of that moment", { timeout }, async () => {
    const server = serverWithJobs();
    server.refuse = () => Promise.reject(new Error("down"));
    await using worker = start(server, { f: () => {}, g: () => {} });
    await until(() => server.dials.length > 1);
    worker.removeFunction("f").addFunction("h", () => {}).addFunction("h", () => {}, { timeout: 1 });
    server.refuse = () => undefined;
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO g", "CAN_DO_TIMEOUT h 1001"]);
  });

  test("a worker without functions does not grab, until one is added", { timeout }, async () => {
    const server = serverWithJobs();
    await using worker = start(server, { f: () => {} });
    await untilSent(server, "PRE_SLEEP");
    worker.removeFunction("f");
    await untilSent(server, "CANT_DO f");
    const before = countPackets(server, PacketType.GRAB_JOB_ALL);
    server.peer.answer(PacketType.NOOP);
    await turns();
    assert.equal(countPackets(server, PacketType.GRAB_JOB_ALL), before);
    worker.addFunction("f", () => {});
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) > before);
    assert.equal(server.peer.requests.map(describePacket).filter((line) => line === "CAN_DO f").length, 2);
  });
});

onEveryServer("functions that are added and removed", (kind) => {
  test("a function that is added again with any time limit is registered once, and not after its removal", {
    timeout,
  }, async () => {
    const server = await kind.start();
    await using client = new GearmanClient(server.connect);
    await using worker = startWorker(server.connect, { f: () => "0" });
    for (const [i, limit] of [undefined, 5_000, 5_000, 6_000, undefined, 7_000].entries()) {
      worker.addFunction("f", () => String(i), limit === undefined ? {} : { timeout: limit });
      await until(async () => await client.do("f").text() === String(i));
      assert.deepEqual(await functionStatus(server, "f"), [0, 0, 1]);
    }
    worker.removeFunction("f").addFunction("g", () => "g");
    assert.equal(await client.do("g").text(), "g");
    assert.deepEqual(await functionStatus(server, "f"), [0, 0, 0]);
    await server.stop();
  });

  test("removing a function requeues no job, of that function or another", { timeout }, async () => {
    const server = await kind.start();
    await using client = new GearmanClient(server.connect);
    const [own, other] = [heldHandler(), heldHandler()];
    let runs = 0;
    await using worker = startWorker({ ...server.connect, concurrency: 4 }, {
      own: (job) => {
        runs += 1;
        return own.handler(job);
      },
      other: (job) => {
        runs += 1;
        return other.handler(job);
      },
    });
    const held = [client.do("own").text(), client.do("other").text()];
    await Promise.all([own.started.promise, other.started.promise]);
    // A requeued job would be assigned to the other worker.
    const thief = await RawWorker.open(server, "own", "other");
    worker.removeFunction("own");
    assert.equal(await thief.tryGrab(), undefined);
    own.release.resolve("its own");
    assert.equal(await held[0], "its own");
    await until(async () => (await functionStatus(server, "own"))[2] === 1);
    assert.equal(await thief.tryGrab(), undefined, "CANT_DO has not requeued the job of the other function");
    other.release.resolve("another's");
    assert.equal(await held[1], "another's");
    assert.equal(runs, 2);
    await thief.close();
    await server.stop();
  });
});
