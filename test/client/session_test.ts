/** Tests of a client's session with one server, mostly played by the test: sending, invalid packets, probes, losses. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, GearmanClient, GearmanError, JobFailedError, ProtocolError } from "../../mod.ts";
import type { ClientOptions, DialOptions, GearmanEvent, JobEvent, ServerAddress, Transport } from "../../mod.ts";
import { encodeRequest, encodeResponse, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import type { Packet } from "../../src/codec/mod.ts";
import { GearmanClient as SourceClient } from "../../src/client/client.ts";
import { Connection as SourceConnection } from "../../src/connection/connection.ts";
import { deferred } from "../../src/internal/promises.ts";
import { Fifo } from "../../src/internal/queue.ts";
import { chunks, header, join, pattern, text, utf8 } from "../support/bytes.ts";
import { FakeTransport, GreetedTransport, GREETING_ANSWERS } from "../support/fake_transport.ts";
import { turns, until } from "../support/wait.ts";
import { answerEverything, FakeServer, isSubmission } from "../support/fake_server.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { fakeClock, fakeTimers } from "../support/fake_timers.ts";
import type { FakePeer } from "../support/fake_server.ts";

const timeout = 20_000;

/** A client of a server that is played. */
function clientOf(server: FakeServer, options: ClientOptions = {}): GearmanClient {
  return new GearmanClient({ dial: server.dial, minBackoff: 1, maxBackoff: 1, ...options });
}

/** Returns "done", or the delivery or the name of the error that ends a call. */
function outcomeOf(call: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(call).then(() => "done", (error) => {
    assert.ok(error instanceof GearmanError, String(error));
    return error instanceof ConnectionError && error.delivery !== undefined ? error.delivery : error.name;
  });
}

/** JOB_CREATED for a number of jobs, in one chunk. */
function created(count: number): Uint8Array {
  return join(Array.from({ length: count }, (_, i) => encodeResponse(PacketType.JOB_CREATED, `H:${i}`)));
}

/** Creates every job as `H:n`, and completes it with its workload. */
function completing(): (packet: Packet, peer: FakePeer) => void {
  const answer = answerEverything();
  let jobs = 0;
  return (packet, peer) => {
    answer(packet, peer);
    if (isSubmission(packet)) peer.answer(PacketType.WORK_COMPLETE, `H:${++jobs}`, packet.args.at(-1)!);
  };
}

