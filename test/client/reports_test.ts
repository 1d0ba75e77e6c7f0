/** Tests of what users reported: oversized results, empty workloads, a stranger's status, memory, and text of peers. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, GearmanClient, GearmanError } from "../../mod.ts";
import type { ClientOptions, Job } from "../../mod.ts";
import { encodeResponse, type Packet, PacketType } from "../../src/codec/mod.ts";
import { header, pattern, text } from "../support/bytes.ts";
import { answerEverything, type FakePeer, FakeServer, isSubmission, makeClient } from "../support/fake_server.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { turns, until } from "../support/wait.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";

const timeout = 30_000;

/** Control and direction characters that a terminal would obey, in UTF-8. */
const EVIL = "\x1b[2J\x9b31m\u2028\u202e\x07";

/** True if a message holds a character that a terminal or a log would obey. */
const isEvil = (message: string) => /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(message);

describe("a packet over maxPacketSize", () => {
  /** Answers submissions; then the test sends packets of the job `H:1`. */
  async function withJobs(
    use: (server: FakeServer, client: GearmanClient, jobs: Job[]) => Promise<void>,
  ): Promise<void> {
    const server = new FakeServer(answerEverything());
    await using client = new GearmanClient({ dial: server.dial, maxPacketSize: 1_000 });
    const jobs = [client.do("f", "a"), client.do("f", "b")];
    await Promise.all(jobs.map((job) => job.created()));
    await use(server, client, jobs);
    assert.equal(server.peers.length, 1, "the connection goes on");
  }

  for (
    const type of [PacketType.WORK_DATA, PacketType.WORK_WARNING, PacketType.WORK_COMPLETE, PacketType.WORK_EXCEPTION]
  ) {
    test(
      `of the type ${type} fails its job alone, with an error that names both sizes and the option`,
      { timeout },
      () =>
        withJobs(async (server, client, [one, other]) => {
          const failed = assert.rejects(one!.text(), {
            name: "GearmanError",
            message: 'Cannot receive the result of job H:1 ("f"): a packet of 100004 bytes is over maxPacketSize, 1000',
          });
          server.peer.answer(type, "H:1", pattern(100_000));
          server.peer.answer(PacketType.WORK_COMPLETE, "H:2", "well");
          await failed;
          assert.equal(await other!.text(), "well");
          assert.equal(text(await client.echo("on")), "on");
        }),
    );
  }

  test("that answers an echo fails that call alone", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = new GearmanClient({ dial: server.dial, maxPacketSize: 1_000 });
    const calls = [client.echo("before"), client.echo(pattern(1_001)), client.echo("behind")] as const;
    await assert.rejects(calls[1], { name: "GearmanError", message: /1001 bytes is over maxPacketSize, 1000/ });
    assert.deepEqual([text(await calls[0]), text(await calls[2])], ["before", "behind"]);
    assert.equal(server.peers.length, 1);
  });

  test("that belongs to no job and no echo ends the connection with a ProtocolError", { timeout }, async () => {
    const bad = encodeResponse(PacketType.STATUS_RES, "H:1", "1", "1", "0", "0".repeat(2_000));
    const server = new FakeServer((packet, peer) => {
      if (server.peers.length > 1) return answerEverything()(packet, peer);
      void peer.transport.write(bad);
    });
    await using client = new GearmanClient({ dial: server.dial, maxPacketSize: 1_000, minBackoff: 0 });
    await assert.rejects(client.doBackground("f", "x"), (error) => {
      assert.ok(error instanceof ConnectionError && error.delivery === "unknown");
      assert.match(error.message, /over maxPacketSize, 1000/);
      return true;
    });
  });

  test(
    "with a 4 GiB header ends its job as soon as 64 KiB of it have arrived",
    { timeout },
    () =>
      withJobs(async (server, _, [one, other]) => {
        const failed = assert.rejects(one!.text(), { message: /a packet of 4294967295 bytes/ });
        void server.peer.transport.write(header("\0RES", PacketType.WORK_COMPLETE, 0xffff_ffff));
        void server.peer.transport.write(new TextEncoder().encode(`H:1\0${"x".repeat(70_000)}`));
        await failed;
        for await (const _ of other!) break;
      }),
  );
});

