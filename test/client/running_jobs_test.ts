/** Tests of jobs that share a unique, on every job server: who gets which copy of a packet. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanClient } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { needs, startGearmand } from "../support/gearmand.ts";
import { command, RawWorker, until } from "../support/peers.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";
import { wordsOf } from "../support/words.ts";

const timeout = 60_000;

onEveryServer("jobs that share a unique", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test("the same unique twice on one connection: both jobs get everything exactly once", { timeout }, async () => {
    const worker = await RawWorker.open(server, "twice");
    const [complete, fail, exception] = ["complete", "fail", "exception"].map((unique) => {
      const jobs = [client.do("twice", "", { unique }), client.do("twice", "", { unique })];
      return { jobs, words: jobs.map(wordsOf) };
    });
    for (const { jobs } of [complete!, fail!, exception!]) {
      const [a, b] = await Promise.all(jobs.map((job) => job.created()));
      assert.equal(a, b);
      const { handle } = await worker.grab();
      assert.equal(handle, a);
      worker.send(PacketType.WORK_DATA, handle, "1");
      worker.send(PacketType.WORK_STATUS, handle, "1", "2");
      worker.send(PacketType.WORK_WARNING, handle, "2");
      worker.send(PacketType.WORK_DATA, handle, "3");
    }
    worker.send(PacketType.WORK_COMPLETE, complete!.jobs[0]!.handle!, "4");
    worker.send(PacketType.WORK_FAIL, fail!.jobs[0]!.handle!);
    worker.send(PacketType.WORK_EXCEPTION, exception!.jobs[0]!.handle!, "4");
    const events = ["created", "data 1", "status", "warning 2", "data 3"];
    for (const words of complete!.words) assert.deepEqual(await words, [...events, "complete 4"]);
    for (const words of [...fail!.words, ...exception!.words]) {
      assert.deepEqual(await words, [...events, "JobFailedError"]);
    }
    await worker.close();
  });

  test(
    "the same unique twice, and one of the two abandoned: the other gets everything exactly once",
    { timeout },
    async () => {
      const worker = await RawWorker.open(server, "left");
      for (const leaves of [0, 1]) {
        const controller = new AbortController();
        const options = (i: number) => i === leaves ? { unique: "u", signal: controller.signal } : { unique: "u" };
        const jobs = [client.do("left", "", options(0)), client.do("left", "", options(1))];
        const leaving = wordsOf(jobs[leaves]!);
        const staying = wordsOf(jobs[1 - leaves]!);
        await Promise.all(jobs.map((job) => job.created()));
        const { handle } = await worker.grab();
        worker.send(PacketType.WORK_DATA, handle, "1");
        await worker.connection.flush();
        await client.echo("");
        controller.abort(new Error("enough"));
        worker.send(PacketType.WORK_DATA, handle, "2");
        worker.send(PacketType.WORK_COMPLETE, handle, "3");
        assert.deepEqual(await staying, ["created", "data 1", "data 2", "complete 3"]);
        assert.equal((await leaving).at(-1), "Error");
      }
      // And the connection has kept count: the same unique again is a new job.
      const again = client.do("left", "", { unique: "u" });
      await again.created();
      await worker.serve(1, () => "again");
      assert.equal(await again.text(), "again");
      await worker.close();
    },
  );

  test(
    "a job that joins a running one gets what comes from then on, as does one of another client",
    { timeout },
    async () => {
      const worker = await RawWorker.open(server, "join");
      await using other = new GearmanClient(server.connect);
      const first = client.do("join", "", { unique: "u" });
      await first.created();
      const { handle } = await worker.grab();
      const firstWords = wordsOf(first);
      worker.send(PacketType.WORK_DATA, handle, "1");
      await worker.connection.flush();
      worker.send(PacketType.ECHO_REQ, "");
      assert.equal((await worker.next()).type, PacketType.ECHO_RES);
      const joining = [client.do("join", "ignored", { unique: "u" }), other.do("join", "ignored", { unique: "u" })];
      const words = joining.map(wordsOf);
      for (const job of joining) assert.equal(await job.created(), handle);
      worker.send(PacketType.WORK_DATA, handle, "2");
      worker.send(PacketType.WORK_COMPLETE, handle, "3");
      assert.deepEqual(await firstWords, ["created", "data 1", "data 2", "complete 3"]);
      for (const one of words) assert.deepEqual(await one, ["created", "data 2", "complete 3"]);
      await worker.close();
    },
  );

  test("a consumer of a unique that was abandoned, and submitted again while it runs, gets every packet once", {
    timeout,
  }, async () => {
    const worker = await RawWorker.open(server, "again");
    for (const outcome of ["complete", "fail", "exception"]) {
      for (const abandoned of [1, 2, 3]) {
        const submit = () => client.do("again", "", { unique: outcome });
        const handles: string[] = [];
        for (let i = 0; i < abandoned; i++) {
          const job = submit();
          handles.push(await job.created());
          if (i === 0) {
            assert.equal((await worker.grab()).handle, handles[0]);
            worker.send(PacketType.WORK_DATA, handles[0]!, "too early");
            await worker.served();
          }
          for await (const _ of job) break;
        }
        const again = submit();
        const words = wordsOf(again);
        handles.push(await again.created());
        assert.equal(new Set(handles).size, 1, "it is the same job");
        const [handle] = handles as [string];
        worker.send(PacketType.WORK_DATA, handle, "1");
        worker.send(PacketType.WORK_STATUS, handle, "1", "2");
        worker.send(PacketType.WORK_WARNING, handle, "2");
        worker.send(PacketType.WORK_DATA, handle, "3");
        if (outcome === "complete") worker.send(PacketType.WORK_COMPLETE, handle, "4");
        else if (outcome === "fail") worker.send(PacketType.WORK_FAIL, handle);
        else worker.send(PacketType.WORK_EXCEPTION, handle, "4");
        const end = outcome === "complete" ? "complete 4" : "JobFailedError";
        assert.deepEqual(
          await words,
          ["created", "data 1", "status", "warning 2", "data 3", end],
          `${outcome}, abandoned ${abandoned} times`,
        );
      }
    }
    // And the connection has kept count.
    const next = client.do("again", "", { unique: "complete" });
    await next.created();
    await worker.serve(1, () => "a new job");
    assert.equal(await next.text(), "a new job");
    await worker.close();
  });
});

test("a job that was abandoned, joined again and thrown away by gearmand ends by the probe", {
  skip: needs("gearmand"),
  timeout,
}, async () => {
  const { port, stop } = await startGearmand();
  const server: TestServer = { connect: { servers: `127.0.0.1:${port}` }, port, stop };
  try {
    const first = new GearmanClient(server.connect);
    const handle = await first.do("f", "", { unique: "u" }).created();
    await first.close();
    await using second = new GearmanClient({ ...server.connect, probeInterval: 100 });
    await until(async () => (await command(server, "show jobs", true)).some((line) => line.split("\t")[2] === "1"));
    const job = second.do("f", "", { unique: "u" });
    const result = job.bytes();
    assert.equal(await job.created(), handle);
    const worker = await RawWorker.open(server, "f");
    assert.equal(await worker.tryGrab(), undefined);
    await assert.rejects(result, { name: "ConnectionError", delivery: "accepted", handle, unique: "u" });
    await worker.close();
  } finally {
    await stop();
  }
});
