/** Decoding bytes to packets, in any chunking and in linear time. */

import { freeMemory } from "../internal/bytes.ts";
import { wholeNumber } from "../internal/checks.ts";
import { findNul, readUint32 } from "./bytes.ts";
import { argumentCount, HEADER_SIZE, MAGIC_REQ, MAGIC_RES, NO_PACKET, type Packet, type PacketType } from "./packet.ts";
import { EMPTY, ReceivedBytes } from "./received_bytes.ts";

/** Options of {@linkcode PacketDecoder}. */
export interface DecoderOptions {
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
}

/**
 * Option of decoders inside this library: the class of packets of one argument, of which most are replies. On Deno, the
 * view of an argument costs more than everything else about a packet, and a packet of this class need not have one.
 *
 * Such a decoder also frees the chunks of sockets that it has copied ({@linkcode freeMemory}).
 */
export const REPLY_CLASS: unique symbol = /* @__PURE__ */ Symbol();

/** The class of packets of one argument, which is the body from `start` to `end`. */
export type ReplyClass = new (
  magic: "REQ" | "RES",
  type: PacketType,
  body: Uint8Array,
  start: number,
  end: number,
) => object;

/**
 * Option of decoders inside this library: reads what begins with a byte other than NUL, which packets do not. It returns
 * `undefined` if it needs more bytes.
 */
export const READ_LINE: unique symbol = /* @__PURE__ */ Symbol();

/** Reads what begins at the front of the received bytes, and drops it there. */
export type ReadLine<Item> = (received: ReceivedBytes) => Item | undefined;

/** The options of decoders inside this library. */
interface InternalOptions<Item> {
  readonly [REPLY_CLASS]?: ReplyClass;
  readonly [READ_LINE]?: ReadLine<Item>;
}

const NUL = 0;

/** Default of `maxPacketSize`: 128 MiB. */
export const DEFAULT_MAX_PACKET_SIZE = 134_217_728;
/** The largest number in a header. */
export const MAX_UINT32 = 0xffff_ffff;
/** The part of an oversized body that is kept, in bytes; the arguments before the last one have to end in it. */
const MAX_OVERSIZED_ARGUMENTS = 65_536;