describe("sending", () => {
  test("a large workload in a transferred or shrunk buffer fails its call alone, wherever it waits to be sent", {
    timeout,
  }, async () => {
    const takes: ((buffer: ArrayBuffer) => void)[] = [
      (buffer) => structuredClone(buffer, { transfer: [buffer] }),
      (buffer) => buffer.resize(10),
    ];
    const places = ["not connected yet", "in the tick of the call", "after an abort in the tick"] as const;
    for (const [take, where] of takes.flatMap((take) => places.map((where) => [take, where] as const))) {
      const server = new FakeServer(completing());
      await using client = clientOf(server);
      if (where !== "not connected yet") await client.echo("");
      const buffer = new ArrayBuffer(100_000, { maxByteLength: 100_000 });
      const controller = new AbortController();
      const aborted = client.do("f", "aborted", { signal: controller.signal }).text();
      const before = client.do("f", "before").text();
      const taken = client.do("f", new Uint8Array(buffer)).text();
      const behind = client.do("f", "behind").text();
      if (where === "after an abort in the tick") controller.abort("enough");
      take(buffer);
      await assert.rejects(taken, {
        name: "TypeError",
        message: "Cannot send an argument: its buffer was transferred or shrunk",
      });
      assert.deepEqual(await Promise.all([before, behind]), ["before", "behind"], where);
      if (where === "after an abort in the tick") await assert.rejects(aborted, (reason) => reason === "enough");
      else assert.equal(await aborted, "aborted");
      assert.equal(server.peers.length, 1, "the connection goes on");
    }
  });

  test("what waits behind a large workload that is never sent leaves at once", { timeout }, async () => {
    for (const how of ["aborted", "transferred"] as const) {
      await using client = clientOf(new FakeServer(completing()), { probeInterval: 60_000 }); // a probe would help it
      await client.echo("");
      const large = pattern(100_000);
      const controller = new AbortController();
      const unsent = Promise.allSettled([client.do("f", large, { signal: controller.signal }).text()]);
      const behind = client.do("f", "behind").text();
      if (how === "aborted") controller.abort("enough");
      else structuredClone(large.buffer, { transfer: [large.buffer] });
      const [{ status }] = await unsent;
      assert.equal(status, "rejected");
      assert.equal(await behind, "behind", how);
    }
  });

  test("a large workload that is transferred while smaller ones are written before it takes nothing with it", {
    timeout,
  }, async () => {
    const transport = new GreetedTransport();
    const client = new GearmanClient({ dial: () => transport });
    const stuck = [deferred<void>(), deferred<void>()] as const;
    transport.answers.push(stuck[0].promise, stuck[1].promise);
    const controllers = [new AbortController(), new AbortController()] as const;
    const submit = (name: string, workload: Uint8Array | string, signal?: AbortSignal) =>
      client.doBackground(name, workload, { signal }).catch((error) => error);
    const calls = [submit("first", "x")];
    await until(() => transport.writes.length === 1);
    const large = pattern(100_000);
    for (const name of ["a", "b", "c"]) calls.push(submit(name, pattern(60_000)));
    const transferred = submit("large", large);
    calls.push(submit("aborted", "x", controllers[0].signal));
    controllers[0].abort("enough"); // all of them are taken back, and sent again in one go
    stuck[0].resolve();
    await until(() => transport.writes.length === 2);
    calls.push(submit("aborted", "x", controllers[1].signal), submit("last", "x"));
    structuredClone(large.buffer, { transfer: [large.buffer] });
    controllers[1].abort("enough"); // and again, without the first
    stuck[1].resolve();
    assert.equal((await transferred).name, "TypeError");
    await until(() => transport.writes.some((bytes) => text(bytes).includes("last")));
    transport.break(new Error("reset"));
    await Promise.all(calls);
    const decoder = new PacketDecoder();
    for (const bytes of transport.writes) decoder.push(bytes);
    const names = [...decoder].map(({ args }) => text(args[0]!));
    assert.deepEqual(names, ["first", "a", "b", "c", "last"]);
  });

  test("1,000 aborts in a tick, and in a tick each, cost no more than the calls themselves", { timeout }, async () => {
    // Every abort of a request that was not sent takes back all others: that must not be done for each of them.
    let recalled = 0;
    const { recall } = SourceConnection.prototype;
    SourceConnection.prototype.recall = function () {
      const packets = recall.call(this);
      recalled += packets.length;
      return packets;
    };
    let moved = 0;
    const { push } = Fifo.prototype;
    try {
      const transport = new GreetedTransport();
      // The modules by themselves: those of the package have a queue of their own.
      await using client = new SourceClient({ dial: () => transport });
      const stuck = deferred<void>();
      transport.answers.push(stuck.promise);
      const opening = client.echo("");
      await until(() => transport.writes.length === 1);
      const controllers = Array.from({ length: 1_000 }, () => new AbortController());
      const calls = controllers.map(({ signal }) => client.doBackground("f", "x", { signal }));
      const outcomes = Promise.allSettled([...calls, opening]);
      Fifo.prototype.push = function (item) {
        moved += 1;
        push.call(this, item);
      };
      for (const controller of controllers.slice(0, 500)) controller.abort("enough");
      for (const controller of controllers.slice(500, 600)) {
        controller.abort("enough");
        await turns(1);
      }
      assert.equal(recalled, 1_000, "each was taken back once");
      assert.equal(moved, 1_000, "each was put aside once");
      transport.break(new Error("reset"));
      await outcomes;
    } finally {
      SourceConnection.prototype.recall = recall;
      Fifo.prototype.push = push;
    }
  });

  test("an abort while the client closes neither hangs nor sends twice", { timeout }, async () => {
    const transport = new GreetedTransport();
    const client = new GearmanClient({ dial: () => transport });
    const stuck = deferred<void>();
    transport.answers.push(stuck.promise);
    const controller = new AbortController();
    const calls = Promise.allSettled([
      client.echo(""),
      client.doBackground("f", "stays"),
      client.doBackground("f", "aborted", { signal: controller.signal }),
      client.doBackground("f", pattern(100_000)),
    ]);
    await until(() => transport.writes.length === 1);
    const closing = client.close();
    controller.abort("enough");
    stuck.resolve();
    await closing;
    const outcomes = (await calls).map((outcome) => outcome.status === "rejected" && outcome.reason);
    assert.equal(outcomes[2], "enough");
    for (const i of [0, 1, 3]) assert.ok(outcomes[i] instanceof GearmanError, `${outcomes[i]}`);
  });

  test("a client greets with the exceptions option and an echo in one write, once per connection", async () => {
    const transport = new GreetedTransport();
    const client = new GearmanClient({ dial: () => transport });
    client.do("f", "1", { unique: "u" });
    client.do("f", "2");
    await until(() => transport.writes.length > 0);
    client.do("f", "3");
    await until(() => transport.writes.length > 1);
    const greeting = [encodeRequest(PacketType.OPTION_REQ, "exceptions"), encodeRequest(PacketType.ECHO_REQ, "")];
    assert.deepEqual(transport.greeting, join(greeting));
    assert.deepEqual(transport.writes, [
      join([
        encodeRequest(PacketType.SUBMIT_JOB, "f", "u", "1"),
        encodeRequest(PacketType.SUBMIT_JOB, "f", "", "2"),
      ]),
      encodeRequest(PacketType.SUBMIT_JOB, "f", "", "3"),
    ]);
    await client.close();
  });

  test("jobs that a server has accepted are accepted, also if the connection breaks at the same moment", {
    timeout,
  }, async () => {
    const transport = new GreetedTransport();
    let dials = 0;
    const dial = () => dials++ === 0 ? transport : Promise.reject(new Error("the server is gone"));
    await using client = new GearmanClient({ dial, minBackoff: 1, maxBackoff: 1 });
    const submit = () => outcomeOf(client.doBackground("f", "x"));
    const jobs = Array.from({ length: 1_300 }, async () => [await submit(), await submit()]);
    await until(() => transport.writes.length > 0);
    transport.answers.push(Promise.reject(new Error("EPIPE")));
    transport.receive(created(1_300));
    const outcomes = await Promise.all(jobs);
    assert.ok(outcomes.every(([first]) => first === "done"));
    const second = outcomes.map(([, second]) => second);
    assert.equal(second.filter((outcome) => outcome === "unknown").length, 512, "they were given to the transport");
    assert.equal(second.filter((outcome) => outcome === "not-sent").length, 788);
  });

  test("jobs that a server has accepted are accepted, also if the client is closed at the same moment", {
    timeout,
  }, async () => {
    const transport = new GreetedTransport();
    const client = new GearmanClient({ dial: () => transport });
    const jobs = Array.from({ length: 1_301 }, () => outcomeOf(client.doBackground("f", "x")));
    const closed = jobs[0]!.then(() => client.close());
    await until(() => transport.writes.length > 0);
    transport.receive(created(1_300));
    const last = jobs.pop();
    assert.ok((await Promise.all(jobs)).every((outcome) => outcome === "done"));
    assert.equal(await last, "unknown", "its reply has not arrived");
    await closed;
  });

  test("a server that refuses the option, or does not answer it, still serves", { timeout }, async () => {
    const echo = encodeResponse(PacketType.ECHO_RES, "");
    for (const answers of [[encodeResponse(PacketType.ERROR, "unknown_option", ""), echo], [echo]]) {
      const transport = new FakeTransport();
      await using client = new GearmanClient({ dial: () => transport });
      const job = client.do("f");
      await until(() => transport.writes.length === 1);
      transport.receive(...answers);
      await until(() => transport.writes.length === 2);
      transport.receive(
        encodeResponse(PacketType.JOB_CREATED, "H:1"),
        encodeResponse(PacketType.WORK_COMPLETE, "H:1", "done"),
      );
      assert.equal(await job.text(), "done");
      const again = client.echo("again");
      await until(() => transport.writes.length === 3);
      transport.receive(encodeResponse(PacketType.ECHO_RES, "again"));
      assert.equal(text(await again), "again", "replies keep their requests");
    }
  });

  test("small bytes that change right after the call are sent as they were at the call", { timeout }, async () => {
    const server = new FakeServer(completing());
    await using client = clientOf(server);
    for (const connected of [false, true]) {
      const workload = Uint8Array.of(1, 2, 3);
      const results = [client.do("f", workload), client.do("f", workload.subarray(1))];
      const background = client.doBackground("f", workload);
      const echo = client.echo(workload);
      workload.fill(9);
      assert.deepEqual([...await results[0]!], [1, 2, 3], `connected: ${connected}`);
      assert.deepEqual([...await results[1]!], [2, 3]);
      assert.deepEqual([...await echo], [1, 2, 3]);
      await background;
    }
    const sent = server.peer.requests.filter(({ type }) => type === PacketType.SUBMIT_JOB_BG);
    assert.deepEqual(sent.map(({ args }) => [...args.at(-1)!]), [[1, 2, 3], [1, 2, 3]]);
  });

  test("received data share no memory with the data of other jobs", { timeout }, async () => {
    const server = new FakeServer(completing());
    await using client = clientOf(server);
    const [a, b] = [client.do("f", "aaaa"), client.do("f", "bbbb")];
    const events: JobEvent[] = [];
    for await (const event of a) events.push(event);
    for (const event of events) if ("data" in event) event.data.fill(0);
    assert.equal(await b.text(), "bbbb");
  });
});

