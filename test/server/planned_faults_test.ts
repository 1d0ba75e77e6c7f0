// Faults by what a program does, with a real client and a real worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, GearmanClient, GearmanError, GearmanWorker, ServerError } from "../../mod.ts";
import type { JobHandler } from "../../mod.ts";
import { encodeRequest, PacketType } from "../../src/codec/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { JobServer } from "../../src/server/mod.ts";
import type { Fault, FaultTarget, JobServerOptions } from "../../src/server/mod.ts";
import { turns, until } from "../support/wait.ts";

const REFUSED: Fault = { error: ["NOT_TODAY", "Try tomorrow"] };

interface Parts {
  readonly server: JobServer;
  readonly client: GearmanClient;
  /** Starts a worker for "f" whose handler returns "done", or another one. */
  work(handler?: JobHandler): GearmanWorker;
}

async function withParts(use: (parts: Parts) => Promise<void>, options: JobServerOptions = {}): Promise<void> {
  const server = new JobServer(options);
  const client = new GearmanClient({ dial: server.dial, minBackoff: 0 });
  const workers: GearmanWorker[] = [];
  const work = (handler: JobHandler = () => "done") => {
    const worker = new GearmanWorker({ dial: server.dial, minBackoff: 0, onEvent: () => {} });
    worker.addFunction("f", handler);
    worker.run();
    workers.push(worker);
    return worker;
  };
  try {
    await use({ server, client, work });
  } finally {
    await client.close();
    await Promise.all(workers.map((worker) => worker.destroy()));
    await server.close();
  }
}

/** Awaits what must fail, and returns its error. */
async function errorOf(promise: PromiseLike<unknown>): Promise<unknown> {
  return await promise.then(() => assert.fail("it must fail"), (error) => error);
}

async function lossOf(promise: PromiseLike<unknown>): Promise<string | undefined> {
  const error = await errorOf(promise);
  assert.ok(error instanceof ConnectionError, String(error));
  return error.delivery;
}

test('"do": a job is lost before or after it was accepted, or refused, and the next one is served', () =>
  withParts(async ({ server, client, work }) => {
    const before = server.faults.once("do", "drop-before");
    assert.equal(await lossOf(client.do("f", "").text()), "unknown");
    assert.deepEqual(server.inspect().jobs, []);
    await before.happened;

    server.faults.once("do", "drop-after");
    assert.equal(await lossOf(client.do("f", "", { priority: "high" }).text()), "accepted");

    server.faults.once("do", REFUSED);
    const error = await errorOf(client.do("f", "").text());
    assert.ok(error instanceof ServerError && error.code === "NOT_TODAY", String(error));

    server.faults.once("do", "split");
    work();
    assert.equal(await client.do("f", "").text(), "done");
  }));

test('"doBackground": the same, and a job with a time is one, too', () =>
  withParts(async ({ server, client }) => {
    const submit = () => client.doBackground("f", "work");
    server.faults.once("doBackground", "drop-before");
    assert.equal(await lossOf(submit()), "unknown");
    assert.deepEqual(server.inspect().jobs, []);

    server.faults.once("doBackground", "drop-after");
    await submit(); // JOB_CREATED arrives before the end of the connection
    assert.equal(server.inspect().jobs.length, 1);

    await client.echo(""); // on the next connection
    server.faults.once("doBackground", REFUSED);
    assert.ok(await errorOf(client.doBackground("f", "work", { at: new Date(1) })) instanceof ServerError);
    await submit();
    assert.equal(server.inspect().jobs.length, 2);
  }));

test('"status": a question is asked again after a lost connection, and an error reaches the caller', () =>
  withParts(async ({ server, client }) => {
    const job = await client.doBackground("f", "work");
    const lost = server.faults.once("status", "drop-before");
    assert.equal((await job.status()).known, true);
    assert.equal(lost.count, 1);

    using _refused = server.faults.always("status", REFUSED);
    assert.ok(await errorOf(job.status()) instanceof ServerError);
    assert.ok(await errorOf(client.jobStatusByUnique("some")) instanceof ServerError);
  }));

test('"stall" leaves a caller without an answer until its signal is aborted', () =>
  withParts(async ({ server, client }) => {
    const job = await client.doBackground("f", "work");
    const stalled = server.faults.once("status", "stall");
    const reason = new Error("enough");
    const abort = new AbortController();
    const status = errorOf(job.status({ signal: abort.signal }));
    await stalled.happened;
    abort.abort(reason);
    assert.equal(await status, reason);
  }));

for (const fault of ["drop-before", "drop-after"] as const) {
  test(`"grab": a worker that loses its connection (${fault}) connects again, and does the job`, () =>
    withParts(async ({ server, client, work }) => {
      const lost = server.faults.once("grab", fault);
      const result = client.do("f", "").text();
      await until(() => server.inspect().jobs.length === 1);
      work();
      await lost.happened;
      assert.equal(await result, "done");
    }));
}

test('"result": one that is lost with its connection is made again, and one that arrived is not', () =>
  withParts(async ({ server, client, work }) => {
    let runs = 0;
    work(() => {
      runs += 1;
      return String(runs);
    });
    server.faults.once("result", "drop-before");
    assert.equal(await client.do("f", "").text(), "2");
    const after = server.faults.once("result", "drop-after");
    assert.equal(await client.do("f", "").text(), "3");
    assert.equal(after.count, 1);
    assert.equal(await client.do("f", "").text(), "4");
  }));

test('"result": a failure is one, too', () =>
  withParts(async ({ server, client, work }) => {
    let runs = 0;
    work(() => {
      runs += 1;
      throw new Error(`run ${runs}`);
    });
    server.faults.once("result", "drop-before");
    assert.match(String(await errorOf(client.do("f", "").text())), /run 2/);
  }));

