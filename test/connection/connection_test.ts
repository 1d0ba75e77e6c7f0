/** Tests of the connection: sending, reading, and its end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeLine,
  encodeRequest,
  encodeResponse,
  MixedDecoder,
  PacketDecoder,
  PacketType,
} from "../../src/codec/mod.ts";
import type { Packet, TextLine } from "../../src/codec/mod.ts";
import { Connection, ConnectionError, GearmanError, memoryPipe, ProtocolError } from "../../src/connection/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { chunks, header, join, pattern, text, toHex, utf8 } from "../support/bytes.ts";
import { deferred } from "../../src/internal/promises.ts";
import { fakeTimers, holdTimers } from "../support/fake_timers.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns, until } from "../support/wait.ts";

const timeout = 10_000;
const echo = (data: string) => encodeResponse(PacketType.ECHO_RES, data);

/** The last argument of a packet, or the line, as text. */
function textOf(item: Packet | TextLine): string {
  return item.magic === "TEXT" ? item.line : text(item.args.at(-1) ?? new Uint8Array(0));
}

/** Number of packets in each write. */
function packetsPerWrite(transport: FakeTransport): number[] {
  return transport.writes.map((bytes) => {
    const decoder = new PacketDecoder();
    decoder.push(bytes);
    const count = [...decoder].length;
    decoder.end();
    return count;
  });
}

test("packets of one tick leave as one write, in order", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  for (let i = 0; i < 100; i++) connection.send(PacketType.ECHO_REQ, `${i}`);
  connection.sendBytes(encodeLine("status"));
  const expected = join(
    [...Array(100).keys()].map((i) => encodeRequest(PacketType.ECHO_REQ, `${i}`)).concat(utf8("status\r\n")),
  );
  assert.equal(connection.queued, expected.length);
  assert.deepEqual(transport.writes, []);
  await connection.flush();
  assert.equal(connection.queued, 0);
  assert.deepEqual(transport.writes.map(toHex), [toHex(expected)]);
  await connection.close();
});

test("each tick has a write of its own", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  for (const count of [1, 5, 2]) {
    for (let i = 0; i < count; i++) connection.send(PacketType.PRE_SLEEP);
    await turns(1);
  }
  assert.deepEqual(packetsPerWrite(transport), [1, 5, 2]);
});

test("packets that are sent during a write are collected, and leave together after it", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const first = deferred<void>();
  const second = deferred<void>();
  transport.answers.push(first.promise, second.promise);
  connection.send(PacketType.PRE_SLEEP);
  for (let i = 0; i < 10; i++) {
    await turns(1);
    connection.send(PacketType.GRAB_JOB);
  }
  assert.deepEqual(packetsPerWrite(transport), [1]);
  assert.equal(connection.queued, 132, "a write under way has not been taken yet");

  let flushed = false;
  const flushing = connection.flush().then(() => flushed = true);
  first.resolve();
  await turns();
  assert.deepEqual(packetsPerWrite(transport), [1, 10]);
  assert.equal(connection.queued, 120);
  assert.equal(flushed, false, "flushed before the transport had taken it");
  second.resolve();
  await flushing;
  assert.equal(connection.queued, 0);
  await connection.flush();
});

test("bytes of 64 KiB are handed to the transport without a copy", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport, { magic: "RES" });
  const large = pattern(65_536);
  connection.send(PacketType.ECHO_RES, "before");
  connection.send(PacketType.ECHO_RES, large);
  connection.send(PacketType.ECHO_RES, "after");
  await connection.flush();
  assert.equal(transport.writes.length, 3);
  const { buffer, byteOffset, length } = transport.writes[1]!;
  assert.deepEqual([byteOffset, length], [0, large.length]);
  assert.equal(buffer, large.buffer);
  const decoder = new PacketDecoder();
  for (const bytes of transport.writes) decoder.push(bytes);
  assert.deepEqual([...decoder].map(({ magic, args }) => `${magic} ${args[0]!.length}`), [
    "RES 6",
    "RES 65536",
    "RES 5",
  ]);
});

