/** Tests of the end of a worker: close() is gentle however often it is called, and destroy() forces. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Dial, GearmanClient, GearmanError, type GearmanEvent, GearmanWorker } from "../../mod.ts";
import type { AssignedJob } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { FakeServer } from "../support/fake_server.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns } from "../support/wait.ts";
import { heldHandler, makeWorker, sentPackets, serverWithJobs, startWorker, untilSent } from "../support/workers.ts";
import { onEveryServer, type TestServer } from "../support/servers.ts";

const timeout = 30_000;

onEveryServer("close()", (kind) => {
  let server: TestServer;
  /** A test with a server and a client of its own. */
  const withClient = (name: string, run: (client: GearmanClient) => Promise<void>) =>
    test(name, { timeout }, async () => {
      server = await kind.start();
      const client = new GearmanClient(server.connect);
      try {
        await run(client);
      } finally {
        await client.close();
        await server.stop();
      }
    });

  withClient("at the end of a block finishes the running job, also after run() was aborted", async (client) => {
    const stop = new AbortController();
    const { handler, started, release } = heldHandler();
    let running: Promise<void>;
    let result: Promise<string>;
    let signal: AbortSignal;
    {
      await using worker = new GearmanWorker(server.connect);
      worker.addFunction("f", handler);
      running = worker.run({ signal: stop.signal });
      result = client.do("f").text();
      ({ signal } = await started.promise);
      stop.abort();
      turns(5).then(() => release.resolve("finished"));
    }
    assert.equal(await result, "finished");
    assert.equal(signal.aborted, false);
    await running;
  });

  for (const calls of [2, 3]) {
    withClient(`called ${calls} times finishes the running job`, async (client) => {
      const { handler, started, release } = heldHandler();
      const worker = new GearmanWorker(server.connect).addFunction("f", handler);
      const running = worker.run();
      const result = client.do("f").text();
      const { signal } = await started.promise;
      let closed = 0;
      const closing = Array.from({ length: calls }, () => worker.close().then(() => closed += 1));
      await turns(5);
      assert.deepEqual([closed, signal.aborted], [0, false]);
      release.resolve("finished");
      await Promise.all([...closing, running]);
      assert.equal(await result, "finished");
      assert.equal(signal.aborted, false);
      await worker.close();
    });
  }

  withClient("resolves when destroy() is called, and another worker gets the job", async (client) => {
    const { handler, started, release } = heldHandler();
    const worker = new GearmanWorker(server.connect).addFunction("f", handler);
    const running = worker.run();
    const result = client.do("f").text();
    const { signal } = await started.promise;
    const reason = new Error("enough");
    const closing = worker.close();
    await worker.destroy(reason);
    await closing;
    await running;
    assert.equal(signal.reason, reason);
    release.resolve("discarded");
    const other = await RawWorker.open(server, "f");
    await other.serve(1, () => "by another");
    assert.equal(await result, "by another");
    await other.close();
  });
});

