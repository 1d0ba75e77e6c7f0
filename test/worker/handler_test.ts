/** Tests of handlers that send too much, send to a server that does not read, or fail beside other jobs. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type GearmanClient, JobFailedError } from "../../mod.ts";
import type { AssignedJob, Dial, Job } from "../../mod.ts";
import { text } from "../support/bytes.ts";
import { type Deferred, deferred } from "../../src/internal/promises.ts";
import { turns, until } from "../support/wait.ts";
import { serverWithJobs, startWorker, untilSent } from "../support/workers.ts";
import type { FakeServer } from "../support/fake_server.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";

const timeout = 30_000;
/** A value that the types of a handler do not allow. */
type Any = never;

/** Returns the exception of a failed job, or `undefined` after WORK_FAIL. */
async function failureOf(job: Job): Promise<string | undefined> {
  const error = await job.then((bytes) => assert.fail(`it did not fail: ${text(bytes)}`), (error) => error);
  if (!(error instanceof JobFailedError)) throw error;
  return error.exception && text(error.exception);
}

/** Dials a server that can stop reading: then the transport accepts no more bytes. */
function stallable(server: FakeServer): { dial: Dial; stall(): void; resume(): void } {
  let gate: Deferred<void> | undefined;
  return {
    dial: async (address, options) => {
      const transport = await server.dial(address, options);
      const write = transport.write.bind(transport);
      transport.write = async (bytes) => {
        await gate?.promise;
        await write(bytes);
      };
      return transport;
    },
    stall: () => gate = deferred<void>(),
    resume: () => (gate?.resolve(), gate = undefined),
  };
}

describe("a handler that sends more than the server reads", () => {
  const large = new Uint8Array(100_000);
  const senders: Record<string, (job: AssignedJob) => Promise<void>> = {
    sendData: (job) => job.sendData(large),
    sendWarning: (job) => job.sendWarning(large),
    sendStatus: (job) => {
      job.sendData(large);
      return job.sendStatus(1, 2);
    },
  };

  for (const [name, send] of Object.entries(senders)) {
    test(`waits in ${name}() until the server reads again`, { timeout }, async () => {
      const server = serverWithJobs(["H:1", "f"]);
      const line = stallable(server);
      const steps: string[] = [];
      await using _worker = startWorker({ dial: line.dial }, {
        f: async (job) => {
          line.stall();
          steps.push("sends");
          await send(job);
          steps.push("sent");
          return "done";
        },
      });
      await until(() => steps.length > 0);
      await turns();
      assert.deepEqual(steps, ["sends"]);
      line.resume();
      await untilSent(server, "WORK_COMPLETE H:1 done");
      assert.deepEqual(steps, ["sends", "sent"]);
    });

    const ends = {
      "the time limit is over": undefined,
      "the connection is lost": (server: FakeServer) => server.peer.end(),
      "drainTimeout is over": (_: FakeServer, close: () => Promise<void>) => close(),
    };
    for (const [end, act] of Object.entries(ends)) {
      test(`stops waiting in ${name}() when ${end}, without a rejection`, { timeout }, async () => {
        const server = serverWithJobs(["H:1", "f"]);
        const line = stallable(server);
        const [sent, waiting] = [deferred<boolean>(), deferred<void>()];
        const worker = startWorker({ dial: line.dial, drainTimeout: 0 }, {});
        worker.addFunction("f", async (job) => {
          line.stall();
          send(job); // this one is not awaited
          const sending = send(job);
          waiting.resolve();
          await sending;
          sent.resolve(job.signal.aborted);
        }, act === undefined ? { timeout: 10 } : {});
        await waiting.promise;
        await act?.(server, () => (void worker.close(), Promise.resolve()));
        assert.equal(await sent.promise, true);
        line.resume();
        await worker.close();
      });
    }
  }

  test("and is a generator cleans up when its time limit is over", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const line = stallable(server);
    const left = deferred<void>();
    const worker = startWorker({ dial: line.dial, drainTimeout: 0 }, {});
    worker.addFunction("f", async function* () {
      line.stall();
      try {
        for (;;) yield large;
      } finally {
        left.resolve();
      }
    }, { timeout: 10 });
    await left.promise;
    line.resume();
    await worker.close();
  });
});

onEveryServer("a handler", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test(
    "fails its job if it returns more than a packet holds, and gets an error if it sends that",
    { timeout },
    async () => {
      const bytes = new Uint8Array(0xffff_fffe); // untouched pages cost no memory
      const errors: string[] = [];
      await using _worker = startWorker({ ...server.connect, maxPacketSize: 0xffff_ffff }, {
        returns: () => bytes,
        sends: (job) => {
          try {
            job.sendData(bytes);
          } catch (error) {
            errors.push((error as Error).name);
          }
        },
      });
      assert.match(
        await failureOf(client.do("returns")) ?? "",
        /Cannot send the result: its packet has 42949673\d\d bytes, and maxPacketSize is 4294967295/,
      );
      assert.equal(await client.do("sends").text(), "");
      assert.deepEqual(errors, ["RangeError"]);
    },
  );

  test("that fails does not affect the jobs beside it", { timeout }, async () => {
    await using worker = startWorker({ ...server.connect, concurrency: 6 }, {
      good: async (job) => {
        await job.sendData("a");
        await turns(1);
        return job.text();
      },
      throws: () => {
        throw new Error("no");
      },
      rejects: () => turns(1).then(() => Promise.reject(new JobFailedError())),
      unsendable: async () => await turns(1) as Any ?? 5 as Any,
      generates: async function* () {
        yield 5 as Any;
      },
    });
    worker.addFunction("stuck", () => new Promise(() => {}), { timeout: 5 });
    const bad = ["throws", "rejects", "unsendable", "generates", "stuck"];
    const outcomes = await Promise.all(Array.from({ length: 60 }, (_, i) => {
      if (i % 2 === 0) return client.do("good", `${i}`).text();
      return failureOf(client.do(bad[(i - 1) / 2 % bad.length]!)).then(() => "failed");
    }));
    assert.deepEqual(outcomes, Array.from({ length: 60 }, (_, i) => i % 2 === 0 ? `a${i}` : "failed"));
  });
});
