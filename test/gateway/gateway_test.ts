/** Tests of the gateway on sockets in memory: permissions, the order of answers, limits, and every way to end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRequest, PacketType } from "../../src/codec/mod.ts";
import { type ConnectionError, memoryPipe, ProtocolError } from "../../src/connection/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { Gateway, type GatewayCall, type GatewayEvent, type GatewayOptions } from "../../src/gateway/mod.ts";
import { type Deferred, deferred } from "../../src/internal/promises.ts";
import { header, join, pattern, utf8 } from "../support/bytes.ts";
import { FakeServer } from "../support/fake_server.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { FakeClient } from "../support/gateways.ts";
import { turns, until } from "../support/wait.ts";
import { describePacket } from "../support/workers.ts";

const timeout = 10_000;
const MIB = 1_048_576;
const { SUBMIT_JOB, SUBMIT_JOB_BG, GET_STATUS, ECHO_REQ, OPTION_REQ, SET_CLIENT_ID, CAN_DO } = PacketType;
const { JOB_CREATED, ECHO_RES, ERROR, STATUS_RES, WORK_COMPLETE, WORK_DATA } = PacketType;

/** Makes a gateway in front of a fake server that answers echoes and submissions. */
function makeGateway(options: Partial<GatewayOptions> = {}): {
  gateway: Gateway;
  server: FakeServer;
  events: GatewayEvent[];
} {
  let jobs = 0;
  const server = new FakeServer((packet, peer) => {
    if (packet.type === ECHO_REQ) peer.answer(ECHO_RES, packet.args[0]);
    if (packet.type === GET_STATUS) peer.answer(STATUS_RES, packet.args[0], "1", "0", "0", "0");
    if (packet.type === SUBMIT_JOB || packet.type === SUBMIT_JOB_BG) {
      jobs++;
      peer.answer(JOB_CREATED, `H:fake:${jobs}`);
    }
  });
  const events: GatewayEvent[] = [];
  const onEvent = (event: GatewayEvent) => void events.push(event);
  return { gateway: new Gateway({ dial: server.dial, allow: () => true, onEvent, ...options }), server, events };
}

test("the options are checked", () => {
  const allow = () => true;
  for (const bad of [undefined, null, 1, {}, { allow: true }, { allow, onEvent: 1 }, { allow, dial: 1 }]) {
    assert.throws(() => new Gateway(bad as unknown as GatewayOptions), TypeError, JSON.stringify(bad));
  }
  assert.throws(() => new Gateway({ allow, tls: true, dial: () => memoryPipe()[0] }), TypeError);
  assert.throws(() => new Gateway({ allow, servers: "a,b" }), /RangeError: .*one job server/);
  for (const name of ["allowTimeout", "maxConnections", "idleTimeout", "connectTimeout"]) {
    for (const value of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(() => new Gateway({ allow, [name]: value }), RangeError);
    }
  }
  for (const name of ["allowTimeout", "idleTimeout", "connectTimeout"]) {
    for (const value of [1, 2_147_483_647]) new Gateway({ allow, [name]: value });
    assert.throws(() => new Gateway({ allow, [name]: 2_147_483_648 }), RangeError);
  }
  for (const name of ["maxConnections", "maxRequests"]) {
    for (const value of [1, 4_294_967_295]) new Gateway({ allow, [name]: value });
    assert.throws(() => new Gateway({ allow, [name]: 4_294_967_296 }), RangeError);
  }
  assert.throws(() => new Gateway({ allow, maxWorkload: -1 }), RangeError);
  new Gateway({ allow, servers: "unix:/run/gearmand.sock", maxWorkload: 0 });
});

test("accept() checks its arguments", async () => {
  await using gateway = makeGateway().gateway;
  const request = new Request("http://gateway.example/");
  assert.throws(() => gateway.accept({} as never, { request }), TypeError);
  assert.throws(() => gateway.accept(new FakeWebSocket(), undefined as never), TypeError);
  const closed = {
    get headers() {
      throw new TypeError("Request closed");
    },
  }; // deno-fmt-ignore-line
  assert.throws(() => gateway.accept(new FakeWebSocket(), { request: closed as never }), /copy the request before/);
  assert.equal(gateway.connections, 0);
});