onEveryServer("a workload", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test("that is empty is refused in the background before anything is sent, and allowed in the foreground", {
    timeout,
  }, async () => {
    for (const empty of ["", new Uint8Array(0)]) {
      const expected = { name: "RangeError", message: /the workload: it is empty/ };
      await assert.rejects(client.doBackground("empty", empty), expected);
      const jobs = client.doBackgroundAll("empty", ["x", empty]);
      await jobs.next();
      await assert.rejects(jobs.next(), { name: "RangeError", message: /^Workload 1: .*the workload: it is empty/ });
    }
    // @ts-expect-error: the workload is required
    await assert.rejects(client.doBackground("empty"), TypeError);
    const worker = await RawWorker.open(server, "nothing");
    const job = client.do("nothing", "");
    const result = job.text();
    await worker.serve(1, () => "done");
    assert.equal(await result, "done");
    await worker.close();
  });
});

const skip = needs("gearmand");
test(
  `the status of a job is not that of a stranger's with the same handle, on gearmand${
    skip === false ? "" : ` (${skip})`
  }`,
  {
    skip,
    timeout,
  },
  async () => {
    const first = await startGearmand();
    await using client = new GearmanClient({ servers: `127.0.0.1:${first.port}`, minBackoff: 0, maxBackoff: 0 });
    const job = await client.doBackground("f", "mine", { unique: "mine" });
    assert.equal((await job.status()).known, true);
    await first.stop();
    const second = await startGearmand({ port: first.port });
    const stranger = new GearmanClient(`127.0.0.1:${first.port}`);
    const other = await stranger.doBackground("f", "a stranger's", { unique: "other" });
    assert.equal(other.handle, job.handle, "handles begin at 1 again");
    const nothing = { handle: job.handle, known: false, running: false, numerator: 0, denominator: 0 };
    await until(async () => (await job.status().catch(() => undefined)) !== undefined);
    assert.deepEqual(await job.status(), nothing);
    assert.deepEqual(await client.jobStatus(job.token), nothing);
    assert.equal((await client.jobStatus(job.handle)).known, true, "a bare handle cannot tell");
    for await (const status of job.watch()) assert.equal(status.known, false);
    assert.equal((await other.status()).known, true);
    await stranger.close();
    await second.stop();
  },
);

describe("a status by handle and unique", () => {
  const known = (packet: Packet, peer: FakePeer) =>
    peer.answer(PacketType.STATUS_RES, packet.args[0]!, "1", "1", "3", "4");
  const progress = { handle: "H:1", known: true, running: true, numerator: 3, denominator: 4 };

  test("is asked for in one write, and its numbers are those of the handle", { timeout }, async () => {
    const server = new FakeServer((packet, peer) => {
      if (packet.type === PacketType.GET_STATUS) return known(packet, peer);
      peer.answer(PacketType.STATUS_RES_UNIQUE, packet.args[0]!, "1", "0", "7", "8", "0");
    });
    await using client = makeClient(server);
    await client.echo("").catch(() => {});
    assert.deepEqual(await client.jobStatus("127.0.0.1:4730//H:1;u"), progress);
    for (const unique of ["", ";", ";-"]) await client.jobStatus(`127.0.0.1:4730//H:1${unique}`);
    const asked = server.peers.flatMap(({ requests }) => requests).map(({ type }) => type);
    assert.equal(asked.filter((type) => type === PacketType.GET_STATUS_UNIQUE).length, 1);
    assert.equal(asked.filter((type) => type === PacketType.GET_STATUS).length, 4);
  });

  for (const reaction of ["ERROR", "silence", "the end of the connection"]) {
    test(`falls back to the handle on a server that answers it with ${reaction}, and never asks that again`, {
      timeout,
    }, async () => {
      let asked = 0;
      const server = new FakeServer((packet, peer) => {
        if (packet.type === PacketType.GET_STATUS) return known(packet, peer);
        if (packet.type !== PacketType.GET_STATUS_UNIQUE) return answerEverything()(packet, peer);
        asked += 1;
        if (reaction === "ERROR") peer.answer(PacketType.ERROR, "bad_command", "?");
        else if (reaction !== "silence") void peer.end();
      });
      const options: ClientOptions = { probeInterval: 20, connectTimeout: 20, minBackoff: 0, maxBackoff: 0 };
      await using client = new GearmanClient({ dial: server.dial, ...options });
      for (let i = 0; i < 3; i++) assert.deepEqual(await client.jobStatus("127.0.0.1:4730//H:1;u"), progress);
      assert.equal(asked, 1);
    });
  }

  test("is asked for by both when a server is up again that was down for a question", { timeout }, async () => {
    const server = new FakeServer((packet, peer) => {
      if (packet.type === PacketType.GET_STATUS) return known(packet, peer);
      peer.answer(PacketType.STATUS_RES_UNIQUE, packet.args[0]!, "0", "0", "0", "0", "0");
    });
    await using client = new GearmanClient({ dial: server.dial, minBackoff: 0, maxBackoff: 0 });
    server.refuse = () => Promise.reject(new Error("refused"));
    await assert.rejects(client.jobStatus("127.0.0.1:4730//H:1;u"), { name: "ConnectionError", message: /refused/ });
    server.refuse = () => undefined;
    assert.equal((await client.jobStatus("127.0.0.1:4730//H:1;u")).known, false, "the handle is a stranger's");
  });

  test("is asked again by both if the connection was lost before any answer", { timeout }, async () => {
    const asked: number[] = [];
    const server = new FakeServer((packet, peer) => {
      asked.push(packet.type);
      if (server.peers.length === 1) return void peer.end();
      if (packet.type === PacketType.GET_STATUS) return known(packet, peer);
      if (packet.type === PacketType.GET_STATUS_UNIQUE) {
        peer.answer(PacketType.STATUS_RES_UNIQUE, packet.args[0]!, "0", "0", "0", "0", "0");
      }
    });
    await using client = makeClient(server);
    assert.equal((await client.jobStatus("127.0.0.1:4730//H:1;u")).known, false, "the server has restarted");
    assert.equal((await client.jobStatus("127.0.0.1:4730//H:1;u")).known, false, "and knows the question");
  });
});

