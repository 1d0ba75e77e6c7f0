/** Tests of the client: arguments that it refuses, its events, and close(). */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, GearmanClient, GearmanError } from "../../mod.ts";
import type { ClientOptions, GearmanEvent, Workload } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { pattern, text } from "../support/bytes.ts";
import { deferred } from "../../src/internal/promises.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns, until } from "../support/wait.ts";
import { answerEverything, FakeServer, isSubmission } from "../support/fake_server.ts";
import { onEveryServer } from "../support/servers.ts";

const timeout = 20_000;

function clientOf(server: FakeServer, options: ClientOptions = {}): GearmanClient {
  return new GearmanClient({ dial: server.dial, minBackoff: 1, maxBackoff: 1, ...options });
}

describe("invalid input", () => {
  test("to the constructor throws a TypeError or a RangeError", () => {
    const bad: [unknown, typeof TypeError | typeof RangeError][] = [
      ["", RangeError],
      ["a b", RangeError],
      ["http://localhost", RangeError],
      ["a:0", RangeError],
      ["a:65536", RangeError],
      [{ servers: [] }, RangeError],
      [{ servers: 4730 }, TypeError],
      [{ servers: [4730] }, TypeError],
      [5, TypeError],
      [null, TypeError],
      [{ balance: "none" }, RangeError],
      [{ dial: () => {}, tls: true }, TypeError],
      [{ dial: "tcp" }, TypeError],
      [{ tls: { cert: "without a key" } }, TypeError],
      [{ onEvent: true }, TypeError],
      ...["connectTimeout", "maxBuffered", "probeInterval"].map((name) =>
        [{ [name]: 0 }, RangeError] as [unknown, never]
      ),
      ...["minBackoff", "maxBackoff", "maxPacketSize", "maxResultSize", "connectTimeout"].flatMap((name) =>
        [-1, 1.5, NaN, Infinity, "5"].map((value) => [{ [name]: value }, RangeError] as [unknown, never])
      ),
    ];
    for (const [options, kind] of bad) {
      assert.throws(() => new GearmanClient(options as never), kind, JSON.stringify(options));
    }
  });

  const submissions: [string, unknown, unknown, object | undefined][] = [
    ["an empty function name", "", "x", undefined],
    ["a function name of 513 bytes", "x".repeat(513), "x", undefined],
    ["a function name with a NUL", "f\0evil", "x", undefined],
    ["a function name that is a number", 5, "x", undefined],
    ["a function name with a line feed", "f\nshutdown", "x", undefined],
    ["a unique with a line feed", "f", "x", { unique: "u\nx" }],
    ["a unique of 64 bytes", "f", "x", { unique: "u".repeat(64) }],
    ["a unique with a NUL", "f", "x", { unique: "u\0x" }],
    ["a workload that is a number", "f", 5, undefined],
    ["a workload that is null", "f", null, undefined],
    ["a workload that is an ArrayBuffer", "f", new ArrayBuffer(3), undefined],
    ["a workload that is an array", "f", [1, 2, 3], undefined],
    ["a reducer together with a priority", "f", "x", { reducer: "r", priority: "low" }],
    ["a reducer of 64 bytes", "f", "x", { reducer: "r".repeat(64) }],
    ["an unknown priority", "f", "x", { priority: "urgent" }],
    ["a signal that is a plain object", "f", "x", { signal: {} }],
  ];
  test(
    "to a submission throws in do(), rejects doBackground(), and nothing is dialed or sent",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = clientOf(server);
      const misuse = (error: unknown) => error instanceof TypeError || error instanceof RangeError;
      for (const connected of [false, true]) {
        for (const [name, functionName, workload, options] of submissions) {
          assert.throws(() => client.do(functionName as string, workload as Workload, options), misuse, name);
          await assert.rejects(
            client.doBackground(functionName as string, workload as Workload, options),
            misuse,
            name,
          );
        }
        await assert.rejects(client.doBackground("f", "x", { at: new Date(), priority: "high" }), TypeError);
        await assert.rejects(client.doBackground("f", "x", { at: new Date(), reducer: "r" }), TypeError);
        await assert.rejects(client.doBackground("f", "x", { at: new Date(NaN) }), RangeError);
        await assert.rejects(client.echo(5 as never), TypeError);
        await assert.rejects(client.echo(null as never), TypeError);
        await assert.rejects(client.echo("x", { signal: {} as never }), TypeError);
        await assert.rejects(client.jobStatus(""), RangeError);
        await assert.rejects(client.jobStatus("h".repeat(64)), RangeError);
        await assert.rejects(client.jobStatus("H:1\0"), RangeError);
        await assert.rejects(client.jobStatus("H:1\n"), RangeError);
        await assert.rejects(client.jobStatusByUnique("u\n"), RangeError);
        await assert.rejects(client.jobStatus(undefined as never), TypeError);
        await assert.rejects(client.jobStatus("H:1", { signal: 5 as never }), TypeError);
        await assert.rejects(client.jobStatusByUnique(""), RangeError);
        await assert.rejects(client.jobStatusByUnique("u".repeat(64)), RangeError);
        await assert.rejects(client.jobStatusByUnique(5 as never), TypeError);
        await assert.rejects(client.watch("H:1", { interval: -1 }).next(), RangeError);
        await assert.rejects(client.watch("").next(), RangeError);
        assert.equal(server.dials.length, connected ? 1 : 0);
        await client.echo("connects");
      }
      assert.deepEqual(server.peer.requests.map(({ type }) => type), [PacketType.ECHO_REQ, PacketType.ECHO_REQ]);
    },
  );

  test(
    "a token of a server that is not the client's is a RangeError, and no server is asked",
    { timeout },
    async () => {
      const server = new FakeServer(answerEverything());
      await using client = clientOf(server, { servers: "one:1,two:2,[::1]:3,unix:/run/g" });
      for (const stranger of ["three:1", "one:2", "one", "", "two:2,one:1", "one:1/", "\0", "http:"]) {
        await assert.rejects(client.jobStatus(`${stranger}//H:1`), RangeError, stranger);
        await assert.rejects(client.jobStatus({ server: stranger, handle: "H:1" } as never), RangeError, stranger);
      }
      assert.deepEqual(server.dials, []);
      for (const own of ["one:1", "ONE:01", "two:2", "[::1]:3", "unix:/run/g"]) await client.jobStatus(`${own}//H:1`);
      assert.deepEqual(server.dials, ["one:1", "two:2", "::1:3", ":0"]);
    },
  );

  test("options and lists may be frozen, and are not changed", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    const options = Object.freeze({ servers: Object.freeze(["a", "b"]), dial: server.dial });
    await using client = new GearmanClient(options);
    const submission = Object.freeze({ priority: "high" } as const);
    const jobs = [];
    for (let i = 0; i < 5; i++) jobs.push(await client.doBackground("f", "x", submission));
    assert.equal(new Set(jobs.map(({ unique }) => unique)).size, 5);
    client.do("f", "", submission);
    await client.jobStatus(jobs[0]!, Object.freeze({}));
    const plain = { servers: "a", dial: server.dial };
    await new GearmanClient(plain).close();
    assert.deepEqual(Object.keys(plain), ["servers", "dial"]);
  });
});