test("acknowledgements follow the subprotocols that the request offers", { timeout }, async () => {
  for (
    const [offered, text, code] of [
      ["gearman", "0", 1000],
      ["x, gearman", "0", 1000],
      ["gearmand", "0", 4400],
      ["x", "0", 4400],
      [undefined, "0", 4400],
    ] as const
  ) {
    const { gateway } = makeGateway();
    const headers: Record<string, string> = offered === undefined ? {} : { "sec-websocket-protocol": offered };
    const socket = new FakeWebSocket();
    const ended = gateway.accept(socket, { request: new Request("http://gateway.example/", { headers }) });
    socket.receive(text);
    socket.end(1000);
    await ended;
    assert.equal(socket.closes[0]?.[0] ?? 1000, code, offered);
    await gateway.close();
  }
});

test("requests and answers pass, and an id does not", { timeout }, async () => {
  using timers = fakeTimers(5_000);
  const { gateway, server } = makeGateway();
  const client = new FakeClient(gateway);
  client.send(OPTION_REQ, "exceptions");
  client.send(SET_CLIENT_ID, "evil");
  client.send(SUBMIT_JOB, "reverse", "u1", pattern(200_000));
  client.send(ECHO_REQ, "\0any\0");
  client.send(GET_STATUS, "H:fake:1");
  assert.deepEqual(await client.untilAnswers(4), [
    "27 exceptions",
    `${JOB_CREATED} H:fake:1`,
    `${ECHO_RES} \0any\0`,
    `${STATUS_RES} H:fake:1 1 0 0 0`,
  ]);
  assert.deepEqual(server.peer.options, ["exceptions"]);
  assert.deepEqual(server.peer.requests.map(({ type }) => type), [SUBMIT_JOB, ECHO_REQ, GET_STATUS]);
  assert.deepEqual(server.peer.requests[0]!.args[2], pattern(200_000));
  assert.equal(timers.active, 0, "the time limit of the connection must not go on");
  await gateway.close();
});

test("a request that comes in frames of one byte passes", { timeout }, async () => {
  const { gateway } = makeGateway();
  const client = new FakeClient(gateway);
  for (const byte of [...header("\0REQ", ECHO_REQ, 5), ...utf8("hello")]) client.socket.receive(Uint8Array.of(byte));
  assert.deepEqual(await client.untilAnswers(1), [`${ECHO_RES} hello`]);
  await gateway.close();
});

test("allow is asked about submissions and status, with the request of the socket", { timeout }, async () => {
  const calls: [GatewayCall, string][] = [];
  const { gateway } = makeGateway({
    allow: (call, request) => {
      calls.push([call, request.url]);
      return true;
    },
  });
  const client = new FakeClient(gateway, { url: "http://gateway.example/?token=1" });
  client.send(OPTION_REQ, "exceptions");
  client.send(ECHO_REQ, "x");
  client.send(SUBMIT_JOB_BG, "f", "u", "abc");
  client.send(GET_STATUS, "H:fake:1");
  await client.untilAnswers(4);
  const url = "http://gateway.example/?token=1";
  assert.deepEqual(calls, [
    [{ kind: "background", functionName: "f", unique: "u", size: 3 }, url],
    [{ kind: "status", handle: "H:fake:1" }, url],
  ]);
  await gateway.close();
});