describe("memory", () => {
  test("of a result is that of its bytes, however small its pieces are", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = new GearmanClient({ dial: server.dial, maxResultSize: 100_000 });
    const job = client.do("f");
    const result = job.bytes();
    await job.created();
    for (let i = 0; i < 90_000; i++) {
      server.peer.answer(PacketType.WORK_DATA, "H:1", String(i % 10));
      server.peer.answer(PacketType.WORK_DATA, "H:1", "");
    }
    server.peer.answer(PacketType.WORK_COMPLETE, "H:1", "end");
    assert.equal(text(await result), `${"0123456789".repeat(9_000)}end`);
  });

  test("of lagging jobs is bounded for a client: the one that holds most ends", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = new GearmanClient({ dial: server.dial, maxBufferedTotal: 100_000 });
    const jobs = ["a", "b", "c"].map((data) => client.do("f", data));
    await Promise.all(jobs.map((job) => job.created()));
    for (const [i, size] of [[1, 30_000], [2, 40_000], [3, 20_000]] as const) {
      server.peer.answer(PacketType.WORK_DATA, `H:${i}`, pattern(size));
    }
    server.peer.answer(PacketType.WORK_DATA, "H:1", pattern(11_000)); // past the total, and H:1 holds 41,000
    server.peer.answer(PacketType.WORK_DATA, "H:2", pattern(30_000)); // fits again
    for (const i of [2, 3]) server.peer.answer(PacketType.WORK_COMPLETE, `H:${i}`, "");
    await client.echo("");
    await assert.rejects(jobs[0]!.bytes(), {
      name: "GearmanError",
      message:
        'Cannot keep more of job H:1 ("f"): the jobs of its client are over 100000 bytes behind (maxBufferedTotal)',
    });
    assert.equal((await jobs[1]!.bytes()).length, 70_000);
    assert.equal((await jobs[2]!.bytes()).length, 20_000);
  });
});

describe("text of a server", () => {
  test("is cleaned in every message, and raw in the properties of errors", { timeout }, async () => {
    const handle = `H:${EVIL}`;
    const messages: string[] = [];
    const collect = async (call: PromiseLike<unknown>) => {
      try {
        await call;
        assert.fail("it must fail");
      } catch (error) {
        assert.ok(error instanceof Error);
        messages.push(error.message);
        for (let at = error.cause; at instanceof GearmanError; at = at.cause) messages.push(at.message);
        return error;
      }
    };
    const server = new FakeServer((packet, peer) => {
      if (!isSubmission(packet)) return peer.answer(PacketType.ERROR, EVIL, EVIL);
      const what = text(packet.args.at(-1)!);
      if (what === "refused") return peer.answer(PacketType.ERROR, EVIL, EVIL);
      peer.answer(PacketType.JOB_CREATED, handle);
      if (what === "fail") peer.answer(PacketType.WORK_FAIL, handle);
      if (what === "exception") peer.answer(PacketType.WORK_EXCEPTION, handle, EVIL);
      if (what === "large") peer.answer(PacketType.WORK_COMPLETE, handle, pattern(20_000));
      if (what === "json") peer.answer(PacketType.WORK_COMPLETE, handle, EVIL);
      if (what === "data") peer.answer(PacketType.WORK_DATA, handle, pattern(5_000));
      if (what === "lost") void peer.end();
      if (what === "garbage") void peer.transport.write(new TextEncoder().encode(`${EVIL}${"x".repeat(20)}`));
    });
    const options = { dial: server.dial, maxPacketSize: 10_000, maxResultSize: 4_000, minBackoff: 0, maxBackoff: 0 };
    const events: string[] = [];
    const onEvent: ClientOptions["onEvent"] = (event) => {
      if ("error" in event && event.error instanceof Error) events.push(event.error.message);
    };
    await using client = new GearmanClient({ ...options, onEvent });
    const name = `f${EVIL}`;
    for (const what of ["fail", "exception", "large", "data", "lost", "garbage", "refused"]) {
      await collect(client.do(name, what, { unique: `u${EVIL}${what}` }));
    }
    await collect(client.do(name, "json").json());
    for (const what of ["refused"]) await collect(client.doBackground(name, what));
    await collect(client.jobStatus(`127.0.0.1:4730//${handle}`));
    await collect(client.jobStatusByUnique(`u${EVIL}`));
    await collect(client.jobStatus(`${EVIL}//H:1`));
    const failed = await client.do(name, "exception").bytes().catch((error) => error);
    assert.equal(failed.handle, handle);
    assert.equal(text(failed.exception), EVIL);
    const job = client.do(name, "hang");
    await job.created();
    const first = job.text();
    await collect(job.text());
    first.catch(() => {});
    assert.deepEqual([...messages, ...events].filter(isEvil), []);
    assert.ok(messages.length > 15);
  });
});

