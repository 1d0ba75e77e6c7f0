/** Tests of doBackgroundAll() on every job server, and of its limits. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type GearmanClient, ServerError } from "../../mod.ts";
import type { DoBackgroundAllOptions } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { text } from "../support/bytes.ts";
import { turns, until } from "../support/wait.ts";
import { answerEverything, type FakePeer, FakeServer, makeClient, submittedWorkloads } from "../support/fake_server.ts";
import { countJobs, limitQueue } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { collectHandles, ManualSource, NumberSource, toArray } from "../support/workload_sources.ts";
import { onEveryServer, withClient } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";

const timeout = 30_000;

/** True if the stack of an error has its message, as V8's has. */
const runtimeShowsMessages = `${new Error("shown").stack}`.includes("shown");

onEveryServer("doBackgroundAll()", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test(
    "submits each workload of any kind of source once, and yields the jobs in order",
    { timeout },
    async () => {
      async function* slowly() {
        for (let i = 0; i < 2_500; i++) {
          if (i % 500 === 0) await turns(1);
          yield i % 2 === 0 ? `${i}` : new TextEncoder().encode(`${i}`);
        }
      }
      const sources = {
        list: Array.from({ length: 2_500 }, (_, i) => `${i}`),
        numbers: new NumberSource(2_500),
        slow: slowly(),
      };
      for (const [name, source] of Object.entries(sources)) {
        const jobs = await toArray(client.doBackgroundAll(name, source));
        assert.equal(new Set(jobs.map(String)).size, 2_500);
        assert.equal(new Set(jobs.map(({ unique }) => unique)).size, 2_500);
        assert.deepEqual(await jobs[0]!.status(), await client.jobStatus(jobs[0]!.handle));
        assert.equal(await countJobs(server, name), 2_500);
        const worker = await RawWorker.open(server, name);
        const done: string[] = [];
        await worker.serve(2_500, ({ handle, workload }) => {
          assert.equal(handle, jobs[done.length]!.handle);
          done.push(text(workload));
          return "";
        });
        assert.deepEqual(done, sources.list);
        await worker.close();
      }
    },
  );

  test("a refusal is thrown after the jobs before it, with the index of its workload, and closes the source", {
    timeout,
  }, async () => {
    const worker = await RawWorker.open(server, "full");
    await limitQueue(server, worker, "full", 7);
    const source = new NumberSource(Infinity);
    const { handles, error } = await collectHandles(client.doBackgroundAll("full", source, { inFlight: 20 }));
    assert.equal(handles.length, 7);
    assert.ok(error instanceof ServerError && error.code === "QUEUE_ERROR", String(error));
    assert.match(error.message, /^Workload 7: The job server answered QUEUE_ERROR/);
    assert.match(`${error.stack}`, runtimeShowsMessages ? /Workload 7/ : /./);
    assert.equal(source.closed, 1);
    assert.ok(source.asked <= 20, `${source.asked}`);
    await worker.close();
  });

  test("a unique for each workload makes it harmless to submit them all again", { timeout }, async () => {
    const options: DoBackgroundAllOptions = { unique: (workload, index) => `${workload}-${index}` };
    const [first, second] = [
      await toArray(client.doBackgroundAll("again", new NumberSource(10), options)),
      await toArray(client.doBackgroundAll("again", new NumberSource(20), options)),
    ];
    assert.deepEqual(second.slice(0, 10).map(String), first.map(String));
    assert.deepEqual(second.map(({ unique }) => unique), Array.from({ length: 20 }, (_, i) => `${i}-${i}`));
    assert.equal(await countJobs(server, "again"), 20);
  });

  test("calls inside its loop work, also of doBackgroundAll()", { timeout }, async () => {
    let inner = 0;
    for await (const job of client.doBackgroundAll("outer", new NumberSource(50), { inFlight: 3 })) {
      assert.equal((await job.status()).known, true);
      for await (const _ of client.doBackgroundAll("inner", [job.handle, "x"], { inFlight: 1 })) inner++;
    }
    assert.equal(inner, 100);
  });
});

