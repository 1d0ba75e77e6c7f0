/** Collecting the result of a job: all its data, joined. */

import { type Bytes, joinBytes } from "../internal/bytes.ts";
import type { Settle } from "../internal/promises.ts";

/** The pieces of one result, and the promise that waits for them. */
export class Collector {
  readonly #settle: Settle<Bytes>;
  readonly #pieces: Uint8Array[] = [];
  /** Bytes collected so far. */
  size = 0;

  constructor(settle: Settle<Bytes>) {
    this.#settle = settle;
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.size += piece.length;
  }

  /** Resolves the promise to all pieces, joined. */
  complete(): void {
    // A piece is the job's own memory, so a single one needs no copy.
    const [first] = this.#pieces;
    const single = this.#pieces.length === 1 ? first as Bytes : undefined;
    this.#settle.resolve(single ?? joinBytes(this.#pieces, this.size));
  }

  /** Rejects the promise. */
  fail(error: unknown): void {
    this.#settle.reject(error);
  }
}
