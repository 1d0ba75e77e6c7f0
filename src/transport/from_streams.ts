/** A transport over a pair of web streams: `cloudflare:sockets`, `Deno.Conn`, WebSocketStream, or a pair of your own. */

import { ignoreErrors } from "../internal/promises.ts";
import type { Transport } from "./transport.ts";

const READ_SIZE = 65_536;
/** A read of fewer bytes is copied out, so that it does not hold on to a 64 KiB buffer. */
const SMALL_READ = 16_384;

/** What {@linkcode fromStreams} takes: anything with a readable and a writable side. */
export interface Duplex {
  /** Yields the received bytes. */
  readonly readable: ReadableStream<Uint8Array | ArrayBuffer>;
  /** Takes the bytes to send. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles when it is connected, as on a socket of `cloudflare:sockets`. */
  readonly opened?: Promise<unknown>;
  /** Settles when it is closed; a rejection is taken notice of elsewhere, and ignored here. */
  readonly closed?: Promise<unknown>;
  /** Closes it for good. */
  close?(): unknown;
}

/**
 * Makes a transport of a readable and a writable stream.
 *
 * It waits for `opened` where there is one, reads with a BYOB reader of 64 KiB where the stream has one, and takes
 * `Uint8Array` and `ArrayBuffer` chunks alike.
 *
 * @example A client over sockets of an edge
 * ```ts
 * import { fromStreams, GearmanClient } from "@gearwire/gearman";
 *
 * // `connect` of "cloudflare:sockets", or whatever else gives a readable and a writable stream.
 * function clientOver(connect: (server: { hostname: string; port: number }) => Parameters<typeof fromStreams>[0]) {
 *   return new GearmanClient({ servers: "jobs.example:4730", dial: (server) => fromStreams(connect(server)) });
 * }
 * ```
 *
 * @throws {TypeError} It has no `readable` or no `writable`, or one of them is locked.
 */
export function fromStreams(duplex: Duplex): Transport {
  if (typeof duplex?.readable?.getReader !== "function" || typeof duplex.writable?.getWriter !== "function") {
    throw new TypeError("Cannot use the streams: expected a readable and a writable one");
  }
  const { readable, opened } = duplex;
  const writer = duplex.writable.getWriter();
  const [reader, read] = readerOf(readable);
  // What goes wrong is told by the read or the write that it happens to.
  for (const promise of [writer.closed, writer.ready, reader.closed, duplex.closed, opened]) promise?.catch(() => {});
  let closed = false;
  return {
    ...(opened === undefined ? {} : { opened }),
    async write(bytes) {
      if (opened !== undefined) await opened;
      await writer.write(bytes).catch((error) => {
        // A socket of an earlier request of workerd's: it is closed already, and any touch of it is one more such error.
        if (/different request/.test(String(error))) closed = true;
        throw error;
      });
    },
    close() {
      if (closed) return;
      closed = true;
      // Each of these may never settle with a peer that does not read, or reject on a stream that has broken.
      for (const close of [() => writer.close(), () => reader.cancel(), () => duplex.close?.()]) ignoreErrors(close);
    },
    [Symbol.asyncIterator]: () => ({
      async next() {
        try {
          if (opened !== undefined) await opened;
          if (!closed) return await read();
        } catch (error) {
          if (!closed) throw error;
        }
        return { done: true, value: undefined };
      },
    }),
  };
}

type Reader = ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array | ArrayBuffer>;
type Read = () => Promise<IteratorResult<Uint8Array>>;

/** A reader of either kind, and what it reads. */
function readerOf(readable: Duplex["readable"]): [Reader, Read] {
  try {
    const reader = readable.getReader({ mode: "byob" });
    return [reader, byobReads(reader)];
  } catch {
    const reader = readable.getReader();
    return [reader, defaultReads(reader)];
  }
}

function byobReads(reader: ReadableStreamBYOBReader): Read {
  let buffer = new ArrayBuffer(READ_SIZE);
  return async () => {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    const small = value !== undefined && value.length < SMALL_READ;
    buffer = small ? value.buffer : new ArrayBuffer(READ_SIZE); // also at the end, behind which may be read again
    if (done || value === undefined) return { done: true, value: undefined };
    return { done: false, value: small ? value.slice() : value };
  };
}

function defaultReads(reader: ReadableStreamDefaultReader<Uint8Array | ArrayBuffer>): Read {
  return async () => {
    const { done, value } = await reader.read();
    if (done) return { done: true, value: undefined };
    if (value instanceof Uint8Array) return { done: false, value };
    if (value instanceof ArrayBuffer) return { done: false, value: new Uint8Array(value) };
    throw new TypeError("the stream yielded no Uint8Array or ArrayBuffer");
  };
}
