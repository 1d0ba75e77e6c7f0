/** Tests of how doBackgroundAll() ends: with its source, an error, a break, an abort, or invalid arguments. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, GearmanClient, GearmanError } from "../../mod.ts";
import type { DoBackgroundAllOptions, Workload } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { turns, until } from "../support/wait.ts";
import { answerEverything, FakeServer, makeClient, submittedWorkloads } from "../support/fake_server.ts";
import { collectHandles, ManualSource, NumberSource, toArray } from "../support/workload_sources.ts";
import { countedSignal } from "../support/signals.ts";

const timeout = 30_000;

describe("doBackgroundAll() ends", () => {
  test("at once with an empty source, without a dial", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    for (const empty of [[], new Set<string>(), new NumberSource(0)]) {
      assert.deepEqual(await toArray(client.doBackgroundAll("f", empty)), []);
    }
    assert.deepEqual(server.dials, []);
  });

  test("not before its source says so: an iterator may leave `done` out", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const workloads = ["a", "b"];
    const iterator = {
      next: () => workloads.length > 0 ? { value: workloads.shift() } : { done: true, value: undefined },
    };
    const source = { [Symbol.iterator]: () => iterator as Iterator<string> };
    const jobs = await toArray(client.doBackgroundAll("f", source));
    assert.deepEqual(jobs.map(({ handle }) => handle), ["H:1", "H:2"]);
  });

  test("by break: the source is closed, and nothing more is sent", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const source = new NumberSource(Infinity);
    for await (const { handle } of client.doBackgroundAll("f", source, { inFlight: 10 })) {
      if (handle === "H:25") break;
    }
    assert.equal(source.closed, 1);
    await client.echo("everything before has arrived");
    const sent = submittedWorkloads(server).length;
    assert.ok(sent >= 25 && sent <= 35, `${sent}`);
    await client.echo("nothing more arrives");
    assert.equal(submittedWorkloads(server).length, sent);
  });

  test("by break, also while a workload is awaited, and waits for a source that closes", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const faucet = new ManualSource();
    faucet.push("0");
    for await (const _ of client.doBackgroundAll("f", faucet)) break;
    assert.equal(faucet.closed, 1);
    faucet.push("1"); // discarded
    let closed = false;
    async function* closing() {
      try {
        for (let i = 0;; i++) yield `${i}`;
      } finally {
        await turns(2);
        closed = true;
      }
    }
    for await (const _ of client.doBackgroundAll("f", closing(), { inFlight: 1 })) break;
    assert.ok(closed);
    await client.echo("everything before has arrived");
    assert.deepEqual(submittedWorkloads(server), ["0", "0"]);
  });

  test("with an invalid workload, after the jobs before it: the error has its index", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const cases: [unknown, DoBackgroundAllOptions, RegExp, typeof TypeError | typeof RangeError][] = [
      [5, {}, /^Workload 3: Cannot use the workload/, TypeError],
      [
        "x",
        { unique: (_, index) => index === 3 ? "u".repeat(64) : "" },
        /^Workload 3: Cannot use the unique/,
        RangeError,
      ],
      ["x", { unique: (_, index) => index === 3 ? 5 as never : "" }, /^Workload 3: Cannot use the unique/, TypeError],
    ];
    for (const [bad, options, message, kind] of cases) {
      let closed = 0;
      const source = function* () {
        try {
          yield* ["a", new Uint8Array(1), "c", bad as string, "e"];
        } finally {
          closed++;
        }
      };
      const { handles, error } = await collectHandles(client.doBackgroundAll("f", source(), options));
      assert.equal(handles.length, 3);
      assert.ok(error instanceof kind, String(error));
      assert.match(error.message, message);
      assert.equal(closed, 1);
    }
  });

  test("with an error of its source or of unique(), unchanged, after the jobs before it", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const reason = Object.freeze(new Error("the file is gone"));
    function* broken() {
      yield* ["a", "b"];
      throw reason;
    }
    async function* asynchronously() {
      await turns(1);
      yield* broken();
    }
    for (const source of [broken(), asynchronously()]) {
      const { handles, error } = await collectHandles(client.doBackgroundAll("f", source));
      assert.equal(handles.length, 2);
      assert.equal(error, reason);
    }
    const source = new NumberSource(Infinity);
    const unique = (_: Workload, index: number) => {
      if (index === 4) throw reason;
      return "";
    };
    const { handles, error } = await collectHandles(client.doBackgroundAll("f", source, { unique }));
    assert.equal(handles.length, 4);
    assert.equal(error, reason);
    assert.equal(source.closed, 1);
  });

  test("with a lost connection: the error has the index and the delivery of its workload", { timeout }, async () => {
    let answered = 0;
    const server = new FakeServer((_, peer) => {
      if (++answered === 4) peer.end();
      else if (answered < 4 || peer !== server.peers[0]) peer.answer(PacketType.JOB_CREATED, `H:${answered}`);
    });
    await using client = makeClient(server);
    const source = new NumberSource(Infinity);
    const { handles, error } = await collectHandles(
      client.doBackgroundAll("f", source, { inFlight: 8, unique: () => "u" }),
    );
    assert.deepEqual(handles, ["H:1", "H:2", "H:3"]);
    assert.ok(error instanceof ConnectionError, String(error));
    assert.match(error.message, /^Workload 3: Cannot run "f" on 127.0.0.1:4730: it was sent, but never acknowledged/);
    assert.deepEqual([error.delivery, error.unique], ["unknown", "u"]);
    assert.equal(source.closed, 1);
    await client.doBackground("f", "on a new connection, without repeating the old one");
    assert.equal(server.peers.length, 2);
    assert.equal(submittedWorkloads(server).length, new Set(submittedWorkloads(server)).size);
  });

  test("when no server can be reached: workload 0 was not sent", { timeout }, async () => {
    await using client = new GearmanClient({ dial: () => Promise.reject(new Error("refused")), minBackoff: 1 });
    const { handles, error } = await collectHandles(client.doBackgroundAll("f", new NumberSource(Infinity)));
    assert.deepEqual(handles, []);
    assert.ok(error instanceof ConnectionError && error.delivery === "not-sent", String(error));
    assert.match(error.message, /^Workload 0: .*refused/);
  });

  test("with the signal's reason, unchanged, at any stage, and leaves no listener", { timeout }, async () => {
    const server = new FakeServer();
    await using client = makeClient(server);
    const reason = Object.freeze(new GearmanError("enough"));
    const aborted = countedSignal();
    aborted.abort(reason);
    const unread = new NumberSource(1);
    const jobs = client.doBackgroundAll("f", unread, { signal: aborted.signal });
    await assert.rejects(jobs.next(), (error) => error === reason);
    assert.deepEqual([unread.asked, aborted.listeners()], [0, 0]);

    // With unanswered submissions, and with a workload that is awaited.
    for (const source of [new NumberSource(Infinity), new ManualSource()]) {
      const { signal, listeners, abort } = countedSignal();
      const jobs = client.doBackgroundAll("f", source, { signal, inFlight: 5 });
      const next = jobs.next();
      await turns(3);
      abort(reason);
      await assert.rejects(next, (error) => error === reason);
      assert.deepEqual([source.closed, listeners()], [1, 0]);
      assert.deepEqual(await jobs.next(), { done: true, value: undefined });
    }
  });

  test("with the signal's reason after the jobs that were accepted before it", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const { signal, listeners, abort } = countedSignal();
    const source = new ManualSource();
    source.push("a", "b", "c");
    const jobs = client.doBackgroundAll("f", source, { signal });
    assert.equal((await jobs.next()).value?.handle, "H:1");
    await client.echo("the others are accepted too");
    abort("enough");
    const { handles, error } = await collectHandles(jobs);
    assert.deepEqual([handles, error, source.closed, listeners()], [["H:2", "H:3"], "enough", 1, 0]);
  });

  test("when the client is closed", { timeout }, async () => {
    const server = new FakeServer((packet, peer) => {
      if (server.peers[0]!.requests.length <= 3) peer.answer(PacketType.JOB_CREATED, `H:${packet.args.length}`);
    });
    const client = makeClient(server);
    const source = new NumberSource(Infinity);
    const outcome = collectHandles(client.doBackgroundAll("f", source, { inFlight: 6 }));
    await until(() => submittedWorkloads(server).length >= 6);
    await client.close();
    const { handles, error } = await outcome;
    assert.equal(handles.length, 3);
    assert.ok(error instanceof ConnectionError && error.delivery === "unknown", String(error));
    assert.equal(source.closed, 1);
    await assert.rejects(client.doBackgroundAll("f", ["x"]).next(), { name: "GearmanError", message: /closed$/ });
  });
});

test("invalid arguments of doBackgroundAll() throw on the first next(), before the source is read", async () => {
  const server = new FakeServer();
  await using client = makeClient(server);
  const cases: [unknown, unknown, unknown, typeof TypeError | typeof RangeError][] = [
    ["", undefined, {}, RangeError],
    ["f\0", undefined, {}, RangeError],
    [5, undefined, {}, TypeError],
    ["f", "one workload", {}, TypeError],
    ["f", new Uint8Array(3), {}, TypeError],
    ["f", 5, {}, TypeError],
    ["f", null, {}, TypeError],
    ["f", {}, {}, TypeError],
    ["f", undefined, null, TypeError],
    ["f", undefined, "unique", TypeError],
    ["f", undefined, { unique: "u" }, TypeError],
    ["f", undefined, { signal: {} }, TypeError],
    ["f", undefined, { priority: "urgent" }, RangeError],
    ["f", undefined, { at: new Date(), reducer: "r" }, TypeError],
    ...[0, -1, 1.5, NaN, Infinity, "5"].map((inFlight): [string, undefined, unknown, typeof RangeError] => //
    ["f", undefined, { inFlight }, RangeError]),
  ];
  for (const [functionName, workloads, options, kind] of cases) {
    const source = new NumberSource(1);
    const given = workloads === undefined ? source : workloads;
    const jobs = client.doBackgroundAll(functionName as never, given as never, options as never);
    await assert.rejects(jobs.next(), kind, JSON.stringify([functionName, workloads, options]));
    assert.deepEqual([source.asked, source.closed], [0, 0]);
  }
  assert.deepEqual(server.dials, []);
});

test(
  "an error of the source stays unchanged, also a TypeError and a frozen one",
  { timeout },
  async () => {
    const server = new FakeServer(answerEverything());
    await using client = new GearmanClient({ dial: server.dial });
    for (const error of [new TypeError("its own"), Object.freeze(new RangeError("frozen"))]) {
      const source = function* () {
        yield "a";
        throw error;
      };
      const jobs = client.doBackgroundAll("f", source());
      await jobs.next();
      await assert.rejects(jobs.next(), (thrown) => thrown === error);
      assert.ok(!error.message.includes("Workload"));
    }
  },
);

test("a source that fails to close, or never closes, does not hide the reason of the end", { timeout }, async () => {
  const server = new FakeServer(); // accepts nothing
  for (const close of [() => Promise.reject(new Error("no")), () => new Promise<never>(() => {})]) {
    await using client = new GearmanClient({ dial: server.dial });
    const source = {
      [Symbol.asyncIterator]: () => ({ next: () => ({ done: false, value: "a" }) as never, return: close }),
    };
    const reason = new Error("enough");
    const controller = new AbortController();
    const next = client.doBackgroundAll("f", source, { inFlight: 1, signal: controller.signal }).next();
    await until(() => server.peers.at(-1)?.requests.length === 1);
    controller.abort(reason);
    await assert.rejects(next, (error) => error === reason);
  }
});
