/** A transport over a pair of web streams: `cloudflare:sockets`, `Deno.Conn`, WebSocketStream, or any other pair. */

import { ignoreErrors, markHandled } from "../internal/promises.ts";
import type { Transport } from "./transport.ts";

/** Size of the buffer of one read, in bytes. */
const READ_SIZE = 65_536;
/** A read of fewer bytes is copied, so that it does not hold on to the whole buffer. */
const MIN_UNCOPIED_READ = 16_384;

/** The argument of {@linkcode fromStreams}: an object with a readable and a writable side. */
export interface Duplex {
  /** Yields the received bytes. */
  readonly readable: ReadableStream<Uint8Array | ArrayBuffer>;
  /** Takes the bytes to send. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles when the streams are connected, as on a socket of `cloudflare:sockets`. */
  readonly opened?: Promise<unknown> | undefined;
  /** Settles when the streams are closed; a rejection is ignored, since reads and writes fail too. */
  readonly closed?: Promise<unknown> | undefined;
  /** Closes both streams. */
  close?: (() => unknown) | undefined;
}

/**
 * Makes a transport from a readable and a writable stream.
 *
 * It waits for `opened` if there is such a promise. It reads byte streams with a BYOB reader of 64 KiB, and accepts
 * `Uint8Array` and `ArrayBuffer` chunks.
 *
 * @example A client over sockets of an edge
 * ```ts
 * import { fromStreams, GearmanClient } from "@gearwire/gearman";
 *
 * // `connect` of "cloudflare:sockets", or any other function that returns a readable and a writable stream.
 * function clientOver(connect: (server: { hostname: string; port: number }) => Parameters<typeof fromStreams>[0]) {
 *   return new GearmanClient({ servers: "jobs.example:4730", dial: (server) => fromStreams(connect(server)) });
 * }
 * ```
 *
 * @throws {TypeError} `readable` or `writable` is missing, or one of them is locked.
 */
export function fromStreams(duplex: Duplex): Transport {
  if (typeof duplex?.readable?.getReader !== "function" || typeof duplex.writable?.getWriter !== "function") {
    throw new TypeError("Cannot use the streams: there must be a readable and a writable one");
  }
  const { readable, opened } = duplex;
  const writer = duplex.writable.getWriter();
  const { reader, read } = openReader(readable);
  // The read or write that a failure happens to rejects; these promises must not end the process as well.
  for (const promise of [writer.closed, writer.ready, reader.closed, duplex.closed, opened]) {
    if (promise !== undefined) markHandled(promise);
  }
  let closed = false;
  return {
    opened,
    async write(bytes) {
      // Without `opened`, the stream gets the bytes at once: a close() that follows must come after them.
      if (opened !== undefined) await opened;
      try {
        await writer.write(bytes);
      } catch (error) {
        // workerd refuses to touch a socket of an earlier request; closing it would only fail in the same way.
        if (/different request/.test(String(error))) closed = true;
        throw error;
      }
    },
    close() {
      if (closed) return;
      closed = true;
      // Not awaited: each may never settle with a peer that does not read, or reject on a broken stream.
      ignoreErrors(() => writer.close());
      ignoreErrors(() => reader.cancel());
      ignoreErrors(() => duplex.close?.());
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

type Read = () => Promise<IteratorResult<Uint8Array>>;

interface OpenReader {
  readonly reader: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array | ArrayBuffer>;
  readonly read: Read;
}

/** Locks the stream: with a BYOB reader if it is a byte stream, otherwise with a default reader. */
function openReader(readable: Duplex["readable"]): OpenReader {
  try {
    const reader = readable.getReader({ mode: "byob" });
    return { reader, read: byobReads(reader) };
  } catch {
    const reader = readable.getReader();
    return { reader, read: defaultReads(reader) };
  }
}

function byobReads(reader: ReadableStreamBYOBReader): Read {
  let buffer = new ArrayBuffer(READ_SIZE);
  return async () => {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    const isCopied = value !== undefined && value.length < MIN_UNCOPIED_READ;
    // The buffer went to the stream and came back in `value`. At the end it may not come back, and the caller may still
    // read again.
    buffer = isCopied ? value.buffer : new ArrayBuffer(READ_SIZE);
    if (done || value === undefined) return { done: true, value: undefined };
    return { done: false, value: isCopied ? value.slice() : value };
  };
}

function defaultReads(reader: ReadableStreamDefaultReader<Uint8Array | ArrayBuffer>): Read {
  return async () => {
    const { done, value } = await reader.read();
    if (done) return { done: true, value: undefined };
    if (value instanceof Uint8Array) return { done: false, value };
    if (value instanceof ArrayBuffer) return { done: false, value: new Uint8Array(value) };
    throw new TypeError("the stream must yield Uint8Array or ArrayBuffer chunks");
  };
}
