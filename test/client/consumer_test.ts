/** Tests of consumers that leave, come again, lag, make calls of their own, or are not there at all, on every server. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { GearmanClient, GearmanWorker } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { pattern, text } from "../support/bytes.ts";
import { turns } from "../support/transports.ts";
import { limitQueue, RawWorker } from "../support/peers.ts";
import { onEveryServer, withClient } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";
import { wordsOf } from "../support/words.ts";

const timeout = 60_000;
const PIECES = 64;
const PIECE = pattern(32_768);

onEveryServer("a consumer", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  /** Sends 2 MB in pieces, and the end. */
  async function flood(worker: RawWorker, handle: string): Promise<void> {
    for (let i = 0; i < PIECES; i++) {
      worker.send(PacketType.WORK_DATA, handle, PIECE);
      await worker.connection.flush();
    }
    worker.send(PacketType.WORK_COMPLETE, handle, "the end");
    await worker.served();
  }

  test("of a unique that was abandoned, and submitted again while it runs, gets every packet once", {
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

  test("that lags behind 2 MB does not stop other calls, and calls that it makes itself work", {
    timeout,
  }, async () => {
    const worker = await RawWorker.open(server, "flood");
    await using other = new GearmanWorker(server.connect);
    other.addFunction("shout", (job) => job.text().toUpperCase());
    other.run();
    for (const moment of ["while it comes", "when all of it is on its way"]) {
      const job = client.do("flood");
      await job.created();
      const flooding = flood(worker, (await worker.grab()).handle);
      if (moment !== "while it comes") await flooding;
      await turns();
      // Nobody reads it; everything else goes on.
      assert.equal(text(await client.echo(moment)), moment);
      await turns();
      assert.equal(await client.do("shout", moment).text(), moment.toUpperCase());
      assert.equal((await (await client.doBackground("later")).status()).known, true);
      await flooding;
      let data = 0;
      for await (const event of job) {
        if (event.type !== "data") continue;
        assert.equal(event.data.length, PIECE.length);
        if (++data % 16 !== 1) continue;
        assert.equal(text(await client.echo(`inside ${data}`)), `inside ${data}`);
        assert.equal(await client.do("shout", `inside ${data}`).text(), `INSIDE ${data}`);
        assert.equal((await client.jobStatus(job.handle!)).known, false, "the worker has ended it");
      }
      assert.equal(data, PIECES);
    }
    await worker.close();
  });

  test("that makes calls while its worker sends gets 2 MB in order", { timeout }, async () => {
    const worker = await RawWorker.open(server, "inside");
    const job = client.do("inside");
    await job.created();
    const { handle } = await worker.grab();
    const seen: string[] = [];
    for await (const event of job) {
      if (event.type === "created") worker.send(PacketType.WORK_DATA, handle, PIECE);
      if (event.type !== "data") continue;
      const i = seen.push(text(await client.echo(`${seen.length}`)));
      // Each piece is sent only when the one before it has been dealt with.
      if (i < PIECES) worker.send(PacketType.WORK_DATA, handle, PIECE);
      else worker.send(PacketType.WORK_COMPLETE, handle, "");
    }
    assert.deepEqual(seen, Array.from({ length: PIECES }, (_, i) => `${i}`));
    await worker.close();
  });

  test("that is not there causes no unhandled rejection when its job fails, is refused or is lost", {
    timeout,
  }, async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", listener);
    try {
      const mortal = await kind.start();
      const left = new GearmanClient({ ...mortal.connect, minBackoff: 1, maxBackoff: 1 });
      const worker = await RawWorker.open(mortal, "unseen");
      const names = ["fails", "raises", "raises too", "runs", "waits"];
      const jobs = names.map((workload) => left.do("unseen", workload));
      await Promise.all(jobs.map((job) => job.created()));
      jobs[2]!.text(); // its promise is left alone
      for (const packet of [PacketType.WORK_FAIL, PacketType.WORK_EXCEPTION, PacketType.WORK_EXCEPTION] as const) {
        const { handle } = await worker.grab();
        if (packet === PacketType.WORK_FAIL) worker.send(packet, handle);
        else worker.send(packet, handle, "no");
      }
      await worker.grab();
      await limitQueue(mortal, worker, "unseen", 1);
      left.do("unseen");
      left.do("unseen").created();
      await left.echo("");
      await mortal.stop();
      await assert.rejects(jobs[4]!.bytes(), { name: "ConnectionError", delivery: "accepted" });
      left.do("unseen").created();
      left.do("unseen").bytes();
      await assert.rejects(left.do("unseen").bytes(), { name: "ConnectionError", delivery: "not-sent" });
      await left.close();
      left.do("unseen");
      await turns(20);
      assert.deepEqual(unhandled, []);
    } finally {
      process.removeListener("unhandledRejection", listener);
    }
  });
});
