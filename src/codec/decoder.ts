/** Decoding bytes to packets and lines, in any chunking and in linear time. */

import { ProtocolError } from "../errors.ts";
import { wholeNumber } from "../internal/checks.ts";
import { utf8Decoder } from "../internal/text.ts";
import { findNul, readUint32 } from "./bytes.ts";
import { argumentCount, HEADER_SIZE, MAGIC_REQ, MAGIC_RES, NO_PACKET, type Packet, type PacketType } from "./packet.ts";
import { ReceivedBytes } from "./received_bytes.ts";

/** A line of the administrative text protocol, without its terminator (LF, or CR LF). */
export interface TextLine {
  /** Distinguishes a line from a packet. */
  readonly magic: "TEXT";
  /** The line, read as UTF-8. */
  readonly line: string;
}

/** Options of {@linkcode PacketDecoder} and {@linkcode decodePackets}. */
export interface DecoderOptions<Text extends boolean = false> {
  /** Maximum size of a packet's body in bytes, checked on its header; default 128 MiB. */
  maxPacketSize?: number | undefined;
  /**
   * Accepts packets over `maxPacketSize`: each is yielded with an empty last argument and the property `oversized`, and the
   * rest of its body is skipped, of which at most 64 KiB are held. Default false: such a packet is a `ProtocolError`.
   *
   * It is yielded once the first 64 KiB of the body have arrived, or all of a shorter body. The arguments before the last
   * one, each with its NUL, have to end there.
   */
  skipOversized?: boolean | undefined;
  /** Accepts text lines between packets, as job servers and admin clients need; default false. */
  text?: Text | undefined;
  /** Maximum size of a text line in bytes, without its LF (a CR before that counts); default 8,192. */
  maxLineSize?: number | undefined;
}

/** The items that a decoder yields: packets, and text lines with the option `text`. */
export type Decoded<Text extends boolean> = Text extends true ? Packet | TextLine : Packet;

/**
 * Option of decoders inside this library: makes the packets of one argument, of which most are replies. On Deno, the view
 * of an argument costs more than everything else about a packet, and a packet made here need not have one.
 */
export const MAKE_REPLY: unique symbol = /* @__PURE__ */ Symbol();

/** Makes a packet of one argument, which is the body from `start` to `end`. */
export type MakeReply = (
  magic: "REQ" | "RES",
  type: PacketType,
  body: Uint8Array,
  start: number,
  end: number,
) => Packet;

const NUL = 0;
const LF = 10;
const CR = 13;

/** Default of `maxPacketSize`: 128 MiB. */
export const DEFAULT_MAX_PACKET_SIZE = 134_217_728;
/** Default of `maxLineSize`, in bytes. */
const DEFAULT_MAX_LINE_SIZE = 8_192;
/** The largest number in a header. */
const MAX_UINT32 = 0xffff_ffff;
/** The part of an oversized body that is kept, in bytes; the arguments before the last one have to end in it. */
const MAX_OVERSIZED_ARGUMENTS = 65_536;