/**
 * Decodes a stream of bytes, in chunks of any size, to packets.
 *
 * Incomplete is not invalid: iteration ends before an incomplete packet and continues after the next `push`. Bytes that
 * were pushed belong to the decoder and must not be overwritten, since packets are views of them. A packet that is split
 * over several chunks is copied once. After a `ProtocolError`, every further call throws the same error.
 *
 * A {@linkcode MixedDecoder} decodes lines of the text protocol too. `Item` is what a decoder yields.
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
export class PacketDecoder<Item = Packet> implements IterableIterator<Item> {
  readonly #maxPacketSize: number;
  readonly #skipOversized: boolean;
  readonly #Reply: ReplyClass | undefined;
  readonly #readLine: ReadLine<Item> | undefined;
  readonly #received: ReceivedBytes;

  /**
   * Makes a decoder.
   *
   * @throws {RangeError} `maxPacketSize` is not a whole number from 0 to 4,294,967,295.
   */
  constructor(options: DecoderOptions = {}) {
    this.#maxPacketSize = wholeNumber(options, "maxPacketSize", DEFAULT_MAX_PACKET_SIZE, 0, MAX_UINT32);
    this.#skipOversized = options.skipOversized ?? false;
    this.#Reply = (options as InternalOptions<Item>)[REPLY_CLASS];
    // Decoders of callers leave the chunks alone: a proxy may send them on.
    this.#received = new ReceivedBytes(this.#Reply && freeMemory);
    this.#readLine = (options as InternalOptions<Item>)[READ_LINE];
  }

  /**
   * Appends received bytes, which then belong to the decoder; an empty chunk is ignored.
   *
   * @throws {TypeError} The chunk is not a `Uint8Array`.
   */
  push(chunk: Uint8Array): void {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("Cannot decode: the chunk must be a Uint8Array");
    this.#received.push(plainBytes(chunk));
  }

  /**
   * Returns the next packet, or `done` if none is complete yet.
   *
   * @throws {ProtocolError} The bytes are not the Gearman protocol: a bad magic, an unknown type, a missing separator, or a
   * body over `maxPacketSize`.
   */
  next(): IteratorResult<Item, undefined> {
    const value = this.read();
    return { done: value === undefined, value } as IteratorResult<Item, undefined>;
  }

  /** Returns the same as {@linkcode PacketDecoder.prototype.next | next} by itself, or `undefined` if none is complete yet. */
  read(): Item | undefined {
    const received = this.#received;
    if (received.error !== undefined) throw received.error;
    do {
      const item = received.size < received.needed ? undefined : this.#readItem(received);
      if (item !== undefined) return item;
    } while (received.pull());
    return undefined;
  }

  /**
   * Checks, at the end of the stream, that it did not end inside a packet.
   *
   * @throws {ProtocolError} The stream ended inside a packet.
   */
  end(): void {
    const received = this.#received;
    if (received.error !== undefined) throw received.error;
    if (!received.isEmpty) throw received.fail("the stream ended inside a packet");
  }

  /** Returns the decoder itself; a `for` loop over it can be left and entered again. */
  [Symbol.iterator](): this {
    return this;
  }

  #readItem(received: ReceivedBytes): Item | undefined {
    const { head, position: start, size } = received;
    if (head[start] !== NUL) {
      if (this.#readLine === undefined) throw received.fail("bad magic");
      return this.#readLine(received);
    }
    if (size < HEADER_SIZE) {
      received.need(HEADER_SIZE);
      return undefined;
    }
    const magic = readUint32(head, start);
    const type = readUint32(head, start + 4);
    const bodySize = readUint32(head, start + 8);
    const count = argumentCount(type);
    const isOversized = bodySize > this.#maxPacketSize;
    if (magic !== MAGIC_REQ && magic !== MAGIC_RES) throw received.fail("bad magic");
    if (count === NO_PACKET) throw received.fail(`there is no packet type ${type}`);
    if (isOversized && !this.#skipOversized) {
      throw received.fail(`a body of ${bodySize} bytes is over maxPacketSize, ${this.#maxPacketSize}`);
    }

    const keptSize = isOversized ? Math.min(bodySize, MAX_OVERSIZED_ARGUMENTS) : bodySize;
    const bodyStart = start + HEADER_SIZE;
    if (size < HEADER_SIZE + keptSize) {
      received.need(HEADER_SIZE + keptSize);
      return undefined;
    }
    const direction = magic === MAGIC_REQ ? "REQ" : "RES";
    const bodyEnd = bodyStart + keptSize;
    if (count === 1 && this.#Reply !== undefined && !isOversized) {
      received.drop(HEADER_SIZE + bodySize);
      return new this.#Reply(direction, type as PacketType, head, bodyStart, bodyEnd) as Item;
    }
    const args = this.#splitBody(head, bodyStart, bodyEnd, count);
    const packet = { magic: direction, type: type as PacketType, args };
    if (isOversized) {
      Object.assign(packet, { oversized: bodySize });
      args.fill(EMPTY, -1);
    }
    received.drop(HEADER_SIZE + bodySize);
    return packet as Item;
  }

  /** "Arguments given in the data part are separated by a NULL byte, and the last argument is determined by the size" */
  #splitBody(body: Uint8Array, start: number, end: number, count: number): Uint8Array[] {
    const args = new Array<Uint8Array>(count); // an array that grows by push() has room for 17
    const last = count - 1;
    let begin = start;
    // The body of a packet without arguments is ignored, as gearmand does.
    for (let i = 0; i < count; i++) {
      const next = i === last ? end : findNul(body, begin, end);
      if (i < last && next === end) {
        throw this.#received.fail(`it has ${i + 1} arguments of ${count} in ${end - start} bytes`);
      }
      args[i] = next === begin ? EMPTY : body.subarray(begin, next);
      begin = next + 1;
    }
    return args;
  }
}

/**
 * Decodes the packets of a source of bytes, such as a pipe or one side of a proxy. A decoder of your own may have other
 * options, or be a {@linkcode MixedDecoder}.
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
export async function* decodePackets<Item = Packet>(
  source: AsyncIterable<Uint8Array>,
  decoder: PacketDecoder<Item> = new PacketDecoder(),
): AsyncGenerator<Item, void, undefined> {
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
