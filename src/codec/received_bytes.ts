/** The bytes that a decoder has received, and which it reads from the front. */

import { ProtocolError } from "../errors.ts";

/** At most this many bytes are copied at once, so that the memory of the chunk that they are a view of is released. */
const MAX_COPIED = 4_096;
/**
 * Chunks of at least this many bytes on average wait for more of a long packet. Shorter ones are copied as they arrive:
 * thousands of tiny chunks must not cost an object each.
 */
const MIN_WAITING = 2_048;
/** Memory is made for at most this many times the bytes that have arrived, whatever a header announces. */
const MAX_GROWTH = 4;

export const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * Received bytes: the first ones in one piece, and the chunks that wait behind it.
 *
 * The piece is a chunk as it was pushed, or memory of this list, with room for what is to follow. A packet that is split
 * over chunks is copied there, and nothing else is copied.
 */
export class ReceivedBytes {
  readonly #onCopied: ((chunk: Uint8Array) => void) | undefined;
  /** The memory with the first bytes. */
  head: Uint8Array = EMPTY;
  /** The first bytes are those of `head` from here to `#end`; the rest of `head` is room. */
  position = 0;
  #end = 0;
  /** Chunks that were pushed and not pulled yet: those from `#nextChunk` on. */
  #chunks: Uint8Array[] = [];
  #nextChunk = 0;
  /** Bytes of these chunks. */
  #waiting = 0;
  /** Bytes that are dropped as they are pulled. */
  #toDrop = 0;
  /** Offset in the stream of what begins at the front, and of what was dropped last. */
  #offset = 0;
  #droppedOffset = 0;
  /** What begins at the front has at least this many bytes, so that it need not be looked at for every chunk. */
  needed = 1;
  /** Number of bytes that are to be at the front when it is looked at again. */
  #target = 1;

  /** Why decoding has ended, if it has. */
  error: ProtocolError | undefined;

  /** `onCopied` is called with each chunk, or part of a chunk, that was copied. Nothing here refers to it any more. */
  constructor(onCopied?: (chunk: Uint8Array) => void) {
    this.#onCopied = onCopied;
  }

  /** Number of bytes in one piece, at the front. */
  get size(): number {
    return this.#end - this.position;
  }

  /** True if every byte was dropped, and nothing is left to drop. */
  get isEmpty(): boolean {
    return this.size + this.#waiting + this.#toDrop === 0;
  }

  /** Appends a chunk, unless decoding has ended. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.error !== undefined) return;
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
  }

  /** Tells how many bytes are needed at least, and how many are to be at the front then. */
  need(size: number, target: number = size): void {
    this.needed = size;
    this.#target = target;
  }

  /** Moves waiting bytes to the front, where some are missing; false if none are waiting, or if they should wait on. */
  pull(): boolean {
    const isLong = this.#waiting >= MIN_WAITING * this.#chunks.length;
    // Until then there is no memory for all that is needed, and what was copied now would be copied again.
    const shouldWait = isLong && this.needed > MAX_GROWTH * (this.size + this.#waiting);
    if (this.#waiting === 0 || shouldWait) {
      // The last chunk is released: a short end of it may have to wait for long.
      if (this.size === 0) this.head = EMPTY;
      else if (this.#end === this.head.length && this.size <= MAX_COPIED) this.#move();
      return false;
    }
    if (this.size === 0) {
      this.head = this.#shift(Infinity);
      this.#end = this.head.length;
      this.position = Math.min(this.#toDrop, this.#end);
      this.#toDrop -= this.position;
      return true;
    }
    const missing = Math.min(this.#target - this.size, this.#waiting);
    if (this.head.length - this.#end < missing) this.#move();
    const end = this.#end + missing;
    while (this.#end < end) {
      const part = this.#shift(end - this.#end);
      this.head.set(part, this.#end);
      this.#end += part.length;
      this.#onCopied?.(part);
    }
    return true;
  }

  /** Drops the next bytes: those at the front, and the rest as it is pulled. What follows has at least one. */
  drop(size: number): void {
    const dropped = Math.min(size, this.size);
    this.position += dropped;
    this.#toDrop = size - dropped;
    this.#droppedOffset = this.#offset;
    this.#offset += size;
    this.need(1);
  }

  /** Ends decoding with an error of what begins at the front, or is being dropped. */
  fail(reason: string): ProtocolError {
    const offset = this.#toDrop > 0 ? this.#droppedOffset : this.#offset;
    this.error = new ProtocolError(`Cannot decode: ${reason}`, { offset });
    this.head = EMPTY;
    this.#chunks = [];
    return this.error;
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

  /** Moves the bytes at the front to new memory, with room for what is to follow. */
  #move(): void {
    const bytes = this.head.subarray(this.position, this.#end);
    this.head = new Uint8Array(Math.min(this.#target, MAX_GROWTH * (bytes.length + this.#waiting)));
    this.head.set(bytes);
    this.position = 0;
    this.#end = bytes.length;
  }
}
