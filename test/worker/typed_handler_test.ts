/** Tests of typed functions on the worker's side: what the handler gets, and how its job ends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import {
  type AssignedJob,
  bytesSerializer,
  defineFunction,
  type GearmanClient,
  GearmanWorker,
  type JobContext,
  JobFailedError,
  type Serializer,
} from "../../mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { jobHandlerOf } from "../../src/worker/typed_handler.ts";
import { pattern, text, toHex, utf8 } from "../support/bytes.ts";
import { FakeServer } from "../support/fake_server.ts";
import { later, schemaOf, trimmed } from "../support/schemas.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";

const timeout = 30_000;
/** A value that the types do not allow. */
type Any = never;

const resize = defineFunction("resize", {
  input: v.object({ name: v.string(), width: v.optional(v.number(), 100) }),
  output: v.object({ url: v.string() }),
});

/** Resolves to the exception of a job that fails. */
async function exceptionOf(job: PromiseLike<unknown>): Promise<string | undefined> {
  const error = await job.then((result) => assert.fail(`it did not fail: ${result}`), (error) => error);
  if (!(error instanceof JobFailedError)) throw error;
  return error.exception && text(error.exception);
}

onEveryServer("the handler of a typed function", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  function start(add: (worker: GearmanWorker) => unknown): GearmanWorker {
    const worker = new GearmanWorker({ ...server.connect, drainTimeout: 1_000, onEvent: () => {} });
    add(worker);
    worker.run();
    return worker;
  }

  test("gets what the schema makes of the input, with a byte order mark or without", { timeout }, async () => {
    const seen: unknown[] = [];
    await using _worker = start((worker) =>
      worker.addFunction(resize, (input) => {
        seen.push(input);
        return { url: `/${input.width}` };
      })
    );
    assert.equal(await client.do("resize", '{"name":"a","more":1}').text(), '{"url":"/100"}');
    assert.equal(await client.do("resize", '\ufeff{"name":"a","width":7}').text(), '{"url":"/7"}');
    assert.deepEqual(seen, [{ name: "a", width: 100 }, { name: "a", width: 7 }]);
  });

  test("is not called for an invalid input; its job fails with a readable text", { timeout }, async () => {
    await using _worker = start((worker) => worker.addFunction(resize, () => assert.fail("it was called")));
    assert.equal(
      await exceptionOf(client.do("resize", '{"name":5}')),
      'The input of "resize" is invalid: name: Invalid type: Expected string but received 5',
    );
    assert.match((await exceptionOf(client.do("resize", "cat.png")))!, /^The input of "resize" is invalid: .*JSON/);
    assert.equal(
      await exceptionOf(client.do("resize", "")),
      'The input of "resize" is invalid: Invalid type: Expected Object but received undefined',
    );
  });

  test("fails its job with a readable text if its output is wrong", { timeout }, async () => {
    let output: unknown;
    await using _worker = start((worker) =>
      worker.addFunction(resize, () => output as { url: string })
        .addFunction(defineFunction<void, unknown>("any"), () => output)
        .addFunction(defineFunction<void, unknown>("later"), async () => await Promise.resolve(output))
    );
    output = { uri: "/x" };
    const wrong = 'The output of "resize" is invalid: url: Invalid key: Expected "url" but received undefined';
    assert.equal(await exceptionOf(client.do("resize", '{"name":"a"}')), wrong);
    for (const name of ["any", "later"]) {
      output = 10n;
      assert.match((await exceptionOf(client.do(name)))!, /^The output of "\w+" is invalid: .*BigInt/);
      output = () => {};
      assert.equal(
        await exceptionOf(client.do(name)),
        `The output of "${name}" is invalid: Cannot use the workload: it must be a string or a Uint8Array`,
      );
      output = undefined;
      assert.equal(await client.do(name).text(), "");
    }
  });

  test("may be asynchronous, and so may its schemas and its serializer", { timeout }, async () => {
    const slow: Serializer = {
      encode: async (value) => await Promise.resolve(JSON.stringify(value)),
      decode: async (bytes) => JSON.parse(await Promise.resolve(text(bytes))),
    };
    const functions = [
      defineFunction("f1", { input: later(trimmed), output: later(trimmed) }),
      defineFunction("f2", { input: trimmed, output: trimmed, serializer: slow }),
      defineFunction("f3", { input: later(trimmed), output: later(trimmed), serializer: slow }),
    ];
    await using _worker = start((worker) => {
      for (const fn of functions) worker.addFunction(fn, async (input) => await Promise.resolve(` <${input}> `));
    });
    for (const fn of functions) assert.equal(await client.do(fn, " x "), "<x>");
    for (const { name } of functions) {
      assert.equal(
        await exceptionOf(client.do(name, "5")),
        `The input of "${name}" is invalid: expected a string, got 5`,
      );
    }
  });

  test("fails its job with what it throws", { timeout }, async () => {
    let thrown: unknown;
    await using _worker = start((worker) =>
      worker.addFunction(resize, () => {
        throw thrown;
      })
    );
    thrown = new RangeError("too wide");
    assert.equal(await exceptionOf(client.do(resize, { name: "a" })), "too wide");
    thrown = new JobFailedError();
    assert.equal(await exceptionOf(client.do(resize, { name: "a" })), undefined);
  });

  test("must not be a generator: its job fails", { timeout }, async () => {
    const words = defineFunction<void, string>("words");
    const generators = [
      function* () {
        yield "a";
      },
      async function* () {
        yield "a";
      },
      // deno-lint-ignore require-await -- the promise is what matters
      async () => (function* () {})(),
    ];
    for (const generator of generators) {
      await using _worker = start((worker) => worker.addFunction(words, generator as Any));
      assert.equal(
        await exceptionOf(client.do(words)),
        'Cannot use a generator as handler of "words": it must return the output',
      );
    }
    const list = defineFunction<void, string[]>("list");
    await using _worker = start((worker) => worker.addFunction(list, () => ["a", "b"]));
    assert.deepEqual(await client.do(list), ["a", "b"]);
  });

  test("gets a job that tells what it is, sends warnings and statuses, and cannot send data", { timeout }, async () => {
    const seen = deferred<JobContext>();
    await using _worker = start((worker) =>
      worker.addFunction(resize, async ({ name }, job) => {
        await job.sendWarning("careful");
        await job.sendStatus(1, 2);
        seen.resolve(job);
        return { url: name };
      })
    );
    const events: string[] = [];
    const job = client.do(resize, { name: "a" }, { unique: "u1" });
    for await (const event of job) events.push("data" in event ? `${event.type} ${text(event.data)}` : event.type);
    assert.deepEqual(events, ["created", "warning careful", "status", 'complete {"url":"a"}']);
    const context = await seen.promise;
    assert.equal(context.handle, job.handle);
    assert.equal(context.functionName, "resize");
    assert.equal(context.unique, "u1");
    assert.equal(text(context.workload), '{"name":"a"}');
    assert.equal(context.signal.aborted, false);
    for (const name of ["sendData", "text", "json"]) assert.ok(!(name in context), name);
  });

  test("travels bytes unchanged, and what it returns may be changed afterwards", { timeout }, async () => {
    const copy = defineFunction<Uint8Array, Uint8Array>("copy", { serializer: bytesSerializer });
    const memory = new Uint8Array(200_000);
    await using _worker = start((worker) =>
      worker.addFunction(copy, (bytes) => {
        memory.set(bytes);
        queueMicrotask(() => memory.fill(0));
        return memory.subarray(0, bytes.length);
      })
    );
    for (const size of [0, 10, 200_000]) {
      const output = await client.do(copy, pattern(size));
      assert.ok(output instanceof Uint8Array);
      assert.equal(toHex(output), toHex(pattern(size)));
    }
  });

  test("replaces the handler of the name, and is removed with its definition", { timeout }, async () => {
    await using worker = start((worker) => worker.addFunction("resize", () => "raw"));
    assert.equal(await client.do("resize").text(), "raw");
    worker.addFunction(resize, () => ({ url: "/typed" }));
    assert.deepEqual(await client.do(resize, { name: "a" }), { url: "/typed" });
    worker.addFunction("resize", () => "raw again");
    assert.equal(await client.do("resize").text(), "raw again");
    worker.removeFunction(resize).addFunction("other", () => "");
    await client.do("other");
    const waiting = client.do("resize");
    await waiting.created();
    await client.do("other");
    await using _second = start((worker) => worker.addFunction("resize", () => "of another worker"));
    assert.equal(await waiting.text(), "of another worker");
  });

  test("keeps its time limit, which counts from the assignment, and is not called after it", { timeout }, async () => {
    const checks = deferred<void>();
    const slow = defineFunction("slow", {
      input: schemaOf<string>(async (value) => {
        await checks.promise;
        return { value: value as string };
      }),
    });
    let calls = 0;
    await using _worker = start((worker) => worker.addFunction(slow, () => void calls++, { timeout: 20 }));
    assert.match((await exceptionOf(client.do("slow", '"x"')))!, /took longer than 20 ms/);
    checks.resolve();
    await client.echo("");
    assert.equal(calls, 0);
  });
});

