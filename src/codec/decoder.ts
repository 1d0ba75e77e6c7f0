/** Bytes to packets, in any chunking and in linear time: whole packets are views, a split one is joined once. */

import { ProtocolError } from "../errors.ts";
import { wholeNumber } from "../internal/checks.ts";
import { utf8 } from "../internal/text.ts";
import { argumentCount, HEADER_SIZE, MAGIC_REQ, MAGIC_RES, type Packet, type PacketType } from "./packet.ts";

/** A line of the administrative text protocol, without its terminator (LF, or CR LF). */
export interface TextLine {
  /** Tells a line from a packet. */
  readonly magic: "TEXT";
  /** The line, read as UTF-8. */
  readonly line: string;
}

/** Options of {@linkcode PacketDecoder} and {@linkcode decodePackets}. */
export interface DecoderOptions<Text extends boolean = false> {
  /** Largest body accepted, in bytes; checked on the header. Default 128 MiB. */
  maxPacketSize?: number;
  /** Accept text lines (at most 8,192 bytes) between packets, as a job server or an admin client must. Default false. */
  text?: Text;
}

/** What a decoder yields: packets, and text lines where it was asked to accept them. */
export type Decoded<Text extends boolean> = Text extends true ? Packet | TextLine : Packet;

/** 128 MiB. */
export const DEFAULT_MAX_PACKET_SIZE = 134_217_728;
const MAX_LINE = 8_192;
/** Received bytes of this and less are copied together while a packet waits for its rest: thousands of tiny chunks must
 * cost neither an object each nor the memory of the large buffers that they may be views of. */
const SMALL = 4_096;
const LAST_SPARE = 65_536;
/** A longer packet is joined as it comes, once a quarter of it is here: its chunks go at once, and memory still grows by
 * what has arrived. */
const LARGE = 65_536;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Takes bytes as they come and yields packets as they are whole.
 *
 * Incomplete is not invalid: iteration ends where a packet is not whole yet, and goes on after the next `push`. Bytes
 * that are pushed belong to the decoder and must not be overwritten, since packets are views of them. After a
 * `ProtocolError` the stream has no next packet: every further call throws the same error.
 *
 * @example Packets of a chunk
 * ```ts
 * import { encodeResponse, PacketDecoder, PacketType } from "@gearwire/gearman/codec";
 *
 * const decoder = new PacketDecoder();
 * decoder.push(encodeResponse(PacketType.JOB_CREATED, "H:box:1"));
 * for (const packet of decoder) {
 *   if (packet.type === PacketType.JOB_CREATED) console.log(new TextDecoder().decode(packet.args[0])); // H:box:1
 * }
 * ```
 */
export class PacketDecoder<Text extends boolean = false> implements IterableIterator<Decoded<Text>> {
  readonly #maxPacketSize: number;
  readonly #text: boolean;
  // Chunks not yet yielded, from #first on; #at is the place in the first of them.
  #chunks: Uint8Array[] = [];
  #first = 0;
  #at = 0;
  #available = 0;
  /** Fewer bytes than this cannot be the next packet: spares a look at its header at every chunk. */
  #needed = 1;
  /** Bytes yielded so far, for the place of an error. */
  #consumed = 0;
  #error: ProtocolError | undefined;
  /** Bytes free behind the last chunk, in memory that is our own. */
  #free = 0;

  /**
   * Makes a decoder.
   *
   * @throws {RangeError} `maxPacketSize` is not a whole number from 0 to 4,294,967,295.
   */
  constructor(options: DecoderOptions<Text> = {}) {
    this.#maxPacketSize = wholeNumber(options, "maxPacketSize", DEFAULT_MAX_PACKET_SIZE, 0, 0xffff_ffff);
    this.#text = options.text ?? false;
  }

