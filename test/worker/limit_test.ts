/** Tests of the time limit of a function, in the worker and at the server. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GearmanClient, JobFailedError } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { FakeServer } from "../support/fake_server.ts";
import { countJobs, functionStatus } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { until } from "../support/wait.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import {
  countPackets,
  describePacket,
  dialByPort,
  heldHandler,
  makeWorker,
  serverWithJobs,
  startWorker,
  untilSent,
} from "../support/workers.ts";
import { onEveryServer, type TestServer } from "../support/servers.ts";

const timeout = 30_000;

/** Returns the message with which a job failed. */
async function exceptionOf(job: PromiseLike<unknown>): Promise<string> {
  const error = await job.then(() => undefined, (error) => error);
  assert.ok(error instanceof JobFailedError, String(error));
  return new TextDecoder().decode(error.exception);
}

describe("a worker with a time limit", () => {
  test("does not sleep while its only job runs: PRE_SLEEP would stop the server's timer", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const { handler, started, release } = heldHandler();
    await using worker = startWorker({ dial: server.dial, probeInterval: 20 }, {});
    worker.addFunction("f", handler, { timeout: 60_000 });
    await started.promise;
    worker.addFunction("g", () => {}).removeFunction("h");
    server.peer.answer(PacketType.NOOP);
    await untilSent(server, "ECHO_REQ ");
    assert.equal(countPackets(server, PacketType.PRE_SLEEP), 0);
    release.resolve("");
    await untilSent(server, "PRE_SLEEP");
  });

  test("grabs or sleeps right after each job, also if another server gets the slot", { timeout }, async () => {
    const timed = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
    });
    const other = new FakeServer();
    const { handler, started, release } = heldHandler();
    await using worker = startWorker({
      servers: ["timed:1", "other:2"],
      dial: (address, options) => (address.port === 1 ? timed : other).dial(address, options),
      drainTimeout: 0,
    }, {});
    worker.addFunction("f", handler, { timeout: 60_000 });
    await started.promise;
    await until(() => other.peers.length === 1);
    release.resolve("done");
    await untilSent(other, "GRAB_JOB_ALL");
    await untilSent(timed, "PRE_SLEEP");
    const sent = () => timed.peer.requests.map(describePacket).filter((line) => line !== "ECHO_REQ ");
    await until(() => sent().length === 7);
    // PRE_SLEEP stops the timer only if no job is runnable: no job is, while no function is announced.
    assert.deepEqual(sent().slice(2), [
      "WORK_COMPLETE H:1 done",
      "RESET_ABILITIES",
      "PRE_SLEEP",
      "CAN_DO_TIMEOUT f 61000",
      "PRE_SLEEP",
    ]);
  });
});

onEveryServer("a worker with a time limit", (kind) => {
  test("serves on after handlers that never settle, and finishes the jobs beside them", { timeout }, async () => {
    const server = await kind.start();
    await using client = new GearmanClient(server.connect);
    for (const concurrency of [1, 3]) {
      await using worker = startWorker({ ...server.connect, concurrency, drainTimeout: 50 }, {
        good: (job) => job.text(),
      });
      worker.addFunction("stuck", () => new Promise(() => {}), { timeout: 20 });
      const stuck = Array.from({ length: 4 }, (_, i) => client.do("stuck", String(i)));
      const good = Array.from({ length: 4 }, (_, i) => client.do("good", String(i)).text());
      for (const job of stuck) assert.match(await exceptionOf(job), /^Job .* \("stuck"\) took longer than 20 ms$/);
      assert.deepEqual(await Promise.all(good), ["0", "1", "2", "3"]);
      assert.deepEqual((await functionStatus(server, "stuck")).slice(0, 2), [0, 0]);
    }
    await server.stop();
  });

  test("of another function keeps a slot for a job that is stuck", { timeout }, async () => {
    const server = await kind.start();
    await using client = new GearmanClient(server.connect);
    const { handler, started } = heldHandler();
    await using _worker = startWorker({ ...server.connect, concurrency: 2, drainTimeout: 10 }, {
      stuck: handler,
      good: (job) => job.text(),
    });
    await client.doBackground("stuck", "x");
    await started.promise;
    for (let i = 0; i < 20; i++) assert.equal(await client.do("good", String(i)).text(), String(i));
    assert.equal((await started.promise).signal.aborted, false);
    await server.stop();
  });

  test("leaves no timer at a server when the slot goes to another server", { timeout }, async () => {
    using timers = fakeTimers(1_900);
    const servers = [await kind.start(), await kind.start()] as const;
    const [one, two] = servers;
    await using client = new GearmanClient(one.connect);
    await using other = new GearmanClient(two.connect);
    const { handler, started, release } = heldHandler();
    let timed = 0;
    for (let i = 0; i < 2; i++) await client.doBackground("timed", "x");
    for (let i = 0; i < 3; i++) await other.doBackground("hold", "x");
    const there = (server: TestServer, name: string) =>
      until(async () => (await functionStatus(server, name))[2] === 1);
    const worker = makeWorker({ servers: ["one:1", "two:2"], dial: dialByPort(servers) }, {
      hold: (job) => timed === 0 ? there(one, "timed") : handler(job),
    });
    worker.addFunction("timed", () => there(two, "hold").then(() => void timed++), { timeout: 900 });
    worker.run();
    await started.promise;
    assert.equal(timed, 1);
    // The thread of gearmand that answers may not have heard yet that the first job has ended.
    await until(async () => (await functionStatus(one, "timed")).join() === "1,0,1");
    if (kind.name === "gearmand") {
      // A timer that started later fires at the other server: the timer of the ended job would have fired before.
      const watched = await RawWorker.open(two);
      watched.send(PacketType.CAN_DO_TIMEOUT, "watched", "2200");
      await other.doBackground("watched", "x");
      await watched.grab();
      await until(async () => (await functionStatus(two, "watched"))[1] === 0);
      await watched.close();
    } else {
      assert.deepEqual([timers.set, timers.active], [1, 0], "this server's timers are in this process");
    }
    assert.deepEqual(await functionStatus(one, "timed"), [1, 0, 1], "jobs, running jobs, workers");
    release.resolve("");
    await until(async () => await countJobs(one, "timed") + await countJobs(two, "hold") === 0);
    assert.equal(timed, 2);
    await worker.close();
    await Promise.all(servers.map((server) => server.stop()));
  });
});
