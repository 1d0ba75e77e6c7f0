/** Tests of transports over WebSockets: flow control with and without acknowledgements, and every way to end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanClient } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { Connection, ConnectionError, fromWebSocket, ProtocolError } from "../../src/connection/mod.ts";
import type { Transport, WebSocketLike } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { join, pattern, text, toHex, utf8 } from "../support/bytes.ts";
import { FakeWebSocket, type FakeWebSocketOptions } from "../support/fake_web_socket.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { exception } from "../support/exceptions.ts";
import { runProgram } from "../support/programs.ts";
import { turns } from "../support/wait.ts";
import { ClientWebSocket, startWebSocketServer } from "../support/web_sockets.ts";
import { startWorker } from "../support/workers.ts";

const timeout = 10_000;
const MIB = 1_048_576;

/** Makes a socket and its transport; default an open one that acknowledges. */
function open(options: FakeWebSocketOptions = { protocol: "gearman" }): [FakeWebSocket, Transport] {
  const socket = new FakeWebSocket(options);
  return [socket, fromWebSocket(socket)];
}

/** Starts to read all chunks up to the end. */
async function readAll(transport: Transport): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const chunk of transport) found.push(chunk);
  return found;
}

/** Settles to "done", or to the message of the error. */
async function outcome(promise: void | Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "done";
  } catch (error) {
    return (error as Error).message;
  }
}

test("bytes are sent as binary messages, and received from ArrayBuffers and views", { timeout }, async () => {
  const [socket, transport] = open();
  assert.equal(socket.binaryType, "arraybuffer");
  assert.equal(transport.write(utf8("hello")), undefined);
  assert.deepEqual(socket.sent, [utf8("hello")]);
  const memory = utf8("--view--");
  socket.receive(utf8("buffer "));
  socket.receiveData(memory.subarray(2, 6));
  socket.end(1000);
  memory.fill(0);
  assert.deepEqual((await readAll(transport)).map(text), ["buffer ", "view"]);
});

test("an argument that is not a WebSocket is refused", () => {
  for (const bad of [undefined, null, {}, "ws://localhost", { send() {} }]) {
    assert.throws(() => fromWebSocket(bad as unknown as WebSocketLike), TypeError);
  }
});

test("writes wait until a connecting socket is open", { timeout }, async () => {
  const [socket, transport] = open({ readyState: 0 });
  const written = transport.write(utf8("one"));
  transport.write(utf8("two"));
  await turns();
  assert.deepEqual(socket.sent, []);
  socket.open("gearman");
  await transport.opened;
  await written;
  assert.equal(text(join(socket.sent as Uint8Array[])), "onetwo");
});

test("if a socket cannot connect, opened, writes and reads reject with the reason", { timeout }, async () => {
  const failures: [(socket: FakeWebSocket) => void, string][] = [
    [(socket) => socket.fail("connect ECONNREFUSED"), "connect ECONNREFUSED"], // Node 22 sends no close event then
    [(socket) => socket.fail(), "unknown error"],
    [(socket) => socket.end(1006), "the WebSocket was closed: 1006"],
  ];
  for (const [fail, message] of failures) {
    const [socket, transport] = open({ readyState: 0 });
    const written = transport.write(utf8("never sent")) as Promise<void>;
    const reading = readAll(transport);
    fail(socket);
    for (const promise of [transport.opened!, written, reading]) assert.equal(await outcome(promise), message);
    assert.throws(() => transport.write(utf8("x")), { message });
    socket.end(1006);
  }
});

test("a socket that fails unwatched leaves no unhandled rejection", { timeout }, async () => {
  open({ readyState: 0 })[0].fail("refused");
  open()[0].end(4400, "bad");
  await turns();
});

test("a socket that is closed already reads as ended, and cannot be written to", { timeout }, async () => {
  for (const readyState of [2, 3]) {
    const [, transport] = open({ readyState });
    assert.deepEqual(await readAll(transport), []);
    assert.throws(() => transport.write(utf8("x")), /the WebSocket is closed/);
    await assert.rejects(transport.opened!);
  }
});

test("with acknowledgements at most 1 MiB is on the way, in frames of at most 256 KiB", { timeout }, async () => {
  const [socket, transport] = open();
  const bytes = pattern(3 * MIB + 5);
  const written = transport.write(bytes) as Promise<void>;
  let done = false;
  written.then(() => done = true);
  assert.deepEqual(socket.sentSizes, [262_144, 262_144, 262_144, 262_144]);
  socket.receive("1");
  assert.equal(socket.sentSizes.length, 4);
  socket.receive("262144");
  assert.equal(socket.sentSizes.length, 5);
  socket.receive(String(5 * 262_144)); // the same number again is allowed: it has not gone back
  socket.receive(String(5 * 262_144));
  assert.equal(socket.sentSizes.length, 9);
  await turns();
  assert.equal(done, false);
  socket.receive(String(9 * 262_144));
  await written;
  assert.ok(toHex(join(socket.sent as Uint8Array[])) === toHex(bytes));
  assert.equal(transport.write(utf8("next")), undefined);
});