describe("a server that breaks the protocol", () => {
  const bad: Record<string, Uint8Array> = {
    "garbage": utf8("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an unknown packet type": header("\0RES", 43, 0),
    "a request": encodeRequest(PacketType.ECHO_REQ, "x"),
    "JOB_CREATED without a request": encodeResponse(PacketType.JOB_CREATED, "H:9"),
    "ECHO_RES instead of JOB_CREATED": encodeResponse(PacketType.ECHO_RES, "x"),
    "STATUS_RES without a request": encodeResponse(PacketType.STATUS_RES, "H:1", "0", "0", "0", "0"),
    "NOOP, which is for workers": encodeResponse(PacketType.NOOP),
    "a packet with too few arguments": header("\0RES", PacketType.WORK_DATA, 0),
  };
  for (const [name, bytes] of Object.entries(bad)) {
    test(`${name} ends pending calls with a ProtocolError as cause, and later calls work`, { timeout }, async () => {
      const answer = completing();
      const server = new FakeServer((packet, peer) => {
        if (server.peers.length > 1) return answer(packet, peer);
        if (text(packet.args.at(-1)!) === "first") return peer.answer(PacketType.JOB_CREATED, "H:0");
        if (text(packet.args.at(-1)!) === "last") void peer.transport.write(bytes);
      });
      await using client = clientOf(server);
      const accepted = client.do("f", "first");
      await accepted.created();
      if (name.startsWith("JOB_CREATED")) {
        void server.peer.transport.write(bytes);
      } else {
        const unknown = client.doBackground("f", "last");
        await assert.rejects(unknown, (error) => {
          assert.ok(error instanceof ConnectionError && error.cause instanceof ProtocolError);
          return error.delivery === "unknown";
        });
      }
      await assert.rejects(accepted.text(), (error) => {
        assert.ok(error instanceof ConnectionError && error.cause instanceof ProtocolError);
        assert.deepEqual([error.delivery, error.handle], ["accepted", "H:0"]);
        return true;
      });
      assert.equal(await client.do("f", "next").text(), "next");
      assert.equal(server.peers.length, 2);
    });
  }

  test("an ERROR without a request ends the connection", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const job = client.do("f");
    await job.created();
    server.peer.answer(PacketType.ERROR, "WHAT", "ever");
    await assert.rejects(job.text(), (error) => (error as Error).cause instanceof ProtocolError);
  });

  test("packets for unknown handles are ignored", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const job = client.do("f");
    await job.created();
    server.peer.answer(PacketType.WORK_DATA, "H:77", "stray");
    server.peer.answer(PacketType.WORK_WARNING, "H:77", "stray");
    server.peer.answer(PacketType.WORK_STATUS, "H:77", "1", "2");
    server.peer.answer(PacketType.WORK_FAIL, "H:77");
    server.peer.answer(PacketType.WORK_EXCEPTION, "H:77", "stray");
    server.peer.answer(PacketType.WORK_COMPLETE, "H:77", pattern(65_536));
    server.peer.answer(PacketType.WORK_COMPLETE, "H:1", "mine");
    server.peer.answer(PacketType.WORK_DATA, "H:1", "too late");
    server.peer.answer(PacketType.WORK_COMPLETE, "H:1", "too late");
    assert.equal(await job.text(), "mine");
    assert.equal(text(await client.echo("alive")), "alive");
    assert.equal(server.peers.length, 1);
  });

  test("a NUL ends the handle of a WORK_FAIL", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    for (const [i, tail] of ["", "\0", "\0and more"].entries()) {
      const job = client.do("f");
      const handle = await job.created();
      server.peer.answer(PacketType.WORK_FAIL, `${handle}${tail}`);
      await assert.rejects(job.text(), (error) => error instanceof JobFailedError && error.handle === handle, `${i}`);
    }
  });

  test("WORK_EXCEPTION and then WORK_FAIL end one job, not two", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server);
    const [a, b] = [client.do("f"), client.do("f")];
    await Promise.all([a.created(), b.created()]);
    server.peer.answer(PacketType.WORK_EXCEPTION, "H:1", "\x1b[31mboom\0");
    server.peer.answer(PacketType.WORK_FAIL, "H:1\0");
    server.peer.answer(PacketType.WORK_COMPLETE, "H:2", "b");
    await assert.rejects(a.text(), { name: "JobFailedError", message: 'Job H:1 ("f") failed: [31mboom' });
    assert.equal(await b.text(), "b");
  });

  test("answers mean the same in chunks of any size", { timeout }, async () => {
    const bytes = join([
      encodeResponse(PacketType.JOB_CREATED, "H:1"),
      encodeResponse(PacketType.WORK_DATA, "H:1", "\0RES\0\0\0\0"),
      encodeResponse(PacketType.WORK_STATUS, "H:1", "50", "100"),
      encodeResponse(PacketType.WORK_COMPLETE, "H:1", "end"),
    ]);
    for (const sizes of [[1], [bytes.length], [bytes.length - 5, 5], [11, 1], [7, 3], [64]]) {
      const transport = new GreetedTransport();
      await using client = new GearmanClient({ dial: () => transport });
      const job = client.do("f");
      await until(() => transport.writes.length > 0);
      transport.receive(...chunks(bytes, sizes));
      const events: JobEvent[] = [];
      for await (const event of job) events.push(event);
      assert.deepEqual(events, [
        { type: "created", handle: "H:1" },
        { type: "data", data: utf8("\0RES\0\0\0\0") },
        { type: "status", numerator: 50, denominator: 100 },
        { type: "complete", data: utf8("end") },
      ]);
    }
  });
});

