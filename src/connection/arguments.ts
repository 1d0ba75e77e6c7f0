/** Arguments of packets as text, numbers and bytes that may be given away, and checks of those that are given. */

import { utf8 } from "../codec/decoder.ts";
import { HEADER_SIZE } from "../codec/packet.ts";

/** libgearman's limit of a function's name, in bytes; gearmand's own is its 8 KiB buffer. */
export const MAX_FUNCTION_NAME = 512;

/** Freshly made bytes: `Uint8Array<ArrayBuffer>` where TypeScript knows it (a valid `BodyInit`), `Uint8Array` before. */
export type Bytes = ReturnType<Uint8Array["slice"]>;

/** What a job works on: a string is sent as UTF-8. */
export type Workload = string | Uint8Array;

/** Reads an argument as UTF-8. */
export function readText(bytes: Uint8Array): string {
  if (bytes.length > 64) return utf8.decode(bytes);
  // Handles and names are short and ASCII: a loop costs a fraction of TextDecoder's call.
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte > 127) return utf8.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Reads a handle: gearmand puts a NUL, or a NUL and more, behind that of some WORK_FAIL packets. */
export function readHandle(bytes: Uint8Array): string {
  return readText(bytes).split("\0", 1)[0]!;
}

/** Reads a decimal number; workers may send anything, and what is no finite number is 0. */
export function readNumber(bytes: Uint8Array): number {
  const value = Number(readText(bytes));
  return Number.isFinite(value) ? value : 0;
}

/**
 * A packet's last argument as bytes that nobody else has: a copy, unless it is long and its memory holds this packet
 * alone, because the decoder had to join it.
 */
export function ownedBytes(args: readonly Uint8Array[]): Bytes {
  const [first, last] = [args[0]!, args[args.length - 1]!];
  const { byteLength } = last.buffer;
  const alone = first.byteOffset <= HEADER_SIZE && last.byteOffset + last.length === byteLength && byteLength > 65_536;
  return alone ? last as Bytes : last.slice();
}

/** How many bytes a string takes as UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Checks a function's name.
 *
 * @throws {TypeError} It is not a string.
 * @throws {RangeError} It is empty, over 512 bytes, or holds a NUL or a line feed.
 */
export function checkFunctionName(functionName: string): void {
  checkName(functionName, "function name", MAX_FUNCTION_NAME);
}

/**
 * Checks an argument that is a name.
 *
 * @throws {TypeError} It is not a string.
 * @throws {RangeError} It is empty, over `most` bytes, or holds a NUL or a line feed.
 */
export function checkName(text: string, what: string, most: number): void {
  checkText(text, what, most);
  if (text === "") throw new RangeError(`Cannot use the ${what}: it is empty`);
}

/**
 * Checks an argument that is a name or empty, which is none.
 *
 * @throws {TypeError} It is not a string.
 * @throws {RangeError} It is over `most` bytes, or holds a NUL or a line feed.
 */
export function checkText(text: string, what: string, most: number): void {
  if (typeof text !== "string") throw new TypeError(`Cannot use the ${what}: it is not a string`);
  // A character takes at most three bytes: most need not be counted.
  if (text.length * 3 > most && byteLength(text) > most) {
    throw new RangeError(`Cannot use the ${what}: it has ${byteLength(text)} bytes, and may have ${most}`);
  }
  // A NUL ends an argument, and a line feed would break the lists of the text protocol.
  if (/[\0\n]/.test(text)) throw new RangeError(`Cannot use the ${what}: it holds a NUL or a line feed`);
}

/**
 * Checks a name that has to be one word of the text protocol: anything else would be more words, or more commands.
 *
 * @throws {TypeError} It is not a string.
 * @throws {RangeError} It is empty, over `most` bytes, or holds white space or control characters.
 */
export function checkWord(text: string, what: string, most: number): string {
  checkText(text, what, most);
  if (/^[^\s\p{Cc}]+$/u.test(text)) return text;
  throw new RangeError(`Cannot use the ${what}: it is empty, or holds white space or control characters`);
}
