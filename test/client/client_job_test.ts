/** Tests of the public side of a foreground job, on every job server: events, consumers, failures, sizes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { GearmanClient, GearmanWorker, JobFailedError, ServerError } from "../../mod.ts";
import type { JobEvent } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { fromHex, pattern, text, toHex } from "../support/bytes.ts";
import { limitQueue } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { onEveryServer, withClient } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";

const timeout = 30_000;
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

/** Events with their bytes as text, which a failed comparison shows better. */
function show(event: JobEvent): string {
  if (event.type === "created") return "created";
  if (event.type === "status") return `status ${event.numerator}/${event.denominator}`;
  return `${event.type} ${text(event.data)}`;
}

onEveryServer("jobs in the foreground", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test("data, warnings, statuses and the result arrive in the order in which they were sent", { timeout }, async () => {
    const job = client.do("order", "work");
    await job.created();
    const worker = await RawWorker.open(server, "order");
    const { handle, workload } = await worker.grab();
    assert.equal(text(workload), "work");
    worker.send(PacketType.WORK_STATUS, handle, "1", "3");
    worker.send(PacketType.WORK_DATA, handle, "a");
    worker.send(PacketType.WORK_WARNING, handle, "w");
    worker.send(PacketType.WORK_DATA, handle, "");
    const events: string[] = [];
    for await (const event of job) {
      events.push(show(event));
      if (events.length === 5) {
        worker.send(PacketType.WORK_STATUS, handle, "3", "3");
        worker.send(PacketType.WORK_DATA, handle, "b");
        worker.send(PacketType.WORK_COMPLETE, handle, "done");
      }
    }
    assert.deepEqual(events, [
      "created",
      "status 1/3",
      "data a",
      "warning w",
      "data ",
      "status 3/3",
      "data b",
      "complete done",
    ]);
    assert.equal(job.handle, handle);
    await worker.close();
  });

  test("await, bytes(), text(), json() and stream() join data and result", { timeout }, async () => {
    const worker = await RawWorker.open(server, "join");
    const jobs = Array.from({ length: 5 }, () => client.do("join"));
    await Promise.all(jobs.map((job) => job.created()));
    for (let i = 0; i < 5; i++) {
      const { handle } = await worker.grab();
      worker.send(PacketType.WORK_DATA, handle, `{"sum":`);
      worker.send(PacketType.WORK_WARNING, handle, "not a part of the result");
      worker.send(PacketType.WORK_DATA, handle, "");
      worker.send(PacketType.WORK_COMPLETE, handle, "55}");
    }
    const [a, b, c, d, e] = jobs;
    assert.equal(text(await a!), `{"sum":55}`);
    assert.equal(text(await b!.bytes()), `{"sum":55}`);
    assert.equal(await c!.text(), `{"sum":55}`);
    assert.deepEqual(await d!.json(), { sum: 55 });
    const pieces: string[] = [];
    const reader = e!.stream().getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) pieces.push(text(read.value));
    assert.deepEqual(pieces, [`{"sum":`, "55}"], "a piece for each packet that has bytes");
    await worker.close();
  });

  test("json() rejects with a SyntaxError if the result is not JSON", { timeout }, async () => {
    const job = client.do("nojson", "{");
    await job.created();
    const worker = await RawWorker.open(server, "nojson");
    await worker.serve(1);
    await assert.rejects(job.json(), SyntaxError);
    await worker.close();
  });

  test("all byte values and empty workloads go both ways unchanged", { timeout }, async () => {
    const worker = await RawWorker.open(server, "bytes");
    const sent = [ALL_BYTES, new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(1, 2, 3), fromHex("0052455300000001")];
    const jobs = sent.map((workload) => client.do("bytes", workload));
    const nothing = client.do("bytes");
    const umlauts = client.do("bytes", "gr\u00fc\u00dfe \u{1f600}");
    const serving = worker.serve(sent.length + 2, ({ workload }) => workload);
    for (const [i, job] of jobs.entries()) assert.equal(toHex(await job), toHex(sent[i]!), `workload ${i}`);
    assert.equal((await nothing).length, 0);
    assert.equal(await umlauts.text(), "gr\u00fc\u00dfe \u{1f600}");
    await serving;
    await worker.close();
  });

  test(
    "40 workloads about as long as a chunk of the transport arrive, whatever bytes they end with",
    { timeout },
    async () => {
      const worker = await RawWorker.open(server, "edge");
      const sent = Array.from({ length: 40 }, (_, i) => {
        const workload = pattern(65_480 + i);
        workload.set(fromHex("0052455300000008"), workload.length - 8 - i); // what looks like a header
        return workload;
      });
      const jobs = sent.map((workload) => client.do("edge", workload));
      const serving = worker.serve(40, ({ workload }) => workload);
      for (const [i, job] of jobs.entries()) assert.ok(Buffer.compare(await job, sent[i]!) === 0, `job ${i}`);
      await serving;
      await worker.close();
    },
  );

  test("names in UTF-8 are the same for client, worker and status", { timeout }, async () => {
    const [functionName, unique] = ["na\u00efve \u{1f600}", "\u00fcnique \u20ac"];
    const job = client.do(functionName, "w", { unique });
    await job.created();
    assert.deepEqual([(await client.jobStatusByUnique(unique)).known, job.unique], [true, unique]);
    const worker = await RawWorker.open(server, functionName);
    const assigned = await worker.grab();
    assert.deepEqual([assigned.functionName, assigned.unique], [functionName, unique]);
    worker.send(PacketType.WORK_FAIL, assigned.handle);
    await assert.rejects(job.bytes(), { functionName, message: /na\u00efve/ });
    await worker.close();
  });

  test("5 MB go both ways unchanged, as one packet and in pieces", { timeout }, async () => {
    const large = pattern(5_000_000);
    const worker = await RawWorker.open(server, "large");
    const jobs = [client.do("large", large), client.do("large", large)];
    const first = await worker.grab();
    assert.ok(Buffer.compare(first.workload, large) === 0);
    worker.send(PacketType.WORK_COMPLETE, first.handle, first.workload);
    const second = await worker.grab();
    for (let at = 0; at < large.length; at += 99_991) {
      worker.send(PacketType.WORK_DATA, second.handle, second.workload.subarray(at, at + 99_991));
    }
    worker.send(PacketType.WORK_COMPLETE, second.handle, "");
    for (const job of jobs) assert.ok(Buffer.compare(await job, large) === 0);
    await worker.close();
  });

  test("an exception ends the job with a JobFailedError that has its bytes", { timeout }, async () => {
    const worker = await RawWorker.open(server, "raise");
    for (const exception of [fromHex("fffe0080"), ALL_BYTES, new Uint8Array(0)]) {
      const job = client.do("raise");
      const created = await job.created();
      const { handle } = await worker.grab();
      worker.send(PacketType.WORK_WARNING, handle, fromHex("fffe0080"));
      worker.send(PacketType.WORK_EXCEPTION, handle, exception);
      const events: JobEvent[] = [];
      await assert.rejects(async () => {
        for await (const event of job) events.push(event);
      }, (error) => {
        assert.ok(error instanceof JobFailedError);
        assert.equal(error.name, "JobFailedError");
        assert.equal(error.handle, created);
        assert.equal(error.functionName, "raise");
        assert.equal(toHex(error.exception!), toHex(exception));
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
        return true;
      });
      assert.equal("data" in events[1]! && toHex(events[1].data), "fffe0080", "the warning");
    }
    await worker.close();
  });

  test("a plain failure is a JobFailedError without an exception", { timeout }, async () => {
    const worker = await RawWorker.open(server, "fail");
    const job = client.do("fail");
    await job.created();
    const { handle } = await worker.grab();
    worker.send(PacketType.WORK_DATA, handle, "in vain");
    worker.send(PacketType.WORK_FAIL, handle);
    await assert.rejects(job.bytes(), (error) => {
      assert.ok(error instanceof JobFailedError);
      assert.equal(error.exception, undefined);
      assert.equal(error.handle, handle);
      return true;
    });
    assert.equal(await job.created(), handle, "the handle is still there");
    await worker.close();
  });

  test("an exception that is followed by a failure ends its job once, and no other job", { timeout }, async () => {
    const worker = await RawWorker.open(server, "twice");
    const failing = client.do("twice", "1");
    const next = client.do("twice", "2");
    const first = await worker.grab();
    worker.send(PacketType.WORK_EXCEPTION, first.handle, "no");
    worker.send(PacketType.WORK_FAIL, first.handle);
    await worker.connection.flush();
    await assert.rejects(failing.text(), { name: "JobFailedError", message: /: no$/ });
    assert.equal((await worker.next()).type, PacketType.ERROR, "the server does not know the job any more");
    await worker.serve(1);
    assert.equal(await next.text(), "2");
    await worker.close();
  });

  test("a second consumer is a TypeError, and created() may be called any number of times", { timeout }, async () => {
    const worker = await RawWorker.open(server, "once");
    const job = client.do("once", "x");
    const handles = [job.created(), job.created()];
    const bytes = job.bytes();
    await assert.rejects(job.bytes(), TypeError);
    await assert.rejects(job.text(), TypeError);
    await assert.rejects(job.json(), TypeError);
    assert.throws(() => job.stream(), TypeError);
    assert.throws(() => job[Symbol.asyncIterator](), TypeError);
    await assert.rejects(async () => await job, TypeError);
    await worker.serve(1);
    assert.equal(text(await bytes), "x");
    handles.push(job.created());
    assert.equal(new Set(await Promise.all(handles)).size, 1);
    await assert.rejects(job.text(), TypeError);
    await worker.close();
  });

  test("a refused job ends with the server's error, and so does created()", { timeout }, async () => {
    const worker = await RawWorker.open(server, "refused");
    await limitQueue(server, worker, "refused", 1);
    const first = await client.doBackground("refused", "x");
    const isFull = (error: unknown) => {
      assert.ok(error instanceof ServerError);
      assert.equal(error.code, "QUEUE_ERROR");
      assert.equal(error.text, "Job queue is full");
      return true;
    };
    await assert.rejects(client.doBackground("refused", "x"), isFull);
    const job = client.do("refused");
    await assert.rejects(job.text(), isFull);
    await assert.rejects(job.created(), isFull);
    const iterated = client.do("refused");
    await client.echo(""); // its refusal has arrived, and was not read yet
    await assert.rejects(async () => {
      for await (const _ of iterated);
    }, isFull);
    await assert.rejects(iterated.created(), isFull);
    assert.equal(job.handle, undefined);
    assert.equal((await worker.grab()).handle, first.handle);
    await worker.close();
  });

  test(
    "a job that was left by break, return() or cancel() still runs, and its packets are discarded",
    { timeout },
    async () => {
      const worker = await RawWorker.open(server, "leave");
      const broken = client.do("leave", "1");
      for await (const event of broken) if (event.type === "created") break;
      const returned = client.do("leave", "2");
      const iterator = returned[Symbol.asyncIterator]();
      const { handle } = (await iterator.next()).value as { handle: string };
      assert.equal(handle, returned.handle);
      assert.equal((await iterator.return!()).done, true);
      assert.equal((await iterator.next()).done, true);
      const cancelled = client.do("leave", "3");
      await cancelled.created();
      await cancelled.stream().cancel();
      const kept = client.do("leave", "4");
      const seen: string[] = [];
      await worker.serve(4, (job) => {
        seen.push(text(job.workload));
        worker.send(PacketType.WORK_DATA, job.handle, "late ");
        return job.workload;
      });
      assert.deepEqual(seen, ["1", "2", "3", "4"]);
      assert.equal(await kept.text(), "late 4");
      await worker.close();
    },
  );

  test("a job has its functionName, its unique, and its handle once it is created", { timeout }, async () => {
    const job = client.do("names", "", { unique: "u-1" });
    assert.equal(job.functionName, "names");
    assert.equal(job.unique, "u-1");
    assert.equal(job.handle, undefined);
    const handle = await job.created();
    assert.equal(client.do("names").unique, "");
    const worker = await RawWorker.open(server, "names");
    const assigned = await worker.grab();
    assert.equal(assigned.unique, "u-1");
    assert.equal(assigned.handle, handle);
    assert.equal(job.handle, handle);
    assert.equal((await worker.grab()).unique, "", "a foreground job without a unique has none");
    await worker.close();
  });
});

test("a byte order mark is a part of a name", { timeout }, async () => {
  const server = new JobServer();
  const worker = new GearmanWorker({ dial: server.dial });
  worker.addFunction("\ufeffname", (job) => `${job.functionName.length} ${job.unique.length}`);
  const running = worker.run();
  const client = new GearmanClient({ dial: server.dial });
  assert.equal(await client.do("\ufeffname", "", { unique: "\ufeffu" }).text(), "5 2");
  await client.close();
  await worker.close();
  await running;
  await server.close();
});
