/** Received chunks of bytes as one sequence, which is read from its front. */

/**
 * Chunks of at most this length are copied together behind others that wait: thousands of tiny chunks must cost neither an
 * object each nor the memory of the large buffers that they may be views of.
 */
const MAX_COPIED = 4_096;
/** Maximum of memory that is reserved at once to copy short chunks together, in bytes. */
const MAX_RESERVED = 65_536;

const EMPTY: Uint8Array = new Uint8Array(0);

interface Chunk {
  bytes: Uint8Array;
  next: Chunk | undefined;
}

/** Received chunks, in order; a chunk is released as soon as its last byte is dropped. */
export class ChunkList {
  /** The chunk with the first byte; its bytes are empty only if the list is. */
  #first: Chunk = { bytes: EMPTY, next: undefined };
  #last = this.#first;
  #position = 0;
  #size = 0;
  /** Free bytes behind the last chunk, in memory that belongs to this list. */
  #spare = 0;

  /** Number of bytes in the list. */
  get size(): number {
    return this.#size;
  }

  /** The chunk with the first byte; empty if the list is. */
  get head(): Uint8Array {
    return this.#first.bytes;
  }

  /** Position of the first byte in `head`. */
  get position(): number {
    return this.#position;
  }

  /** Appends a chunk: as it is, or as a copy if it is short and other bytes are waiting. */
  push(chunk: Uint8Array): void {
    const rest = this.#spare > 0 ? this.#fillSpare(chunk) : chunk;
    if (rest.length === 0) return;
    if (this.#size > 0 && rest.length <= MAX_COPIED) {
      // As much as is waiting already: few pieces hold many short chunks, and at most half of the memory is unused.
      this.#spare = Math.min(MAX_RESERVED, Math.max(rest.length, this.#size));
      this.#append(new Uint8Array(this.#spare).subarray(0, 0));
      this.#fillSpare(rest);
    } else {
      this.#append(rest);
      this.#size += rest.length;
    }
  }

  /** Drops the next bytes, all of which are in `head`. */
  drop(size: number): void {
    this.#size -= size;
    this.#position += size;
    if (this.#position === this.#first.bytes.length) this.#dropFirst();
  }

  #append(bytes: Uint8Array): void {
    const chunk: Chunk = { bytes, next: undefined };
    if (this.#size === 0) this.#first = chunk;
    else this.#last.next = chunk;
    this.#last = chunk;
  }

  #dropFirst(): void {
    this.#position = 0;
    if (this.#first.next !== undefined) {
      this.#first = this.#first.next;
    } else {
      this.#first.bytes = EMPTY;
      this.#spare = 0;
    }
  }

  /** Copies bytes behind the last chunk, and returns those for which there was no room. */
  #fillSpare(chunk: Uint8Array): Uint8Array {
    const copied = chunk.length <= this.#spare ? chunk : chunk.subarray(0, this.#spare);
    const { bytes } = this.#last;
    const filled = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length + copied.length);
    filled.set(copied, bytes.length);
    this.#last.bytes = filled;
    this.#spare -= copied.length;
    this.#size += copied.length;
    return copied === chunk ? EMPTY : chunk.subarray(copied.length);
  }
}
