/** Tests of work-arounds for gearmand 1: jobs that become due while a worker sleeps. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GearmanClient, GearmanWorker } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { DueJobs } from "../../src/worker/gearmand_1.ts";
import { FakeServer } from "../support/fake_server.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { onEveryServer } from "../support/servers.ts";
import { turns, until } from "../support/wait.ts";
import { countPackets, heldHandler, makeWorker, serverWithJobs, startWorker, untilSent } from "../support/workers.ts";

const timeout = 30_000;

describe("a worker that polls", () => {
  test("asks a server where it sleeps, once in each interval, and grabs only after NOOP", { timeout }, async () => {
    using timers = fakeTimers(700);
    const server = serverWithJobs();
    const worker = startWorker({ dial: server.dial, pollInterval: 700 }, { f: () => {} });
    await untilSent(server, "PRE_SLEEP");
    for (let i = 2; i < 5; i++) {
      timers.fire();
      await until(() => countPackets(server, PacketType.PRE_SLEEP) === i);
      await turns();
      assert.equal(countPackets(server, PacketType.GRAB_JOB_ALL), 1);
    }
    server.peer.answer(PacketType.NOOP);
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) === 2);
    await worker.close();
    assert.deepEqual([timers.set, timers.active], [1, 0]);
  });

  test("does not ask while it is busy, while a grab is in flight, and without functions", { timeout }, async () => {
    using timers = fakeTimers(700);
    const busy = serverWithJobs(["H:1", "f"]);
    const silent = new FakeServer();
    const { handler, started, release } = heldHandler();
    const options = { pollInterval: 700, drainTimeout: 0 };
    await using _busy = startWorker({ ...options, dial: busy.dial }, { f: handler });
    await using _silent = startWorker({ ...options, dial: silent.dial }, { f: () => {} });
    const idle = serverWithJobs();
    await using without = startWorker({ ...options, dial: idle.dial }, { f: () => {} });
    await untilSent(idle, "PRE_SLEEP");
    without.removeFunction("f");
    await started.promise;
    await untilSent(silent, "GRAB_JOB_ALL");
    timers.fire();
    await turns();
    assert.deepEqual([busy, silent, idle].map((server) => countPackets(server, PacketType.PRE_SLEEP)), [0, 0, 1]);
    release.resolve("");
  });

  test("asks no more after its end, also if its signal had fired before it ran", { timeout }, async () => {
    using timers = fakeTimers(700);
    const server = serverWithJobs();
    for (const end of ["aborted", "close", "destroy"] as const) {
      const worker = makeWorker({ dial: server.dial, pollInterval: 700 }, { f: () => {} });
      const running = worker.run(end === "aborted" ? { signal: AbortSignal.abort() } : {});
      if (end !== "aborted") await worker[end]();
      await running;
      assert.equal(timers.active, 0, end);
    }
    assert.equal(timers.set, 3);
  });

  test("never asks with an interval of 0, and asks each second by default", { timeout }, async () => {
    using timers = fakeTimers(1_000);
    const server = serverWithJobs();
    await using _worker = startWorker({ dial: server.dial, pollInterval: 0 }, { f: () => {} });
    assert.equal(timers.set, 0);
    await using _other = startWorker({ dial: server.dial }, { f: () => {} });
    assert.equal(timers.set, 1);
    for (const pollInterval of [-1, 0.5, NaN, "1", null, 2 ** 31]) {
      assert.throws(() => new GearmanWorker({ pollInterval: pollInterval as never }), RangeError);
    }
  });
});

test("no timer runs for an interval of 0, and a stopped one runs no more", () => {
  for (const interval of [0, 700]) {
    using timers = fakeTimers(interval);
    const dueJobs = new DueJobs(interval, () => {});
    dueJobs.start();
    assert.equal(timers.active, interval === 0 ? 0 : 1);
    dueJobs.stop();
    assert.equal(timers.active, 0);
  }
});

onEveryServer("a job with a start time", (kind) => {
  test("runs on an idle worker when it is due, however long the server is silent", { timeout }, async () => {
    const server = await kind.start();
    const ran = deferred<number>();
    // Without polls the worker would ask after the probe interval: the test would time out.
    const worker = startWorker({ ...server.connect, pollInterval: 50, probeInterval: 1_000_000 }, {
      f: () => ran.resolve(Date.now()),
    });
    await using client = new GearmanClient(server.connect);
    const at = new Date(Date.now() + 100);
    await client.doBackground("f", "x", { at });
    assert.ok(await ran.promise >= at.getTime());
    await worker.close();
    await server.stop();
  });
});