test(
  "with acknowledgements a whole MiB is on the way before the first one, and not a byte more",
  { timeout },
  async () => {
    const [socket, transport] = open();
    assert.equal(transport.write(pattern(MIB)), undefined);
    const written = transport.write(utf8("x")) as Promise<void>;
    assert.equal(socket.sent.length, 4);
    socket.receive("1");
    await written;
    assert.equal(socket.sent.length, 5);
  },
);

test("concurrent writes keep their order", { timeout }, async () => {
  const [socket, transport] = open();
  const writes = [pattern(MIB), pattern(70_000), utf8("end")].map((bytes) => transport.write(bytes));
  assert.equal(writes[0], undefined);
  socket.receive(String(MIB));
  await Promise.all(writes);
  assert.ok(toHex(join(socket.sent as Uint8Array[])) === toHex(join([pattern(MIB), pattern(70_000), utf8("end")])));
});

test("a reader acknowledges what it has read, not what was received", { timeout }, async () => {
  const [socket, transport] = open();
  const iterator = transport[Symbol.asyncIterator]();
  for (let i = 0; i < 10; i++) socket.receive(pattern(100_000));
  assert.deepEqual(socket.sentTexts, []);
  for (let i = 0; i < 2; i++) await iterator.next();
  assert.deepEqual(socket.sentTexts, []);
  await iterator.next();
  assert.deepEqual(socket.sentTexts, ["300000"]);
  for (let i = 0; i < 7; i++) await iterator.next();
  assert.deepEqual(socket.sentTexts, ["300000", "600000", "900000"]);
});

test("a reader that waits acknowledges what is handed to it", { timeout }, async () => {
  const [socket, transport] = open();
  const reading = transport[Symbol.asyncIterator]().next();
  socket.receive(pattern(262_144));
  assert.deepEqual(socket.sentTexts, ["262144"]);
  await reading;
});

test("without the subprotocol nothing is acknowledged, unless it is asked for", { timeout }, async () => {
  for (const acknowledge of [false, true]) {
    const socket = new FakeWebSocket();
    const transport = acknowledge ? fromWebSocket(socket, { acknowledge }) : fromWebSocket(socket);
    const reading = readAll(transport);
    socket.receive(pattern(300_000));
    assert.deepEqual(socket.sentTexts, acknowledge ? ["300000"] : []);
    socket.end(1000);
    await reading;
  }
});

test("a text that is not a right acknowledgement is a ProtocolError, and closes with 4400", { timeout }, async () => {
  const texts = [
    "",
    "x",
    "1.5",
    "-1",
    "+1",
    "0x10",
    "1e2",
    " 5",
    "5\n",
    "101",
    "49",
    "9".repeat(400),
    "1\0",
    "٣",
    "060",
  ];
  for (const bad of texts) {
    const [socket, transport] = open();
    transport.write(pattern(100));
    socket.receive("50");
    const connection = new Connection(transport);
    const pumping = connection.pump(() => {});
    socket.receive(bad);
    await assert.rejects(pumping, ProtocolError, JSON.stringify(bad));
    assert.equal(socket.closes[0]?.[0], 4400);
  }
  const [socket, transport] = open({});
  transport.write(pattern(100));
  socket.receive("50");
  await assert.rejects(readAll(transport), ProtocolError);
  assert.equal(socket.closes[0]?.[0], 4400);
});

test("a message that is not bytes breaks the stream: a Blob must not be lost silently", { timeout }, async () => {
  for (const data of [new Blob(["x"]), {}, [1, 2]]) {
    const [socket, transport] = open();
    socket.receiveData(data);
    await assert.rejects(readAll(transport), TypeError);
  }
});

test("without acknowledgements 64 MiB can be unread, and more end the connection", { timeout }, async () => {
  const [socket, transport] = open({});
  const connection = new Connection(transport, { magic: "RES" });
  const chunk = new Uint8Array(MIB).buffer;
  for (let i = 0; i < 64; i++) socket.receiveData(chunk);
  assert.deepEqual(socket.closes, []);
  socket.receiveData(chunk);
  assert.equal(socket.closes.length, 1);
  assert.throws(() => transport.write(utf8("x")), /with 67108864 bytes unread/);
  connection.send(PacketType.NOOP);
  await assert.rejects(connection.flush(), { name: "ProtocolError", message: /with 67108864 bytes unread/ });
});

