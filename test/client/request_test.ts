/** Tests of calls that end by an abort or a time limit, at every stage, and of questions that are asked again. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, GearmanClient } from "../../mod.ts";
import type { ClientOptions, Dial, Transport } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { JobServer } from "../../src/server/mod.ts";
import { text } from "../support/bytes.ts";
import { turns, until } from "../support/wait.ts";
import { answerEverything, FakeServer, isSubmission } from "../support/fake_server.ts";
import { countedSignal } from "../support/signals.ts";

const timeout = 20_000;

function clientOf(server: FakeServer, options: ClientOptions = {}): GearmanClient {
  return new GearmanClient({ dial: server.dial, minBackoff: 1, maxBackoff: 1, ...options });
}

/** Every kind of call, with a signal. */
function everyCall(client: GearmanClient, signal: AbortSignal): Promise<unknown>[] {
  return [
    client.do("f", "", { signal }).bytes(),
    client.do("f", "", { signal }).created(),
    client.doBackground("f", "x", { signal }),
    client.jobStatus("H:1", { signal }),
    client.jobStatusByUnique("u", { signal }),
    client.watch("H:1", { signal }).next(),
    client.echo("x", { signal }),
    client.do("f", "", { signal }).stream().getReader().read(),
    client.do("f", "", { signal })[Symbol.asyncIterator]().next(),
  ];
}

async function reasonsOf(calls: Promise<unknown>[]): Promise<unknown[]> {
  return (await Promise.allSettled(calls)).map((one) => one.status === "rejected" ? one.reason : one.value);
}

describe("an aborted call rejects with the signal's reason and leaves no listener", () => {
  test("when the signal was aborted before; then nothing is dialed", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const reason = new Error("enough");
    const reasons = await reasonsOf(everyCall(client, AbortSignal.abort(reason)));
    assert.deepEqual(reasons, Array(9).fill(reason));
    assert.deepEqual(server.dials, []);
  });

  test("in the tick of the call, on a connection that is open; then nothing is sent", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    await client.echo("open");
    const { signal, listeners, abort } = countedSignal();
    const calls = everyCall(client, signal);
    abort("enough");
    assert.deepEqual(await reasonsOf(calls), Array(9).fill("enough"));
    await client.echo("last");
    assert.deepEqual(server.peer.requests.map(({ args }) => text(args[0]!)), ["open", "last"]);
    assert.equal(listeners(), 0);
  });

  test("while dialing; the dial is aborted with the last call that waits for it", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    const dialed: AbortSignal[] = [];
    server.refuse = (_, signal) => {
      dialed.push(signal!);
      return new Promise(() => {});
    };
    await using client = clientOf(server);
    const [first, second] = [countedSignal(), countedSignal()];
    const one = client.do("f", "", { signal: first.signal });
    const two = client.doBackground("f", "x", { signal: second.signal });
    await until(() => dialed.length === 1);
    first.abort("one");
    await assert.rejects(one.bytes(), (reason) => reason === "one");
    assert.equal(first.listeners(), 0, "another call still waits for the dial");
    assert.equal(dialed[0]!.aborted, false);
    second.abort("two");
    await assert.rejects(two, (reason) => reason === "two");
    assert.equal(second.listeners(), 0);
    assert.equal(dialed[0]!.aborted, true);
    server.refuse = () => undefined;
    assert.equal(text(await client.echo("a new dial")), "a new dial");
    assert.equal(server.dials.length, 2);
    assert.deepEqual(server.peer.requests.map(({ type }) => type), [PacketType.ECHO_REQ]);
  });

  test("while it waits for its reply, which is then discarded", { timeout }, async () => {
    const server = new FakeServer(); // answers nothing
    await using client = clientOf(server);
    const { signal, listeners, abort } = countedSignal();
    const calls = everyCall(client, signal);
    const kept = client.do("kept");
    await until(() => server.peers.length === 1 && server.peer.requests.length === 10);
    assert.ok(listeners() > 0);
    abort("enough");
    assert.deepEqual(await reasonsOf(calls), Array(9).fill("enough"));
    assert.equal(listeners(), 0);
    const answer = answerEverything();
    for (const packet of server.peer.requests) answer(packet, server.peer);
    const handle = await kept.created();
    assert.equal(handle, "H:6", "the replies of the others were counted");
    server.peer.answer(PacketType.WORK_COMPLETE, "H:1", "of an aborted job");
    server.peer.answer(PacketType.WORK_COMPLETE, handle, "mine");
    assert.equal(await kept.text(), "mine");
    assert.equal(server.peers.length, 1);
  });

  test("while its job runs, after the events that were not read yet", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const { signal, listeners, abort } = countedSignal();
    const job = client.do("f", "", { signal });
    const events: string[] = [];
    const iterator = job[Symbol.asyncIterator]();
    await job.created();
    server.peer.answer(PacketType.WORK_DATA, "H:1", "1");
    await client.echo("");
    abort("enough");
    await assert.rejects(async () => {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) events.push(next.value.type);
    }, (reason) => reason === "enough");
    assert.deepEqual(events, ["created", "data"]);
    assert.equal((await iterator.next()).done, true, "it is thrown once");
    assert.equal(listeners(), 0);
    assert.equal(await job.created(), "H:1");
  });

  test(
    "500 times in a row, each with late packets; calls that end otherwise leave none either",
    { timeout },
    async () => {
      const late: (() => void)[] = [];
      const answer = answerEverything();
      const server = new FakeServer((packet, peer) => {
        answer(packet, peer);
        if (!isSubmission(packet)) return;
        const handle = `H:${late.length + 1}`;
        late.push(() => {
          peer.answer(PacketType.WORK_DATA, handle, "late");
          peer.answer(PacketType.WORK_COMPLETE, handle, "late");
        });
      });
      // A job that something still waits for would be probed.
      await using client = clientOf(server, { probeInterval: 5 });
      const { signal, listeners } = countedSignal();
      for (let i = 0; i < 500; i++) {
        const controller = new AbortController();
        const job = client.do("f", `${i}`, { signal: AbortSignal.any([controller.signal, signal]) });
        await job.created();
        controller.abort("enough");
        await assert.rejects(job.text(), (reason) => reason === "enough");
      }
      for (const send of late.splice(0)) send();
      const job = client.do("f", "kept", { signal });
      await client.echo("", { signal });
      await client.doBackground("f", "x", { signal });
      await client.jobStatus("H:1", { signal });
      const asked = () => server.peer.requests.filter(({ type }) => type === PacketType.GET_STATUS);
      await until(() => asked().length > 1);
      assert.deepEqual(asked().slice(1).map(({ args }) => text(args[0]!)), [await job.created()]);
      await assert.rejects(job.text(), ConnectionError); // the server knows no job
      assert.equal(listeners(), 0);
    },
  );

  test("in the pause between two statuses of watch()", { timeout }, async () => {
    const server = new FakeServer((packet, peer) => {
      if (packet.type === PacketType.GET_STATUS) peer.answer(PacketType.STATUS_RES, packet.args[0], "1", "0", "0", "0");
    });
    await using client = clientOf(server);
    const { signal, listeners, abort } = countedSignal();
    const watching = client.watch("H:1", { interval: 2_000_000_000, signal });
    assert.equal((await watching.next()).value!.known, true);
    const next = watching.next();
    await turns();
    abort("enough");
    await assert.rejects(next, (reason) => reason === "enough");
    assert.equal((await watching.next()).done, true);
    assert.equal(listeners(), 0);
  });
});

