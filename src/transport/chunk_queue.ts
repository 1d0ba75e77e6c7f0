/** Received chunks on their way to the reader of a transport. */

import { type Deferred, deferred } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";

type Reader = Deferred<IteratorResult<Uint8Array>>;

/**
 * Whether more chunks may come in: while `open`. After that, reads get the chunks that are left and then the end of the
 * iteration (`ended`) or the error (`failed`).
 */
type State =
  | { readonly phase: "open" }
  | { readonly phase: "ended" }
  | { readonly phase: "failed"; readonly error: unknown };

const OPEN: State = { phase: "open" };
const ENDED: State = { phase: "ended" };

/** A queue of chunks that is read as an async iterator, by one reader. */
export class ChunkQueue implements AsyncIterator<Uint8Array> {
  readonly #onRead: () => void;
  #state = OPEN;
  #chunks = new Fifo<Uint8Array>();
  #reader: Reader | undefined;
  #size = 0;

  /** `onRead` is called at each read that takes a chunk or begins to wait for one. */
  constructor(onRead: () => void) {
    this.#onRead = onRead;
  }

  /** Bytes that have not been read yet. */
  get size(): number {
    return this.#size;
  }

  /** True if no more chunks are accepted. */
  get ended(): boolean {
    return this.#state.phase !== "open";
  }

  /** Appends a chunk, or hands it to the waiting reader; ignored after the end. */
  push(chunk: Uint8Array): void {
    if (this.ended) return;
    if (this.#reader !== undefined) {
      this.#reader.resolve({ done: false, value: chunk });
      this.#reader = undefined;
      return;
    }
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** Accepts no more chunks; those that are left can still be read. */
  end(): void {
    if (!this.ended) this.#finish(ENDED);
  }

  /** Accepts no more chunks; after those that are left, reads reject with the error. Ignored after the end. */
  fail(error: unknown): void {
    if (!this.ended) this.#finish({ phase: "failed", error });
  }

  /** Ends the queue and discards what is left: chunks, or an error that was not read yet. */
  close(): void {
    this.#chunks = new Fifo();
    this.#size = 0;
    this.#finish(ENDED);
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#chunks.shift();
    if (value !== undefined) {
      this.#size -= value.length;
      this.#onRead();
      return Promise.resolve({ done: false, value });
    }
    const reader: Reader = deferred();
    if (this.ended) {
      this.#settle(reader);
    } else {
      this.#reader = reader;
      this.#onRead();
    }
    return reader.promise;
  }

  #finish(state: State): void {
    this.#state = state;
    if (this.#reader !== undefined) this.#settle(this.#reader);
    this.#reader = undefined;
  }

  /** Settles a read for which no chunk is left. */
  #settle(reader: Reader): void {
    if (this.#state.phase === "failed") reader.reject(this.#state.error);
    else reader.resolve({ done: true, value: undefined });
  }
}
