/** Tests of a draining worker: what it finishes, what it no longer does, and what `drainTimeout` ends. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Dial, GearmanClient, type GearmanEvent } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns, until } from "../support/wait.ts";
import { countJobs } from "../support/server_commands.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import {
  countPackets,
  describePacket,
  heldHandler,
  makeWorker,
  sentPackets,
  serverWithJobs,
  startWorker,
  untilSent,
} from "../support/workers.ts";
import { FakeServer } from "../support/fake_server.ts";
import { onEveryServer } from "../support/servers.ts";

const timeout = 30_000;

describe("a draining worker", () => {
  test(
    "sends a result to a slow server, even if that takes longer than closing a connection may",
    { timeout },
    async () => {
      using linger = fakeTimers(2_000);
      await using server = new JobServer();
      await using client = new GearmanClient({ dial: server.dial });
      const sending = deferred<void>();
      const slow: Dial = async (address, options) => {
        const transport = await server.dial(address, options);
        return {
          write: async (bytes) => {
            if (bytes.length > 100_000) {
              sending.resolve();
              await turns();
              if (linger.active > 0) linger.fire();
            }
            await transport.write(bytes);
          },
          close: () => transport.close(),
          [Symbol.asyncIterator]: () => transport[Symbol.asyncIterator](),
        };
      };
      const { handler, started, release } = heldHandler();
      const worker = makeWorker({ dial: slow, drainTimeout: 60_000 }, { f: handler });
      worker.run();
      const result = client.do("f").text();
      await started.promise;
      const closing = worker.close();
      release.resolve("x".repeat(1_000_000));
      await sending.promise;
      await closing;
      assert.equal((await result).length, 1_000_000);
    },
  );

  test("finishes a job that is assigned during the drain", { timeout }, async () => {
    const server = new FakeServer();
    const worker = startWorker({ dial: server.dial, concurrency: 2 }, { f: () => turns(2).then(() => "done") });
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) === 2);
    const closing = worker.close();
    server.peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
    server.peer.answer(PacketType.NO_JOB);
    await closing;
    await server.peer.ended;
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 done", "RESET_ABILITIES"]);
    assert.equal(countPackets(server, PacketType.GRAB_JOB_ALL), 2);
  });

  test("ignores NOOP, and withdraws no function while a job is held", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const { handler, started, release } = heldHandler();
    const worker = startWorker({ dial: server.dial, concurrency: 2 }, { f: handler, g: () => {} });
    await started.promise;
    await untilSent(server, "PRE_SLEEP");
    const grabs = countPackets(server, PacketType.GRAB_JOB_ALL);
    const closing = worker.close();
    worker.removeFunction("f");
    for (let i = 0; i < 5; i++) server.peer.answer(PacketType.NOOP);
    await turns();
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "CAN_DO g"]);
    release.resolve("done");
    await closing;
    await server.peer.ended;
    assert.equal(countPackets(server, PacketType.GRAB_JOB_ALL), grabs);
    assert.deepEqual(sentPackets(server.peer).slice(2), ["WORK_COMPLETE H:1 done", "CANT_DO f", "RESET_ABILITIES"]);
  });

  test("neither grabs nor sleeps after a result", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"], ["H:2", "f"]);
    const release = deferred<void>();
    let runs = 0;
    const worker = startWorker({ dial: server.dial, concurrency: 2 }, {
      f: () => {
        runs += 1;
        return runs === 1 ? release.promise : release.promise.then(() => turns());
      },
    });
    await until(() => runs === 2);
    const closing = worker.close();
    release.resolve();
    await closing;
    await server.peer.ended;
    assert.deepEqual(server.peer.requests.map(describePacket).slice(3), [
      "WORK_COMPLETE H:1 ",
      "WORK_COMPLETE H:2 ",
      "RESET_ABILITIES",
    ]);
  });

  test("does not connect again to a server that it loses", { timeout }, async () => {
    const [busy, other] = [serverWithJobs(["H:1", "f"]), serverWithJobs()];
    const { handler, started, release } = heldHandler();
    const worker = startWorker({
      servers: ["busy:1", "other:2"],
      dial: (address, options) => (address.port === 1 ? busy : other).dial(address, options),
      drainTimeout: timeout,
    }, { f: handler });
    await started.promise;
    await until(() => other.peers.length === 1);
    const closing = worker.close();
    await other.peer.end();
    await turns(20);
    assert.equal(other.dials.length, 1);
    release.resolve("done");
    await closing;
    assert.equal(describePacket(busy.peer.requests.at(-1)!), "RESET_ABILITIES");
  });

  test("waits at most drainTimeout for a silent server, and for a handler that never ends", {
    timeout,
  }, async () => {
    const events: GearmanEvent[] = [];
    const servers = [new FakeServer(), serverWithJobs(["H:1", "f"])];
    for (const server of servers) {
      const { handler, started } = heldHandler();
      const worker = makeWorker({
        dial: server.dial,
        drainTimeout: 20,
        onEvent: (event) => {
          if (event.type === "jobEnded") events.push(event);
        },
      }, { f: handler });
      const running = worker.run();
      await untilSent(server, "GRAB_JOB_ALL");
      if (server === servers[1]) await started.promise;
      await worker.close();
      await running;
      if (server === servers[1]) assert.equal((await started.promise).signal.aborted, true);
    }
    assert.equal(events.length, 1);
    assert.match(String((events[0] as { error?: unknown }).error), /stopped before the job was finished/);
  });
});

onEveryServer("a draining worker", (kind) => {
  test("finishes each held job once, and leaves the queued jobs to other workers", { timeout }, async () => {
    const server = await kind.start();
    await using client = new GearmanClient(server.connect);
    const runs = new Map<string, number>();
    let stop = () => {};
    const handler = (job: { text(): string }) => {
      runs.set(job.text(), (runs.get(job.text()) ?? 0) + 1);
      if (runs.size === 25) stop();
      return turns(2).then(() => job.text());
    };
    const jobs = Array.from({ length: 100 }, (_, i) => client.do("f", String(i)).text());
    const worker = makeWorker({ ...server.connect, concurrency: 10, drainTimeout: timeout }, { f: handler });
    stop = () => void worker.close();
    await worker.run();
    const done = runs.size;
    assert.ok(done >= 25 && done < 100, `${done} jobs`);
    await until(async () => await countJobs(server, "f") === 100 - done);
    await using _other = startWorker({ ...server.connect, concurrency: 10 }, { f: handler });
    assert.deepEqual(await Promise.all(jobs), Array.from({ length: 100 }, (_, i) => String(i)));
    assert.deepEqual([...new Set(runs.values())], [1]);
    await server.stop();
  });
});