describe("the limits of doBackgroundAll()", () => {
  test("at most inFlight submissions are unanswered, and the source is read no further", { timeout }, async () => {
    const waiting: FakePeer[] = [];
    const server = new FakeServer((_, peer) => void waiting.push(peer));
    await using client = makeClient(server);
    for (const inFlight of [1, 2, 7]) {
      const source = new NumberSource(30);
      const jobs = toArray(client.doBackgroundAll("f", source, { inFlight }));
      for (let answered = 0; answered < 30; answered++) {
        await until(() => waiting.length > 0);
        await turns(1);
        assert.ok(waiting.length <= inFlight, `${waiting.length} unanswered of ${inFlight}`);
        assert.ok(source.asked <= answered + inFlight, `${source.asked} asked for, ${answered} answered`);
        waiting.shift()!.answer(PacketType.JOB_CREATED, `H:${answered}`);
      }
      assert.equal((await jobs).length, 30);
    }
  });

  test("by default at most 1,000 submissions are unanswered", { timeout }, async () => {
    const server = new FakeServer();
    await using client = makeClient(server);
    const jobs = client.doBackgroundAll("f", new NumberSource(Infinity));
    const first = jobs.next();
    await until(() => submittedWorkloads(server).length === 1_000);
    await turns(3);
    assert.equal(submittedWorkloads(server).length, 1_000);
    for (let i = 0; i < 400; i++) server.peer.answer(PacketType.JOB_CREATED, `H:${i}`);
    assert.equal((await first).value?.handle, "H:0");
    await jobs.return();
  });

  test(
    "jobs that the consumer has not taken count, and taking one lets reading continue",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = makeClient(server);
      const source = new NumberSource(1_000);
      const jobs = client.doBackgroundAll("f", source, { inFlight: 10 });
      for (let taken = 0; taken < 50; taken++) {
        assert.equal((await jobs.next()).value?.handle, `H:${taken + 1}`);
        await turns(1);
        assert.ok(source.asked <= taken + 11, `${source.asked} asked for, ${taken + 1} taken`);
      }
      await jobs.return();
      assert.equal(source.closed, 1);
    },
  );

  test(
    "calls of next() at the same time resolve in their order, and return() ends the iteration",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = makeClient(server);
      const jobs = client.doBackgroundAll("f", new NumberSource(100));
      const order: number[] = [];
      const calls = Array.from({ length: 50 }, async (_, i) => {
        const { value } = await jobs.next();
        order.push(i);
        return value?.handle;
      });
      // Calls that are made while jobs are ready, and others are still waiting for their turn, do not overtake them.
      calls.push(
        ...await Promise.race(calls).then(() => [jobs.next(), jobs.next()]).then((more) =>
          more.map(async (next) => (await next).value?.handle)
        ),
      );
      assert.deepEqual(await Promise.all(calls), Array.from({ length: 52 }, (_, i) => `H:${i + 1}`));
      assert.deepEqual(order, [...Array(50).keys()]);
      assert.deepEqual(await jobs.return(), { done: true, value: undefined });
      assert.deepEqual(await jobs.next(), { done: true, value: undefined });
    },
  );

  test(
    "an accepted job is yielded while the next workload is still awaited",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = makeClient(server);
      const source = new ManualSource();
      const jobs = client.doBackgroundAll("f", source);
      for (let i = 1; i <= 5; i++) {
        const next = jobs.next();
        await turns(1);
        source.push(`${i}`);
        assert.equal((await next).value?.handle, `H:${i}`);
      }
      const last = jobs.next();
      source.end();
      assert.deepEqual(await last, { done: true, value: undefined });
      assert.equal(source.closed, 0, "the source had ended by itself");
    },
  );
});

test(
  "options are read as the caller gave them, and unique() is called as a plain function",
  { timeout: 10_000 },
  async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const seen: unknown[] = [];
    const options = Object.assign(Object.create({ priority: "high" }), {
      unique(this: unknown) {
        seen.push(this);
        return "u";
      },
    });
    await client.doBackgroundAll("f", ["x"], options).next();
    assert.deepEqual(server.peer.requests.map(({ type }) => type), [PacketType.SUBMIT_JOB_HIGH_BG]);
    assert.deepEqual(seen, [undefined]);
  },
);
