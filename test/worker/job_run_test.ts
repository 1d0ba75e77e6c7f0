/** Tests of handlers, on every job server: the job that they get, what they send, and how their jobs end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanClient, GearmanWorker, JobFailedError } from "../../mod.ts";
import type { AssignedJob, Job, JobEvent, JobHandler, WorkerOptions } from "../../mod.ts";
import { pattern, text, toHex } from "../support/bytes.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns } from "../support/wait.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { onEveryServer, withClient } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";

const timeout = 30_000;
/** A value that the types of a handler do not allow. */
type Any = never;

/** Formats an event with its bytes as text, which reads better in a failed comparison. */
function show(event: JobEvent): string {
  if (event.type === "created") return "created";
  if (event.type === "status") return `status ${event.numerator}/${event.denominator}`;
  return `${event.type} ${text(event.data)}`;
}

async function eventsOf(job: Job): Promise<string[]> {
  const events: string[] = [];
  for await (const event of job) events.push(show(event));
  return events;
}

/** Returns the exception of a failed job, or `undefined` after WORK_FAIL. */
async function failureOf(job: Job): Promise<string | undefined> {
  const error = await job.then((bytes) => assert.fail(`it did not fail: ${text(bytes)}`), (error) => error);
  if (!(error instanceof JobFailedError)) throw error;
  return error.exception && text(error.exception);
}

