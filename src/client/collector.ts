/** Collecting the result of a job: all its data, joined. */

import { type Bytes, joinBytes } from "../internal/bytes.ts";

/** Longer pieces are kept as they are. Shorter ones are copied together: each alone would cost more than its bytes. */
const MAX_JOINED = 4_096;
/** Memory in bytes into which short pieces are copied. */
const BLOCK_SIZE = 65_536;

/** The pieces of one result, and the promise that waits for them. */
export class Collector {
  readonly #resolve: (bytes: Bytes) => void;
  /** Rejects the promise. */
  readonly fail: (error: unknown) => void;
  readonly #pieces: Uint8Array[] = [];
  /** Memory that short pieces are copied into, and how much of it is used. */
  #block: Uint8Array | undefined;
  #used = 0;
  /** Bytes collected so far. */
  size = 0;

  /** Takes the functions that settle the promise. */
  constructor(resolve: (bytes: Bytes) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.fail = reject;
  }

  add(piece: Uint8Array): void {
    const { length } = piece;
    this.size += length;
    if (length > MAX_JOINED || this.size === length) { // the first piece is often the only one
      this.#finishBlock();
      this.#pieces.push(piece);
    } else if (length > 0) {
      if (this.#used + length > BLOCK_SIZE) this.#finishBlock();
      this.#block ??= new Uint8Array(BLOCK_SIZE);
      this.#block.set(piece, this.#used);
      this.#used += length;
    }
  }

  /** Resolves the promise to all pieces, joined. */
  complete(): void {
    this.#finishBlock();
    // A piece is the job's own memory, so a single one needs no copy.
    const single = this.#pieces.length === 1 ? this.#pieces[0] as Bytes : undefined;
    this.#resolve(single ?? joinBytes(this.#pieces, this.size));
  }

  #finishBlock(): void {
    if (this.#block !== undefined) this.#pieces.push(this.#block.subarray(0, this.#used));
    this.#block = undefined;
    this.#used = 0;
  }
}
