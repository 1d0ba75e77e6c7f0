/** Packets to bytes: many small packets share one growing piece of memory, so that they leave as one write. */

import { joinBytes } from "../internal/bytes.ts";
import {
  argumentCount,
  HEADER_SIZE,
  MAGIC_REQ,
  MAGIC_RES,
  type PacketInput,
  packetName,
  type PacketType,
} from "./packet.ts";

/** An argument of so many bytes is handed on as it is, in a piece of its own, instead of being copied. */
const LARGE = 65_536;
/** A string of so many characters is encoded at once; a shorter one goes straight into the slab. */
const LONG_STRING = 16_384;
const FIRST_SLAB = 2_048;
const LAST_SLAB = 65_536;

const utf8 = new TextEncoder();

/**
 * Encodes packets into as few pieces of bytes as possible.
 *
 * Bytes of 64 KiB and more are not copied: do not change them before the piece that
 * {@linkcode PacketEncoder.prototype.take | take} returned has been written.
 *
 * @example Two packets in one piece
 * ```ts
 * import { PacketEncoder, PacketType } from "@gearwire/gearman/codec";
 *
 * const encoder = new PacketEncoder("REQ");
 * encoder.write(PacketType.CAN_DO, "reverse");
 * encoder.write(PacketType.PRE_SLEEP);
 * const pieces = encoder.take(); // one piece of 31 bytes
 * ```
 */
export class PacketEncoder {
  readonly #magic: number;
  #pieces: Uint8Array[] = [];
  // The slab is only ever appended to: a transport may still be sending from its earlier part.
  #slab = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #size = 0;

  /** Makes an encoder of requests (`REQ`, to a job server) or of responses (`RES`, from one). */
  constructor(magic: "REQ" | "RES") {
    if (magic !== "REQ" && magic !== "RES") throw new TypeError('Cannot use magic: expected "REQ" or "RES"');
    this.#magic = magic === "REQ" ? MAGIC_REQ : MAGIC_RES;
  }

  /** Bytes that {@linkcode PacketEncoder.prototype.take | take} would return now. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends one packet; where it throws, nothing was appended.
   *
   * @throws {TypeError} An argument is neither string nor bytes, or their number is wrong.
   * @throws {RangeError} There is no such packet type, an argument before the last holds a NUL, or the body is 4 GiB or
   * longer.
   */
  write<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    const values: (string | Uint8Array)[] = args;
    const count = argumentCount(type);
    if (count !== values.length) throw argumentError(type, count, values.length);