test("faults of one target happen in their order, each once, and other requests are served", () =>
  withParts(async ({ server, client }) => {
    const codes = ["A", "B", "C"];
    const planned = codes.map((code) => server.faults.once("doBackground", { error: [code, ""] }));
    const other = server.faults.once("grab", "drop-before");
    await client.echo("served");
    for (const code of codes) {
      const error = await errorOf(client.doBackground("f", "work"));
      assert.equal((error as ServerError).code, code);
    }
    await client.doBackground("f", "work");
    assert.deepEqual(planned.map(({ count }) => count), [1, 1, 1]);
    assert.equal(other.count, 0);
  }));

test("`always` lasts until it is removed, and later faults wait for that", () =>
  withParts(async ({ server, client }) => {
    const submit = () => client.doBackground("f", "work");
    const always = server.faults.always("doBackground", { error: ["ALWAYS", ""] });
    server.faults.once("doBackground", { error: ["LATER", ""] });
    for (let i = 0; i < 3; i++) assert.equal((await errorOf(submit()) as ServerError).code, "ALWAYS");
    await always.happened;
    assert.equal(always.count, 3);
    always.remove();
    always.remove();
    assert.equal((await errorOf(submit()) as ServerError).code, "LATER");
    await submit();
  }));

test("a fault that is removed before it happened rejects `happened`, and nothing else", () =>
  withParts(async ({ server, client }) => {
    const removed = server.faults.once("doBackground", "drop-before");
    const cleared = server.faults.always("doBackground", "drop-before");
    const disposed = server.faults.once("doBackground", "drop-before");
    removed.remove();
    disposed[Symbol.dispose]();
    server.faults.clear();
    await client.doBackground("f", "work");
    const closed = server.faults.once("doBackground", "drop-before");
    await server.close();
    for (const { happened } of [removed, cleared, disposed, closed]) {
      await assert.rejects(happened, (error) => {
        return error instanceof GearmanError && /^Cannot wait for the fault: it was removed/.test(error.message);
      });
    }
  }));

test("a fault that is planned when the server is closed rejects `happened` too", async () => {
  const server = new JobServer();
  await server.close();
  for (const { happened } of [server.faults.once("do", "stall"), server.faults.always("grab", "split")]) {
    await assert.rejects(happened, GearmanError);
  }
});

test("what the option `fault` returns takes precedence, and leaves planned faults as they are", () =>
  withParts(async ({ server, client }) => {
    const planned = server.faults.once("doBackground", { error: ["PLANNED", ""] });
    const submit = (functionName: string) => client.doBackground(functionName, "work");
    assert.equal((await errorOf(submit("g")) as ServerError).code, "OPTION");
    assert.equal(planned.count, 0);
    assert.equal((await errorOf(submit("f")) as ServerError).code, "PLANNED");
  }, {
    fault: (request) => {
      if (request.magic !== "REQ" || request.type !== PacketType.SUBMIT_JOB_BG) return undefined;
      return request.args[0][0] === "g".charCodeAt(0) ? { error: ["OPTION", ""] } : undefined;
    },
  }));

test("a target or a fault that there is not is refused at the call", async () => {
  await using server = new JobServer();
  for (const target of ["submit", "", undefined, "toString"]) {
    assert.throws(() => server.faults.once(target as FaultTarget, "stall"), RangeError);
  }
  for (const fault of ["drop", undefined, null, {}, { error: "no" }, { error: ["A"] }, { error: ["A", 1] }]) {
    assert.throws(() => server.faults.always("do", fault as Fault), TypeError);
  }
});

test("disconnectAll() closes every connection, and gives their running jobs back", () =>
  withParts(async ({ server, client, work }) => {
    let runs = 0;
    const abandoned: AbortSignal[] = [];
    work((job) => {
      runs += 1;
      if (runs > 1) return "second";
      abandoned.push(job.signal);
      return new Promise(() => {});
    });
    const foreground = client.do("f", "").text();
    foreground.catch(() => {});
    const background = await client.doBackground("f", "work", { unique: "" });
    await until(() => runs === 1);
    const done = server.disconnectAll();
    assert.equal(server.inspect().connections, 0);
    assert.deepEqual(server.inspect().jobs.map(({ running }) => running), [false, false]);
    await done;
    assert.equal(await lossOf(foreground), "accepted");
    // The worker connects again. The foreground job is discarded, since its client has gone, and the background job runs.
    await until(async () => !(await background.status()).known);
    assert.deepEqual([runs, abandoned[0]!.aborted], [2, true]);
  }));

test("disconnectAll() leaves listeners open, and without connections it does nothing", async () => {
  await using server = new JobServer();
  await server.disconnectAll();
  const { hostname, port } = await server.listen();
  await using client = new GearmanClient({ servers: `${hostname}:${port}`, minBackoff: 0 });
  await client.echo("first");
  await server.disconnectAll();
  await client.echo("second");
  assert.equal(server.inspect().connections, 1);
});

test("close() waits for connections that disconnectAll() is closing", async () => {
  const server = new JobServer();
  const order: string[] = [];
  const read = deferred<void>();
  server.accept({
    write: () => read.promise,
    close: () => void order.push("the connection is closed"),
    async *[Symbol.asyncIterator]() {
      yield encodeRequest(PacketType.ECHO_REQ, "");
      await new Promise(() => {});
    },
  });
  await turns(); // the answer waits for its reader
  server.disconnectAll();
  const closing = server.close().then(() => order.push("the server is closed"));
  await turns();
  read.resolve();
  await closing;
  assert.deepEqual(order, ["the connection is closed", "the server is closed"]);
});
