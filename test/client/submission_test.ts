/** Tests of the error of a lost submission (its delivery, server and cause), and of submitting it again. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, dialTcp, GearmanClient } from "../../mod.ts";
import type { ClientOptions, ConnectOptions, Dial } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { type Fault, JobServer } from "../../src/server/mod.ts";
import { text } from "../support/bytes.ts";
import { answerEverything, FakeServer } from "../support/fake_server.ts";
import { freePort } from "../support/socket_server.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";
import { textCommand } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { until } from "../support/wait.ts";
import { onEveryServer } from "../support/servers.ts";

const timeout = 30_000;

function clientOf(server: FakeServer, options: ClientOptions = {}): GearmanClient {
  return new GearmanClient({ dial: server.dial, minBackoff: 1, maxBackoff: 1, ...options });
}

/** Returns the properties of the ConnectionError that a call must end with. */
async function lossOf(call: PromiseLike<unknown>) {
  const error = await call.then(() => assert.fail("the call has succeeded"), (error: unknown) => error);
  assert.ok(error instanceof ConnectionError, String(error));
  const { delivery, server, unique, handle } = error;
  return { delivery, server, unique, handle };
}

/** Runs with a server that drops the connection before or after it serves such a request, over TCP and in memory. */
async function withFault(
  type: PacketType,
  fault: Fault,
  use: (connect: ConnectOptions, server: JobServer) => Promise<void>,
): Promise<void> {
  for (const tcp of [true, false]) {
    await using server = new JobServer({
      fault: (request) => request.magic !== "TEXT" && request.type === type ? fault : undefined,
    });
    if (!tcp) await use({ dial: server.dial }, server);
    else await use({ servers: `127.0.0.1:${(await server.listen()).port}` }, server);
  }
}

describe("a lost submission", () => {
  test("is not-sent, with the cause, when no server could be reached", { timeout }, async () => {
    const port = await freePort();
    await using client = new GearmanClient(`127.0.0.1:${port}`);
    for (const call of [client.do("f", "", { unique: "u" }).bytes(), client.doBackground("f", "x", { unique: "u" })]) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof ConnectionError);
        assert.equal(error.delivery, "not-sent");
        assert.equal(error.unique, "u");
        assert.equal(error.handle, undefined);
        assert.ok(error.cause instanceof ConnectionError && error.cause.cause instanceof Error, "the runtime's error");
        assert.match(error.message, new RegExp(`^Cannot run "f": .*127\\.0\\.0\\.1:${port}`));
        return true;
      });
    }
    await assert.rejects(client.echo("x"), (error) => error instanceof ConnectionError && error.delivery === undefined);
  });

  test("is unknown when it was sent and never acknowledged, and is not sent again", { timeout }, async () => {
    const server = new FakeServer((_, peer) => void peer.end());
    await using client = clientOf(server);
    for (const call of [client.do("f", "", { unique: "u" }).bytes(), client.doBackground("f", "x", { unique: "u" })]) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof ConnectionError);
        assert.deepEqual([error.delivery, error.server, error.unique], ["unknown", "127.0.0.1:4730", "u"]);
        assert.equal(error.handle, undefined);
        return true;
      });
    }
    assert.equal(server.peers.flatMap(({ requests }) => requests).length, 2);
  });

  test("is accepted when the server had created the job", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const job = client.do("f", "", { unique: "u" });
    await job.created();
    server.peer.answer(PacketType.WORK_DATA, "H:1", "half");
    await server.peer.end();
    const seen: string[] = [];
    await assert.rejects(async () => {
      for await (const { type } of job) seen.push(type);
    }, (error) => {
      assert.ok(error instanceof ConnectionError);
      assert.deepEqual([error.delivery, error.server, error.handle, error.unique], [
        "accepted",
        "127.0.0.1:4730",
        "H:1",
        "u",
      ]);
      return true;
    });
    assert.deepEqual(seen, ["created", "data"], "events that arrived before are kept");
  });

  test("is never sent twice, and unsent ones go to a new connection", { timeout }, async () => {
    const large = new Uint8Array(200_000);
    let first = true;
    const answer = answerEverything();
    const server = new FakeServer((packet, peer) => {
      if (!first) return answer(packet, peer);
      first = false;
      void peer.end(); // after the first of many: the others are in the pipe, or not sent yet
    });
    await using client = clientOf(server);
    const calls = Array.from({ length: 20 }, (_, i) => client.doBackground("f", large, { unique: `${i}` }));
    const outcomes = await Promise.allSettled(calls);
    const accepted = outcomes.flatMap((one, i) => one.status === "fulfilled" ? [`${i}`] : []);
    for (const one of outcomes) if (one.status === "rejected") assert.equal(one.reason.delivery, "unknown");
    assert.ok(accepted.length > 0 && accepted.length < 20, `${accepted.length} of 20`);
    assert.deepEqual(server.peers[1]!.requests.map(({ args }) => text(args[1]!)), accepted);
  });
});

