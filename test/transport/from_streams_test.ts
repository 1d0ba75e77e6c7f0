/** Tests of transports over web streams: byte streams and others, sockets that open late or fail, pairs of each runtime. */

import assert from "node:assert/strict";
import net from "node:net";
import { Duplex as NodeDuplex } from "node:stream";
import { test } from "node:test";
import { encodeRequest, PacketType } from "../../src/codec/mod.ts";
import { Connection, ConnectionError, fromStreams } from "../../src/connection/mod.ts";
import type { Duplex, Transport } from "../../src/connection/mod.ts";
import { chunks, join, pattern, text, toHex, utf8 } from "../support/bytes.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns } from "../support/wait.ts";
import { exception } from "../support/exceptions.ts";

const timeout = 10_000;

/** Makes a writable that keeps the bytes written to it. */
function sink(): { writable: WritableStream<Uint8Array>; written: Uint8Array[] } {
  const written: Uint8Array[] = [];
  return { writable: new WritableStream({ write: (bytes) => void written.push(bytes) }), written };
}

/** Makes a readable of these chunks. */
function source<T>(...parts: T[]): ReadableStream<T> {
  return new ReadableStream<T>({
    pull(controller) {
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(part);
    },
  });
}

/** Reads all chunks up to the end. */
async function readAll(transport: Transport): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const chunk of transport) found.push(chunk);
  return found;
}

/** Sends packets through the transport of an echoing peer, compares the replies, and closes. */
async function assertEchoes(transport: Transport): Promise<void> {
  const connection = new Connection(transport);
  const payloads = ["hello", "", "x".repeat(100_000)];
  for (const payload of payloads) connection.send(PacketType.ECHO_REQ, payload);
  for await (const packet of connection) {
    assert.ok(text(packet.args[0]!) === payloads.shift());
    if (payloads.length === 0) break;
  }
  await connection.close();
}

test("bytes are sent and received through a pair of streams", { timeout }, async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  await assertEchoes(fromStreams({ readable, writable }));
});

test("a byte stream is read with a BYOB reader of 64 KiB, and chunks are not overwritten", { timeout }, async () => {
  const stream = join(Array.from({ length: 40 }, (_, i) => encodeRequest(PacketType.ECHO_REQ, pattern(i * 997))));
  const parts = chunks(stream, [10, 5_000, 65_536, 20_000, 1]);
  const asked = new Set<number>();
  const readable = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const request = controller.byobRequest!;
      const view = request.view as Uint8Array;
      asked.add(view.byteLength);
      const part = parts[0];
      if (part === undefined) {
        controller.close();
        request.respond(0);
        return;
      }
      const size = Math.min(part.length, view.byteLength);
      new Uint8Array(view.buffer, view.byteOffset).set(part.subarray(0, size));
      if (size === part.length) parts.shift();
      else parts[0] = part.subarray(size);
      request.respond(size);
    },
  });
  const found = await readAll(fromStreams({ readable, writable: sink().writable }));
  assert.deepEqual([...asked], [65_536]);
  assert.ok(toHex(join(found)) === toHex(stream), "what was read first has changed since");
  for (const chunk of found) {
    assert.ok(chunk.buffer.byteLength <= 4 * chunk.length, "a small read holds a large buffer");
  }
});

test("a read of less than a quarter of the buffer is copied, and a longer one is not", { timeout }, async () => {
  const sizes = [16_383, 16_384];
  const readable = new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.byobRequest!.respond(sizes.shift()!);
      if (sizes.length === 0) controller.close();
    },
  });
  const found = await readAll(fromStreams({ readable, writable: sink().writable }));
  assert.deepEqual(found.map(({ length, buffer }) => [length, buffer.byteLength]), [[16_383, 16_383], [
    16_384,
    65_536,
  ]]);
});

test("a stream that is not a byte stream is read with its default reader, without a copy", { timeout }, async () => {
  const parts = [utf8("one"), utf8("two")];
  const found = await readAll(fromStreams({ readable: source(...parts), writable: sink().writable }));
  assert.deepEqual(found, parts);
  assert.equal(found[0], parts[0]);
});

test("chunks can be ArrayBuffers, as WebSocketStream yields", { timeout }, async () => {
  const readable = source<Uint8Array | ArrayBuffer>(pattern(3).slice().buffer, utf8("x"), new ArrayBuffer(2));
  const found = await readAll(fromStreams({ readable, writable: sink().writable }));
  assert.deepEqual(found.map(toHex), [toHex(pattern(3)), "78", "0000"]);
});

test("a chunk that is not bytes fails the connection, with a TypeError as the cause", { timeout }, async () => {
  const readable = source("text") as unknown as ReadableStream<Uint8Array>;
  const connection = new Connection(fromStreams({ readable, writable: sink().writable }));
  await assert.rejects(connection.pump(() => {}), (error) => {
    return error instanceof ConnectionError && error.cause instanceof TypeError;
  });
});

test("nothing is written or read before opened has resolved", { timeout }, async () => {
  const opened = deferred<void>();
  const { writable, written } = sink();
  const transport = fromStreams({ readable: source(utf8("hi")), writable, opened: opened.promise });
  assert.equal(transport.opened, opened.promise);
  const writing = transport.write(utf8("hello"));
  const reading = readAll(transport);
  await turns();
  assert.deepEqual(written, []);
  opened.resolve();
  await writing;
  assert.deepEqual(written.map(text), ["hello"]);
  assert.deepEqual((await reading).map(text), ["hi"]);
});