test("refusals stand among the answers in the order of the requests", { timeout }, async () => {
  const verdicts = new Map<string, Deferred<boolean | string>>();
  const { gateway, server, events } = makeGateway({
    allow: (call) => {
      const name = call.kind === "status" ? "status" : call.functionName;
      if (name.startsWith("later")) {
        const verdict = deferred<boolean | string>();
        verdicts.set(name, verdict);
        return verdict.promise;
      }
      return name === "yes" || (name === "no" ? false : "Please log in");
    },
  });
  const client = new FakeClient(gateway);
  for (const name of ["yes", "no", "reason", "later1", "yes", "later2", "no", "yes"]) {
    client.send(SUBMIT_JOB, name, "", "");
  }
  client.send(ECHO_REQ, "end");
  const noReason = `${ERROR} NOT_ALLOWED The gateway does not allow it`;
  const first = [`${JOB_CREATED} H:fake:1`, noReason, `${ERROR} NOT_ALLOWED Please log in`];
  assert.deepEqual(await client.untilAnswers(3), first);
  await turns();
  assert.deepEqual(client.answers, first);
  assert.deepEqual([...verdicts.keys()], ["later1", "later2"], "they are asked about at the same time");
  verdicts.get("later2")!.resolve("not now");
  await turns();
  assert.deepEqual(client.answers, first);
  verdicts.get("later1")!.resolve(true);
  assert.deepEqual(await client.untilAnswers(9), [
    ...first,
    `${JOB_CREATED} H:fake:2`,
    `${JOB_CREATED} H:fake:3`,
    `${ERROR} NOT_ALLOWED not now`,
    noReason,
    `${JOB_CREATED} H:fake:4`,
    `${ECHO_RES} end`,
  ]);
  assert.deepEqual(server.peer.requests.map(describePacket), [
    ...["SUBMIT_JOB yes  ", "SUBMIT_JOB later1  ", "SUBMIT_JOB yes  ", "SUBMIT_JOB yes  ", "ECHO_REQ end"],
  ]);
  const refused = events.filter((event) => event.type === "refused");
  assert.deepEqual(refused.map(({ call, reason }) => [call?.kind, reason]), [
    ["foreground", "The gateway does not allow it"],
    ["foreground", "Please log in"],
    ["foreground", "not now"],
    ["foreground", "The gateway does not allow it"],
  ]);
  await gateway.close();
});

test("a refusal never stands inside an answer that is still coming", { timeout }, async () => {
  const { gateway, server } = makeGateway({ allow: (call) => call.kind === "foreground" });
  const client = new FakeClient(gateway);
  client.send(ECHO_REQ, "1");
  await client.untilAnswers(1);
  const data = header("\0RES", WORK_DATA, 8);
  await server.peer.transport.write(data.subarray(0, 5));
  await turns();
  client.send(GET_STATUS, "h");
  await turns();
  await server.peer.transport.write(data.subarray(5));
  await server.peer.transport.write(utf8("H:1\0"));
  await turns();
  assert.equal(client.answers.length, 1);
  await server.peer.transport.write(utf8("data"));
  const answers = await client.untilAnswers(3);
  assert.deepEqual(answers.slice(1), [`${WORK_DATA} H:1 data`, `${ERROR} NOT_ALLOWED The gateway does not allow it`]);
  await gateway.close();
});

test("what allow throws is a refusal without the reason, which the event has", { timeout }, async () => {
  const error = new Error("connect ECONNREFUSED 10.0.0.7:5432");
  const { gateway, events } = makeGateway({ allow: () => Promise.reject(error) });
  const client = new FakeClient(gateway);
  client.send(SUBMIT_JOB, "f", "", "");
  assert.deepEqual(await client.untilAnswers(1), [`${ERROR} NOT_ALLOWED The gateway does not allow it`]);
  const [refused] = events.filter((event) => event.type === "refused");
  assert.equal(refused!.error, error);
  await gateway.close();
});

test("a call that allow does not answer is refused in time", { timeout }, async () => {
  using timers = fakeTimers(10_000);
  const { gateway } = makeGateway({ allow: () => new Promise(() => {}) });
  const client = new FakeClient(gateway);
  client.send(SUBMIT_JOB, "f", "", "");
  await until(() => timers.active === 1);
  timers.fire();
  assert.deepEqual(await client.untilAnswers(1), [`${ERROR} NOT_ALLOWED The gateway does not allow it`]);
  await gateway.close();
});