describe("onEvent", () => {
  test("receives all events in order", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    const events: GearmanEvent[] = [];
    const client = clientOf(server, { onEvent: (event) => events.push(event) });
    await client.echo("x");
    await server.peer.end();
    await until(() => events.length === 2);
    server.refuse = () => Promise.reject(new Error("refused"));
    await assert.rejects(client.echo("x"));
    server.refuse = () => undefined;
    await until(() => client.echo("x").then(() => true, () => false));
    await client.close();
    const types = events.map(({ type }) => type);
    assert.deepEqual(types, ["connected", "disconnected", "error", "retrying", "connected", "disconnected"]);
    assert.ok(events.every((event) => "server" in event && event.server === "127.0.0.1:4730"));
    const ends = events.filter((event) => event.type === "disconnected");
    assert.ok(ends[0]!.error instanceof ConnectionError);
    assert.ok(!("error" in ends[1]!), "close() is not an error");
  });

  test("may throw or reject without effect", { timeout }, async () => {
    const listeners = [() => {
      throw new Error("thrown");
    }, () => Promise.reject(new Error("rejected"))];
    for (const onEvent of listeners) {
      const server = new FakeServer(answerEverything());
      await using client = clientOf(server, { onEvent: onEvent as () => void });
      await client.echo("x");
      await server.peer.end();
      await until(() => client.echo("y").then(() => true, () => false));
      await turns();
    }
  });
});

