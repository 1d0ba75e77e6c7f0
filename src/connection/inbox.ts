/** Received chunks on their way to whoever reads them: every transport of ours has one. */

import { type Deferred, deferred } from "./abort.ts";

/** A queue of chunks that is read as an async iterator. */
export class Inbox implements AsyncIterator<Uint8Array> {
  readonly #onWanted: () => void;
  #chunks: Uint8Array[] = [];
  #reader: Deferred<IteratorResult<Uint8Array>> | undefined;
  #end: { readonly error: unknown } | null | undefined;
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
    if (this.#end === undefined) this.#end = error === undefined ? null : { error };
    if (error === undefined) this.#reader?.resolve({ done: true, value: undefined });
    else this.#reader?.reject(error);
    this.#reader = undefined;
  }

  /** Ends it, and drops what is still here. */
  close(): void {
    this.#chunks = [];
    this.size = 0;
    this.#end = null;
    this.end();
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#chunks.shift();
    if (value !== undefined) {
      this.size -= value.length;
      this.#onWanted();
      return Promise.resolve({ done: false, value });
    }
    if (this.#end === null) return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== undefined) return Promise.reject(this.#end.error);
    this.#reader = deferred();
    const { promise } = this.#reader;
    this.#onWanted();
    return promise;
  }
}