  /**
   * Gives it received bytes, which it keeps; an empty chunk is ignored.
   *
   * @throws {TypeError} The chunk is not a `Uint8Array`.
   */
  push(chunk: Uint8Array): void {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("Cannot decode: the chunk is no Uint8Array");
    const size = chunk.length;
    if (size === 0 || this.#error !== undefined) return; // after an error nothing is read, nor kept
    // A Buffer's slice() is a view: packets must be of plain bytes, whose slice() is a copy.
    if (chunk.constructor !== Uint8Array) chunk = new Uint8Array(chunk.buffer, chunk.byteOffset, size);
    if (this.#free === 0 && size <= SMALL && this.#first < this.#chunks.length) {
      this.#free = Math.min(LAST_SPARE, Math.max(size, this.#available));
      this.#chunks.push(new Uint8Array(this.#free).subarray(0, 0));
    }
    const free = this.#free;
    if (free > 0 && size > free) {
      this.push(chunk.subarray(0, free));
      return this.push(chunk.subarray(free));
    }
    if (free > 0) {
      const last = this.#chunks.pop()!;
      const filled = new Uint8Array(last.buffer, last.byteOffset, last.length + size);
      filled.set(chunk, last.length);
      this.#free -= size;
      chunk = filled;
    }
    this.#chunks.push(chunk);
    this.#available += size;
  }

  /**
   * Returns the next packet or line, or `done` where none is whole yet.
   *
   * @throws {ProtocolError} The bytes are not the protocol: a bad magic, an unknown type, a missing separator, a body
   * over `maxPacketSize`, or a line over 8,192 bytes.
   */
  next(): IteratorResult<Decoded<Text>, undefined> {
    if (this.#available < this.#needed) {
      if (this.#error !== undefined) throw this.#error;
      return { done: true, value: undefined };
    }
    const value = this.#text && this.#chunks[this.#first]![this.#at] !== 0 ? this.#nextLine() : this.#nextPacket();
    if (value !== undefined) return { done: false, value: value as Decoded<Text> };
    this.#unpin();
    return { done: true, value: undefined };
  }

  /**
   * Says that no bytes will follow.
   *
   * @throws {ProtocolError} The stream ended inside a packet or a line.
   */
  end(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#available > 0) throw this.#fail(`it ended inside a packet, after ${this.#available} bytes`);
  }

  /** A decoder is its own iterator; a `for` loop over it may be left and entered again. */
  [Symbol.iterator](): this {
    return this;
  }

  #nextPacket(): Packet | undefined {
    let head = this.#chunks[this.#first]!;
    if (head.length - this.#at < HEADER_SIZE) {
      if (head[this.#at] !== 0) throw this.#fail("bad magic");
      if (this.#available < HEADER_SIZE) {
        this.#needed = HEADER_SIZE;
        return undefined;
      }
      this.#gather(this.#available);
      head = this.#chunks[this.#first]!;
    }
    const at = this.#at;
    const magic = readUint32(head, at);
    if (magic !== MAGIC_REQ && magic !== MAGIC_RES) throw this.#fail("bad magic");
    const type = readUint32(head, at + 4);
    const count = argumentCount(type);
    if (count < 0) throw this.#fail(`there is no packet type ${type}`);
    const size = readUint32(head, at + 8);
    if (size > this.#maxPacketSize) {
      throw this.#fail(`a body of ${size} bytes is over maxPacketSize, ${this.#maxPacketSize}`);
    }
    const whole = HEADER_SIZE + size;
    if (this.#available < whole) {
      this.#needed = whole > LARGE ? Math.ceil(whole / 4) : whole;
      if (this.#available >= this.#needed) this.#gather(this.#needed = whole);
      return undefined;
    }

    const together = head.length - at >= whole;
    this.#advance(together ? whole : HEADER_SIZE);
    const body = together ? head : this.#join(size);
    const start = together ? at + HEADER_SIZE : 0;
    const args = this.#split(body, start, start + size, count);
    this.#consumed += whole;
    this.#needed = 1;
    return { magic: magic === MAGIC_REQ ? "REQ" : "RES", type: type as PacketType, args } as unknown as Packet;
  }

  /** "Arguments given in the data part are separated by a NULL byte, and the last argument is determined by the size" */
  #split(body: Uint8Array, start: number, end: number, count: number): Uint8Array[] {
    const args = new Array<Uint8Array>(count); // push() makes room for 17
    let begin = start;
    let i = 0;
    for (; i < count - 1; i++) {
      let at = begin;
      while (at < end && body[at] !== 0) at++;
      if (at === end) throw this.#fail(`it has ${i + 1} arguments of ${count}`);
      args[i] = body.subarray(begin, at);
      begin = at + 1;
    }
    // A body where there should be none is read over, as gearmand does.
    if (count > 0) args[i] = body.subarray(begin, end);
    return args;
  }

  #nextLine(): TextLine | undefined {
    let length = 0;
    let at = this.#at;
    for (let i = this.#first; i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i]!;
      const found = chunk.indexOf(10, at);
      length += (found < 0 ? chunk.length : found) - at;
      if (length > MAX_LINE) throw this.#fail(`a line is over ${MAX_LINE} bytes`);
      at = 0;
      if (found < 0) continue;
      const bytes = this.#join(length + 1);
      const end = bytes[length - 1] === 13 ? length - 1 : length;
      this.#consumed += length + 1;
      this.#needed = 1;
      return { magic: "TEXT", line: utf8.decode(bytes.subarray(0, end)) };
    }
    this.#needed = this.#available + 1;
    return undefined;
  }

  /** The next `size` bytes, joined. */
  #join(size: number, joined = new Uint8Array(size)): Uint8Array {
    let filled = 0;
    while (filled < size) {
      const chunk = this.#chunks[this.#first]!;
      const part = Math.min(chunk.length - this.#at, size - filled);
      joined.set(chunk.subarray(this.#at, this.#at + part), filled);
      filled += part;
      this.#advance(part);
    }
    return joined;
  }

  /** Has all that is here in one piece, in memory with room for so many bytes. */
  #gather(room: number): void {
    const here = this.#available;
    this.#chunks.push(this.#join(here, new Uint8Array(room)).subarray(0, here));
    this.#available = here;
    this.#free = room - here;
  }

  /** Goes on by so many bytes, and lets go of the chunks that they end. */
  #advance(size: number): void {
    this.#available -= size;
    this.#at += size;
    while (this.#first < this.#chunks.length && this.#at >= this.#chunks[this.#first]!.length) {
      this.#at -= this.#chunks[this.#first]!.length;
      this.#chunks[this.#first++] = NOTHING;
    }
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = this.#first = this.#free = 0;
    }
  }

  /** The rest of a chunk may wait for long: a small one must not hold on to the memory of the whole. */
  #unpin(): void {
    if (this.#chunks.length - this.#first !== 1) return;
    const rest = this.#chunks[this.#first]!.subarray(this.#at);
    if (this.#free === 0 && rest.length <= SMALL && rest.buffer.byteLength > rest.length) {
      this.#chunks = [rest.slice()];
      this.#first = this.#at = 0;
    }
  }

  #fail(message: string): ProtocolError {
    this.#error = new ProtocolError(`Cannot decode: ${message}`, { offset: this.#consumed });
    this.#needed = Infinity;
    this.#chunks = [];
    return this.#error;
  }
}

/**
 * Packets of a stream of bytes, for pipes and proxies.
 *
 * @throws {ProtocolError} The bytes are not the protocol, or the stream ended inside a packet.
 *
 * @example A sniffer
 * ```ts
 * import { decodePackets, packetName } from "@gearwire/gearman/codec";
 *
 * async function sniff(source: AsyncIterable<Uint8Array>) {
 *   for await (const packet of decodePackets(source)) console.log(packet.magic, packetName(packet.type));
 * }
 * ```
 */
export async function* decodePackets<Text extends boolean = false>(
  source: AsyncIterable<Uint8Array>,
  options?: DecoderOptions<Text>,
): AsyncGenerator<Decoded<Text>, void, undefined> {
  const decoder = new PacketDecoder<Text>(options);
  for await (const chunk of source) {
    decoder.push(chunk);
    yield* decoder;
  }
  decoder.end();
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