describe("close()", () => {
  test(
    "ends pending calls and later calls with typed errors, and may be called again",
    { timeout },
    async () => {
      const server = new FakeServer((packet, peer) => {
        if (isSubmission(packet) && text(packet.args.at(-1)!) === "1") peer.answer(PacketType.JOB_CREATED, "H:1");
      });
      const client = clientOf(server);
      const accepted = client.do("f", "1");
      const unknown = [client.do("f", "2").bytes(), client.doBackground("f", "3")];
      const questions = [client.echo("x"), client.jobStatus("H:1"), client.watch("H:1").next()];
      await accepted.created();
      const outcomes = Promise.allSettled([accepted.bytes(), ...unknown, ...questions]);
      const closing = [client.close(), client.close()];
      const errors = (await outcomes).map((one) => (one as PromiseRejectedResult).reason as ConnectionError);
      assert.ok(errors.every((error) => error instanceof GearmanError));
      assert.deepEqual(errors.map(({ delivery }) => delivery), ["accepted", "unknown", "unknown", ...Array(3)]);
      await Promise.all(closing);
      await client.close();
      await client[Symbol.asyncDispose]();
      await server.peer.ended;
      for (const call of [client.do("f").bytes(), client.do("f").created(), client.doBackground("f", "x")]) {
        await assert.rejects(call, { name: "GearmanError", message: "Cannot send: the client is closed" });
      }
      for (
        const call of [
          client.echo("x"),
          client.jobStatus("H:1"),
          client.jobStatusByUnique("u"),
          client.watch("H").next(),
        ]
      ) {
        await assert.rejects(call, { name: "GearmanError", message: /closed/ });
      }
      assert.throws(() => client.do(""), RangeError, "invalid arguments still throw");
      assert.equal(server.dials.length, 1);
    },
  );

  test("sends what was called before it", { timeout }, async () => {
    const answer = answerEverything();
    const server = new FakeServer((packet, peer) => isSubmission(packet) || answer(packet, peer));
    const client = clientOf(server);
    await client.echo("x");
    const calls = Array.from({ length: 100 }, (_, i) => client.doBackground("f", `${i}`));
    await client.close();
    await Promise.allSettled(calls);
    await server.peer.ended;
    assert.equal(server.peer.requests.length, 101);
  });

  test("called twice, the first time without await, still sends everything", { timeout }, async () => {
    for (const size of [1, 100_000]) {
      await using server = new JobServer();
      const { port } = await server.listen();
      const client = new GearmanClient(`127.0.0.1:${port}`);
      await client.echo("connected");
      assert.equal(server.inspect().connections, 1);
      const workload = pattern(size);
      const calls = Array.from({ length: 30 }, (_, i) => client.doBackground("f", workload, { unique: `${i}` }));
      const settled = Promise.allSettled(calls);
      client.close();
      await client.close();
      await settled;
      await until(() => server.inspect().connections === 0);
      assert.deepEqual(server.inspect().jobs.map(({ unique }) => unique), Array.from({ length: 30 }, (_, i) => `${i}`));
    }
  });

  test("of a client that was never used, or never connected, does nothing", { timeout }, async () => {
    const server = new FakeServer();
    await clientOf(server).close();
    {
      await using _client = clientOf(server);
    }
    assert.deepEqual(server.dials, []);
  });

  test("during a dial aborts it, and ends the calls that waited for it", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    let dialed: AbortSignal | undefined;
    server.refuse = (_, signal) => {
      dialed = signal;
      return new Promise(() => {});
    };
    const client = clientOf(server);
    const calls = [client.do("f").bytes(), client.doBackground("f", "x")];
    const echo = client.echo("x");
    const outcomes = Promise.allSettled([...calls, echo]);
    await until(() => dialed !== undefined);
    await client.close();
    for (const outcome of await outcomes) {
      const { reason } = outcome as PromiseRejectedResult;
      assert.equal(reason.message, "Cannot send: the client is closed");
      assert.equal(reason.delivery, undefined, "it must not be repeated");
    }
    assert.equal(dialed!.aborted, true);
  });

  test("at any moment of a dial that succeeds leaves no connection behind", { timeout }, async () => {
    for (let moment = 0; moment < 25; moment++) {
      const transport = new FakeTransport();
      const dialing = deferred<FakeTransport>();
      const client = new GearmanClient({ dial: () => dialing.promise });
      const call = client.doBackground("f", "x");
      call.catch(() => {});
      await turns(1);
      dialing.resolve(transport);
      for (let i = 0; i < moment; i++) await undefined;
      await client.close();
      await turns(2);
      assert.equal(transport.closed > 0, true, `after ${moment} steps`);
      await assert.rejects(call, GearmanError);
    }
  });

  test("never rejects, whatever the transport does", { timeout }, async () => {
    for (let moment = 0; moment < 25; moment++) {
      const transport = new FakeTransport();
      const client = new GearmanClient({ dial: () => transport });
      const write = deferred<void>();
      transport.answers.push(write.promise);
      const calls = [client.doBackground("f", "x")];
      await until(() => transport.writes.length > 0);
      write.reject(new Error("broken"));
      for (let i = 0; i < moment; i++) await undefined;
      calls.push(client.doBackground("f", "x"));
      transport.close = () => {
        throw new Error("cannot even close");
      };
      const closing = client.close();
      transport.end();
      await closing;
      for (const call of calls) await assert.rejects(call, GearmanError);
    }
  });
});

onEveryServer("a client with await using", (kind) => {
  test("serves many kinds of calls at once, and is closed at the end of its block", { timeout }, async () => {
    const server = await kind.start();
    const events: string[] = [];
    {
      await using client = new GearmanClient({ ...server.connect, onEvent: ({ type }) => events.push(type) });
      const [echo, empty, job] = await Promise.all([
        client.echo("\0\u00ff"),
        client.echo(""),
        client.doBackground("f", "x"),
      ]);
      assert.deepEqual([text(echo), text(empty)], ["\0\u00ff", ""]);
      assert.equal((await job.status()).known, true);
    }
    assert.deepEqual(events, ["connected", "disconnected"]);
    await server.stop();
  });
});