describe("a silent server", () => {
  test("loses its connection although each caller waits less than two intervals", { timeout }, async () => {
    const events: GearmanEvent[] = [];
    let answered = 0;
    const answer = answerEverything();
    const server = new FakeServer((packet, peer) => {
      answered += 1;
      if (server.peers.length > 1 || answered <= 2) answer(packet, peer);
    });
    const onEvent = (event: GearmanEvent) => void events.push(event);
    const options = { probeInterval: 100, connectTimeout: 100, onEvent };
    await using client = clientOf(server, options);
    await client.echo("1");
    await client.echo("2");
    const outcomes: string[] = [];
    while (outcomes.at(-1) !== "done") {
      assert.ok(outcomes.length < 10, "a dead connection is never noticed");
      const call = client.echo("x", { signal: AbortSignal.timeout(150) });
      outcomes.push(await call.then(() => "done", (error) => error.name));
    }
    assert.ok(events.some(({ type }) => type === "disconnected"));
    assert.equal(server.peers.length, 2);
  });

  test("with a write that fails and a read that never settles ends what waits, and nothing is thrown at the process", {
    timeout,
  }, async () => {
    // On an edge, a socket of an earlier request behaves so.
    let writes = 0;
    const transport: Transport = {
      write: () => {
        writes += 1;
        return writes === 1 ? undefined : Promise.reject(new Error("I/O on behalf of a different request"));
      },
      close: () => {},
      async *[Symbol.asyncIterator]() {
        yield* GREETING_ANSWERS;
        await new Promise(() => {});
      },
    };
    const other = new FakeServer(answerEverything());
    let dials = 0;
    const dial = (address: ServerAddress, options: DialOptions) => {
      dials += 1;
      return dials === 1 ? transport : other.dial(address, options);
    };
    await using client = new GearmanClient({ dial, probeInterval: 20, minBackoff: 1, maxBackoff: 1 });
    const job = client.do("f").text();
    await assert.rejects(job, (error) => error instanceof ConnectionError && /different request/.test(error.message));
    assert.equal(text(await client.echo("well")), "well");
  });

  const probeInterval = 20;
  const connectTimeout = 30;

  test("is asked about the jobs that something waits for, each once in an interval", { timeout }, async () => {
    const answer = answerEverything();
    const probes: string[][] = [];
    let probe: string[] | undefined;
    const server = new FakeServer((packet, peer) => {
      if (packet.type !== PacketType.GET_STATUS) return answer(packet, peer);
      if (probe === undefined) {
        probes.push(probe = []);
        setTimeout(() => probe = undefined, 0);
      }
      probe.push(text(packet.args[0]));
      peer.answer(PacketType.STATUS_RES, packet.args[0], "1", "1", "0", "0");
    });
    await using client = clientOf(server, { probeInterval });
    await Promise.all(Array.from({ length: 10_000 }, () => client.doBackground("f", "x")));
    const jobs = [client.do("f"), client.do("f"), client.do("f")];
    await Promise.all(jobs.map((job) => job.created()));
    await until(() => probes.length === 3);
    // Background jobs are not probed.
    for (const asked of probes) assert.deepEqual(asked, ["H:10001", "H:10002", "H:10003"]);
    assert.equal(server.peers.length, 1, "a server that answers keeps its connection");
    for (const [i, job] of jobs.entries()) {
      server.peer.answer(PacketType.WORK_COMPLETE, `H:${10_001 + i}`, "done");
      assert.equal(await job.text(), "done");
    }
  });

  test("is asked about all of many jobs, in turn", { timeout }, async () => {
    const answer = answerEverything();
    const asked = new Set<string>();
    const server = new FakeServer((packet, peer) => {
      if (packet.type !== PacketType.GET_STATUS) return answer(packet, peer);
      asked.add(text(packet.args[0]));
      peer.answer(PacketType.STATUS_RES, packet.args[0], "1", "0", "0", "0");
    });
    await using client = clientOf(server, { probeInterval });
    const jobs = Array.from({ length: 250 }, () => client.do("f"));
    await Promise.all(jobs.map((job) => job.created()));
    await until(() => asked.size === 250);
  });

  test("loses its connection when it does not answer, and pending calls end", { timeout }, async () => {
    const events: string[] = [];
    const server = new FakeServer(({ type, args }, peer) => {
      if (type === PacketType.SUBMIT_JOB && text(args[2]) === "1") peer.answer(PacketType.JOB_CREATED, "H:1");
    });
    await using client = clientOf(server, { probeInterval, connectTimeout, onEvent: ({ type }) => events.push(type) });
    const accepted = client.do("f", "1");
    const unknown = client.do("f", "2");
    await assert.rejects(unknown.text(), { name: "ConnectionError", delivery: "unknown" });
    await assert.rejects(accepted.text(), { name: "ConnectionError", delivery: "accepted", handle: "H:1" });
    await server.peer.ended;
    assert.ok(events.includes("disconnected"));
    assert.equal(server.peers.length, 1);
  });

  test("loses its connection to a pending question, which is asked again on a new one", { timeout }, async () => {
    const server = new FakeServer(() => {});
    await using client = clientOf(server, { probeInterval, connectTimeout });
    await assert.rejects(client.echo("x"), { name: "ConnectionError", message: /did not answer within 20 ms/ });
    assert.equal(server.peers.length, 2);
  });

  test("is not probed while nothing waits for it", { timeout }, async () => {
    const probeInterval = 12_345;
    using probes = fakeTimers(probeInterval);
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server, { probeInterval });
    await client.doBackground("f", "x");
    await turns();
    assert.equal(probes.active, 0, "nothing waits for a background job");
    const controller = new AbortController();
    const jobs = ["aborted", "left", "done"].map((name) => client.do(name, "", { signal: controller.signal }));
    await Promise.all(jobs.map((job) => job.created()));
    assert.equal(probes.active, 1);
    server.peer.answer(PacketType.WORK_COMPLETE, jobs[2]!.handle!, "done");
    assert.equal(await jobs[2]!.text(), "done");
    for await (const _ of jobs[1]!) break;
    assert.equal(probes.active, 1, "one job is still waited for");
    controller.abort();
    await turns();
    assert.equal(probes.active, 0);
  });

  test("is not silent while a packet is arriving, however long that takes", { timeout }, async () => {
    const probeInterval = 12_345;
    using probes = fakeTimers(probeInterval);
    const transport = new GreetedTransport();
    await using client = new GearmanClient({ dial: () => transport, probeInterval, connectTimeout: probeInterval });
    const job = client.do("f");
    const result = job.bytes();
    await until(() => transport.writes.length === 1);
    transport.receive(encodeResponse(PacketType.JOB_CREATED, "H:1"));
    await job.created();
    const whole = pattern(2_000);
    for (const piece of chunks(encodeResponse(PacketType.WORK_COMPLETE, "H:1", whole), [100])) {
      const { reads } = transport;
      transport.receive(piece);
      await until(() => transport.reads > reads || probes.active === 0); // it has arrived
      if (probes.active > 0) probes.fire();
    }
    assert.deepEqual(await result, whole);
    assert.equal(transport.writes.length, 2, "it was asked about the job once, and not again before it had answered");
  });
});