describe("destroy()", () => {
  const reasons = { "a reason": new TypeError("mine"), "a reason that is no error": "text", "the reason null": null };
  for (const [name, reason] of Object.entries(reasons)) {
    test(`with ${name} aborts the jobs with it, and reports it`, { timeout }, async () => {
      const events: GearmanEvent[] = [];
      const server = serverWithJobs(["H:1", "f"], ["H:2", "f"]);
      const jobs: AssignedJob[] = [];
      const worker = makeWorker({
        dial: server.dial,
        concurrency: 2,
        onEvent: (event) => {
          if (event.type === "jobEnded") events.push(event);
        },
      }, {
        f: (job) => {
          jobs.push(job);
          return new Promise<void>(() => {});
        },
      });
      const running = worker.run();
      await untilSent(server, "GRAB_JOB_ALL");
      await turns();
      const early = jobs[0]!.signal;
      await worker.destroy(reason);
      await running;
      assert.equal(early.reason, reason);
      assert.deepEqual(jobs.map(({ signal }) => [signal.aborted, signal.reason]), [[true, reason], [true, reason]]);
      assert.deepEqual(events.map((event) => (event as { error?: unknown }).error), [reason, reason]);
    });
  }

  test("without a reason aborts the jobs with a GearmanError", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const { handler, started } = heldHandler();
    const worker = startWorker({ dial: server.dial }, { f: handler });
    const { signal } = await started.promise;
    await worker.destroy();
    assert.ok(signal.reason instanceof GearmanError);
    assert.equal(signal.reason.message, "The worker was stopped before the job was finished");
  });

  test("discards the result of a job that ends later, and sends nothing for it", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const { handler, started, release } = heldHandler();
    const worker = startWorker({ dial: server.dial }, { f: handler });
    const job = await started.promise;
    const destroying = worker.destroy();
    release.resolve("late");
    await job.sendData("late too");
    await destroying;
    await server.peer.ended;
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f"]);
  });

  test("twice has the effect of the first call", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const { handler, started } = heldHandler();
    const worker = startWorker({ dial: server.dial }, { f: handler });
    const { signal } = await started.promise;
    const first = new Error("first");
    await Promise.all([worker.destroy(first), worker.destroy(new Error("second"))]);
    await worker.destroy(new Error("third"));
    await worker.close();
    assert.equal(signal.reason, first);
    await server.peer.ended;
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f"]);
  });

  test("before run() closes the worker: it never connects", { timeout }, async () => {
    const worker = new GearmanWorker({ dial: () => assert.fail("it dialed") });
    await worker.destroy(new Error("never mind"));
    await assert.rejects(worker.run(), /it is closed/);
    await worker.close();
  });

  test("ends an attempt to connect", { timeout }, async () => {
    const dialed = deferred<void>();
    const worker = new GearmanWorker({
      dial: () => {
        dialed.resolve();
        return new Promise<never>(() => {});
      },
    });
    const running = worker.run();
    await dialed.promise;
    await worker.destroy();
    await running;
  });

  test("ends a drain in which a server owes the answer to a grab", { timeout }, async () => {
    const server = new FakeServer();
    const worker = startWorker({ dial: server.dial }, { f: () => {} });
    await untilSent(server, "GRAB_JOB_ALL");
    const closing = worker.close();
    await turns();
    await worker.destroy();
    await closing;
    await server.peer.ended;
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "RESET_ABILITIES"]);
  });

  for (const how of ["awaited", "not awaited"] as const) {
    test(`inside a handler, ${how}, ends the worker; what the handler sent before arrives`, { timeout }, async () => {
      const server = serverWithJobs(["H:1", "f"]);
      const left = deferred<unknown>();
      const worker = makeWorker({ dial: server.dial }, {});
      worker.addFunction("f", async (job) => {
        job.sendData("before");
        const destroying = worker.destroy("by the handler");
        job.sendData("after");
        if (how === "awaited") await destroying;
        left.resolve(job.signal.reason);
        return "discarded";
      });
      await worker.run();
      assert.equal(await left.promise, "by the handler");
      await server.peer.ended;
      assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "WORK_DATA H:1 before"]);
    });
  }

  test("inside a synchronous handler discards its result", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const worker = makeWorker({ dial: server.dial }, {});
    worker.addFunction("f", () => {
      worker.destroy();
      return "discarded";
    });
    await worker.run();
    await server.peer.ended;
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f"]);
  });

  test("inside a listener of a job's signal, or of events, does no harm", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const started = deferred<void>();
    const worker: GearmanWorker = makeWorker({
      dial: server.dial,
      onEvent: (event) => {
        if (event.type === "jobEnded") worker.destroy("again");
      },
    }, {
      f: (job) => {
        job.signal.addEventListener("abort", () => worker.destroy("again"));
        started.resolve();
        return new Promise<void>(() => {});
      },
    });
    const running = worker.run();
    await started.promise;
    await worker.destroy("first");
    await running;
  });

  test("starts no job that arrives while the connection waits for pending writes", { timeout }, async () => {
    const server = new FakeServer();
    const gate = deferred<void>();
    let isStalled = false;
    const dial: Dial = async (address, options) => {
      const transport = await server.dial(address, options);
      const write = transport.write.bind(transport);
      transport.write = async (bytes) => {
        if (isStalled) await gate.promise;
        await write(bytes);
      };
      return transport;
    };
    let runs = 0;
    const worker = startWorker({ dial, concurrency: 2 }, {
      f: () => {
        runs += 1;
      },
    });
    await untilSent(server, "GRAB_JOB_ALL");
    isStalled = true;
    const destroying = worker.destroy();
    await turns();
    server.peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
    await turns();
    gate.resolve();
    await destroying;
    await server.peer.ended;
    assert.equal(runs, 0);
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "RESET_ABILITIES"]);
  });
});