test("what shows that the peer is alive is counted: what arrives, and all of a write but its first 256 KiB", {
  timeout,
}, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const parts = Array.from({ length: 3 }, () => deferred<void>());
  transport.answers.push(...parts.map(({ promise }) => promise));
  connection.sendBytes(pattern(2 * 262_144 + 10));
  const counts: number[] = [];
  for (const part of parts) {
    part.resolve();
    await turns();
    counts.push(connection.transferred);
  }
  assert.deepEqual(counts, [0, 262_144, 262_154]);
  transport.receive(echo("hello"));
  transport.end();
  for await (const _ of connection) break;
  assert.equal(connection.transferred, 262_154 + echo("hello").length);
});

test("send() refuses what the codec refuses, and sends nothing of it", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  connection.send(PacketType.ECHO_REQ, "good");
  assert.throws(() => connection.send(PacketType.SUBMIT_JOB, "a\0b", "", ""), RangeError);
  // @ts-expect-error SUBMIT_JOB has three arguments
  assert.throws(() => connection.send(PacketType.SUBMIT_JOB, "reverse", ""), TypeError);
  // @ts-expect-error numbers are given in decimal digits
  assert.throws(() => connection.send(PacketType.WORK_STATUS, "H:1", 1, 2), TypeError);
  // @ts-expect-error there is no type 5
  assert.throws(() => connection.send(5), RangeError);
  await connection.flush();
  assert.deepEqual(packetsPerWrite(transport), [1]);
  assert.throws(() => new Connection(transport, { maxPacketSize: -1 }), RangeError);
});

test("sendBytes() copies bytes and sends them as they are, in order with packets", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const line = encodeLine("status");
  connection.sendBytes(line);
  line.fill(0);
  connection.send(PacketType.ECHO_REQ, "");
  connection.sendBytes(encodeLine(utf8("OK"), "\n"));
  await connection.flush();
  const expected = join([utf8("status\r\n"), encodeRequest(PacketType.ECHO_REQ, ""), utf8("OK\n")]);
  assert.deepEqual(transport.writes.map(toHex), [toHex(expected)]);
});

test("for await yields packets, and ends with the stream", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.receive(...chunks(join([echo("a"), echo("b"), echo("c")]), [5]));
  transport.end();
  const found: string[] = [];
  for await (const packet of new Connection(transport)) found.push(textOf(packet));
  assert.deepEqual(found, ["a", "b", "c"]);
});

test("for await can be left and entered again without losing packets", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.receive(join([echo("a"), echo("b"), echo("c")]), echo("d").subarray(0, 3));
  const connection = new Connection(transport);
  const found: string[] = [];
  for (let i = 0; i < 3; i++) {
    for await (const packet of connection) {
      found.push(textOf(packet));
      break;
    }
  }
  assert.equal(transport.closed, 0);
  const fourth = connection[Symbol.asyncIterator]().next();
  transport.receive(echo("d").subarray(3), echo("e"));
  found.push(textOf((await fourth).value!));
  transport.end();
  for await (const packet of connection) found.push(textOf(packet));
  assert.deepEqual(found, ["a", "b", "c", "d", "e"]);
  assert.equal(transport.iterated, 1);
});

test("with a MixedDecoder, packets and lines are read in the order of their arrival", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.receive(join([utf8("OK\n"), echo("a"), utf8(".\r\n")]));
  transport.end();
  const found: string[] = [];
  const connection = new Connection(transport, { decoder: new MixedDecoder() });
  await connection.pump((item) => void found.push(`${item.magic} ${textOf(item)}`));
  assert.deepEqual(found, ["TEXT OK", "RES a", "TEXT ."]);
});

test("a promise that onPacket returns pauses reading until it settles", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.receive(join([echo("a"), echo("b")]), echo("c"));
  transport.end();
  const connection = new Connection(transport);
  const pause = deferred<void>();
  const found: string[] = [];
  const pumping = connection.pump((packet) => {
    found.push(textOf(packet));
    return found.length === 1 ? pause.promise : undefined;
  });
  await turns();
  assert.deepEqual(found, ["a"]);
  assert.equal(transport.reads, 1);
  pause.resolve();
  await pumping;
  assert.deepEqual(found, ["a", "b", "c"]);
});

test("what onPacket returns besides a promise has no effect", { timeout }, async () => {
  for (const value of [false, null, 0, "", true] as never[]) {
    const transport = new FakeTransport();
    transport.receive(join([echo("a"), echo("b")]));
    transport.end();
    const found: string[] = [];
    await new Connection(transport).pump((packet) => {
      found.push(textOf(packet));
      return value;
    });
    assert.deepEqual(found, ["a", "b"]);
  }
});