describe("a job that has vanished from its server", () => {
  test("ends with a ConnectionError with delivery accepted", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = clientOf(server, { probeInterval: 10 });
    const job = client.do("f", "", { unique: "u" });
    await assert.rejects(job.text(), (error) => {
      assert.ok(error instanceof ConnectionError);
      assert.deepEqual([error.delivery, error.handle, error.unique], ["accepted", "H:1", "u"]);
      assert.equal(error.server, "127.0.0.1:4730");
      return true;
    });
    assert.equal(server.peers.length, 1, "the connection stays open");
    assert.equal(text(await client.echo("on")), "on");
  });

  test("ends for each of its submissions, and no other job ends", { timeout }, async () => {
    let jobs = 0;
    const server = new FakeServer((packet, peer) => {
      if (isSubmission(packet)) {
        peer.answer(PacketType.JOB_CREATED, text(packet.args[1]!) === "u" ? "H:u" : `H:${++jobs}`);
      }
      if (packet.type !== PacketType.GET_STATUS) return;
      const known = text(packet.args[0]) === "H:u" ? "0" : "1";
      peer.answer(PacketType.STATUS_RES, packet.args[0], known, "0", "0", "0");
    });
    await using client = clientOf(server, { probeInterval: 10 });
    const other = client.do("f");
    const same = [1, 2, 3].map(() => client.do("f", "", { unique: "u" }));
    for (const job of same) await assert.rejects(job.text(), { name: "ConnectionError", delivery: "accepted" });
    server.peer.answer(PacketType.WORK_COMPLETE, "H:1", "fine");
    assert.equal(await other.text(), "fine");
    await turns();
  });
});

