/** Tests of many jobs at once, on every job server: pipelines, and errors among their replies. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type GearmanClient, ServerError } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { text } from "../support/bytes.ts";
import { fullOrQuick } from "../support/requirements.ts";
import { countJobs, limitQueue } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { onEveryServer, withClient } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";

const timeout = 60_000;
const MANY = fullOrQuick(20_000, 2_000);

onEveryServer("many jobs at once", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test("of 1,000 pipelined submissions, an ERROR rejects the refused ones only", { timeout }, async () => {
    const worker = await RawWorker.open(server, "full", "free");
    await limitQueue(server, worker, "full", 10);
    // Every tenth is for the function with the short queue: of 100, 90 are refused.
    const jobs = Array.from({ length: 1_000 }, (_, i) => client.do(i % 10 === 7 ? "full" : "free", `${i}`));
    const created = await Promise.allSettled(jobs.map((job) => job.created()));
    assert.equal(created.filter(({ status }) => status === "rejected").length, 90, "the limit took effect");
    assert.equal(await countJobs(server, "full"), 10);
    await worker.serve(910);
    let refused = 0;
    for (const [i, job] of jobs.entries()) {
      if (i % 10 === 7 && i >= 100) {
        await assert.rejects(job.text(), (error) => error instanceof ServerError && error.code === "QUEUE_ERROR");
        assert.equal(created[i]!.status, "rejected");
        refused++;
      } else {
        assert.equal(await job.text(), `${i}`);
      }
    }
    assert.equal(refused, 90);
    await worker.close();
  });

  test(`${MANY} pipelined jobs each receive their own result`, { timeout }, async () => {
    const worker = await RawWorker.open(server, "many");
    const jobs = Array.from({ length: MANY }, (_, i) => client.do("many", `${i}`));
    await Promise.all(jobs.map((job) => job.created()));
    const results = Promise.all(jobs.map((job) => job.text()));
    const grabs = 50;
    for (let i = 0; i < grabs; i++) worker.send(PacketType.GRAB_JOB);
    for (let assigned = 0; assigned < jobs.length; assigned++) {
      const { type, args } = await worker.next();
      assert.equal(type, PacketType.JOB_ASSIGN);
      worker.send(PacketType.WORK_COMPLETE, args[0]!.slice(), args[2]!.slice());
      if (assigned + grabs < jobs.length) worker.send(PacketType.GRAB_JOB);
    }
    for (const [i, result] of (await results).entries()) assert.equal(result, `${i}`);
    await worker.close();
  });

  test(`${MANY / 2} background jobs each get a handle of their own`, { timeout }, async () => {
    const submit = (_: unknown, i: number) => client.doBackground("background", `${i}`, { unique: "" });
    const jobs = await Promise.all(Array.from({ length: MANY / 2 }, submit));
    assert.equal(new Set(jobs.map(({ handle }) => handle)).size, MANY / 2);
    assert.equal(await countJobs(server, "background"), MANY / 2);
  });

  test("background and foreground jobs in one pipeline get their own handles and results", { timeout }, async () => {
    const background = client.doBackground("mixed", "b");
    const foreground = client.do("mixed", "f");
    const echo = client.echo("e");
    const status = client.jobStatus("H:unknown:1");
    const second = client.do("mixed", "g");
    assert.equal(text(await echo), "e");
    assert.equal((await status).known, false);
    const { handle } = await background;
    assert.notEqual(handle, await foreground.created());
    const worker = await RawWorker.open(server, "mixed");
    await worker.serve(3);
    assert.equal(await foreground.text(), "f");
    assert.equal(await second.text(), "g");
    await worker.close();
  });

  test(
    "a foreground job that is aborted after its creation still runs, and its packets are discarded",
    { timeout },
    async () => {
      const worker = await RawWorker.open(server, "aborted");
      const controller = new AbortController();
      const { signal } = controller;
      const aborted = Array.from({ length: 500 }, (_, i) => client.do("aborted", `${i}`, { signal }));
      const outcomes = Promise.allSettled(aborted.map((job) => job.text()));
      const kept = client.do("aborted", "kept");
      await Promise.all([...aborted.map((job) => job.created()), kept.created()]);
      const reason = new Error("enough");
      controller.abort(reason);
      for (const outcome of await outcomes) assert.equal((outcome as PromiseRejectedResult).reason, reason);
      await worker.serve(501, (job) => {
        worker.send(PacketType.WORK_DATA, job.handle, "late ");
        return job.workload;
      });
      assert.equal(await kept.text(), "late kept");
      assert.equal(text(await client.echo("still there")), "still there");
      await worker.close();
    },
  );

  test("a call that is aborted in its own tick is never sent", { timeout }, async () => {
    await client.echo("");
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      client.do("never", "", { signal }).bytes(),
      client.doBackground("never", "x", { signal }),
      client.do("sent").created(),
      client.doBackground("never", "x", { signal: AbortSignal.abort("at once") }),
      client.do("never", "", { signal: AbortSignal.abort("at once") }).created(),
    ];
    controller.abort("enough");
    const reasons = (await Promise.allSettled(calls)).map((one) => one.status === "rejected" ? one.reason : one.status);
    assert.deepEqual(reasons, ["enough", "enough", "fulfilled", "at once", "at once"]);
    await client.echo("");
    assert.equal(await countJobs(server, "never"), 0);
    assert.equal(await countJobs(server, "sent"), 1);
  });
});
