/** What the bytes of a packet's arguments mean: handles, decimal numbers, and data that the caller may keep. */

import type { Bytes } from "../internal/bytes.ts";
import { readText } from "../internal/text.ts";
import { HEADER_SIZE } from "./packet.ts";

/** Reads a handle; gearmand 1.1 puts a NUL, or a NUL and more bytes, behind the handle of some WORK_FAIL packets. */
export function readHandle(bytes: Uint8Array): string {
  return readText(bytes).split("\0", 1)[0]!;
}

/** Reads a decimal number; workers may send anything, and text that is not a finite number reads as 0. */
export function readNumber(bytes: Uint8Array): number {
  const value = Number(readText(bytes));
  return Number.isFinite(value) ? value : 0;
}

/** A larger argument, in bytes, may be kept without a copy if nothing else shares its memory. */
const MIN_UNCOPIED = 65_536;

/**
 * Returns the last argument of a packet as bytes that the caller may keep and change. It is a copy, unless it is long
 * and alone in its memory because the decoder had to join it.
 */
export function ownedBytes(args: readonly Uint8Array[]): Bytes {
  const first = args[0]!;
  const last = args[args.length - 1]!;
  const { byteLength } = last.buffer;
  const beginsMemory = first.byteOffset <= HEADER_SIZE;
  const endsMemory = last.byteOffset + last.length === byteLength;
  return beginsMemory && endsMemory && byteLength > MIN_UNCOPIED ? last as Bytes : last.slice();
}
