/** Finding the packets in the answers of a job server, without keeping their bodies. */

import { ProtocolError } from "../errors.ts";
import { readUint32 } from "../codec/bytes.ts";
import { HEADER_SIZE, MAGIC_RES } from "../codec/packet.ts";

/** Bytes of a body that are kept: a handle, which has at most 63, a NUL, and the digit after it in STATUS_RES. */
const MAX_KEPT = 65;

/** A packet that has ended. */
export interface Answer {
  readonly type: number;
  /** The first 65 bytes of the body, or all of a shorter one; valid until the next step. */
  readonly start: Uint8Array;
}

/** Walks through a stream of answers, which are passed on as they come: a result of any size needs no memory here. */
export class AnswerWalker {
  /** Header and start of the body of the current packet. */
  readonly #head = new Uint8Array(HEADER_SIZE + MAX_KEPT);
  /** Number of bytes of the current packet so far. */
  #position = 0;
  /** Size of the current packet in bytes, once its header is complete. */
  #size = HEADER_SIZE;

  /** True if the last packet has ended and the next one has not begun. */
  get betweenPackets(): boolean {
    return this.#position === 0;
  }

  /**
   * Walks on through a chunk from `start`, to the end of the current packet or of the chunk. Returns the number of bytes,
   * and the packet if it has ended.
   *
   * @throws {ProtocolError} The server sent something else than a response.
   */
  walk(chunk: Uint8Array, start: number): { readonly bytes: number; readonly ended: Answer | undefined } {
    let at = start;
    if (this.#position < HEADER_SIZE) {
      at += this.#keep(chunk, at, HEADER_SIZE);
      if (this.#position < HEADER_SIZE) return { bytes: at - start, ended: undefined };
      if (readUint32(this.#head, 0) !== MAGIC_RES) throw new ProtocolError("The job server sent no response");
      this.#size = HEADER_SIZE + readUint32(this.#head, 8);
    }
    at += this.#keep(chunk, at, Math.min(this.#size, this.#head.length));
    const rest = Math.min(chunk.length - at, this.#size - this.#position);
    this.#position += rest;
    at += rest;
    const ended = this.#position === this.#size ? this.#end() : undefined;
    return { bytes: at - start, ended };
  }

  /** Copies bytes of the chunk into the head, up to its position `end`; returns their number. */
  #keep(chunk: Uint8Array, start: number, end: number): number {
    const count = Math.min(Math.max(end - this.#position, 0), chunk.length - start);
    for (let i = 0; i < count; i++) this.#head[this.#position + i] = chunk[start + i]!;
    this.#position += count;
    return count;
  }

  #end(): Answer {
    const answer = { type: readUint32(this.#head, 4), start: this.#head.subarray(HEADER_SIZE, this.#size) };
    this.#position = 0;
    this.#size = HEADER_SIZE;
    return answer;
  }
}