test("an abort rejects with its reason, although one of the servers did not know the job", { timeout }, async () => {
  const server = new JobServer();
  const client = new GearmanClient({
    servers: ["known:1", "mute:1"],
    dial: (address, options) => address.hostname === "known" ? server.dial(address, options) : new Promise(() => {}),
  });
  await client.echo("x");
  const controller = new AbortController();
  const reason = new Error("enough");
  const status = client.jobStatus("H:nowhere:1", { signal: controller.signal });
  await client.echo("the known server has answered");
  controller.abort(reason);
  await assert.rejects(status, (error) => error === reason);
  await client.close();
  await server.close();
});

test("an abort ends the dial for a question that is asked again", { timeout }, async () => {
  const ended = deferred<void>();
  const dialed = deferred<AbortSignal>();
  // The first connection is lost as soon as something was sent; the second is never made.
  const transport: Transport = {
    write: () => ended.resolve(),
    close: () => ended.resolve(),
    // deno-lint-ignore require-yield -- it yields nothing
    async *[Symbol.asyncIterator]() {
      await ended.promise;
    },
  };
  let dials = 0;
  const client = new GearmanClient({
    dial: (_, { signal }) => {
      if (dials++ === 0) return transport;
      dialed.resolve(signal!);
      return new Promise(() => {});
    },
  });
  const controller = new AbortController();
  const reason = new Error("enough");
  const echo = client.echo("x", { signal: controller.signal });
  const signal = await dialed.promise;
  const dialAborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  controller.abort(reason);
  await assert.rejects(echo, (error) => error === reason);
  await dialAborted;
  await client.close();
});

type Call = (client: GearmanClient, signal: AbortSignal) => Promise<unknown>;

