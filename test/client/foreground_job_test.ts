/** Tests of the consumers of foreground jobs: lagging, leaving, collecting, absent. */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { GearmanClient, GearmanError, GearmanWorker } from "../../mod.ts";
import type { ClientOptions, Job, JobEvent } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { pattern, text } from "../support/bytes.ts";
import { turns } from "../support/wait.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";
import { answerEverything, FakeServer } from "../support/fake_server.ts";
import { limitQueue } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";

const timeout = 60_000;
const CHUNK = pattern(65_536);
const PIECES = 64;
const PIECE = pattern(32_768);

function clientOf(server: FakeServer, options: ClientOptions = {}): GearmanClient {
  return new GearmanClient({ dial: server.dial, minBackoff: 1, ...options });
}

/** Sends pieces of 64 KiB and then the final packet, as fast as they are taken; counts them. */
function flood(server: FakeServer, handle: string, pieces: number): { sent: number; done: Promise<void> } {
  const flood = { sent: 0, done: Promise.resolve() };
  const { peer } = server;
  flood.done = (async () => {
    for (; flood.sent < pieces; flood.sent++) {
      peer.answer(PacketType.WORK_DATA, handle, CHUNK);
      await peer.flush();
    }
    peer.answer(PacketType.WORK_COMPLETE, handle, "");
    await peer.flush();
  })();
  flood.done.catch(() => {});
  return flood;
}

async function sizeOf(job: Job): Promise<number> {
  let size = 0;
  for await (const event of job) if ("data" in event) size += event.data.length;
  return size;
}

describe("a consumer that lags", () => {
  test(
    "pauses reading while nothing else waits: less than 1 MB of 200 MB is taken",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = clientOf(server);
      const job = client.do("f");
      await job.created();
      const { length } = CHUNK;
      const flooding = flood(server, "H:1", 3_200);
      await turns(20);
      const taken = flooding.sent;
      assert.ok(taken * length < 1_000_000, `${taken} pieces were taken`);
      await turns(20);
      assert.equal(flooding.sent, taken);
      assert.equal(await sizeOf(job), 3_200 * length);
      await flooding.done;
    },
  );

  test("reads a stream at its own pace, and fewer than 20 pieces are sent ahead", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const job = client.do("f");
    await job.created();
    const flooding = flood(server, "H:1", 200);
    const reader = job.stream().getReader();
    let read = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      read++;
      await turns(1);
      assert.ok(flooding.sent - read < 20, `${flooding.sent} sent, ${read} read`);
    }
    assert.equal(read, 200);
    await flooding.done;
  });

  test("blocks neither other calls nor its own", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const job = client.do("f");
    await job.created();
    const flooding = flood(server, "H:1", 100);
    await turns();
    const paused = flooding.sent;
    assert.ok(paused < 100);
    assert.equal(text(await client.echo("outside")), "outside");
    assert.ok((await client.doBackground("g", "x")).handle !== "");
    let data = 0;
    for await (const event of job) {
      if (event.type === "data") data++;
      if (data % 10 === 1) assert.equal(text(await client.echo("inside")), "inside");
    }
    assert.equal(data, 100);
    await flooding.done;
  });

  test("does not block other jobs, and is not blocked by theirs", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const jobs = [client.do("a"), client.do("b"), client.do("c")];
    await Promise.all(jobs.map((job) => job.created()));
    const lagging = [flood(server, "H:1", 50), flood(server, "H:2", 50)];
    await turns();
    server.peer.answer(PacketType.WORK_COMPLETE, "H:3", "third");
    assert.equal(await jobs[2]!.text(), "third", "behind megabytes of unread data");
    assert.equal(await sizeOf(jobs[1]!), 50 * CHUNK.length);
    assert.equal(await sizeOf(jobs[0]!), 50 * CHUNK.length);
    await Promise.all(lagging.map(({ done }) => done));
  });

  test("lets reading continue when it leaves or is aborted", { timeout }, async () => {
    for (const way of ["abort", "break", "cancel"] as const) {
      const server = new FakeServer(answerEverything());
      await using client = clientOf(server);
      const controller = new AbortController();
      const job = client.do("f", "", { signal: controller.signal });
      await job.created();
      const flooding = flood(server, "H:1", 100);
      await turns();
      assert.ok(flooding.sent < 100);
      if (way === "abort") controller.abort();
      else if (way === "cancel") await job.stream().cancel();
      else for await (const _ of job) break;
      await flooding.done;
      assert.equal(text(await client.echo(way)), way);
    }
  });

  test("gets no event any more once it has left, also none that had arrived before", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const job = client.do("f");
    await job.created();
    flood(server, "H:1", 3);
    await turns();
    const events = job[Symbol.asyncIterator]();
    assert.equal((await events.next()).value!.type, "created");
    assert.deepEqual(await events.return!(), { done: true, value: undefined });
    assert.deepEqual(await events.next(), { done: true, value: undefined });
  });

  test("still reads what had arrived before the connection was closed", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const job = client.do("f");
    await job.created();
    flood(server, "H:1", 100);
    await turns();
    await client.close();
    const events: JobEvent[] = [];
    await assert.rejects(async () => {
      for await (const event of job) events.push(event);
    }, { name: "ConnectionError", delivery: "accepted" });
    assert.ok(events.length > 3);
  });

  test(
    "may be behind by at most maxBuffered: past it its job ends with a GearmanError, and others continue",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = clientOf(server, { maxBuffered: 200_000 });
      const lagging = client.do("f");
      const other = client.do("g");
      const waiting = other.text();
      await other.created();
      const flooding = flood(server, "H:1", 100);
      await flooding.done;
      let size = 0;
      await assert.rejects(async () => {
        for await (const event of lagging) if ("data" in event) size += event.data.length;
      }, (error) => {
        assert.ok(error instanceof GearmanError);
        assert.equal(error.name, "GearmanError");
        assert.match(error.message, /maxBuffered/);
        return true;
      });
      assert.ok(size > 100_000 && size < 300_000, `${size} bytes were kept`);
      server.peer.answer(PacketType.WORK_COMPLETE, "H:2", "fine");
      assert.equal(await waiting, "fine");
    },
  );

  test(
    "reads only the last of many statuses, and empty packets count towards maxBuffered",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = clientOf(server, { maxBuffered: 10_000 });
      const [statuses, empty] = [client.do("f"), client.do("g")];
      const waiting = client.do("h");
      waiting.bytes().catch(() => {});
      await waiting.created();
      for (let i = 0; i < 10_000; i++) server.peer.answer(PacketType.WORK_STATUS, "H:1", `${i}`, "10000");
      for (let i = 0; i < 1_000; i++) server.peer.answer(PacketType.WORK_DATA, "H:2", "");
      server.peer.answer(PacketType.WORK_COMPLETE, "H:1", "");
      await client.echo("");
      const events: JobEvent[] = [];
      for await (const event of statuses) events.push(event);
      assert.deepEqual(events.map(({ type }) => type), ["created", "status", "complete"]);
      assert.deepEqual(events[1], { type: "status", numerator: 9_999, denominator: 10_000 });
      await assert.rejects(empty.bytes(), { name: "GearmanError" });
    },
  );
});