describe("a submission that was sent and never acknowledged is unknown", () => {
  test("when the server dropped it, and is not sent again", { timeout }, async () => {
    await withFault(PacketType.SUBMIT_JOB_BG, "drop-before", async (connect, server) => {
      await using client = new GearmanClient({ ...connect, minBackoff: 1, maxBackoff: 1 });
      const { server: name } = await client.doBackground("other", "x", { priority: "high" });
      const loss = await lossOf(client.doBackground("f", "x", { unique: "u" }));
      assert.deepEqual(loss, { delivery: "unknown", server: name, unique: "u", handle: undefined });
      await client.echo("x");
      assert.deepEqual(server.inspect().jobs.map(({ functionName }) => functionName), ["other"]);
    });
  });

  test("in the foreground too, for each of several in a pipeline", { timeout }, async () => {
    await withFault(PacketType.SUBMIT_JOB_LOW, "drop-before", async (connect) => {
      await using client = new GearmanClient({ ...connect, minBackoff: 1, maxBackoff: 1 });
      const first = client.do("f", "", { unique: "first" });
      const calls = ["a", "b"].map((unique) => client.do("f", "", { unique, priority: "low" }));
      const losses = await Promise.all([...calls, first].map((call) => lossOf(call)));
      assert.deepEqual(losses.map(({ delivery }) => delivery), ["unknown", "unknown", "accepted"]);
      assert.deepEqual(losses.map(({ unique }) => unique), ["a", "b", "first"]);
      assert.deepEqual(losses.map(({ handle }) => handle), [undefined, undefined, await first.created()]);
    });
  });

  test(
    "when gearmand froze before reading it, and was killed",
    { skip: needs("gearmand"), timeout },
    async () => {
      const { port, freeze, stop } = await startGearmand();
      try {
        let written = 0;
        const dial: Dial = async (server, options) => {
          const transport = await dialTcp()(server, options);
          const write = transport.write.bind(transport);
          transport.write = async (bytes) => {
            await write(bytes);
            written += bytes.length;
          };
          return transport;
        };
        await using client = new GearmanClient({ servers: `127.0.0.1:${port}`, dial });
        await client.echo("connected");
        await freeze();
        const before = written;
        const calls = [
          client.doBackground("f", "x", { unique: "u" }),
          client.do("f", "", { unique: "u" }).bytes(),
          client.do("f", "", { unique: "u" }).created(),
        ];
        const losses = Promise.all(calls.map(lossOf));
        await until(() => written > before);
        await stop();
        const expected = { delivery: "unknown", server: `127.0.0.1:${port}`, unique: "u", handle: undefined };
        assert.deepEqual(await losses, [expected, expected, expected]);
        assert.equal(
          (await lossOf(client.doBackground("f", "x"))).delivery,
          "not-sent",
          "a later call is not sent",
        );
      } finally {
        await stop();
      }
    },
  );
});

test("a submission that the server accepted before it dropped the connection is accepted", { timeout }, async () => {
  await withFault(PacketType.SUBMIT_JOB, "drop-after", async (connect) => {
    await using client = new GearmanClient(connect);
    const job = client.do("f", "", { unique: "u" });
    const loss = await lossOf(job.bytes());
    const handle = await job.created();
    assert.deepEqual(loss, { delivery: "accepted", server: `127.0.0.1:${serverPort(connect)}`, unique: "u", handle });
    assert.match(handle, /^H:gearwire:\d+$/);
  });
});

function serverPort({ servers }: ConnectOptions): string {
  return typeof servers === "string" ? servers.split(":")[1]! : "4730";
}