test("what the first packets of a long chunk lead to is sent before the rest is passed on", { timeout }, async () => {
  const handledAtWrites: number[] = [];
  let handled = 0;
  const transport = new class extends FakeTransport {
    override write(bytes: Uint8Array): void | Promise<void> {
      handledAtWrites.push(handled);
      return super.write(bytes);
    }
  }();
  transport.receive(join(Array.from({ length: 1_300 }, () => echo("x"))), echo("y"));
  transport.end();
  const connection = new Connection(transport);
  const replyTo = async (packet: Promise<Packet>) => await packet;
  const answer = async (packet: Promise<Packet>) => {
    await replyTo(packet);
    connection.send(PacketType.ECHO_REQ, "");
  };
  await connection.pump((packet) => {
    handled += 1;
    answer(Promise.resolve(packet));
  });
  await connection.flush();
  assert.deepEqual(handledAtWrites, [512, 1_024, 1_300, 1_301]);
  assert.deepEqual(packetsPerWrite(transport), [512, 512, 276, 1]);
});

test(
  "what was received before a write failed is passed on before anybody hears of the failure",
  { timeout },
  async () => {
    const cause = new Error("EPIPE");
    for (const where of ["between packets", "while a packet pauses reading"] as const) {
      const transport = new FakeTransport();
      transport.answers.push(Promise.reject(cause));
      transport.receive(join(Array.from({ length: 1_300 }, () => echo("x"))));
      let handled = 0;
      const handledAtFailure: number[] = [];
      const connection = new Connection(transport, { onFailed: () => handledAtFailure.push(handled) });
      const pause = deferred<void>();
      const pumping = connection.pump((packet) => {
        handled += 1;
        if (handled === 1) connection.send(PacketType.ECHO_REQ, packet.args[0]!);
        if (handled > 1_000) return Promise.reject(new Error("there is nobody who awaits this"));
        return handled === 1 && where === "while a packet pauses reading" ? pause.promise : undefined;
      });
      const rejected = assert.rejects(pumping, { name: "ConnectionError", cause });
      await until(() => handledAtFailure.length > 0);
      pause.resolve();
      await rejected;
      assert.deepEqual([handledAtFailure, handled], [[1_300], 1_300], where);
    }
  },
);

test("what onPacket throws after a write has failed ends what is passed on", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.answers.push(Promise.reject(new Error("EPIPE")));
  transport.receive(join([echo("a"), echo("b"), echo("c")]));
  const failed = deferred<GearmanError>();
  const connection = new Connection(transport, { onFailed: failed.resolve });
  const found: string[] = [];
  const pause = deferred<void>();
  const pumping = connection.pump((packet) => {
    found.push(textOf(packet));
    if (found.length === 2) throw new ProtocolError("it is at fault");
    connection.send(PacketType.ECHO_REQ, "");
    return pause.promise;
  });
  assert.match((await failed.promise).message, /EPIPE/);
  assert.deepEqual(found, ["a", "b"]);
  pause.reject(new Error("enough"));
  await assert.rejects(pumping, /enough/);
  await connection.close();
  assert.deepEqual(found, ["a", "b"]);
});

test("an error that onPacket throws ends the pump, and another pump can continue after it", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.receive(join([echo("a"), echo("b"), echo("c")]));
  transport.end();
  const connection = new Connection(transport);
  const error = new Error("of the caller");
  await assert.rejects(
    connection.pump(() => {
      throw error;
    }),
    (thrown) => thrown === error,
  );
  await assert.rejects(connection.pump(() => Promise.reject(error)), (thrown) => thrown === error);
  const found: string[] = [];
  await connection.pump((packet) => void found.push(textOf(packet)));
  assert.deepEqual(found, ["c"]);
});

test("an end inside a packet is a ConnectionError with a ProtocolError as its cause", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.receive(join([echo("a"), echo("b").subarray(0, 12)]));
  transport.end();
  const connection = new Connection(transport);
  const found: string[] = [];
  const error = await connection.pump((packet) => void found.push(textOf(packet))).catch((error: unknown) => error);
  assert.deepEqual(found, ["a"]);
  assert.ok(error instanceof ConnectionError && error instanceof GearmanError);
  assert.ok(error.cause instanceof ProtocolError);
  assert.equal(error.cause.offset, 13);
  assert.equal(transport.closed, 1);
  assert.throws(() => connection.send(PacketType.PRE_SLEEP), (thrown) => thrown === error);
});