describe("while a new connection has no answer yet", () => {
  /** A server with transports that it may reject: `answers` has a function for each, which accepts or rejects it. */
  function rejecting(): { server: FakeServer; client: GearmanClient; answers: ((accepted: boolean) => void)[] } {
    const server = new FakeServer(answerEverything());
    const answers: ((accepted: boolean) => void)[] = [];
    const client = new GearmanClient({
      minBackoff: 1,
      maxBackoff: 1,
      dial: async (...args) => {
        const transport = await server.dial(...args);
        const answered = deferred<boolean>();
        answers.push(answered.resolve);
        return {
          write: (bytes) => transport.write(bytes),
          close: () => (answered.resolve(false), transport.close()),
          async *[Symbol.asyncIterator]() {
            for await (const chunk of transport) {
              if (!await answered.promise) return;
              yield chunk;
            }
          },
        };
      },
    });
    return { server, client, answers };
  }

  test("calls wait for its first reply, and are then sent in order", { timeout }, async () => {
    const { server, client, answers } = rejecting();
    const job = client.do("f", "1");
    const background = client.doBackground("f", "2");
    await until(() => server.peers[0]?.options.length === 1);
    const echo = client.echo("3");
    await turns(3);
    assert.deepEqual(server.peer.requests, []);
    answers[0]!(true);
    await Promise.all([job.created(), background, echo]);
    await client.echo("4");
    assert.deepEqual(server.peer.requests.map(({ args }) => text([...args].at(-1)!)), ["1", "2", "3", "4"]);
    await client.close();
  });

  test("calls are not sent if it ends, if the client is closed, or if they are aborted", { timeout }, async () => {
    const { server, client, answers } = rejecting();
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = assert.rejects(
      client.doBackground("f", "x", { signal: controller.signal }),
      (error) => error === reason,
    );
    const first = outcomeOf(client.doBackground("f", "again"));
    await until(() => server.peers[0]?.options.length === 1);
    controller.abort(reason);
    await aborted;
    answers[0]!(false);
    await until(() => answers.length === 2); // it is dialed once more
    answers[1]!(true);
    assert.equal(await first, "done");
    await server.peers[1]!.end();
    const second = outcomeOf(client.do("f"));
    await until(() => server.peers[2]?.options.length === 1);
    await client.close();
    assert.equal(await second, "GearmanError");
    assert.deepEqual(server.peers.map(({ requests }) => requests.map(({ type }) => type)), [
      [],
      [PacketType.SUBMIT_JOB_BG],
      [],
    ]);
  });
});