test("at most 100 calls wait for permission; the rest is not read", { timeout }, async () => {
  let asked = 0;
  const all = deferred<boolean>();
  const { gateway } = makeGateway({
    allow: () => {
      asked++;
      return all.promise;
    },
  });
  const client = new FakeClient(gateway);
  for (let i = 0; i < 250; i++) client.send(SUBMIT_JOB_BG, "f", "", "x");
  await until(() => asked >= 100);
  await turns();
  assert.equal(asked, 100);
  all.resolve(true);
  await client.untilAnswers(250);
  await gateway.close();
});

test("a workload over maxWorkload is refused in its place, and the socket lives on", { timeout }, async () => {
  const { gateway, server, events } = makeGateway({ maxWorkload: 1_000 });
  const client = new FakeClient(gateway);
  client.send(SUBMIT_JOB, "f", "", pattern(1_000));
  client.send(SUBMIT_JOB, "f", "", pattern(1_001));
  client.send(ECHO_REQ, pattern(100_000));
  client.send(SUBMIT_JOB_BG, "f", "", pattern(200_000));
  client.send(ECHO_REQ, "end");
  assert.deepEqual(await client.untilAnswers(5), [
    `${JOB_CREATED} H:fake:1`,
    `${ERROR} NOT_ALLOWED It has 1001 bytes, and the gateway allows 1000`,
    `${ERROR} NOT_ALLOWED It has 100000 bytes, and the gateway allows 1000`,
    `${ERROR} NOT_ALLOWED It has 200003 bytes, and the gateway allows 1000`,
    `${ECHO_RES} end`,
  ]);
  assert.equal(server.peer.requests.length, 2);
  assert.equal(events.filter(({ type }) => type === "refused").length, 3);
  await gateway.close();
});

test("what a client does not send closes the socket with 4400, and nothing of it passes", { timeout }, async () => {
  const bad: [string, Uint8Array | string][] = [
    ["a worker's packet", header("\0REQ", CAN_DO, 0)],
    ["a type that ends gearmand", header("\0REQ", 0x80000000, 0)],
    ["no type", header("\0REQ", 0, 0)],
    ["a response", header("\0RES", ECHO_REQ, 0)],
    ["another magic", header("\0XYZ" as "\0REQ", ECHO_REQ, 0)],
    ["a text command", utf8("status\n")],
    ["a submission without its separators", header("\0REQ", SUBMIT_JOB, 0)],
    ["a text message", "0"],
  ];
  for (const [what, bytes] of bad) {
    const { gateway, server, events } = makeGateway();
    const client = new FakeClient(gateway);
    client.send(ECHO_REQ, "before");
    await client.untilAnswers(1);
    client.socket.receive(bytes);
    client.send(ECHO_REQ, "after");
    const [code, reason] = await client.untilClosed();
    assert.equal(code, 4400, what);
    assert.ok(reason === undefined || reason === "A client does not send this", what);
    assert.equal(server.peer.requests.length, 1, what);
    await server.peer.ended;
    const closed = events.find((event) => event.type === "closed");
    assert.ok(closed?.error instanceof ProtocolError, what);
    assert.equal(gateway.connections, 0);
    await gateway.close();
  }
});

test("a client that leaves takes its connection to the job server with it", { timeout }, async () => {
  for (const code of [1000, 1001, 1005, 1006, 1011]) {
    const { gateway, server, events } = makeGateway();
    const client = new FakeClient(gateway);
    client.send(SUBMIT_JOB, "f", "", "x");
    await client.untilAnswers(1);
    client.socket.end(code);
    await client.ended;
    await server.peer.ended;
    assert.equal(gateway.connections, 0);
    const closed = events.find((event) => event.type === "closed");
    assert.deepEqual([closed?.code, closed?.reason], [1000, ""]);
    assert.equal(closed?.error === undefined, code <= 1005);
    await gateway.close();
  }
});

