/** Encoding packets to bytes: small packets share one piece of memory, so that they leave as one write. */

import { joinBytes } from "../internal/bytes.ts";
import { utf8Encoder } from "../internal/text.ts";
import { findNul } from "./bytes.ts";
import {
  argumentCount,
  HEADER_SIZE,
  MAGIC_REQ,
  MAGIC_RES,
  NO_PACKET,
  type PacketInput,
  packetName,
  type PacketType,
} from "./packet.ts";

/** A last argument of at least this many bytes is handed on as it is, in a piece of its own, instead of being copied. */
export const MIN_UNCOPIED = 65_536;
/** A longer string, in characters, is encoded by itself; a shorter one is written straight into the slab. */
const MAX_INLINE_STRING = 16_384;
/** Size of the first slab, in bytes; each is twice as large as the one before it, up to the maximum. */
const MIN_SLAB = 2_048;
const MAX_SLAB = 65_536;

/** A packet to encode: its type, and its arguments in wire order. */
export interface EncodablePacket {
  /** Its number. */
  readonly type: PacketType;
  /** Its arguments; strings are sent as UTF-8. */
  readonly args: readonly (string | Uint8Array)[];
}

/**
 * Encodes packets into as few pieces of bytes as possible.
 *
 * A last argument of 64 KiB or more is not copied: do not change it before the pieces that
 * {@linkcode PacketEncoder.prototype.take | take} returned have been written.
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
  /** Finished pieces, in order; an argument that is not copied is in one group with the piece before it. */
  #groups: Uint8Array[][] = [];
  /** The memory that packets are written to. It is only ever appended to: a transport may still be sending its start. */
  #slab = new Uint8Array(0);
  /** A view of the slab, for headers. */
  #view!: DataView;
  /** The part of the slab that is not yet in a group. */
  #start = 0;
  #end = 0;
  /** Bytes of the groups and of that part. */
  #size = 0;

  /** Makes an encoder of requests (`REQ`, to a job server) or of responses (`RES`, from a job server). */
  constructor(magic: "REQ" | "RES") {
    if (magic !== "REQ" && magic !== "RES") throw new TypeError('Cannot use magic: expected "REQ" or "RES"');
    this.#magic = magic === "REQ" ? MAGIC_REQ : MAGIC_RES;
  }

  /** Number of bytes that {@linkcode PacketEncoder.prototype.take | take} would return now. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends one packet; if it throws, nothing was appended.
   *
   * @throws {TypeError} An argument is neither string nor bytes, or their number is wrong.
   * @throws {RangeError} There is no such packet type, an argument before the last holds a NUL, or the body is 4 GiB or
   * longer.
   */
  write<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.writePacket({ type, args });
  }

  /**
   * Appends one packet as {@linkcode PacketEncoder.prototype.write | write} does, such as one that was decoded.
   *
   * @throws {TypeError} An argument is neither string nor bytes, or their number is wrong.
   * @throws {RangeError} There is no such packet type, an argument before the last holds a NUL, or the body is 4 GiB or
   * longer.
   */
  writePacket({ type, args }: EncodablePacket): void {
    const count = argumentCount(type);
    if (count !== args.length) throw argumentError(type, count, args.length);

    const last = count - 1;
    let room = HEADER_SIZE + count;
    let uncopied: Uint8Array | undefined;
    // Bytes are asked for `byteLength`: V8 is slow at a `length` that is now of a string, now of bytes.
    for (let i = 0; i < count; i++) {
      const value = args[i]!;
      if (typeof value === "string") {
        if (value.length > MAX_INLINE_STRING) return this.writePacket({ type, args: args.map(encodeLongString) });
        room += value.length * 3; // a UTF-16 unit takes at most three bytes of UTF-8
      } else if (!(value instanceof Uint8Array)) {
        throw new TypeError(`Cannot encode ${packetName(type)}: argument ${i + 1} must be a string or a Uint8Array`);
      } else if (i === last && value.byteLength >= MIN_UNCOPIED) {
        // The header announces this length: a view of a buffer that can be resized must not follow its size.
        uncopied = (value.buffer as ArrayBuffer).resizable ? value.subarray(0, value.byteLength) : value;
      } else {
        room += value.byteLength;
      }
    }
    this.#reserve(room);

    const slab = this.#slab;
    const header = this.#end;
    let end = header + HEADER_SIZE;
    const copied = uncopied === undefined ? count : last;
    for (let i = 0; i < copied; i++) {
      const begin = end;
      const value = args[i]!;
      if (typeof value === "string") {
        end = appendText(slab, end, value);
      } else {
        slab.set(value, end);
        end += value.byteLength;
      }
      if (i === last) break;
      // The bytes are searched, not the value: UTF-8 has a NUL byte exactly where the string has one.
      if (findNul(slab, begin, end) < end) {
        throw new RangeError(`Cannot encode ${packetName(type)}: argument ${i + 1} holds a NUL`);
      }
      slab[end] = 0;
      end += 1;
    }

    const size = end - header + (uncopied?.length ?? 0);
    const bodySize = size - HEADER_SIZE;
    if (bodySize > 0xffff_ffff) throw new RangeError(`Cannot encode ${packetName(type)}: it has 4 GiB or more`);
    this.#view.setUint32(header, this.#magic);
    this.#view.setUint32(header + 4, type);
    this.#view.setUint32(header + 8, bodySize);
    this.#end = end;
    this.#size += size;
    if (uncopied !== undefined) this.#finishGroup(uncopied);
  }

  /** Returns everything written since the last call, in order; the encoder does not touch these bytes again. */
  take(): Uint8Array[] {
    return this.takeGroups().flat();
  }

  /**
   * Returns the same as {@linkcode PacketEncoder.prototype.take | take} in groups, each of whole packets: a piece of at most
   * about 64 KiB, and where its last packet ends with an argument that is not copied, that argument.
   */
  takeGroups(): Uint8Array[][] {
    this.#finishGroup();
    const groups = this.#groups;
    // Packets that would fit in one slab leave as one write, also if a slab ended between them.
    const fits = groups.length > 1 && this.#size <= MAX_SLAB;
    const taken = fits ? [[joinBytes(groups.flat(), this.#size)]] : groups;
    // As much may follow. If it does not fit, it begins new memory, instead of being split here and joined above.
    if (this.#size > this.#slab.length - this.#end) this.#end = this.#slab.length;
    this.#start = this.#end;
    this.#groups = [];
    this.#size = 0;
    return taken;
  }

  /**
   * Appends bytes as they are, copied: packets that were encoded before, or a line of the text protocol
   * ({@linkcode encodeLine}).
   */
  writeBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#end);
    this.#end += bytes.length;
    this.#size += bytes.length;
  }

  /** Makes room in the slab. */
  #reserve(room: number): void {
    if (this.#slab.length - this.#end >= room) return;
    this.#finishGroup();
    this.#slab = new Uint8Array(Math.max(room, MIN_SLAB, Math.min(this.#slab.length * 2, MAX_SLAB)));
    this.#view = new DataView(this.#slab.buffer);
    this.#start = 0;
    this.#end = 0;
  }

  #finishGroup(...uncopied: Uint8Array[]): void {
    if (this.#end > this.#start) this.#groups.push([this.#slab.subarray(this.#start, this.#end), ...uncopied]);
    this.#start = this.#end;
  }
}

/**
 * Encodes one request, as a client or a worker sends it; the returned bytes belong to the caller.
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
 * Encodes one response, as a job server sends it; the returned bytes belong to the caller.
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

/** Encodes a long string as bytes, and returns any other argument as it is. */
function encodeLongString(value: string | Uint8Array): string | Uint8Array {
  return typeof value === "string" && value.length > MAX_INLINE_STRING ? utf8Encoder.encode(value) : value;
}

/** Writes text from `at` on, and returns the position behind it. */
function appendText(slab: Uint8Array, at: number, text: string): number {
  // For the short strings of this protocol a loop costs a twentieth of TextEncoder on V8.
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return at + utf8Encoder.encodeInto(text, slab.subarray(at)).written;
    slab[at + i] = code;
  }
  return at + text.length;
}

function argumentError(type: number, expected: number, given: number): Error {
  if (expected === NO_PACKET) return new RangeError(`Cannot encode ${packetName(type)}: there is no such packet`);
  return new TypeError(`Cannot encode ${packetName(type)}: it has ${expected} arguments, not ${given}`);
}