test("a probe that is due while close() waits is not sent, and close() still ends", { timeout }, async () => {
  using probe = fakeTimers(100);
  using closeTimer = fakeTimers(2_000);
  const sent = deferred<void>();
  const closed = deferred<void>();
  let writes = 0;
  // It answers the greeting and the first call, and takes no further bytes.
  const transport: Transport = {
    write: () => {
      writes += 1;
      if (writes === 2) sent.resolve();
      return writes > 2 ? new Promise<void>(() => {}) : undefined;
    },
    close: () => closed.resolve(),
    async *[Symbol.asyncIterator]() {
      yield* GREETING_ANSWERS;
      await sent.promise;
      yield encodeResponse(PacketType.ECHO_RES, "");
      await closed.promise;
    },
  };
  const client = new GearmanClient({ dial: () => transport, probeInterval: 100 });
  await client.echo("");
  const job = client.doBackground("f", "x");
  assert.equal(probe.active, 1);
  const closing = client.close();
  await until(() => closeTimer.active > 0);
  for (let i = 0; i < 3; i++) {
    if (probe.active > 0) probe.fire();
    await turns();
  }
  assert.equal(writes, 3);
  closeTimer.fire();
  await assert.rejects(job, (error) => error instanceof ConnectionError && error.delivery === "unknown");
  await closing;
});

test("calls end when a write fails before the transport's iteration ends", { timeout }, async () => {
  const ended = deferred<void>();
  let writes = 0;
  const transport: Transport = {
    write: () => ++writes > 1 ? Promise.reject(new Error("broken pipe")) : Promise.resolve(),
    close: () => void setTimeout(() => ended.resolve(), 1),
    async *[Symbol.asyncIterator]() {
      yield* GREETING_ANSWERS;
      await ended.promise;
    },
  };
  const client = new GearmanClient({ dial: () => transport, connectTimeout: 50 });
  const workload = new Uint8Array(100_000);
  const calls = [1, 2, 3, 4].map(() => client.doBackground("f", workload));
  for (const outcome of await Promise.allSettled(calls)) {
    assert.equal(outcome.status, "rejected");
    assert.ok((outcome as PromiseRejectedResult).reason instanceof ConnectionError);
  }
  await client.close();
});

test("after a restart of the server the option is sent again, and exceptions arrive", {
  skip: needs("gearmand"),
  timeout,
}, async () => {
  const first = await startGearmand();
  await using client = new GearmanClient({ servers: `127.0.0.1:${first.port}`, minBackoff: 1, maxBackoff: 1 });
  const lost = client.do("f");
  await lost.created();
  await first.stop();
  await assert.rejects(lost.text(), { name: "ConnectionError", delivery: "accepted" });
  const second = await startGearmand({ port: first.port });
  try {
    let job = client.do("f");
    await until(() => job.created().then(() => true, () => (job = client.do("f"), false)));
    const worker = await RawWorker.open(
      { connect: { servers: `127.0.0.1:${first.port}` }, port: 0, stop: second.stop },
      "f",
    );
    const { handle } = await worker.grab();
    worker.send(PacketType.WORK_EXCEPTION, handle, "an exception");
    await assert.rejects(job.text(), { name: "JobFailedError", message: /an exception$/ });
    await worker.close();
  } finally {
    await second.stop();
  }
});