/**
 * Decodes a stream of bytes, in chunks of any size, to packets.
 *
 * Incomplete is not invalid: iteration ends before an incomplete packet and continues after the next `push`. Bytes that
 * were pushed belong to the decoder and must not be overwritten, since packets are views of them. A packet that is split
 * over several chunks is copied once. After a `ProtocolError`, every further call throws the same error.
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
  readonly #maxLineSize: number;
  readonly #skipOversized: boolean;
  readonly #text: boolean;
  readonly #makeReply: MakeReply | undefined;
  #received = new ReceivedBytes();
  /** The next packet or line has at least this many bytes, so that its header need not be looked at for every chunk. */
  #needed = 1;
  /** Bytes of the packets and lines yielded so far: the offset of the next one in the stream. */
  #offset = 0;
  /** Offset of the last oversized packet, for a stream that ends in the part of its body that is skipped. */
  #oversizedOffset = 0;
  #error: ProtocolError | undefined;

  /**
   * Makes a decoder.
   *
   * @throws {RangeError} `maxPacketSize` is not a whole number from 0 to 4,294,967,295, or `maxLineSize` not one from 1.
   */
  constructor(options: DecoderOptions<Text> = {}) {
    this.#maxPacketSize = wholeNumber(options, "maxPacketSize", DEFAULT_MAX_PACKET_SIZE, 0, MAX_UINT32);
    this.#maxLineSize = wholeNumber(options, "maxLineSize", DEFAULT_MAX_LINE_SIZE, 1, MAX_UINT32);
    this.#skipOversized = options.skipOversized ?? false;
    this.#text = options.text ?? false;
    this.#makeReply = (options as { [MAKE_REPLY]?: MakeReply })[MAKE_REPLY];
  }

  /**
   * Appends received bytes, which then belong to the decoder; an empty chunk is ignored.
   *
   * @throws {TypeError} The chunk is not a `Uint8Array`.
   */
  push(chunk: Uint8Array): void {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("Cannot decode: the chunk must be a Uint8Array");
    if (this.#error !== undefined) return;
    this.#received.push(plainBytes(chunk));
  }

  /**
   * Returns the next packet or line, or `done` if none is complete yet.
   *
   * @throws {ProtocolError} The bytes are not the Gearman protocol: a bad magic, an unknown type, a missing separator, a body
   * over `maxPacketSize`, or a line over `maxLineSize`.
   */
  next(): IteratorResult<Decoded<Text>, undefined> {
    const value = this.read();
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  /** Returns the same as {@linkcode PacketDecoder.prototype.next | next} by itself, or `undefined` if none is complete yet. */
  read(): Decoded<Text> | undefined {
    if (this.#error !== undefined) throw this.#error;
    const received = this.#received;
    for (;;) {
      // Packets begin with a NUL, and lines do not.
      const isLine = this.#text && received.head[received.position] !== NUL;
      if (received.size >= this.#needed) {
        const value = isLine ? this.#nextLine() : this.#nextPacket();
        if (value !== undefined) return value as Decoded<Text>;
      }
      // How long a line is cannot be known: it is pulled in steps that double it, so that time stays linear.
      const target = isLine ? 2 * received.size : this.#needed;
      if (received.shouldWait(this.#needed) || !received.pull(target)) {
        received.release(target);
        return undefined;
      }
    }
  }

  /**
   * Checks, at the end of the stream, that it did not end inside a packet or a line.
   *
   * @throws {ProtocolError} The stream ended inside a packet or a line.
   */
  end(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#received.isDropping) this.#offset = this.#oversizedOffset;
    if (!this.#received.isEmpty) throw this.#fail("the stream ended inside a packet");
  }

  /** Returns the decoder itself; a `for` loop over it can be left and entered again. */
  [Symbol.iterator](): this {
    return this;
  }

  #nextPacket(): Packet | undefined {
    const received = this.#received;
    const { head, position: start, size } = received;
    if (size < HEADER_SIZE) {
      if (head[start] !== NUL) throw this.#fail("bad magic");
      this.#needed = HEADER_SIZE;
      return undefined;
    }
    const magic = readUint32(head, start);
    const type = readUint32(head, start + 4);
    const bodySize = readUint32(head, start + 8);
    const count = this.#checkHeader(magic, type, bodySize);

    const isOversized = bodySize > this.#maxPacketSize;
    const keptSize = isOversized ? Math.min(bodySize, MAX_OVERSIZED_ARGUMENTS) : bodySize;
    const bodyStart = start + HEADER_SIZE;
    if (size < HEADER_SIZE + keptSize) {
      this.#needed = HEADER_SIZE + keptSize;
      return undefined;
    }
    const direction = magic === MAGIC_REQ ? "REQ" : "RES";
    const bodyEnd = bodyStart + keptSize;
    if (count === 1 && this.#makeReply !== undefined && !isOversized) {
      this.#startNext(HEADER_SIZE + bodySize);
      return this.#makeReply(direction, type as PacketType, head, bodyStart, bodyEnd);
    }
    const args = this.#splitBody(head, bodyStart, bodyEnd, count);
    const packet = { magic: direction, type: type as PacketType, args };
    if (isOversized) {
      Object.assign(packet, { oversized: bodySize });
      if (count > 0) args[count - 1] = new Uint8Array(0);
      this.#oversizedOffset = this.#offset;
    }
    this.#startNext(HEADER_SIZE + bodySize);
    return packet as unknown as Packet;
  }

  /** Checks a header, and returns the number of arguments in the body. */
  #checkHeader(magic: number, type: number, bodySize: number): number {
    if (magic !== MAGIC_REQ && magic !== MAGIC_RES) throw this.#fail("bad magic");
    const count = argumentCount(type);
    if (count === NO_PACKET) throw this.#fail(`there is no packet type ${type}`);
    if (bodySize > this.#maxPacketSize && !this.#skipOversized) {
      throw this.#fail(`a body of ${bodySize} bytes is over maxPacketSize, ${this.#maxPacketSize}`);
    }
    return count;
  }

  /** "Arguments given in the data part are separated by a NULL byte, and the last argument is determined by the size" */
  #splitBody(body: Uint8Array, start: number, end: number, count: number): Uint8Array[] {
    const args = new Array<Uint8Array>(count); // an array that grows by push() has room for 17
    const last = count - 1;
    let begin = start;
    for (let i = 0; i < last; i++) {
      const separator = findNul(body, begin, end);
      if (separator === end) throw this.#fail(`it has ${i + 1} arguments of ${count} in ${end - start} bytes`);
      args[i] = body.subarray(begin, separator);
      begin = separator + 1;
    }
    // The body of a packet without arguments is ignored, as gearmand does.
    if (count > 0) args[last] = body.subarray(begin, end);
    return args;
  }

  #nextLine(): TextLine | undefined {
    const { head, position: start, size } = this.#received;
    const found = head.subarray(0, start + size).indexOf(LF, start + this.#needed - 1);
    const length = found === -1 ? size : found - start;
    if (length > this.#maxLineSize) throw this.#fail(`a line is over ${this.#maxLineSize} bytes`);
    if (found === -1) {
      this.#needed = size + 1;
      return undefined;
    }
    const end = length > 0 && head[found - 1] === CR ? found - 1 : found;
    this.#startNext(length + 1);
    return { magic: "TEXT", line: utf8Decoder.decode(head.subarray(start, end)) };
  }

  /** Drops a packet or line of this size, and continues after it. */
  #startNext(size: number): void {
    this.#received.drop(size);
    this.#offset += size;
    this.#needed = 1;
  }

  #fail(reason: string): ProtocolError {
    this.#error = new ProtocolError(`Cannot decode: ${reason}`, { offset: this.#offset });
    this.#received = new ReceivedBytes();
    return this.#error;
  }
}

/**
 * Decodes the packets of a source of bytes, such as a pipe or one side of a proxy.
 *
 * @throws {ProtocolError} The bytes are not the Gearman protocol, or the stream ended inside a packet.
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

/** Returns a view without the methods of a subclass: the `slice()` of a Buffer is a view, that of bytes is a copy. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