onEveryServer("a handler", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  function start(functions: Record<string, JobHandler>, options: WorkerOptions = {}): GearmanWorker {
    const worker = new GearmanWorker({ ...server.connect, drainTimeout: 1_000, onEvent() {}, ...options });
    for (const [name, handler] of Object.entries(functions)) worker.addFunction(name, handler);
    worker.run();
    return worker;
  }

  test("returns text, bytes or nothing, synchronously or later", { timeout }, async () => {
    const bytes = pattern(300);
    await using _worker = start({
      text: () => "héllo\0",
      bytes: () => bytes,
      part: () => bytes.subarray(10, 20),
      nothing: () => {},
      empty: () => "",
      "later text": async () => await "héllo\0",
      "later bytes": () => Promise.resolve(bytes),
      "later nothing": async () => await turns(1),
    });
    for (const name of ["text", "later text"]) assert.equal(await client.do(name).text(), "héllo\0");
    for (const name of ["bytes", "later bytes"]) assert.equal(toHex(await client.do(name)), toHex(bytes));
    assert.equal(toHex(await client.do("part")), toHex(bytes.subarray(10, 20)));
    for (const name of ["nothing", "empty", "later nothing"]) {
      assert.deepEqual(await eventsOf(client.do(name)), ["created", "complete "]);
    }
  });

  test("that is an async generator yields data, and returns the result", { timeout }, async () => {
    await using _worker = start({
      with: async function* (job) {
        for (const letter of job.text()) yield letter;
        yield new Uint8Array(0);
        return "end";
      },
      without: async function* () {
        yield "only";
      },
      empty: async function* () {},
    });
    assert.deepEqual(await eventsOf(client.do("with", "ab")), ["created", "data a", "data b", "data ", "complete end"]);
    assert.deepEqual(await eventsOf(client.do("without")), ["created", "data only", "complete "]);
    assert.deepEqual(await eventsOf(client.do("empty")), ["created", "complete "]);
  });

  test("that throws or rejects fails its job, and the client gets the message", { timeout }, async () => {
    class Refused extends Error {
      override name = "Refused";
    }
    const hostile = {
      toString() {
        throw new Error("not even that");
      },
    };
    const thrown: [unknown, string][] = [
      [new Error("broken ö"), "broken ö"],
      [new Refused(), "Refused"],
      ["words", "words"],
      [5, "5"],
      [null, "null"],
      [undefined, "undefined"],
      [Symbol("sign"), "Symbol(sign)"],
      [hostile, "unknown error"],
      [new Proxy({}, { getPrototypeOf: () => hostile.toString() }), "unknown error"],
      [Object.defineProperty(new Error(), "message", { get: hostile.toString }), "unknown error"],
    ];
    for (const [error, message] of thrown) {
      await using _worker = start({
        throws: () => {
          throw error;
        },
        rejects: () => Promise.reject(error),
        generates: async function* () {
          yield "before";
          throw error;
        },
      });
      for (const name of ["throws", "rejects", "generates"]) {
        assert.equal(await failureOf(client.do(name)), message, name);
      }
    }
  });

  test(
    "fails its job with the message of its own JobFailedError, or without one, and with that of another job's error",
    { timeout },
    async () => {
      const foreign = new JobFailedError("Job H:1 failed", { handle: "H:1", functionName: "other" });
      const exception = new TextEncoder().encode("for the client");
      await using _worker = start({
        silent: () => {
          throw new JobFailedError();
        },
        "silent, later": () => Promise.reject(new JobFailedError("")),
        told: () => {
          throw new JobFailedError("quota exceeded");
        },
        bytes: () => Promise.reject(new JobFailedError("for the log", { exception })),
        foreign: () => Promise.reject(foreign),
        real: async () => {
          await using inner = new GearmanClient(server.connect);
          return await inner.do("silent").text();
        },
      }, { concurrency: 2 });
      for (const name of ["silent", "silent, later"]) assert.equal(await failureOf(client.do(name)), undefined, name);
      assert.equal(await failureOf(client.do("told")), "quota exceeded");
      assert.equal(await failureOf(client.do("bytes")), "for the client");
      assert.equal(await failureOf(client.do("foreign")), "Job H:1 failed");
      assert.match(await failureOf(client.do("real")) ?? "", /\("silent"\) failed/);
    },
  );

  test("fails its job by returning a value that cannot be sent", { timeout }, async () => {
    const message = "Cannot send the result: it must be a string or a Uint8Array";
    for (const result of [5, null, true, {}, [], () => {}, new ArrayBuffer(1), 5n]) {
      await using _worker = start({ now: () => result as Any, later: () => Promise.resolve(result as Any) });
      for (const name of ["now", "later"]) assert.equal(await failureOf(client.do(name)), message);
    }
  });

  test("fails its job by yielding a value that cannot be sent, and cleans up", { timeout }, async () => {
    const left = deferred<void>();
    await using _worker = start({
      yields: async function* () {
        try {
          yield "good";
          yield 5 as Any;
          yield "never";
        } finally {
          left.resolve();
        }
      },
    });
    const events: string[] = [];
    await assert.rejects(async () => {
      for await (const event of client.do("yields")) events.push(show(event));
    }, /Cannot send the chunk: it must be a string or a Uint8Array/);
    assert.deepEqual(events, ["created", "data good"]);
    await left.promise;
  });

  test("sends data, warnings and progress in order and before its result, whether it awaits them or not", {
    timeout,
  }, async () => {
    const story = [
      ["status 1/4", (job: AssignedJob) => job.sendStatus(1, 4)],
      ["data a", (job: AssignedJob) => job.sendData("a")],
      ["warning w", (job: AssignedJob) => job.sendWarning(Uint8Array.of(0x77))],
      ["data ", (job: AssignedJob) => job.sendData("")],
    ] as const;
    await using _worker = start({
      waits: async (job) => {
        for (const [, send] of story) await send(job);
        return "end";
      },
      hurries: (job) => {
        for (const [, send] of story) send(job);
        return "end";
      },
    });
    const expected = ["created", ...story.map(([event]) => event), "complete end"];
    for (const name of ["waits", "hurries"]) assert.deepEqual(await eventsOf(client.do(name)), expected, name);
  });

  test("gets an error synchronously for a value that cannot be sent, and may go on", { timeout }, async () => {
    const caught: string[] = [];
    const attempt = (send: () => Promise<void>) => {
      try {
        send();
        caught.push("nothing");
      } catch (error) {
        caught.push((error as Error).name);
      }
    };
    await using _worker = start({
      tries: (job) => {
        for (const chunk of [5, null, undefined, {}, new ArrayBuffer(2), [1]] as Any[]) {
          attempt(() => job.sendData(chunk));
          attempt(() => job.sendWarning(chunk));
        }
        for (const number of [-1, 1.5, NaN, Infinity, 4_294_967_296, "5" as Any, undefined as Any, 5n as Any]) {
          attempt(() => job.sendStatus(number, 1));
          attempt(() => job.sendStatus(1, number));
        }
        return "went on";
      },
    });
    assert.deepEqual(await eventsOf(client.do("tries")), ["created", "complete went on"]);
    assert.deepEqual(caught, [...Array(12).fill("TypeError"), ...Array(16).fill("RangeError")]);
  });

  test("gets the job's function, handle, unique, reducer and workload", { timeout }, async () => {
    const seen: AssignedJob[] = [];
    await using _worker = start({ "fünction 1": (job) => void seen.push(job) });
    const plain = client.do("fünction 1", '{"a":[1]}');
    await plain;
    await client.do("fünction 1", Uint8Array.of(0, 255, 0), { unique: "ünique", reducer: "red" });
    await client.do("fünction 1", "", { unique: "u" });
    const [first, second, third] = seen as [AssignedJob, AssignedJob, AssignedJob];
    assert.deepEqual([first.functionName, first.unique, first.reducer], ["fünction 1", "", undefined]);
    assert.equal(first.handle, plain.handle);
    assert.equal(first.text(), '{"a":[1]}');
    assert.deepEqual(first.json(), { a: [1] });
    assert.deepEqual([second.functionName, second.unique, second.reducer], ["fünction 1", "ünique", "red"]);
    assert.equal(toHex(second.workload), "00ff00");
    assert.throws(() => second.json(), SyntaxError);
    assert.deepEqual([third.unique, third.text(), third.workload.length], ["u", "", 0]);
    assert.equal(third.signal.aborted, false, "a job that ended well is not aborted");
  });

  test("reads its workload as text with a byte order mark, and as JSON without one", { timeout }, async () => {
    const seen: unknown[] = [];
    await using _worker = start({
      echo: (job) => job.text(),
      json: (job) => void seen.push(job.json()),
      broken: (job) => void job.json(),
    });
    assert.equal(toHex(await client.do("echo", "\ufeffa\ufeff")), "efbbbf61efbbbf");
    for (const mark of ["", "\ufeff"]) await client.do("json", `${mark}{"a":[1]}`);
    assert.deepEqual(seen, [{ a: [1] }, { a: [1] }]);
    const job = client.do("broken", "{");
    const message = await failureOf(job) ?? "";
    assert.ok(message.startsWith(`Cannot read the workload of job ${job.handle} ("broken") as JSON: `), message);
  });

  test("may keep and change its workload", { timeout }, async () => {
    const kept: Uint8Array[] = [];
    await using _worker = start({
      keep: (job) => {
        kept.push(job.workload);
        job.workload.fill(120);
      },
    }, { concurrency: 10 });
    await Promise.all(Array.from({ length: 30 }, (_, i) => client.do("keep", `${i % 10}`.repeat(3))));
    assert.deepEqual(kept.map(text), Array(30).fill("xxx"));
  });

  test("may change a chunk of any size after the promise of sendData has resolved", { timeout }, async () => {
    await using _worker = start({
      large: async (job) => {
        const memory = new Uint8Array(Number(job.text()));
        for (const byte of [97, 98, 99]) {
          await job.sendData(memory.fill(byte));
        }
        memory.fill(0);
      },
    });
    for (const size of [1, 1_000, 65_536, 300_000]) {
      const result = await client.do("large", String(size)).text();
      assert.ok(result === "a".repeat(size) + "b".repeat(size) + "c".repeat(size), `${size} bytes at a time`);
    }
  });

  test("that sends after its end does not affect the next job: the data is discarded", { timeout }, async () => {
    let first: AssignedJob | undefined;
    await using _worker = start({
      once: async (job) => {
        await first?.sendData("late");
        await first?.sendStatus(1, 1);
        first ??= job;
        return "own";
      },
    });
    for (let i = 0; i < 3; i++) assert.deepEqual(await eventsOf(client.do("once")), ["created", "complete own"]);
  });

  test(
    "that exceeds its time limit fails its job, and its slot is free even if it never returns",
    { timeout },
    async () => {
      let reason: Error | undefined;
      await using worker = start({ next: () => "served" });
      worker.addFunction("stuck", (job) => {
        job.signal.addEventListener("abort", () => reason = job.signal.reason);
        return new Promise(() => {});
      }, { timeout: 30 });
      const stuck = client.do("stuck");
      assert.match(await failureOf(stuck) ?? "", /^Job .* \("stuck"\) took longer than 30 ms$/);
      assert.match(reason?.message ?? "", /took longer than 30 ms/);
      assert.equal(await client.do("next").text(), "served");
    },
  );

  test("is aborted only if it exceeds its time limit, and its late result is discarded", { timeout }, async () => {
    const release = deferred<void>();
    const late = deferred<void>();
    let timely: AbortSignal | undefined;
    await using worker = start({}, { concurrency: 2 });
    worker.addFunction("timely", (job) => {
      timely = job.signal;
    }, { timeout: 20 });
    worker.addFunction("late", async function* () {
      try {
        await release.promise;
        yield "too late";
      } finally {
        late.resolve();
      }
    }, { timeout: 40 });
    await client.do("timely");
    assert.match(await failureOf(client.do("late")) ?? "", /longer than 40 ms/);
    assert.equal(timely?.aborted, false);
    release.resolve();
    await late.promise;
    assert.equal(await client.do("timely").text(), "");
  });

  test("that exceeds a time limit of a second, which gearmand watches too, fails its job", { timeout }, async () => {
    // Whether gearmand has requeued the job by then shows in real time only.
    using timers = kind.name === "gearmand" ? undefined : fakeTimers(1_000);
    let runs = 0;
    await using worker = start({});
    worker.addFunction("second", () => {
      runs++;
      setTimeout(() => timers?.fire(), 0);
      return new Promise(() => {});
    }, { timeout: 1_000 });
    assert.match(await failureOf(client.do("second", "", { signal: AbortSignal.timeout(6_000) })) ?? "", /1000 ms/);
    assert.equal(runs, 1);
  });

  test("that throws an error whose message is not text fails its job", { timeout }, async () => {
    await using _worker = start({
      odd: () => {
        throw Object.assign(new Error(), { message: { code: 5 } });
      },
    });
    assert.equal(typeof await failureOf(client.do("odd", "", { signal: AbortSignal.timeout(3_000) })), "string");
  });

  test("that is an async generator fails its job by returning a value that cannot be sent", { timeout }, async () => {
    await using _worker = start({
      generates: async function* () {
        yield "good";
        return 5 as Any;
      },
    });
    const job = client.do("generates", "", { signal: AbortSignal.timeout(3_000) });
    assert.match(await failureOf(job) ?? "", /must be a string or a Uint8Array/);
  });
});