describe("collecting a result", () => {
  test("fails past maxResultSize, and has no other limit", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server, { maxResultSize: 200_000, maxBuffered: 1_000_000 });
    const [early, late, small, streamed] = [client.do("f"), client.do("f"), client.do("f"), client.do("f")];
    const collecting = early.bytes();
    await streamed.created();
    const reading = sizeOf(streamed);
    const floods = [flood(server, "H:1", 4), flood(server, "H:2", 4), flood(server, "H:3", 3), flood(server, "H:4", 9)];
    await Promise.all(floods.map(({ done }) => done));
    await assert.rejects(collecting, { name: "GearmanError", message: /maxResultSize/ });
    await assert.rejects(late.text(), { name: "GearmanError", message: /maxResultSize/ });
    assert.equal((await small).length, 3 * CHUNK.length);
    assert.equal(await reading, 9 * CHUNK.length);
  });

  test("is not limited by maxBuffered, since a consumer that collects does not lag", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server, { maxBuffered: 1_000 });
    const job = client.do("f");
    const bytes = job.bytes();
    await job.created();
    await flood(server, "H:1", 100).done;
    assert.equal((await bytes).length, 100 * CHUNK.length);
  });

  test(
    "is optional: a job that fails, is refused or is lost causes no unhandled rejection",
    { timeout },
    async () => {
      const unhandled: unknown[] = [];
      const listener = (reason: unknown) => void unhandled.push(reason);
      process.on("unhandledRejection", listener);
      try {
        const answer = answerEverything();
        const server = new FakeServer((packet, peer) => {
          if (packet.type === PacketType.SUBMIT_JOB_LOW) peer.answer(PacketType.ERROR, "QUEUE_ERROR", "full");
          else answer(packet, peer);
        });
        const client = clientOf(server);
        const jobs = Array.from({ length: 4 }, () => client.do("f"));
        const refused = client.do("f", "", { priority: "low" });
        const asked = [refused, ...jobs].map((job) => job.created());
        asked.push(refused.text(), jobs[0]!.json<string>(), jobs[1]!.bytes() as never);
        const iterator = jobs[2]![Symbol.asyncIterator]();
        await jobs[3]!.created();
        assert.equal((await iterator.next()).value!.type, "created");
        server.peer.answer(PacketType.WORK_EXCEPTION, "H:1", "no");
        server.peer.answer(PacketType.WORK_FAIL, "H:2");
        server.peer.answer(PacketType.WORK_COMPLETE, "H:3", "{");
        await client.echo("");
        await client.close();
        client.do("f");
        client.do("f", "", { signal: AbortSignal.abort() });
        new GearmanClient({ dial: () => Promise.reject(new Error("refused")) }).do("f");
        await turns(20);
        assert.deepEqual(unhandled, []);
      } finally {
        process.removeListener("unhandledRejection", listener);
      }
    },
  );
});