describe("people", () => {
  test("read a lost job's message with its handle, function, server and cause", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const job = client.do("resize", "x");
    await job.created();
    void server.peer.end();
    await assert.rejects(job.text(), {
      name: "ConnectionError",
      delivery: "accepted",
      message:
        'Lost job H:1 ("resize") on 127.0.0.1:4730: The connection was lost: 127.0.0.1:4730 ended it; it may still run',
    });
  });

  test("use catch() and finally() on a job as on a promise", { timeout }, async () => {
    const server = new FakeServer((packet, peer) => {
      answerEverything()(packet, peer);
      if (isSubmission(packet)) peer.answer(PacketType.WORK_FAIL, "H:1");
    });
    await using client = makeClient(server);
    assert.equal(await client.do("f").catch((error) => (error as Error).name), "JobFailedError");
    let ended = 0;
    await assert.rejects(client.do("f").finally(() => void (ended += 1)), { name: "JobFailedError" });
    assert.equal(ended, 1);
  });

  test("keep a byte order mark in text(), and not in json(), whose error names the job", { timeout }, async () => {
    const server = new FakeServer((packet, peer) => {
      answerEverything()(packet, peer);
      if (isSubmission(packet)) peer.answer(PacketType.WORK_COMPLETE, "H:1", packet.args.at(-1)!);
    });
    await using client = makeClient(server);
    assert.equal(await client.do("f", '\uFEFF{"a":1}').text(), '\uFEFF{"a":1}');
    const again = new FakeServer((packet, peer) => {
      answerEverything()(packet, peer);
      if (isSubmission(packet)) peer.answer(PacketType.WORK_COMPLETE, "H:1", packet.args.at(-1)!);
    });
    await using other = makeClient(again);
    assert.deepEqual(await other.do("f", '\uFEFF{"a":1}').json(), { a: 1 });
    await using third = makeClient(
      new FakeServer((packet, peer) => {
        answerEverything()(packet, peer);
        if (isSubmission(packet)) peer.answer(PacketType.WORK_COMPLETE, "H:1", "{no");
      }),
    );
    await assert.rejects(third.do("f").json(), (error) => {
      assert.ok(error instanceof SyntaxError && error.cause instanceof SyntaxError);
      assert.match(error.message, /^The result of job H:1 \("f"\) is not JSON: /);
      return true;
    });
  });

  test("cannot pass one string as many workloads", async () => {
    await using client = makeClient(new FakeServer());
    // @ts-expect-error: a string is not a list of workloads
    await assert.rejects(client.doBackgroundAll("f", "abc").next(), TypeError);
  });

  test("name a client by its id, which must be one word", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = new GearmanClient({ dial: server.dial, id: "shop-7" });
    await client.doBackground("f", "x");
    const [first] = server.peer.requests;
    assert.equal(first!.type, PacketType.SET_CLIENT_ID);
    assert.equal(text(first!.args[0]!), "shop-7");
    assert.throws(() => new GearmanClient({ id: "two words" }), RangeError);
    const controller = new AbortController();
    const aborted = client.doBackground("f", "y", { signal: controller.signal });
    const kept = client.doBackground("f", "z");
    controller.abort("enough");
    await assert.rejects(aborted, (reason) => reason === "enough");
    await kept;
    await turns();
    assert.equal(server.peer.requests.some(({ args }) => text(args.at(-1)!) === "y"), false);
  });
});