test("what a client has sent before it left is passed on, also if allow takes its time", { timeout }, async () => {
  const verdict = deferred<boolean>();
  const { gateway, server } = makeGateway({ allow: () => verdict.promise });
  const client = new FakeClient(gateway);
  for (let i = 0; i < 150; i++) client.send(SUBMIT_JOB_BG, "f", String(i), "x");
  client.socket.end(1000);
  await turns();
  verdict.resolve(true);
  await client.ended;
  await server.peer.ended;
  assert.deepEqual(server.peer.requests.length, 150);
  await gateway.close();
});

test("a call that waits for permission when its client leaves is passed on", { timeout }, async () => {
  const verdict = deferred<boolean>();
  const { gateway, server } = makeGateway({ allow: () => verdict.promise });
  const client = new FakeClient(gateway);
  client.send(SUBMIT_JOB_BG, "f", "", "x");
  client.socket.end(1000);
  await until(() => server.peers.length === 1);
  await turns();
  verdict.resolve(true);
  await client.ended;
  await server.peer.ended;
  assert.equal(server.peer.requests.length, 1);
  await gateway.close();
});

test("after the end of a socket, nothing more of it is asked about", { timeout }, async () => {
  let asked = 0;
  const verdict = deferred<boolean>();
  const { gateway } = makeGateway({
    allow: () => {
      asked++;
      return verdict.promise;
    },
  });
  const client = new FakeClient(gateway);
  client.socket.receive(join(Array.from({ length: 300 }, () => encodeRequest(SUBMIT_JOB_BG, "f", "", "x"))));
  await until(() => asked === 100);
  await gateway.close();
  verdict.resolve(true);
  await turns();
  assert.equal(asked, 100);
});

test("a job server that does not answer holds up a client that has left for two seconds", { timeout }, async () => {
  using timers = fakeTimers(2_000);
  const server = new FakeServer();
  const gateway = new Gateway({ dial: server.dial, allow: () => true });
  const client = new FakeClient(gateway);
  client.send(SUBMIT_JOB_BG, "f", "", "x");
  await until(() => server.peers[0]?.requests.length === 1);
  client.socket.end(1000);
  await until(() => timers.active === 1);
  assert.equal(gateway.connections, 1);
  timers.fire();
  await client.ended;
  await server.peer.ended;
  await gateway.close();
});

test("a job server that cannot be reached closes the socket with 4502, and is not named", { timeout }, async () => {
  const cause = new Error("connect ECONNREFUSED 10.0.0.5:4730");
  const { gateway, server, events } = makeGateway({ servers: "10.0.0.5" });
  server.refuse = () => Promise.reject(cause);
  const client = new FakeClient(gateway);
  assert.deepEqual(await client.untilClosed(), [4502, "The job server cannot be reached"]);
  assert.deepEqual(events.map(({ type }) => type), ["closed"]);
  const { error } = events[0] as { error: ConnectionError };
  assert.deepEqual([error.name, error.server, error.cause], ["ConnectionError", "10.0.0.5:4730", cause]);
  await gateway.close();
});

test("a job server that does not answer in time counts as not reached", { timeout }, async () => {
  using timers = fakeTimers(5_000);
  const { gateway, server, events } = makeGateway();
  let signal: AbortSignal | undefined;
  server.refuse = (_server, given) => {
    signal = given;
    return new Promise(() => {});
  };
  const client = new FakeClient(gateway);
  await until(() => timers.active === 1);
  timers.fire();
  assert.deepEqual(await client.untilClosed(), [4502, "The job server cannot be reached"]);
  assert.equal(signal?.aborted, true);
  assert.match(String((events[0] as { error: Error }).error), /no connection within 5000 ms/);
  await gateway.close();
});