describe("a connection that proves nothing", () => {
  test("carries no submission: a server that never answers is left within connectTimeout", { timeout }, async () => {
    const mute = new FakeTransport();
    const other = new FakeServer(answerEverything());
    const dial: ClientOptions["dial"] = (server, options) =>
      server.hostname === "a" ? mute : other.dial(server, options);
    await using client = new GearmanClient({ servers: "a,b", dial, connectTimeout: 20 });
    const job = await client.doBackground("f", "x");
    assert.equal(job.server, "b:4730");
    for (const bytes of mute.writes) assert.equal(bytes.length, 34, "nothing but greetings");
  });

  test("is left within connectTimeout although each caller waits for less", { timeout }, async () => {
    const other = new FakeServer(answerEverything());
    const dial: ClientOptions["dial"] = (server, options) =>
      server.hostname === "a" ? new FakeTransport() : other.dial(server, options);
    await using client = new GearmanClient({ servers: "a,b", dial, connectTimeout: 100 });
    while (other.peers.length === 0) {
      const call = client.doBackground("f", "x", { signal: AbortSignal.timeout(10) });
      await call.catch((error) => assert.equal(error.name, "TimeoutError"));
    }
  });

  test("after an idle time carries a submission only once it has answered again", { timeout }, async () => {
    using _intervals = fakeTimers(60_000);
    using clock = fakeClock();
    let answers = true;
    const server = new FakeServer((packet, peer) => {
      if (answers || server.peers.length > 1) answerEverything()(packet, peer);
    });
    const options = { probeInterval: 60_000, connectTimeout: 20 };
    await using client = clientOf(server, options);
    await client.doBackground("f", "1");
    clock.advance(59_000);
    await client.doBackground("f", "2");
    assert.equal(server.peer.requests.length, 2, "sent at once");
    clock.advance(60_000);
    await client.doBackground("f", "3");
    const types = server.peer.requests.slice(2).map(({ type }) => type);
    assert.deepEqual(types, [PacketType.ECHO_REQ, PacketType.SUBMIT_JOB_BG]);
    answers = false; // a middle-box has forgotten the connection
    clock.advance(60_000);
    await client.doBackground("f", "4");
    assert.deepEqual(server.peers.map(({ requests }) => requests.filter(isSubmission).length), [3, 1]);
  });

  test("while an answer is awaited, is not sent what is aborted then", { timeout }, async () => {
    using intervals = fakeTimers(60_000);
    const transport = new GreetedTransport();
    const client = new GearmanClient({ dial: () => transport, probeInterval: 60_000 });
    const stuck = deferred<void>();
    transport.answers.push(stuck.promise);
    const controller = new AbortController();
    const echo = client.echo("1");
    await until(() => transport.writes.length === 1);
    const aborted = client.doBackground("f", "aborted", { signal: controller.signal });
    const other = client.doBackground("f", "other");
    intervals.fire(); // the greeting was answered in the first interval
    intervals.fire();
    controller.abort("enough");
    await assert.rejects(aborted, (reason) => reason === "enough");
    stuck.resolve();
    await until(() => transport.writes.length === 2);
    transport.receive(encodeResponse(PacketType.ECHO_RES, "1"), encodeResponse(PacketType.ECHO_RES, ""));
    await until(() => transport.writes.length === 3);
    transport.receive(encodeResponse(PacketType.JOB_CREATED, "H:1"));
    assert.equal((await other).handle, "H:1");
    assert.equal(text(await echo), "1");
    for (const bytes of transport.writes) assert.ok(!text(bytes).includes("aborted"));
  });

  test("while an answer is awaited, is sent nothing that was taken back before", { timeout }, async () => {
    using intervals = fakeTimers(60_000);
    const transport = new GreetedTransport();
    const client = new GearmanClient({ dial: () => transport, probeInterval: 60_000 });
    const stuck = deferred<void>();
    transport.answers.push(stuck.promise);
    const controller = new AbortController();
    const echo = client.echo("1");
    await until(() => transport.writes.length === 1);
    const calls = Promise.allSettled([echo, client.doBackground("f", "other")]);
    client.doBackground("f", "aborted", { signal: controller.signal }).catch(() => {});
    controller.abort();
    intervals.fire(); // the greeting was answered in the first interval
    intervals.fire();
    stuck.resolve();
    await until(() => transport.writes.length === 2);
    await turns();
    assert.equal(transport.writes.length, 2, "nothing but the question");
    transport.break(new Error("reset"));
    await client.close();
    await calls;
  });

  test("while an answer is awaited, other submissions wait as well, and none is lost", { timeout }, async () => {
    using intervals = fakeTimers(60_000);
    const answer = answerEverything();
    const late: (() => void)[] = [];
    const server = new FakeServer((packet, peer) => {
      const { type, args } = packet;
      if (type === PacketType.GET_STATUS) {
        late.push(() => peer.answer(PacketType.STATUS_RES, args[0], "1", "1", "0", "0"));
      } else if (type === PacketType.ECHO_REQ && args[0].length === 0) {
        late.push(() => answer(packet, peer));
      } else answer(packet, peer);
    });
    await using client = clientOf(server, { probeInterval: 60_000 });
    await client.do("f").created();
    intervals.fire(); // it was not silent, and is asked about the job
    await until(() => late.length === 1);
    intervals.fire(); // it was silent
    await until(() => late.length === 2);
    const calls = [client.doBackground("f", "2"), client.echo("3")];
    await turns();
    assert.equal(server.peer.requests.filter(isSubmission).length, 1);
    for (const answerLate of late) answerLate();
    await Promise.all(calls);
    assert.equal(server.peers.length, 1);
  });

  test("while an answer is awaited, goes on with any packet, as with that of a job", { timeout }, async () => {
    using intervals = fakeTimers(60_000);
    const late: (() => void)[] = [];
    const server = new FakeServer((packet, peer) => {
      const answer = () => answerEverything()(packet, peer);
      if (packet.type === PacketType.SUBMIT_JOB) answer();
      else late.push(answer);
    });
    await using client = clientOf(server, { probeInterval: 60_000 });
    const handle = await client.do("f").created();
    intervals.fire(); // it was not silent, and is asked about the job
    intervals.fire(); // it was silent
    await until(() => late.length > 0);
    const job = client.doBackground("f", "2");
    await turns();
    assert.equal(server.peer.requests.filter(isSubmission).length, 1);
    server.peer.answer(PacketType.WORK_STATUS, handle, "1", "2");
    await until(() => server.peer.requests.filter(isSubmission).length === 2);
    for (const answerLate of late) answerLate();
    await job;
  });
});
