/** A result in one piece, for servers that do not take it in several. */

/** The pieces of a result, joined in memory that grows with them. */
export class JoinedResult {
  #memory = new Uint8Array(0);
  #size = 0;

  /** Number of bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Appends a copy of a piece. */
  append(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    if (size > this.#memory.length) {
      const memory = new Uint8Array(Math.max(size, 2 * this.#memory.length));
      memory.set(this.#memory.subarray(0, this.#size));
      this.#memory = memory;
    }
    this.#memory.set(piece, this.#size);
    this.#size = size;
  }

  /** Returns the result so far. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#size);
  }
}