test("a job server that ends, or sends nonsense, closes the socket with 4502", { timeout }, async () => {
  for (const bytes of [undefined, "nonsense that is no packet", "\0RES\0\0\0\x11\0\0\0\0"]) {
    const { gateway, server } = makeGateway();
    const client = new FakeClient(gateway);
    client.send(ECHO_REQ, "x");
    await client.untilAnswers(1);
    if (bytes === undefined) await server.peer.end();
    else await server.peer.transport.write(utf8(bytes));
    assert.deepEqual(await client.untilClosed(), [4502, "The connection to the job server was lost"]);
    await gateway.close();
  }
});

test("one more than maxConnections is closed with 4503, and does not reach the job server", { timeout }, async () => {
  const { gateway, server } = makeGateway({ maxConnections: 2 });
  const clients = [1, 2, 3].map(() => new FakeClient(gateway));
  assert.deepEqual(await clients[2]!.untilClosed(), [4503, "There are too many connections"]);
  assert.equal(gateway.connections, 2);
  assert.equal(server.dials.length, 2);
  clients[0]!.socket.end(1000);
  await clients[0]!.ended;
  const next = new FakeClient(gateway);
  next.send(ECHO_REQ, "x");
  await next.untilAnswers(1);
  await gateway.close();
});

test("a socket on which nothing happens is closed with 4408, unless something is pending", { timeout }, async (t) => {
  const IDLE_TIMEOUT = 54_321;
  let now = 0;
  t.mock.method(performance, "now", () => now);
  using timers = fakeTimers(IDLE_TIMEOUT);
  const { gateway, server } = makeGateway({ idleTimeout: IDLE_TIMEOUT });
  const idle = new FakeClient(gateway);
  const waiting = new FakeClient(gateway);
  waiting.send(SUBMIT_JOB, "f", "", "x");
  idle.send(ECHO_REQ, "x");
  await Promise.all([idle.untilAnswers(1), waiting.untilAnswers(1)]);
  now += IDLE_TIMEOUT;
  timers.fire();
  assert.deepEqual(await idle.untilClosed(), [4408, "Nothing has happened for too long"]);
  assert.equal(gateway.connections, 1);
  await until(() => timers.active === 1);
  const peer = server.peers.find(({ requests }) => requests[0]?.type === SUBMIT_JOB)!;
  peer.answer(WORK_COMPLETE, "H:fake:1", "done");
  await waiting.untilAnswers(2);
  now += IDLE_TIMEOUT;
  timers.fire();
  assert.deepEqual((await waiting.untilClosed())[0], 4408);
  assert.equal(timers.active, 0);
  await gateway.close();
});

test("a socket that has ended leaves no timer behind", { timeout }, async () => {
  using timers = fakeTimers(54_321);
  const { gateway } = makeGateway({ idleTimeout: 54_321 });
  const client = new FakeClient(gateway);
  client.send(ECHO_REQ, "x");
  await client.untilAnswers(1);
  assert.equal(timers.active, 1);
  client.socket.end(1000);
  await client.ended;
  assert.equal(timers.active, 0);
  await gateway.close();
});

test("a job that the server does not know any more is not pending", { timeout }, async (t) => {
  const IDLE_TIMEOUT = 54_321;
  let now = 0;
  t.mock.method(performance, "now", () => now);
  using timers = fakeTimers(IDLE_TIMEOUT);
  const server = new FakeServer((packet, peer) => {
    if (packet.type === SUBMIT_JOB) peer.answer(JOB_CREATED, "h".repeat(63));
    if (packet.type === GET_STATUS) peer.answer(STATUS_RES, packet.args[0], "0", "0", "0", "0");
  });
  const gateway = new Gateway({ dial: server.dial, allow: () => true, idleTimeout: IDLE_TIMEOUT });
  const client = new FakeClient(gateway);
  client.send(SUBMIT_JOB, "f", "", "x");
  client.send(GET_STATUS, "h".repeat(63));
  await client.untilAnswers(2);
  now += IDLE_TIMEOUT;
  timers.fire();
  assert.deepEqual((await client.untilClosed())[0], 4408);
  await gateway.close();
});

