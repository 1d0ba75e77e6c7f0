/** The bytes that a decoder has received, and which it reads from the front. */

/** At most this many bytes are copied at once, so that the memory of the chunk that they are a view of is released. */
const MAX_COPIED = 4_096;
/**
 * Maximum number of chunks that wait for the rest of a packet, to be copied together into memory of the right size. More
 * are not held: thousands of tiny chunks must not cost an object each.
 */
const MAX_WAITING = 16;

const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * Received bytes: the first ones in one piece, and the chunks that wait behind it.
 *
 * The piece is a chunk as it was pushed, or memory of this list, with room for what is to follow. A packet that is split
 * over chunks is copied there, and nothing else is copied.
 */
export class ReceivedBytes {
  #head = EMPTY;
  /** The first bytes are those of `head` from here to `#end`; the rest of `head` is room. */
  #position = 0;
  #end = 0;
  /** Chunks that were pushed and not pulled yet: those from `#nextChunk` on. */
  #chunks: Uint8Array[] = [];
  #nextChunk = 0;
  /** Bytes of these chunks. */
  #waiting = 0;
  /** Bytes that are dropped as they are pulled. */
  #toDrop = 0;

  /** Number of bytes in one piece, at the front. */
  get size(): number {
    return this.#end - this.#position;
  }

  /** The memory with the first byte. */
  get head(): Uint8Array {
    return this.#head;
  }

  /** Position of the first byte in `head`. */
  get position(): number {
    return this.#position;
  }

  /** True while bytes that were dropped have not all arrived. */
  get isDropping(): boolean {
    return this.#toDrop > 0;
  }

  /** True if every byte was dropped, and nothing is left to drop. */
  get isEmpty(): boolean {
    return this.size + this.#waiting === 0 && !this.isDropping;
  }

  /** Appends a chunk. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
  }

  /** True if chunks should wait on: there are not `size` bytes yet, and what waits is long and in few chunks. */
  shouldWait(size: number): boolean {
    const isShort = this.#waiting <= MAX_COPIED || this.size === 0;
    return !isShort && this.size + this.#waiting < size && this.#chunks.length - this.#nextChunk < MAX_WAITING;
  }

  /** Moves waiting bytes to the front, where there are to be `target` bytes; false if none are waiting. */
  pull(target: number): boolean {
    if (this.#waiting === 0) return false;
    if (this.size === 0) {
      this.#head = this.#shift(Infinity);
      this.#end = this.#head.length;
      this.#position = Math.min(this.#toDrop, this.#end);
      this.#toDrop -= this.#position;
      return true;
    }
    const missing = Math.min(target - this.size, this.#waiting);
    if (this.#head.length - this.#end < missing) this.#move(target);
    const end = this.#end + missing;
    while (this.#end < end) {
      const part = this.#shift(end - this.#end);
      this.#head.set(part, this.#end);
      this.#end += part.length;
    }
    return true;
  }

  /** Drops the next bytes: those at the front, and the rest as it is pulled. */
  drop(size: number): void {
    const dropped = Math.min(size, this.size);
    this.#position += dropped;
    this.#toDrop = size - dropped;
  }

  /** Releases the last chunk, of which a short end may have to wait for long until there are `target` bytes. */
  release(target: number): void {
    if (this.size === 0) {
      this.#head = EMPTY;
      this.#position = 0;
      this.#end = 0;
    } else if (this.#end === this.#head.length && this.size <= MAX_COPIED) {
      this.#move(target);
    }
  }

  /** Takes at most `maxSize` bytes of the first chunk that waits. */
  #shift(maxSize: number): Uint8Array {
    const chunk = this.#chunks[this.#nextChunk]!;
    const part = chunk.subarray(0, maxSize);
    this.#waiting -= part.length;
    if (part.length < chunk.length) {
      this.#chunks[this.#nextChunk] = chunk.subarray(part.length);
    } else if (this.#waiting === 0) {
      this.#chunks = [];
      this.#nextChunk = 0;
    } else {
      this.#nextChunk += 1;
    }
    return part;
  }

  /** Moves the bytes at the front to new memory: at most four times as much as has arrived, whatever is announced. */
  #move(target: number): void {
    const bytes = this.#head.subarray(this.#position, this.#end);
    this.#head = new Uint8Array(Math.min(target, 4 * (bytes.length + this.#waiting)));
    this.#head.set(bytes);
    this.#position = 0;
    this.#end = bytes.length;
  }
}
