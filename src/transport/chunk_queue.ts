/** Received chunks on their way to whoever reads them: every transport of ours has one. */

import { type Deferred, deferred } from "../internal/promises.ts";

/** A queue of chunks that is read as an async iterator. */
export class ChunkQueue implements AsyncIterator<Uint8Array> {
  readonly #onWanted: () => void;
  #chunks: Uint8Array[] = [];
  #reader: Deferred<IteratorResult<Uint8Array>> | undefined;
  /** Tells a reader that nothing more comes, or what went wrong. */
  #end: ((reader: Deferred<IteratorResult<Uint8Array>>) => void) | undefined;
  /** Bytes that nobody has read yet. */
  size = 0;

  /** `onWanted` is called at each read: the reader took a chunk, or waits for one. */
  constructor(onWanted: () => void) {
    this.#onWanted = onWanted;
  }

  /** Whether nothing more comes in. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  push(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    if (this.#reader !== undefined) {
      this.#reader.resolve({ done: false, value: chunk });
      this.#reader = undefined;
      return;
    }
    this.#chunks.push(chunk);
    this.size += chunk.length;
  }

  /** Nothing more comes in; with an error, that is what the reader is told after what is still here. */
  end(error?: unknown): void {
    this.#end ??= (reader) =>
      error === undefined ? reader.resolve({ done: true, value: undefined }) : reader.reject(error);
    if (this.#reader !== undefined) this.#end(this.#reader);
    this.#reader = undefined;
  }

  /** Ends it, and drops what is still here. */
  close(): void {
    this.#chunks = [];
    this.size = 0;
    this.#end = undefined;
    this.end();
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#chunks.shift();
    if (value !== undefined) {
      this.size -= value.length;
      this.#onWanted();
      return Promise.resolve({ done: false, value });
    }
    const reader = deferred<IteratorResult<Uint8Array>>();
    if (this.#end !== undefined) this.#end(reader);
    else {
      this.#reader = reader;
      this.#onWanted();
    }
    return reader.promise;
  }
}