test("a client that does not take its answers is closed, although a job runs", { timeout }, async (t) => {
  const IDLE_TIMEOUT = 54_321;
  let now = 0;
  t.mock.method(performance, "now", () => now);
  using timers = fakeTimers(IDLE_TIMEOUT);
  const { gateway, server } = makeGateway({ idleTimeout: IDLE_TIMEOUT });
  const client = new FakeClient(gateway, { protocol: "gearman" });
  client.send(SUBMIT_JOB, "f", "", "x");
  await client.untilAnswers(1);
  server.peer.answer(WORK_DATA, "H:fake:1", pattern(3 * MIB));
  await until(() => client.socket.sentSizes.reduce((a, b) => a + b, 0) > MIB / 2);
  await turns();
  now += IDLE_TIMEOUT;
  timers.fire();
  assert.equal(await client.untilClosed(), "terminate");
  await gateway.close();
});

test("a slow reader is sent 1 MiB, and the gateway reads little more from the job server", { timeout }, async () => {
  const pipes: [Transport, Transport][] = [];
  const gateway = new Gateway({
    dial: () => {
      const pipe = memoryPipe();
      pipes.push(pipe);
      return pipe[0];
    },
    allow: () => true,
  });
  const client = new FakeClient(gateway, { protocol: "gearman" });
  await until(() => pipes.length === 1);
  const [, server] = pipes[0]!;
  let written = 0;
  const writing = (async () => {
    await server.write(header("\0RES", WORK_COMPLETE, 20 * MIB));
    await server.write(utf8("H:fake:1\0"));
    for (let left = 20 * MIB - 9; left > 0; left -= 65_536) {
      await server.write(new Uint8Array(Math.min(left, 65_536)));
      written += 65_536;
    }
  })();
  await turns(20);
  assert.ok(written > MIB / 2 && written < 2 * MIB, `${written} bytes were read`);
  let acknowledged = 0;
  await until(() => {
    const sent = client.socket.sentSizes.reduce((a, b) => a + b, 0);
    assert.ok(sent - acknowledged <= MIB);
    acknowledged = sent;
    client.socket.receive(String(acknowledged));
    return acknowledged === 20 * MIB + 12;
  });
  await writing;
  await gateway.close();
});

test("a client that does not read is not read from either", { timeout }, async () => {
  const { gateway, server } = makeGateway();
  const client = new FakeClient(gateway, { protocol: "gearman" });
  // It sends as much as the gateway acknowledges, and acknowledges nothing.
  let sent = 0;
  for (let idle = 0; idle < 20; idle++) {
    await turns();
    for (; sent + 100_012 <= MIB + Number(client.socket.sentTexts.at(-1) ?? 0); sent += 100_012) {
      client.send(ECHO_REQ, pattern(100_000));
      idle = 0;
    }
  }
  assert.deepEqual(client.socket.closes, []);
  assert.ok(sent < 5 * MIB, `the gateway has read ${sent} bytes`);
  assert.ok(client.socket.sentSizes.reduce((a, b) => a + b, 0) <= MIB);
  assert.ok(server.peer.requests.length > 10);
  await gateway.close();
});

test("a client that is refused and does not read is not asked about any more", { timeout }, async () => {
  let asked = 0;
  const { gateway } = makeGateway({
    allow: () => {
      asked++;
      return "x".repeat(10_000);
    },
  });
  const client = new FakeClient(gateway, { protocol: "gearman" });
  for (let i = 0; i < 500; i++) client.send(GET_STATUS, "h");
  await until(() => asked > 90);
  await turns();
  assert.ok(asked <= MIB / 10_000 + 2, `${asked} were asked about`);
  await gateway.close();
});

test("a job server that does not answer is sent a limited number of requests", { timeout }, async () => {
  const server = new FakeServer();
  const gateway = new Gateway({ dial: server.dial, allow: () => true });
  const client = new FakeClient(gateway);
  const request = encodeRequest(GET_STATUS, "h");
  for (let i = 0; i < 20; i++) client.socket.receive(join(Array<Uint8Array>(1_000).fill(request)));
  const count = () => server.peers[0]?.requests.length ?? 0;
  await until(() => count() > 10_000);
  await turns();
  assert.ok(count() < 11_000, `${count()} requests have passed`);
  await gateway.close();
});

