/** Tests of transports over sockets of node:net, with a socket that the test controls. */

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { freeMemory } from "../../src/internal/bytes.ts";
import { type NodeSocket, NodeTransport } from "../../src/transport/node_transport.ts";
import { CAN_FREE_MEMORY, text, utf8 } from "../support/bytes.ts";
import { fakeTimers } from "../support/fake_timers.ts";

const timeout = 10_000;

/** A socket that notes what is called, and calls back for a write when the test does. */
class FakeSocket implements NodeSocket {
  readonly #events = new EventEmitter();
  readonly calls: string[] = [];
  readonly writes: ((error?: Error) => void)[] = [];
  destroyed = false;

  write(_bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.writes.push(done);
  }

  on(event: string, listener: (value: never) => void): void {
    this.#events.on(event, listener as () => void);
  }

  once(event: string, listener: () => void): void {
    this.#events.once(event, listener);
  }

  emit(event: string, value?: unknown): void {
    this.#events.emit(event, value);
  }

  pause = () => this.calls.push("pause");
  resume = () => this.calls.push("resume");
  end = () => this.calls.push("end");
  ref = () => this.calls.push("ref");
  unref = () => this.calls.push("unref");
  destroy = () => {
    this.destroyed = true;
    this.calls.push("destroy");
  };
}

function open(): [FakeSocket, NodeTransport] {
  const socket = new FakeSocket();
  return [socket, new NodeTransport(socket)];
}

test("the reader may free a chunk of 16 KiB or more, if it is all of its memory", { timeout }, async () => {
  const [socket, transport] = open();
  const chunks = [new Uint8Array(16_384), new Uint8Array(16_383), new Uint8Array(20_000).subarray(1)];
  for (const chunk of chunks) socket.emit("data", chunk);
  socket.emit("end");
  for await (const chunk of transport) freeMemory(chunk);
  const freed = CAN_FREE_MEMORY ? 0 : 16_384;
  assert.deepEqual(chunks.map((chunk) => chunk.length), [freed, 16_383, 19_999]);
});

test("a socket is paused while something is unread, and resumed when all of it was read", { timeout }, async () => {
  const [socket, transport] = open();
  const chunks = transport[Symbol.asyncIterator]();
  const first = chunks.next();
  socket.emit("data", utf8("awaited"));
  assert.equal(text((await first).value), "awaited");
  assert.deepEqual(socket.calls, []);
  socket.emit("data", utf8("one"));
  socket.emit("data", utf8("two"));
  await chunks.next();
  assert.deepEqual(socket.calls, ["pause", "pause"]);
  await chunks.next();
  assert.deepEqual(socket.calls, ["pause", "pause", "resume"]);
});

test("writes in flight reject when the socket closes, also if the socket never calls back", { timeout }, async () => {
  for (const cause of [undefined, new Error("ECONNRESET")]) {
    const [socket, transport] = open();
    const writing = [transport.write(utf8("one")), transport.write(utf8("two"))];
    if (cause !== undefined) socket.emit("error", cause);
    socket.emit("close");
    const expected = cause ?? /^Error: the socket was closed$/;
    for (const write of writing) await assert.rejects(write, expected);
    await assert.rejects(transport.write(utf8("three")), cause ?? /^Error: the socket is closed$/);
    assert.equal(socket.writes.length, 2);
  }
});

test("a write rejects with the socket's error, and else with its own", { timeout }, async () => {
  const [socket, transport] = open();
  const own = new Error("EPIPE");
  const writing = [transport.write(utf8("one")), transport.write(utf8("two")), transport.write(utf8("three"))];
  const [one, two, three] = socket.writes;
  one!();
  await writing[0];
  two!(own);
  await assert.rejects(writing[1]!, own);
  const cause = new Error("ECONNRESET");
  socket.emit("error", cause);
  three!(own);
  await assert.rejects(writing[2]!, cause);
});

test("nothing is written to a socket that was closed or destroyed", { timeout }, async () => {
  const [closed, transport] = open();
  transport.close();
  await assert.rejects(transport.write(utf8("x")), /the socket is closed/);
  const [destroyed, other] = open();
  destroyed.destroyed = true;
  await assert.rejects(other.write(utf8("x")), /the socket is closed/);
  assert.deepEqual([...closed.writes, ...destroyed.writes], []);
});

test("close() ends the stream, and destroys a socket that has not closed a second later", { timeout }, () => {
  using timers = fakeTimers(1_000);
  const [socket, transport] = open();
  transport.close();
  transport.close();
  assert.deepEqual(socket.calls, ["resume", "end", "unref"]);
  timers.fire();
  assert.deepEqual(socket.calls, ["resume", "end", "unref", "destroy"]);
});

test("a socket that closes within the second leaves no timer", { timeout }, () => {
  using timers = fakeTimers(1_000);
  const [socket, transport] = open();
  transport.close();
  assert.equal(timers.active, 1);
  socket.emit("close");
  assert.equal(timers.active, 0);
  assert.ok(!socket.destroyed);
});

test("close() destroys a socket that has failed, and one with writes in flight", { timeout }, async () => {
  using timers = fakeTimers(1_000);
  const [busy, transport] = open();
  const writing = transport.write(utf8("x"));
  transport.close();
  const [failed, other] = open();
  failed.emit("error", new Error("ECONNRESET"));
  other.close();
  assert.deepEqual([busy.calls, failed.calls, timers.set], [["destroy"], ["destroy"], 0]);
  busy.emit("close");
  await assert.rejects(writing, /the socket was closed/);
});

test("a socket that has closed is not closed again", () => {
  const [socket, transport] = open();
  socket.emit("close");
  transport.close();
  assert.deepEqual(socket.calls, []);
});

test("reads end with the socket, and throw its error after what was received", { timeout }, async () => {
  const [socket, transport] = open();
  socket.emit("data", utf8("last"));
  const cause = new Error("ECONNRESET");
  socket.emit("error", cause);
  socket.emit("close");
  const chunks = transport[Symbol.asyncIterator]();
  assert.equal(text((await chunks.next()).value), "last");
  await assert.rejects(chunks.next(), cause);
  for (const event of ["end", "close"]) {
    const [ending, other] = open();
    ending.emit(event);
    assert.equal((await other[Symbol.asyncIterator]().next()).done, true, event);
  }
});

test("ref() and unref() are those of the socket", () => {
  const [socket, transport] = open();
  transport.unref();
  transport.ref();
  assert.deepEqual(socket.calls, ["unref", "ref"]);
});