test("garbage after packets is a ProtocolError, and closes the transport", { timeout }, async () => {
  for (const garbage of [utf8("HTTP/1.1 400 Bad Request\r\n\r\n"), header("\0RES", 43, 0)]) {
    const transport = new FakeTransport();
    transport.receive(join([echo("a"), garbage]));
    const connection = new Connection(transport);
    const iterator = connection[Symbol.asyncIterator]();
    assert.equal(textOf((await iterator.next()).value!), "a");
    const error = await iterator.next().catch((error: unknown) => error);
    assert.ok(error instanceof ProtocolError);
    assert.equal(error.offset, 13);
    assert.equal(transport.closed, 1);
    const same = (thrown: unknown) => thrown === error;
    await assert.rejects(iterator.next(), same);
    await assert.rejects(connection.pump(() => {}), same);
    await assert.rejects(connection.flush(), same);
    assert.throws(() => connection.send(PacketType.PRE_SLEEP), same);
    assert.throws(() => connection.sendBytes(utf8("status")), same);
    await connection.close();
  }
});

test("a body larger than maxPacketSize is refused when its header arrives", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.receive(header("\0RES", PacketType.ECHO_RES, 11));
  await assert.rejects(new Connection(transport, { maxPacketSize: 10 }).pump(() => {}), ProtocolError);
  assert.equal(transport.closed, 1);
});

test("a read that fails is a ConnectionError with the runtime's error as its cause", { timeout }, async () => {
  const transport = new FakeTransport();
  const cause = new Error("read\u0007failed");
  transport.receive(echo("a"));
  transport.break(cause);
  const connection = new Connection(transport);
  const found: string[] = [];
  await assert.rejects(connection.pump((packet) => void found.push(textOf(packet))), (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.cause, cause);
    assert.equal(error.message, "The connection was lost: read failed");
    return true;
  });
  assert.deepEqual(found, ["a"]);
  assert.equal(transport.closed, 1);
});

test("a write that fails ends reading, sending and flush()", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const failing = deferred<void>();
  transport.answers.push(failing.promise);
  const reading = connection.pump(() => {}).catch((error: unknown) => error);
  connection.send(PacketType.PRE_SLEEP);
  const flushing = connection.flush().catch((error: unknown) => error);
  await turns(1);
  const cause = new Error("broken pipe");
  failing.reject(cause);
  const error = await flushing;
  assert.ok(error instanceof ConnectionError);
  assert.equal(error.cause, cause);
  assert.equal(await reading, error);
  assert.equal(transport.closed, 1);
  assert.throws(() => connection.send(PacketType.PRE_SLEEP), (thrown) => thrown === error);
});

test("an error that write() throws has the same effect as a rejection", { timeout }, async () => {
  const [here, there] = memoryPipe();
  await there.close();
  const connection = new Connection(here);
  connection.send(PacketType.PRE_SLEEP);
  await assert.rejects(connection.flush(), ConnectionError);
});

test("close() lets pending writes go out, ends reading, and refuses further packets", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const first = deferred<void>();
  transport.answers.push(first.promise);
  const pumping = connection.pump(() => {});
  connection.send(PacketType.PRE_SLEEP);
  await turns(1);
  connection.send(PacketType.RESET_ABILITIES);
  const closing = connection.close();
  assert.throws(() => connection.send(PacketType.PRE_SLEEP), ConnectionError);
  await turns();
  assert.equal(transport.closed, 0);
  first.resolve();
  await closing;
  await pumping;
  assert.deepEqual(packetsPerWrite(transport), [1, 1]);
  assert.equal(transport.closed, 1);
  for await (const _ of connection) assert.fail("a packet after the end");
});

test("close() may be called again, and still waits for pending writes", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const slow = deferred<void>();
  transport.answers.push(slow.promise);
  connection.send(PacketType.PRE_SLEEP);
  await turns(1);
  connection.send(PacketType.GRAB_JOB);
  const closing = [connection.close(), connection.close(), connection[Symbol.asyncDispose]()];
  await turns();
  assert.equal(transport.closed, 0);
  slow.resolve();
  await Promise.all(closing);
  await connection.flush();
  assert.deepEqual(packetsPerWrite(transport), [1, 1]);
  assert.equal(transport.closed, 1);
});

