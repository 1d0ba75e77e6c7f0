/** Tests on Perl's job server, Gearman::Server: our client, worker and admin client, with what that server knows. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { GearmanClient, GearmanWorker, JobFailedError, ServerError } from "../../mod.ts";
import type { GearmanEvent, JobHandler, WorkerOptions } from "../../mod.ts";
import { GearmanAdmin } from "../../src/admin/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { pattern, text, toHex } from "../support/bytes.ts";
import { startPerlServer, withoutPerlServer } from "../support/perl_server.ts";
import type { TestServer } from "../support/servers.ts";
import { until } from "../support/wait.ts";
import { heldHandler } from "../support/workers.ts";
import { timeout } from "./foreign_programs.ts";

const skip = withoutPerlServer();
/** What this server does not know of a worker. */
const LACKS = ["GRAB_JOB_ALL", "GRAB_JOB_UNIQ", "WORK_DATA", "WORK_WARNING"];

describe(`on Perl's Gearman::Server${skip === false ? "" : ` (${skip})`}`, { skip }, () => {
  let server: TestServer;
  let client: GearmanClient;
  before(async () => {
    server = await startPerlServer();
    client = new GearmanClient(server.connect);
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  /** Runs a worker, and records its events. */
  async function start(
    functions: Record<string, JobHandler>,
    options: WorkerOptions = {},
  ): Promise<{ worker: GearmanWorker; events: GearmanEvent[] }> {
    const events: GearmanEvent[] = [];
    const worker = new GearmanWorker({ ...server.connect, onEvent: (event) => events.push(event), ...options });
    for (const [name, handler] of Object.entries(functions)) worker.addFunction(name, handler);
    worker.run();
    await worker.ready({ signal: AbortSignal.timeout(timeout) });
    return { worker, events };
  }

  test("a worker serves, and tells once what the server lacks", { timeout }, async () => {
    const { worker, events } = await start({ reverse: (job) => [...job.text()].reverse().join("") }, {
      id: "reverser",
    });
    for (const word of ["hello", "", "ö"]) {
      assert.equal(await client.do("reverse", word).text(), [...word].reverse().join(""));
    }
    const lacks = events.filter((event) => event.type === "serverLacks").map(({ packets }) => packets);
    assert.deepEqual(lacks, [LACKS]);
    assert.deepEqual(events.filter(({ type }) => type === "error"), []);
    await worker.close();
  });

  test("5 MB pass both ways", { timeout }, async () => {
    const { worker } = await start({ same: (job) => job.workload });
    const bytes = pattern(5_000_000);
    const result = await client.do("same", bytes);
    assert.equal(result.length, bytes.length);
    assert.ok(result.every((byte, i) => byte === bytes[i]));
    await worker.close();
  });

  test("200 jobs at once are served by ten slots", { timeout }, async () => {
    let running = 0;
    let most = 0;
    const { worker } = await start({
      wait: async (job) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running -= 1;
        return job.text();
      },
    }, { concurrency: 10 });
    const results = await Promise.all(Array.from({ length: 200 }, (_, i) => client.do("wait", `job ${i}`).text()));
    assert.deepEqual(results, Array.from({ length: 200 }, (_, i) => `job ${i}`));
    assert.equal(most, 10);
    await worker.close();
  });

  test("a background job has a status while it runs, and none after", { timeout }, async () => {
    const { handler, started, release } = heldHandler();
    const { worker } = await start({
      long: (job) => {
        job.sendStatus(1, 4);
        return handler(job);
      },
    });
    const job = await client.doBackground("long", "work");
    await started.promise;
    await until(async () => (await client.jobStatus(job.handle)).numerator === 1);
    const { known, running, denominator } = await client.jobStatus(job.handle);
    assert.deepEqual([known, running, denominator], [true, true, 4]);
    release.resolve("");
    await until(async () => !(await client.jobStatus(job.handle)).known);
    await worker.close();
  });

  test("a failure and an exception end a job, once", { timeout }, async () => {
    const { worker, events } = await start({
      fails: () => Promise.reject(new JobFailedError()),
      tells: () => Promise.reject(new JobFailedError("quota exceeded")),
      throws: () => {
        throw new Error("broken");
      },
      good: () => "good",
    });
    const failureOf = async (name: string) => {
      const error = await client.do(name, "x").then(() => undefined, (error) => error);
      assert.ok(error instanceof JobFailedError, String(error));
      return error.exception && text(error.exception);
    };
    for (let i = 0; i < 3; i++) {
      assert.equal(await failureOf("fails"), undefined);
      assert.equal(await failureOf("tells"), "quota exceeded");
      assert.equal(await failureOf("throws"), "broken");
      assert.equal(await client.do("good", "x").text(), "good");
    }
    assert.deepEqual(events.filter(({ type }) => type === "error"), [], "WORK_FAIL has ended the job");
    await worker.close();
  });

  test("the pieces of a generator arrive as one result, and a warning is an event", { timeout }, async () => {
    const { worker, events } = await start({
      pieces: async function* (job) {
        await job.sendWarning("careful");
        const memory = new Uint8Array(3);
        for (const byte of [97, 98]) yield memory.fill(byte);
        return "end";
      },
      large: async function* () {
        for (;;) yield new Uint8Array(400);
      },
    }, { maxPacketSize: 1_000 });
    assert.equal(await client.do("pieces", "x").text(), "aaabbbend");
    const warnings = events.filter((event) => event.type === "jobWarning").map(({ data }) => data);
    assert.deepEqual(warnings, ["careful"]);
    const error = await client.do("large", "x").then(() => undefined, (error) => error);
    assert.match(
      text(error.exception),
      /^Cannot send the result in one piece: its packet has 12\d\d bytes, .* is 1000$/,
    );
    await worker.close();
  });

  test("jobs with the same unique coalesce", { timeout }, async () => {
    let runs = 0;
    const { handler, started, release } = heldHandler();
    const { worker } = await start({
      once: (job) => {
        runs += 1;
        return handler(job);
      },
    });
    await using other = new GearmanClient(server.connect);
    const jobs = [client.do("once", "x", { unique: "u" }), other.do("once", "x", { unique: "u" })];
    for (const job of jobs) await job.created();
    await started.promise;
    release.resolve("shared");
    assert.deepEqual(await Promise.all(jobs.map((job) => job.text())), ["shared", "shared"]);
    assert.equal(runs, 1);
    await worker.close();
  });

  test("the time limit of a function is kept", { timeout }, async () => {
    const { worker } = await start({ next: () => "next" });
    worker.addFunction("stuck", () => new Promise(() => {}), { timeout: 30 });
    for (let i = 0; i < 3; i++) {
      const error = await client.do("stuck", "x").then(() => undefined, (error) => error);
      assert.match(text(error.exception), /took longer than 30 ms$/);
      assert.equal(await client.do("next", "x").text(), "next");
    }
    await worker.close();
  });

  test("functions are added and removed while the worker runs", { timeout }, async () => {
    const { worker } = await start({ first: () => "first" });
    worker.addFunction("second", () => "second");
    assert.equal(await client.do("second", "x").text(), "second");
    worker.removeFunction("second");
    await worker.ready();
    const waiting = client.do("second", "x");
    await waiting.created();
    assert.equal(await client.do("first", "x").text(), "first");
    worker.addFunction("second", () => "again");
    assert.equal(await waiting.text(), "again");
    await worker.close();
  });

  test("an idle worker sleeps, wakes for each job, and is closed at once", { timeout }, async () => {
    const { worker } = await start({ f: (job) => job.text() }, { concurrency: 3 });
    for (let i = 0; i < 10; i++) {
      assert.equal(await client.do("f", String(i)).text(), String(i));
      await new Promise((resolve) => setTimeout(resolve, i));
    }
    await worker.close();
  });

  test("a worker that is closed while it finds out how to ask does not hang", { timeout }, async () => {
    for (let i = 0; i < 5; i++) {
      const connected = deferred<void>();
      const worker = new GearmanWorker({
        ...server.connect,
        concurrency: 5,
        onEvent: ({ type }) => type === "connected" && connected.resolve(),
      });
      worker.addFunction("f", () => {});
      worker.run();
      await connected.promise;
      await new Promise((resolve) => setTimeout(resolve, i));
      await worker.close();
    }
  });

  test("a draining worker finishes the job that it holds, and no other", { timeout }, async () => {
    const { handler, started, release } = heldHandler();
    const { worker } = await start({ drained: handler });
    const held = client.do("drained", "1");
    await started.promise;
    const waiting = client.do("drained", "2");
    await waiting.created();
    const closing = worker.close();
    release.resolve("finished");
    assert.equal(await held.text(), "finished");
    await closing;
    const { worker: next } = await start({ drained: (job) => job.text() });
    assert.equal(await waiting.text(), "2");
    await next.close();
  });

  test("an admin client lists workers and functions, and reads the version", { timeout }, async () => {
    const { worker } = await start({ listed: (job) => job.text() }, { id: "listed-worker" });
    await using admin = new GearmanAdmin(server.connect);
    assert.match(await admin.version(), /^v\d+\.\d+\.\d+$/);
    const found = (await admin.workers()).find(({ id }) => id === "listed-worker");
    assert.deepEqual(found?.functionNames, ["listed"]);
    const row = (await admin.status()).find(({ functionName }) => functionName === "listed");
    assert.equal(row?.workers, 1);
    await worker.close();
  });

  test("what the server does not know fails its call, and the connection goes on", { timeout }, async () => {
    const { worker } = await start({ f: (job) => toHex(job.workload) });
    await assert.rejects(client.do("f", "x", { priority: "low" }).text(), ServerError);
    await assert.rejects(client.doBackground("f", "x", { at: new Date() }), ServerError);
    assert.equal(await client.do("f", "x").text(), "78");
    assert.equal(await client.do("f", "x", { priority: "high" }).text(), "78");
    await worker.close();
  });
});