onEveryServer("a consumer", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  /** Sends 2 MB in pieces, and the final packet. */
  async function sendPieces(worker: RawWorker, handle: string): Promise<void> {
    for (let i = 0; i < PIECES; i++) {
      worker.send(PacketType.WORK_DATA, handle, PIECE);
      await worker.connection.flush();
    }
    worker.send(PacketType.WORK_COMPLETE, handle, "the end");
    await worker.served();
  }

  test("that lags by 2 MB blocks neither other calls nor its own", {
    timeout,
  }, async () => {
    const worker = await RawWorker.open(server, "flood");
    await using other = new GearmanWorker(server.connect);
    other.addFunction("shout", (job) => job.text().toUpperCase());
    other.run();
    for (const moment of ["while it comes", "when all of it is on its way"]) {
      const job = client.do("flood");
      await job.created();
      const flooding = sendPieces(worker, (await worker.grab()).handle);
      if (moment !== "while it comes") await flooding;
      await turns();
      // The job is not read, and everything else continues.
      assert.equal(text(await client.echo(moment)), moment);
      await turns();
      assert.equal(await client.do("shout", moment).text(), moment.toUpperCase());
      assert.equal((await (await client.doBackground("later", "x")).status()).known, true);
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

  test("that makes calls while its worker sends receives 2 MB in order", { timeout }, async () => {
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

  test("that is absent causes no unhandled rejection when its job fails, is refused or is lost", {
    timeout,
  }, async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", listener);
    try {
      const ownServer = await kind.start();
      const ownClient = new GearmanClient({ ...ownServer.connect, minBackoff: 1, maxBackoff: 1 });
      const worker = await RawWorker.open(ownServer, "unseen");
      const names = ["fails", "raises", "raises too", "runs", "waits"];
      const jobs = names.map((workload) => ownClient.do("unseen", workload));
      await Promise.all(jobs.map((job) => job.created()));
      jobs[2]!.text(); // nothing awaits its promise
      for (const packet of [PacketType.WORK_FAIL, PacketType.WORK_EXCEPTION, PacketType.WORK_EXCEPTION] as const) {
        const { handle } = await worker.grab();
        if (packet === PacketType.WORK_FAIL) worker.send(packet, handle);
        else worker.send(packet, handle, "no");
      }
      await worker.grab();
      await limitQueue(ownServer, worker, "unseen", 1);
      ownClient.do("unseen");
      ownClient.do("unseen").created();
      await ownClient.echo("");
      await ownServer.stop();
      await assert.rejects(jobs[4]!.bytes(), { name: "ConnectionError", delivery: "accepted" });
      ownClient.do("unseen").created();
      ownClient.do("unseen").bytes();
      await assert.rejects(ownClient.do("unseen").bytes(), { name: "ConnectionError", delivery: "not-sent" });
      await ownClient.close();
      ownClient.do("unseen");
      await turns(20);
      assert.deepEqual(unhandled, []);
    } finally {
      process.removeListener("unhandledRejection", listener);
    }
  });
});

/** Memory of this file's tests in bytes. Deno runs other files in the same process, with heaps of their own. */
function memoryInUse(): number {
  const { rss, heapUsed, external } = process.memoryUsage();
  return "Deno" in globalThis ? heapUsed + external : rss;
}

test("200 MB of unread data do not fill the memory of this process", {
  skip: needs("gearmand"),
  timeout,
}, async () => {
  const { port, stop } = await startGearmand();
  const server = { connect: { servers: `127.0.0.1:${port}` }, port, stop };
  try {
    await using client = new GearmanClient(server.connect);
    const job = client.do("huge");
    await job.created();
    const worker = await RawWorker.open(server, "huge");
    const { handle } = await worker.grab();
    const piece = pattern(1_000_000);
    const before = memoryInUse();
    for (let i = 0; i < 200; i++) {
      worker.send(PacketType.WORK_DATA, handle, piece);
      await worker.connection.flush();
    }
    worker.send(PacketType.WORK_COMPLETE, handle, "");
    await worker.close(); // the server has accepted all of it
    const grown = memoryInUse() - before;
    assert.ok(grown < 100_000_000, `${Math.round(grown / 1e6)} MB more`);
    assert.equal(await sizeOf(job), 200_000_000);
  } finally {
    await stop();
  }
});