test(
  "if opened rejects, reads and writes reject with its error, and no rejection is unhandled",
  { timeout },
  async () => {
    const cause = new Error("proxy request failed");
    // As on a socket of cloudflare:sockets: both promises reject, and the readable ends without an error.
    const duplex: Duplex = {
      readable: source(),
      ...sink(),
      opened: Promise.reject(cause),
      closed: Promise.reject(cause),
    };
    const transport = fromStreams(duplex);
    await turns();
    await assert.rejects(readAll(transport), (error) => error === cause);
    await assert.rejects(async () => await transport.write(utf8("x")), (error) => error === cause);

    const connection = new Connection(fromStreams({ readable: source(), ...sink(), opened: Promise.reject(cause) }));
    connection.send(PacketType.PRE_SLEEP);
    await assert.rejects(connection.flush(), (error) => error instanceof ConnectionError && error.cause === cause);
  },
);

test("if closed rejects, the transport can still be used", { timeout }, async () => {
  const closed = deferred<void>();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const transport = fromStreams({ readable, writable, closed: closed.promise });
  closed.reject(new Error("network lost"));
  await turns();
  await assertEchoes(transport);
});

test("reads and writes reject with the error of their stream", { timeout }, async () => {
  const cause = new Error("broken");
  const readable = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(cause) });
  await assert.rejects(readAll(fromStreams({ readable, writable: sink().writable })), (error) => error === cause);
  const writable = new WritableStream<Uint8Array>({ write: () => Promise.reject(cause) });
  const transport = fromStreams({ readable: source(), writable });
  await assert.rejects(async () => await transport.write(utf8("x")), (error) => error === cause);
  transport.close();
  await turns();
});

test("close() leaves streams alone that belong to an earlier request, as on workerd", { timeout }, async () => {
  for (
    const [message, expected] of [["it belongs to a different request", []], ["broken", ["cancel", "close"]]] as const
  ) {
    const calls: string[] = [];
    const transport = fromStreams({
      readable: new ReadableStream({ cancel: () => void calls.push("cancel") }),
      writable: new WritableStream({ write: () => Promise.reject(new Error(message)) }),
      close: () => void calls.push("close"),
    });
    await assert.rejects(async () => await transport.write(utf8("x")), new Error(message));
    transport.close();
    await turns();
    assert.deepEqual(calls.sort(), expected);
  }
});

test("close() cancels and closes the streams once, and ends a waiting read", { timeout }, async () => {
  const calls: string[] = [];
  const duplex: Duplex = {
    readable: new ReadableStream({ cancel: () => void calls.push("cancel") }),
    writable: new WritableStream({ close: () => void calls.push("close writable") }),
    close: () => {
      calls.push("close");
      return Promise.reject(new Error("closed already"));
    },
  };
  const transport = fromStreams(duplex);
  const reading = readAll(transport);
  await turns();
  transport.close();
  transport.close();
  assert.deepEqual(await reading, []);
  await turns();
  assert.deepEqual(calls.sort(), ["cancel", "close", "close writable"]);
  await assert.rejects(async () => await transport.write(utf8("x")));
});

test("close() does not wait for a peer that does not read, and ignores errors", { timeout }, async () => {
  const duplex: Duplex = {
    readable: new ReadableStream({ cancel: () => Promise.reject(new Error("cancel")) }),
    writable: new WritableStream({
      write: () => new Promise(() => {}),
      close: () => Promise.reject(new Error("close")),
    }),
    close: () => {
      throw new Error("closed already");
    },
  };
  const transport = fromStreams(duplex);
  void transport.write(utf8("x"));
  const reading = readAll(transport);
  await turns();
  transport.close();
  assert.deepEqual(await reading, []);
  await turns();
});

test("the argument must be a pair of unlocked streams", () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  for (const bad of [undefined, null, {}, { readable }, { writable }, { readable: {}, writable: {} }, "tcp"]) {
    assert.throws(() => fromStreams(bad as unknown as Duplex), TypeError);
  }
  fromStreams({ readable, writable });
  assert.throws(() => fromStreams({ readable, writable }), TypeError);
});

/** Runs with the port of an echo server. */
async function withEchoServer(use: (port: number) => Promise<void>): Promise<void> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use((server.address() as net.AddressInfo).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test("the web streams of a socket of node:net are a transport", { timeout }, async () => {
  await withEchoServer(async (port) => {
    const pair = NodeDuplex.toWeb(net.connect(port, "127.0.0.1"));
    await assertEchoes(fromStreams(pair as unknown as Duplex));
  });
});

interface DenoConnect {
  connect(options: { port: number; hostname: string }): Promise<Duplex>;
}
const deno = (globalThis as unknown as { Deno?: DenoConnect }).Deno;

const DENO_CONN = "a Deno.Conn is a transport, read with a BYOB reader";

test(DENO_CONN, { timeout, skip: exception(DENO_CONN) }, async () => {
  await withEchoServer(async (port) => {
    await assertEchoes(fromStreams(await deno!.connect({ port, hostname: "127.0.0.1" })));
  });
});

test("reading after the end yields the end again", { timeout }, async () => {
  for (const type of [undefined, "bytes"] as const) {
    const start = (controller: ReadableByteStreamController | ReadableStreamDefaultController) => controller.close();
    const readable = new ReadableStream({ type, start } as UnderlyingByteSource) as ReadableStream<Uint8Array>;
    const connection = new Connection(fromStreams({ readable, writable: sink().writable }));
    for (let i = 0; i < 3; i++) for await (const _ of connection) assert.fail("there is nothing to read");
  }
});