onEveryServer("a server that is killed", (kind) => {
  test(
    "ends its jobs as accepted, and the next call as not-sent",
    { timeout },
    async () => {
      const server = await kind.start();
      await using client = new GearmanClient({ ...server.connect, minBackoff: 1, maxBackoff: 1 });
      const job = client.do("f", "", { unique: "u" });
      const handle = await job.created();
      const background = await client.doBackground("f", "x");
      await server.stop();
      await assert.rejects(job.bytes(), (error) => {
        assert.ok(error instanceof ConnectionError);
        const { delivery, server, unique } = error;
        assert.deepEqual([delivery, error.handle, server, unique], ["accepted", handle, background.server, "u"]);
        return true;
      });
      await assert.rejects(client.doBackground("f", "x"), { name: "ConnectionError", delivery: "not-sent" });
      await assert.rejects(background.status(), ConnectionError);
      await assert.rejects(client.watch(background).next(), ConnectionError);
      await assert.rejects(client.echo("x"), ConnectionError);
    },
  );
});

onEveryServer("a job on a server that is killed", (kind) => {
  test("is accepted, for every kind of consumer", { timeout }, async () => {
    const server = await kind.start();
    await using client = new GearmanClient(server.connect);
    const jobs = ["a", "b", "c"].map((unique) => client.do("f", "", { unique }));
    const handles = await Promise.all(jobs.map((job) => job.created()));
    const background = await client.doBackground("f", "x");
    const waiting = [
      jobs[0]!.bytes(),
      jobs[1]!.stream().pipeTo(new WritableStream()),
      (async () => {
        for await (const _ of jobs[2]!);
      })(),
    ];
    const losses = Promise.all(waiting.map(lossOf));
    await server.stop();
    const expected = ["a", "b", "c"].map((unique, i) => {
      return { delivery: "accepted", server: background.server, unique, handle: handles[i] };
    });
    assert.deepEqual(await losses, expected);
  });
});

const skip = needs("gearmand");
describe(`a submission that is repeated, on gearmand${skip === false ? "" : ` (${skip})`}`, { skip }, () => {
  test("is lost with the abandoned job of its unique, and runs under another unique", { timeout }, async () => {
    const { port, stop } = await startGearmand();
    const server = { connect: { servers: `127.0.0.1:${port}` }, port, stop };
    const earlier = new GearmanClient(server.connect);
    const abandoned = await earlier.do("f", "the first", { unique: "u" }).created();
    await earlier.close();
    await until(async () =>
      (await textCommand(server, "show jobs", { list: true })).some((line) => line.split("\t")[2] === "1")
    );

    await using client = new GearmanClient({ ...server.connect, probeInterval: 100 });
    const same = client.do("f", "the same unique", { unique: "u" });
    assert.equal(await same.created(), abandoned);
    const background = await client.doBackground("f", "the same unique in the background", { unique: "u" });
    assert.equal(background.handle, abandoned);
    const fresh = client.do("f", "a fresh unique", { unique: "v" });
    await fresh.created();

    const worker = await RawWorker.open(server, "f");
    const ran: string[] = [];
    await worker.serve(1, ({ workload }) => (ran.push(text(workload)), "done"));
    assert.equal(await fresh.text(), "done");
    assert.equal(await worker.tryGrab(), undefined);
    assert.deepEqual(ran, ["a fresh unique"]);
    await assert.rejects(same.text(), (error) => error instanceof ConnectionError && error.delivery === "accepted");
    assert.equal((await background.status()).known, false);
    await worker.close();
    await stop();
  });

  test("in the background coalesces with a queued one, and runs again after it", { timeout }, async () => {
    const { port, stop } = await startGearmand();
    const server = { connect: { servers: `127.0.0.1:${port}` }, port, stop };
    const earlier = new GearmanClient(server.connect);
    const first = await earlier.doBackground("f", "once", { unique: "u" });
    await earlier.close();
    await using client = new GearmanClient(server.connect);
    assert.equal((await client.doBackground("f", "once", { unique: "u" })).handle, first.handle);
    const worker = await RawWorker.open(server, "f");
    await worker.serve(1);
    assert.equal(await worker.tryGrab(), undefined);
    assert.notEqual((await client.doBackground("f", "once", { unique: "u" })).handle, first.handle);
    await worker.serve(1);
    await worker.close();
    await stop();
  });
});
