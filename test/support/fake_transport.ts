/** A transport that a test controls: it records writes, delays them on demand, and receives the bytes of the test. */

import { encodeResponse, PacketType } from "../../src/codec/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { type Deferred, deferred } from "../../src/internal/promises.ts";

/** The transport of a connection that is tested. */
export class FakeTransport implements Transport, AsyncIterator<Uint8Array> {
  /** The bytes of each write. */
  readonly writes: Uint8Array[] = [];
  /** Number of calls of `next()`. */
  reads = 0;
  /** Number of calls of `close()`. */
  closed = 0;
  /** Number of iterations that were started. */
  iterated = 0;
  /** The results of the next writes; a write without one succeeds at once, without a promise. */
  readonly answers: Promise<void>[] = [];
  #results: IteratorResult<Uint8Array>[] = [];
  #error: unknown;
  #reader: Deferred<IteratorResult<Uint8Array>> | undefined;

  /** Lets the connection receive bytes. */
  receive(...chunks: Uint8Array[]): void {
    for (const value of chunks) this.#results.push({ done: false, value });
    this.#serve();
  }

  /** Ends the stream, as the other side does. */
  end(): void {
    this.#results.push({ done: true, value: undefined });
    this.#serve();
  }

  /** Makes reading fail after the bytes that were received. */
  break(error: unknown): void {
    this.#error = error;
    this.#serve();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    this.writes.push(bytes);
    return this.answers.shift();
  }

  close(): void {
    this.closed++;
    if (this.closed === 1) this.end();
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    this.reads++;
    this.#reader = deferred();
    const { promise } = this.#reader;
    this.#serve();
    return promise;
  }

  [Symbol.asyncIterator](): this {
    this.iterated++;
    return this;
  }

  #serve(): void {
    if (this.#reader === undefined) return;
    const result = this.#results[0];
    if (result !== undefined) {
      if (result.done !== true) this.#results.shift();
      this.#reader.resolve(result);
    } else if (this.#error !== undefined) {
      this.#reader.reject(this.#error);
    } else {
      return;
    }
    this.#reader = undefined;
  }
}

/** The answers to the two requests by which a client greets, before it sends anything else. */
export const GREETING_ANSWERS: readonly Uint8Array[] = [
  encodeResponse(PacketType.OPTION_RES, "exceptions"),
  encodeResponse(PacketType.ECHO_RES, ""),
];

/** A transport to a server that has answered the greeting; `writes` has what comes after it. */
export class GreetedTransport extends FakeTransport {
  /** The write with the greeting. */
  greeting: Uint8Array | undefined;

  override write(bytes: Uint8Array): void | Promise<void> {
    if (this.greeting !== undefined) return super.write(bytes);
    this.greeting = bytes;
    this.receive(...GREETING_ANSWERS);
  }
}