const CALLS: Record<string, Call> = {
  "await": async (client, signal) => await client.do("f", "", { signal }),
  "text()": (client, signal) => client.do("f", "", { signal }).text(),
  "iteration": async (client, signal) => {
    for await (const event of client.do("f", "", { signal })) assert.equal(event.type, "created");
  },
  "stream()": (client, signal) => new Response(client.do("f", "", { signal }).stream()).text(),
  "created()": (client, signal) => client.do("f", "", { signal }).created(),
  "doBackground()": (client, signal) => client.doBackground("f", "x", { signal }),
  "doBackgroundAll()": (client, signal) => client.doBackgroundAll("f", ["a", "b"], { signal }).next(),
  "jobStatus()": (client, signal) => client.jobStatus("H:1", { signal }),
  "jobStatusByUnique()": (client, signal) => client.jobStatusByUnique("u", { signal }),
  "watch()": async (client, signal) => {
    for await (const _ of client.watch("H:1", { signal, interval: 1 }));
  },
  "echo()": (client, signal) => client.echo("x", { signal }),
};

/** Makes the calls; each must reject with the reason of its own signal. */
async function assertTimedOut(client: GearmanClient, names: string[] = Object.keys(CALLS)): Promise<void> {
  await Promise.all(names.map(async (name) => {
    const signal = AbortSignal.timeout(30);
    await assert.rejects(CALLS[name]!(client, signal), (error) => {
      assert.ok(error === signal.reason && (error as Error).name === "TimeoutError", `${name}: ${error}`);
      return true;
    });
  }));
  await client.close();
}

test("a call times out while it waits for a connection, and the dial is aborted", { timeout }, async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const client = new GearmanClient({ dial: (_, { signal }) => (signals.push(signal), new Promise<never>(() => {})) });
  await assertTimedOut(client);
  assert.ok(signals.length > 0 && signals.every((signal) => signal?.aborted));
});

test("a call times out while it waits for its reply, and another call does not", { timeout }, async () => {
  const server = new FakeServer();
  const client = new GearmanClient({ dial: server.dial });
  const untimed = client.echo("untimed");
  await until(() => server.peers[0]?.requests.length === 1);
  const timedOut = assertTimedOut(client);
  const answered = until(() => server.peer.requests.length > 11).then(() =>
    server.peer.answer(PacketType.ECHO_RES, "untimed")
  );
  assert.equal(new TextDecoder().decode(await untimed), "untimed");
  await Promise.all([timedOut, answered]);
});

test("a call times out while its job runs", { timeout }, async () => {
  const server = new FakeServer((packet, peer) => {
    if (isSubmission(packet)) peer.answer(PacketType.JOB_CREATED, "H:1");
    else peer.answer(PacketType.STATUS_RES, "H:1", "1", "1", "0", "0");
  });
  await assertTimedOut(new GearmanClient({ dial: server.dial }), [
    "await",
    "text()",
    "iteration",
    "stream()",
    "watch()",
  ]);
});

test(
  "an abort of a question to several servers is thrown, although another server has failed",
  { timeout },
  async () => {
    const server = new FakeServer(); // answers nothing
    const dial: Dial = (address, options) =>
      address.hostname === "a" ? Promise.reject(new Error("refused")) : server.dial(address, options);
    await using client = new GearmanClient({ servers: "a:1,b:2", dial });
    for (
      const ask of [
        (signal: AbortSignal) => client.jobStatus("H:1", { signal }),
        (signal: AbortSignal) => client.jobStatusByUnique("u", { signal }),
        (signal: AbortSignal) => client.watch("H:1", { signal }).next(),
      ]
    ) {
      const controller = new AbortController();
      const before = server.peers.reduce((count, { requests }) => count + requests.length, 0);
      const asked = ask(controller.signal);
      asked.catch(() => {});
      await until(() => server.peers.reduce((count, { requests }) => count + requests.length, 0) > before);
      const reason = new Error("enough");
      controller.abort(reason);
      await assert.rejects(asked, (error) => error === reason);
    }
  },
);

describe("a question is asked once more on a new connection", () => {
  test("when its connection is lost before it is answered", { timeout }, async () => {
    for (const losses of [1, 2]) {
      const answer = answerEverything();
      const server = new FakeServer((packet, peer, index) => index < losses ? void peer.end() : answer(packet, peer));
      await using client = clientOf(server);
      const calls = [client.echo("x"), client.jobStatus("H:9"), client.jobStatusByUnique("u")];
      const outcomes = (await Promise.allSettled(calls)).map(({ status }) => status);
      assert.deepEqual(outcomes, Array(3).fill(losses === 1 ? "fulfilled" : "rejected"));
      assert.equal(server.peers.length, 2);
      await assert.rejects(Promise.all([...calls, Promise.reject(new ConnectionError("x"))]), (error) => {
        return error instanceof ConnectionError && error.delivery === undefined;
      });
    }
  });
});