test("addFunction() and removeFunction() take names and definitions, and nothing else", () => {
  const worker = new GearmanWorker({ dial: new FakeServer().dial });
  const handler = () => "";
  for (const fn of [42, null, undefined, {}, { name: "f" }, () => {}]) {
    assert.throws(() => worker.addFunction(fn as unknown as string, handler), {
      name: "TypeError",
      message: "Cannot use the function name: it must be a string",
    });
  }
  assert.throws(() => worker.addFunction(resize, 5 as Any), {
    name: "TypeError",
    message: 'Cannot add "resize": its handler must be a function',
  });
  const half = { name: "f", input: { encode: String, decode: text } };
  assert.throws(() => worker.addFunction(half as unknown as string, handler), {
    name: "TypeError",
    message: "Cannot use output.encode of the function: expected a function",
  });
  assert.throws(() => worker.addFunction({ ...resize, name: "" }, () => ({ url: "" })), { name: "RangeError" });
});

test("the job of a typed function has its reducer, if it has one", () => {
  const reducers: unknown[] = [];
  const handler = jobHandlerOf(defineFunction("f"), (_, job) => void reducers.push("reducer" in job, job.reducer));
  handler({ workload: new Uint8Array(0), reducer: "sum" } as AssignedJob);
  handler({ workload: new Uint8Array(0) } as AssignedJob);
  assert.deepEqual(reducers, [true, "sum", false, undefined]);
});

test("a synchronous handler of a synchronous function returns its result without a promise", () => {
  const job = { workload: utf8('{"name":"a"}') } as AssignedJob;
  assert.equal(jobHandlerOf(resize, ({ name }) => ({ url: name }))(job), '{"url":"a"}');
});