test(
  "recall() takes back the packets that were not given to the transport, and they are not sent",
  { timeout },
  async () => {
    const transport = new FakeTransport();
    const connection = new Connection(transport);
    const slow = deferred<void>();
    transport.answers.push(slow.promise);
    connection.send(PacketType.ECHO_REQ, "given");
    await turns(1);
    const large = pattern(70_000);
    connection.send(PacketType.SUBMIT_JOB_BG, "f", "u", "small");
    connection.send(PacketType.SUBMIT_JOB_BG, "f", "", large);
    connection.sendBytes(encodeRequest(PacketType.PRE_SLEEP));
    assert.ok(connection.queued > 70_000);
    const recalled = connection.recall();
    assert.equal(connection.queued, 17, "what was given is still being written");
    assert.deepEqual(recalled.map(({ magic, type }) => [magic, type]), [
      ["REQ", PacketType.SUBMIT_JOB_BG],
      ["REQ", PacketType.SUBMIT_JOB_BG],
      ["REQ", PacketType.PRE_SLEEP],
    ]);
    assert.deepEqual(recalled[0]!.args.map(text), ["f", "u", "small"]);
    assert.deepEqual(recalled[1]!.args[2], large);
    assert.deepEqual(connection.recall(), []);
    connection.sendPacket(recalled[0]!);
    slow.resolve();
    await connection.flush();
    assert.deepEqual(transport.writes, [
      encodeRequest(PacketType.ECHO_REQ, "given"),
      encodeRequest(PacketType.SUBMIT_JOB_BG, "f", "u", "small"),
    ]);
    assert.equal(connection.queued, 0);
  },
);

test("recall() of bytes that are no packets is an error, and drops them", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  connection.sendBytes(encodeLine("status"));
  assert.throws(() => connection.recall(), ProtocolError);
  assert.equal(connection.queued, 0);
  connection.send(PacketType.PRE_SLEEP);
  await connection.flush();
  assert.deepEqual(transport.writes.map(toHex), [toHex(encodeRequest(PacketType.PRE_SLEEP))]);
});

test("recall() takes back what was taken from the encoder and waits for a slow transport", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const slow = [deferred<void>(), deferred<void>()];
  transport.answers.push(...slow.map(({ promise }) => promise));
  connection.send(PacketType.ECHO_REQ, "first");
  await turns(1);
  for (let i = 0; i < 20_000; i++) connection.send(PacketType.ECHO_REQ, String(i)); // several pieces
  slow[0]!.resolve();
  await until(() => transport.writes.length === 2);
  const decoder = new PacketDecoder();
  for (const bytes of transport.writes) decoder.push(bytes);
  const given = [...decoder];
  decoder.end(); // whole packets
  const recalled = connection.recall();
  assert.equal(given.length + recalled.length, 20_001);
  assert.deepEqual([...given, ...recalled].slice(1).map(({ args }) => Number(text(args[0]!))), [
    ...Array(20_000).keys(),
  ]);
  slow[1]!.resolve();
  await connection.flush();
  assert.equal(transport.writes.length, 2);
});

test("recall() works in the tick of send(), and after the connection has ended", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  connection.send(PacketType.ECHO_REQ, "same tick");
  assert.deepEqual(connection.recall().map(({ args }) => text(args[0]!)), ["same tick"]);
  await connection.flush();
  assert.deepEqual(transport.writes, []);
  connection.send(PacketType.ECHO_REQ, "lost");
  await connection.destroy();
  assert.deepEqual(connection.recall().map(({ args }) => text(args[0]!)), ["lost"]);
  assert.deepEqual(transport.writes, []);
});

test("onceDrained() calls back once all is written, and what it sends is given to the transport at once", {
  timeout,
}, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const slow = deferred<void>();
  transport.answers.push(slow.promise);
  connection.send(PacketType.ECHO_REQ, "before");
  const seen: number[] = [];
  connection.onceDrained(() => assert.fail("a later call replaces the callback"));
  connection.onceDrained(() => {
    seen.push(transport.writes.length);
    connection.send(PacketType.ECHO_REQ, "from the callback");
    queueMicrotask(() => seen.push(transport.writes.length));
  });
  await turns(2);
  assert.equal(seen.length, 0, "the first write is under way");
  slow.resolve();
  await connection.flush();
  assert.equal(seen.join(), "1,2");
  connection.onceDrained(() => seen.push(3));
  assert.equal(seen.length, 2, "not in the call itself");
  await turns(1);
  assert.equal(seen.join(), "1,2,3");
  connection.onceDrained(() => connection.onceDrained(() => seen.push(4)));
  await turns(1);
  assert.equal(seen.join(), "1,2,3,4", "a callback that sends nothing may ask to be called again");
  await connection.destroy();
  connection.onceDrained(() => assert.fail("drained after the end"));
  await turns(2);
});