test("with acknowledgements 1 MiB can be unread: a peer that sends more has not waited", { timeout }, async () => {
  const [socket, transport] = open();
  for (let i = 0; i < 4; i++) socket.receive(pattern(262_144));
  assert.deepEqual(socket.closes, []);
  socket.receive(Uint8Array.of(1));
  assert.deepEqual(socket.closes, [[4400, undefined]]);
  await assert.rejects(async () => {
    for await (const { length } of transport) assert.ok(length > 0);
  }, { name: "ProtocolError", message: "The peer sent more, with 1048576 bytes unread" });
});

test("what was received before an overflow can still be read, and then the error", { timeout }, async () => {
  const [socket, transport] = open({});
  const chunk = new Uint8Array(MIB).buffer;
  for (let i = 0; i < 70; i++) socket.receiveData(chunk);
  let size = 0;
  await assert.rejects(async () => {
    for await (const { length } of transport) size += length;
  }, /bytes unread/);
  assert.equal(size, 65 * MIB);
});

test("without acknowledgements writes wait while the socket buffers more than 1 MiB", { timeout }, async () => {
  using timers = fakeTimers(10);
  const [socket, transport] = open({});
  assert.equal(transport.write(pattern(262_144)), undefined);
  socket.bufferedAmount = MIB;
  const written = transport.write(utf8("later")) as Promise<void>;
  timers.fire();
  assert.equal(socket.sent.length, 1);
  socket.bufferedAmount = MIB - 5;
  timers.fire();
  await written;
  assert.equal(socket.sent.length, 2);
  assert.equal(timers.active, 0);
});

test("however many writes wait for the socket's buffer, one timer looks at it", { timeout }, async () => {
  using timers = fakeTimers(10);
  const [socket, transport] = open({});
  socket.bufferedAmount = 2 * MIB;
  const writes = ["one", "two", "three"].map((word) => transport.write(utf8(word)));
  assert.equal(timers.active, 1);
  socket.bufferedAmount = 0;
  timers.fire();
  await Promise.all(writes);
  assert.deepEqual(socket.sent.map((bytes) => text(bytes as Uint8Array)), ["one", "two", "three"]);
  assert.equal(timers.active, 0);
});

test("closing ends the wait for the socket's buffer", { timeout }, async () => {
  using timers = fakeTimers(10);
  const [socket, transport] = open({});
  socket.bufferedAmount = 2 * MIB;
  const written = transport.write(utf8("never sent")) as Promise<void>;
  assert.equal(timers.active, 1);
  await Promise.all([assert.rejects(written, /the WebSocket is closed/), transport.close()]);
  assert.equal(timers.active, 0);
});

test("tiny frames that wait are copied together", { timeout }, async () => {
  const [socket, transport] = open();
  const bytes = pattern(2 * 65_536 + 2); // the first byte is not copied, and one is left over
  for (const byte of bytes) socket.receive(Uint8Array.of(byte));
  socket.end(1000);
  const found = await readAll(transport);
  assert.ok(found.length < 30, `${found.length} chunks`);
  assert.ok(toHex(join(found)) === toHex(bytes));
});

test("empty frames are not kept", { timeout }, async () => {
  const [socket, transport] = open();
  for (let i = 0; i < 1_000; i++) socket.receive(new Uint8Array(0));
  socket.receive(utf8("x"));
  for (let i = 0; i < 1_000; i++) socket.receive(new Uint8Array(0));
  socket.end(1000);
  assert.deepEqual((await readAll(transport)).map(text), ["x"]);
});

test("a peer that closes normally ends the stream after what it has sent", { timeout }, async () => {
  for (const code of [1000, 1001, 1005]) {
    const [socket, transport] = open();
    socket.receive(utf8("one"), utf8("two"), utf8("three"));
    socket.end(code);
    assert.equal(text(join(await readAll(transport))), "onetwothree");
    assert.throws(() => transport.write(utf8("x")), /the WebSocket was closed/);
  }
});

test("any other code breaks the stream after what was sent before, and is named", { timeout }, async () => {
  for (const code of [1006, 1009, 1011, 3000, 4400, 0]) {
    const [socket, transport] = open();
    socket.receive(utf8("one"), utf8("two"), utf8("three"));
    socket.end(code, "be\ncause");
    const found: string[] = [];
    await assert.rejects(async () => {
      for await (const chunk of transport) found.push(text(chunk));
    }, { message: `the WebSocket was closed: ${code} be cause` });
    assert.equal(found.join(""), "onetwothree");
  }
});