    const last = count - 1;
    let room = HEADER_SIZE + count;
    let large: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      let value = values[i]!;
      if (typeof value === "string") {
        if (value.length <= LONG_STRING) {
          room += value.length * 3;
          continue;
        }
        value = values[i] = utf8.encode(value);
      } else if (!(value instanceof Uint8Array)) {
        throw new TypeError(`Cannot encode ${packetName(type)}: argument ${i + 1} is neither string nor Uint8Array`);
      }
      if (i === last && value.length >= LARGE) large = value;
      else room += value.length;
    }
    if (this.#slab.length - this.#end < room) this.#grow(room);

    const slab = this.#slab;
    const header = this.#end;
    let at = header + HEADER_SIZE;
    for (let i = 0; i < count; i++) {
      const value = values[i]!;
      if (i < last) {
        const begin = at;
        at = append(slab, at, value);
        // What was just written is looked at, not the value: UTF-8 has a NUL byte just where the string has one.
        for (let j = begin; j < at; j++) {
          if (slab[j] === 0) throw new RangeError(`Cannot encode ${packetName(type)}: argument ${i + 1} holds a NUL`);
        }
        slab[at++] = 0;
      } else if (large === undefined) {
        at = append(slab, at, value);
      }
    }
    const body = at - header - HEADER_SIZE + (large?.length ?? 0);
    if (body > 0xffff_ffff) throw new RangeError(`Cannot encode ${packetName(type)}: it has 4 GiB or more`);
    writeUint32(slab, header, this.#magic);
    writeUint32(slab, header + 4, type);
    writeUint32(slab, header + 8, body);
    this.#end = at;
    this.#size += HEADER_SIZE + body;
    if (large !== undefined) {
      this.#seal();
      this.#pieces.push(large);
    }
  }

  /** Hands over everything written since the last call, in order; they are the caller's from then on. */
  take(): Uint8Array[] {
    this.#seal();
    const pieces = this.#pieces;
    // A few small packets may lie on both sides of a slab's end: that is no reason for two writes.
    const taken = pieces.length > 1 && this.#size <= LARGE ? [joinBytes(pieces, this.#size)] : pieces;
    this.#pieces = [];
    this.#size = 0;
    return taken;
  }

  /**
   * Appends one line of the text protocol, which travels between packets, with its terminator; bytes go out as they are.
   *
   * @throws {TypeError} The line is neither string nor bytes.
   * @throws {RangeError} The line holds a line feed, or begins with a NUL, as packets do.
   */
  writeText(line: string | Uint8Array, terminator: "\n" | "\r\n" = "\r\n"): void {
    const bytes = typeof line === "string" ? utf8.encode(line) : line;
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError("Cannot encode a line: it is neither string nor Uint8Array");
    }
    if (bytes.includes(10)) throw new RangeError("Cannot encode a line: it holds a line feed");
    if (bytes[0] === 0) throw new RangeError("Cannot encode a line: it begins with a NUL");
    const room = bytes.length + terminator.length;
    if (this.#slab.length - this.#end < room) this.#grow(room);
    this.#end = append(this.#slab, append(this.#slab, this.#end, bytes), terminator);
    this.#size += room;
  }

  #grow(room: number): void {
    this.#seal();
    this.#slab = new Uint8Array(Math.max(room, FIRST_SLAB, Math.min(this.#slab.length * 2, LAST_SLAB)));
    this.#start = this.#end = 0;
  }

  #seal(): void {
    if (this.#end > this.#start) this.#pieces.push(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}

/**
 * Encodes one request, as a client or a worker sends it; the bytes are a copy of the caller's own.
 *
 * @throws {TypeError} An argument is neither string nor bytes, or their number is wrong.
 * @throws {RangeError} There is no such packet type, an argument before the last holds a NUL, or the body is 4 GiB or
 * longer.
 *
 * @example A background job, as bytes
 * ```ts
 * import { encodeRequest, PacketType } from "@gearwire/gearman/codec";
 *
 * const bytes = encodeRequest(PacketType.SUBMIT_JOB_BG, "reverse", "", "this is a test");
 * ```
 */
export function encodeRequest<T extends PacketType>(type: T, ...args: PacketInput<T>): Uint8Array {
  return encode(requests, type, args);
}

/**
 * Encodes one response, as a job server sends it; the bytes are a copy of the caller's own.
 *
 * @throws {TypeError} An argument is neither string nor bytes, or their number is wrong.
 * @throws {RangeError} There is no such packet type, an argument before the last holds a NUL, or the body is 4 GiB or
 * longer.
 */
export function encodeResponse<T extends PacketType>(type: T, ...args: PacketInput<T>): Uint8Array {
  return encode(responses, type, args);
}

const requests = /* @__PURE__ */ new PacketEncoder("REQ");
const responses = /* @__PURE__ */ new PacketEncoder("RES");

function encode<T extends PacketType>(encoder: PacketEncoder, type: T, args: PacketInput<T>): Uint8Array {
  encoder.write(type, ...args);
  const { size } = encoder;
  return joinBytes(encoder.take(), size);
}

function append(slab: Uint8Array, at: number, value: string | Uint8Array): number {
  if (typeof value !== "string") {
    slab.set(value, at);
    return at + value.length;
  }
  // For the short strings of this protocol a loop costs a twentieth of TextEncoder on V8.
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 127) return at + i + utf8.encodeInto(value.slice(i), slab.subarray(at + i)).written;
    slab[at + i] = code;
  }
  return at + value.length;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function argumentError(type: number, expected: number, given: number): Error {
  if (expected < 0) return new RangeError(`Cannot encode ${packetName(type)}: there is no such packet`);
  return new TypeError(`Cannot encode ${packetName(type)}: it has ${expected} arguments, not ${given}`);
}