test("an argument in a buffer that was transferred or shrunk ends the connection, before and while it is sent", {
  timeout,
}, async () => {
  const takes: ((buffer: ArrayBuffer) => void)[] = [
    (buffer) => structuredClone(buffer, { transfer: [buffer] }),
    (buffer) => buffer.resize(10),
    (buffer) => buffer.resize(buffer.byteLength - 1),
  ];
  for (const size of [70_000, 600_000]) {
    for (const take of takes) {
      for (const when of ["before", "while"] as const) {
        const transport = new FakeTransport();
        const slow = deferred<void>();
        if (when === "while") transport.answers.push(Promise.resolve(), slow.promise);
        const connection = new Connection(transport);
        const buffer = new ArrayBuffer(size, { maxByteLength: size });
        connection.send(PacketType.ECHO_REQ, new Uint8Array(buffer));
        if (when === "while") await turns(1);
        take(buffer);
        slow.resolve();
        await assert.rejects(connection.flush(), {
          name: "ConnectionError",
          message: "The connection was lost: Cannot send an argument: its buffer was transferred or shrunk",
        });
        assert.equal(transport.closed, 1);
      }
    }
  }
});

test("onFailed is called at once when a write fails, also if the read never settles", { timeout }, async () => {
  const broken = new Error("EPIPE");
  const failed = deferred<unknown>();
  const connection = new Connection({
    write: () => Promise.reject(broken),
    close() {},
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
  }, { onFailed: failed.resolve });
  connection.pump(() => {});
  connection.send(PacketType.ECHO_REQ, "x");
  const error = await failed.promise;
  assert.ok(error instanceof ConnectionError && error.cause === broken);
  await connection.destroy();
});

test("destroy() does not wait for a peer that does not read, and ends a close() that does", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const stuck = deferred<void>();
  transport.answers.push(stuck.promise);
  connection.send(PacketType.PRE_SLEEP);
  await turns(1);
  connection.send(PacketType.GRAB_JOB);
  let closing: Promise<void> | undefined;
  holdTimers(() => closing = connection.close());
  await turns();
  assert.equal(transport.closed, 0);
  const second = connection.destroy();
  assert.equal(transport.closed, 1);
  stuck.resolve(); // too late: the queued packet must not leave now
  await Promise.all([closing, second]);
  await assert.rejects(connection.flush(), ConnectionError, "flushed what was never taken");
  assert.deepEqual(packetsPerWrite(transport), [1], "written after it was closed");
});

test("destroy(reason) rejects pump, iteration and flush with the reason, and discards the packets that had arrived", {
  timeout,
}, async () => {
  const reason = { any: "value" };
  const isReason = (error: unknown) => error === reason;

  const pumped = new FakeTransport();
  const pumping = new Connection(pumped);
  pumped.receive(join([echo("a"), echo("b")]));
  const found: string[] = [];
  await assert.rejects(
    pumping.pump((packet) => {
      found.push(textOf(packet));
      pumping.destroy(reason);
    }),
    isReason,
  );
  assert.deepEqual(found, ["a"]);

  const iterated = new FakeTransport();
  const iterating = new Connection(iterated);
  iterated.answers.push(new Promise(() => {}));
  iterating.send(PacketType.PRE_SLEEP);
  const ends = [iterating[Symbol.asyncIterator]().next(), iterating.flush()];
  await turns();
  await iterating.destroy(reason);
  for (const end of ends) await assert.rejects(end, isReason);
  await assert.rejects(iterating.flush(), isReason);
  assert.throws(() => iterating.send(PacketType.PRE_SLEEP), isReason);
});