test("a client that leaves is noticed although its job server does not answer", { timeout }, async () => {
  using timers = fakeTimers(2_000);
  const server = new FakeServer();
  const gateway = new Gateway({ dial: server.dial, allow: () => true });
  const client = new FakeClient(gateway);
  const request = encodeRequest(GET_STATUS, "h");
  for (let i = 0; i < 20; i++) client.socket.receive(join(Array<Uint8Array>(1_000).fill(request)));
  await until(() => (server.peers[0]?.requests.length ?? 0) > 10_000);
  client.socket.end(1006);
  await until(() => timers.active === 1);
  timers.fire();
  await client.ended;
  assert.equal(gateway.connections, 0);
  await gateway.close();
});

test("a client that leaves is noticed although its job server does not read", { timeout }, async () => {
  using timers = fakeTimers(2_000);
  const written = deferred<void>();
  const [here] = memoryPipe();
  const gateway = new Gateway({
    dial: () => ({
      write: () => {
        written.resolve();
        return new Promise(() => {});
      },
      close: () => here.close(),
      [Symbol.asyncIterator]: () => here[Symbol.asyncIterator](),
    }),
    allow: () => true,
  });
  const client = new FakeClient(gateway);
  for (let i = 0; i < 3; i++) client.send(SUBMIT_JOB_BG, "f", "", pattern(2 * MIB));
  await written.promise;
  await turns();
  client.socket.end(1000);
  // Two seconds for the replies, and two more to send what waits.
  for (let i = 0; i < 2; i++) {
    await until(() => timers.active === 1);
    timers.fire();
  }
  await client.ended;
  assert.equal(gateway.connections, 0);
  await gateway.close();
});

test("close() closes all sockets with 4503, and later ones at once", { timeout }, async () => {
  const { gateway, server } = makeGateway();
  const clients = [new FakeClient(gateway), new FakeClient(gateway)];
  await until(() => server.peers.length === 2);
  let signal: AbortSignal | undefined;
  server.refuse = (_server, given) => {
    signal = given;
    return new Promise(() => {});
  };
  const dialing = new FakeClient(gateway);
  await until(() => server.dials.length === 3);
  await Promise.all([gateway.close(), gateway.close()]);
  for (const client of [...clients, dialing, new FakeClient(gateway)]) {
    assert.deepEqual(await client.untilClosed(), [4503, "The gateway is closed"]);
  }
  await Promise.all(server.peers.map(({ ended }) => ended));
  assert.equal(server.dials.length, 3);
  assert.equal(signal?.aborted, true);
});

test("a transport that fails to open, or opens too late, is closed", { timeout }, async () => {
  using timers = fakeTimers(5_000);
  for (const opened of [Promise.reject(new Error("refused")), new Promise(() => {})]) {
    let closed = 0;
    const gateway = new Gateway({
      dial: () => ({ ...memoryPipe()[0], opened, close: () => void closed++ }),
      allow: () => true,
    });
    const client = new FakeClient(gateway);
    await turns();
    if (timers.active > 0) timers.fire();
    assert.deepEqual(await client.untilClosed(), [4502, "The job server cannot be reached"]);
    assert.equal(closed, 1);
    await gateway.close();
  }
});

test("a socket that never opens is given up, and one that cannot open ends", { timeout }, async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  using timers = fakeTimers(300_000);
  const { gateway, server } = makeGateway();
  const hanging = new FakeClient(gateway, { readyState: 0 });
  const failing = new FakeClient(gateway, { readyState: 0 });
  failing.socket.end(1006);
  await failing.ended;
  now += 300_000;
  timers.fire();
  await hanging.ended;
  assert.deepEqual([server.dials.length, gateway.connections, timers.active], [0, 0, 0]);
  await gateway.close();
});