test("the peer's reason is cleaned in the error of a connection", { timeout }, async () => {
  const [socket, transport] = open();
  const pumping = new Connection(transport).pump(() => {});
  socket.end(4400, "be\ncause");
  await assert.rejects(pumping, { message: "The connection was lost: the WebSocket was closed: 4400 be cause" });
});

test("close() closes with 1000 once, and ends a waiting read", { timeout }, async () => {
  const [socket, transport] = open();
  const reading = readAll(transport);
  transport.close();
  transport.close();
  assert.deepEqual(await reading, []);
  assert.deepEqual(socket.closes, [[1000, undefined]]);
  socket.receive(utf8("too late"), "nonsense");
  socket.end(1006);
  assert.throws(() => transport.write(utf8("x")), /the WebSocket is closed/);
});

test("a socket whose peer does not read is ended at once, if it can be", { timeout }, async () => {
  const [socket, transport] = open();
  const written = transport.write(pattern(2 * MIB)) as Promise<void>;
  await Promise.all([assert.rejects(written, /the WebSocket is closed/), transport.close()]);
  assert.equal(socket.closes[0], "terminate");
});

test("nothing is sent from the moment that the peer closes", { timeout }, async () => {
  const [socket, transport] = open();
  socket.receive(pattern(300_000));
  socket.readyState = 2; // its event comes later
  const written = transport.write(utf8("x")) as Promise<void>;
  const reading = readAll(transport);
  await turns();
  assert.deepEqual(socket.sent, []);
  socket.end(1000);
  await assert.rejects(written, /the WebSocket was closed: 1000/);
  assert.equal(join(await reading).length, 300_000);
});

test("ref and unref are passed on to a socket that has them", () => {
  const calls: string[] = [];
  const socket = Object.assign(new FakeWebSocket(), {
    ref: () => void calls.push("ref"),
    unref: () => void calls.push("unref"),
  });
  const transport = fromWebSocket(socket);
  transport.unref!();
  transport.ref!();
  assert.deepEqual(calls, ["unref", "ref"]);
  open()[1].unref!();
});

for (const protocol of ["gearman", undefined]) {
  const name = protocol === undefined ? "without a subprotocol" : "with acknowledgements";
  test(`a client and a job server talk over real WebSockets, ${name}`, { timeout: 30_000 }, async () => {
    await using jobServer = new JobServer();
    const acknowledge = protocol !== undefined;
    const server = await startWebSocketServer((socket) => jobServer.accept(fromWebSocket(socket, { acknowledge })));
    const worker = startWorker({ dial: jobServer.dial }, { same: (job) => job.workload });
    const client = new GearmanClient({ dial: () => fromWebSocket(new ClientWebSocket(server.url, protocol)) });
    const bytes = pattern(5 * MIB);
    const results = await Promise.all([client.do("same", bytes), client.do("same", "short"), client.echo("x")]);
    assert.ok(toHex(results[0] as Uint8Array) === toHex(bytes));
    assert.equal(text(results[1] as Uint8Array), "short");
    await client.close();
    await worker.close();
    await server.stop();
  });
}

test("a WebSocket that is refused is a ConnectionError with delivery not-sent", { timeout: 30_000 }, async () => {
  const server = await startWebSocketServer(() => {});
  await server.stop();
  await using client = new GearmanClient({ dial: () => fromWebSocket(new ClientWebSocket(server.url, "gearman")) });
  await assert.rejects(async () => await client.do("same", "x"), (error) => {
    return error instanceof ConnectionError && error.delivery === "not-sent";
  });
});

test("a peer that closes a real WebSocket with a code breaks the connection with it", { timeout: 30_000 }, async () => {
  const server = await startWebSocketServer((socket) => socket.close(4400, "Not a request of a client"));
  const transport = fromWebSocket(new ClientWebSocket(server.url, "gearman"));
  await transport.opened;
  await assert.rejects(readAll(transport), { message: "the WebSocket was closed: 4400 Not a request of a client" });
  await server.stop();
});

const IDLE = "an idle client over a WebSocket with unref does not keep its process alive";

test(IDLE, { timeout: 60_000, skip: exception(IDLE) }, async () => {
  await using jobServer = new JobServer();
  const server = await startWebSocketServer((socket) => {
    jobServer.accept(fromWebSocket(socket, { acknowledge: true }));
  });
  assert.equal(await runProgram("idle_web_socket", [server.url]), "hello");
  await server.stop();
});