test("destroy(reason) rejects a pump and an iteration whose read or pause never settles", { timeout }, async () => {
  const stuck = (): Transport => ({
    write: () => {},
    close: () => {},
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
  });
  const isReason = (error: unknown) => error === "enough";
  const pumping = new Connection(stuck());
  const pumped = assert.rejects(pumping.pump(() => {}), isReason);
  const iterating = new Connection(stuck());
  const iterated = assert.rejects(iterating[Symbol.asyncIterator]().next(), isReason);
  const transport = new FakeTransport();
  const pausing = new Connection(transport);
  transport.receive(echo("a"));
  const paused = assert.rejects(pausing.pump(() => new Promise(() => {})), isReason);
  await turns();
  for (const connection of [pumping, iterating, pausing]) connection.destroy("enough");
  await Promise.all([pumped, iterated, paused]);
});

test("destroy() never rejects, may be called again, and changes nothing after the end", { timeout }, async () => {
  const transport = new FakeTransport();
  const { close } = transport;
  transport.close = () => {
    close.call(transport);
    return Promise.reject(new Error("cannot close")) as never;
  };
  const destroyed = new Connection(transport);
  const pumping = destroyed.pump(() => {}).catch((error: unknown) => error);
  await Promise.all([destroyed.destroy(), destroyed.destroy("later"), destroyed.close()]);
  assert.ok(await pumping instanceof ConnectionError);
  assert.equal(transport.closed, 1);

  const closed = new Connection(new FakeTransport());
  const ended = closed.pump(() => {});
  await closed.close();
  await closed.destroy("later");
  await Promise.all([ended, closed.flush()]);

  const broken = new FakeTransport();
  const failed = new Connection(broken);
  broken.break(new Error("reset"));
  const error = await failed.pump(() => {}).catch((error: unknown) => error);
  await failed.destroy("later");
  await assert.rejects(failed.flush(), (thrown) => thrown === error);
});

test("close() resolves when the transport has closed", { timeout }, async () => {
  const transport = new FakeTransport();
  const closed = deferred<void>();
  transport.close = () => closed.promise;
  const connection = new Connection(transport);
  let isClosed = false;
  const closing = connection.close().then(() => isClosed = true);
  await turns();
  assert.equal(isClosed, false);
  closed.resolve();
  await closing;
});

test("close() leaves no timer behind once everything is written", { timeout }, async () => {
  using timers = fakeTimers(2_000);
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  const writing = deferred<void>();
  transport.answers.push(writing.promise);
  connection.send(PacketType.PRE_SLEEP);
  const closing = connection.close();
  assert.equal(timers.active, 1);
  writing.resolve();
  await closing;
  assert.equal(timers.active, 0);
});

test("close() with a peer that never reads ends after two seconds", { timeout }, async () => {
  const transport = new FakeTransport();
  const connection = new Connection(transport);
  transport.answers.push(new Promise(() => {}));
  connection.send(PacketType.PRE_SLEEP);
  const flushing = connection.flush().then(() => "flushed", (error: unknown) => error);
  let closing: Promise<void> | undefined;
  const timers = holdTimers(() => closing = connection.close());
  assert.deepEqual(timers.map(({ ms }) => ms), [2_000]);
  await turns();
  assert.equal(transport.closed, 0);
  timers[0]!.callback();
  await closing;
  assert.equal(transport.closed, 1);
  assert.ok(await flushing instanceof ConnectionError, "flushed what was never taken");
});

test("close() never rejects, and a packet that it cuts short is not an error", { timeout }, async () => {
  const transport = new FakeTransport();
  transport.close = () => {
    transport.end();
    return Promise.reject(new Error("cannot close")) as never;
  };
  transport.receive(echo("a").subarray(0, 5));
  const connection = new Connection(transport);
  const pumping = connection.pump(() => {});
  await turns(1);
  await connection.close();
  await pumping;
  await connection.close();
});

test("two connections exchange packets over a pipe, under load in both directions", { timeout }, async () => {
  const [here, there] = memoryPipe();
  const client = new Connection(here);
  const server = new Connection(there, { magic: "RES" });
  const serving = server.pump((packet) => {
    if (packet.type === PacketType.ECHO_REQ) server.send(PacketType.ECHO_RES, packet.args[0]);
    return server.flush();
  });
  const payloads = [...Array(500).keys()].map((i) => pattern(i % 50 === 0 ? 70_000 : i));
  for (const payload of payloads) client.send(PacketType.ECHO_REQ, payload);
  let at = 0;
  for await (const packet of client) {
    assert.equal(toHex(packet.args[0]!) === toHex(payloads[at]!), true, `packet ${at}`);
    if (++at === payloads.length) break;
  }
  await client.close();
  await serving;
  await server.close();
});
