/** What a packet's arguments mean: function names, handles, decimal numbers, and data that the caller may keep. */

import type { Bytes } from "../internal/bytes.ts";
import { checkName } from "../internal/checks.ts";
import { readText } from "../internal/text.ts";
import { HEADER_SIZE } from "./packet.ts";

/** Longest function name in bytes: libgearman's limit. gearmand's own is its buffer of 8 KiB. */
export const MAX_FUNCTION_NAME = 512;

/** Longest workload in bytes: the length of a packet's body has 32 bits, and the names before it need room. */
const MAX_WORKLOAD = 0xffff_ffff - 2_048;

/** The data of a job; a string is sent as UTF-8. */
export type Workload = string | Uint8Array;

/**
 * Checks a function name.
 *
 * @throws {TypeError} It must be a string.
 * @throws {RangeError} It must have 1 to 512 bytes, and no NUL, line feed or lone surrogate.
 */
export function checkFunctionName(functionName: string): void {
  checkName(functionName, "function name", MAX_FUNCTION_NAME);
}

/**
 * The memory of a shorter packet may be that of the peer in the same process: the encoder hands on longer arguments in
 * pieces of their own, so that the decoder has to join the packet.
 */
const MAX_SHARED = 65_536;

/**
 * Checks a workload.
 *
 * @throws {TypeError} It must be a string or a `Uint8Array`.
 * @throws {RangeError} It must fit in a packet, which holds less than 4 GiB.
 */
export function checkWorkload(workload: Workload): void {
  if (typeof workload === "string") return;
  if (!(workload instanceof Uint8Array)) {
    throw new TypeError("Cannot use the workload: it must be a string or a Uint8Array");
  }
  if (workload.length > MAX_WORKLOAD) throw new RangeError("Cannot use the workload: a packet holds less than 4 GiB");
}

/** Reads a handle; gearmand 1.1 puts a NUL, or a NUL and more bytes, after the handle of some WORK_FAIL packets. */
export function readHandle(bytes: Uint8Array): string {
  return readText(bytes).split("\0", 1)[0]!;
}

/** Reads a decimal number; text that is not a finite number reads as 0, since workers may send anything. */
export function readNumber(bytes: Uint8Array): number {
  const value = Number(readText(bytes));
  return Number.isFinite(value) ? value : 0;
}

/**
 * Returns the last argument of a packet as bytes that the caller may keep and change. It is a copy, unless the decoder
 * joined a long packet in memory of its own.
 */
export function ownedBytes(args: readonly Uint8Array[]): Bytes {
  const first = args[0]!;
  const last = args[args.length - 1]!;
  const memorySize = last.buffer.byteLength;
  const beginsMemory = first.buffer === last.buffer && first.byteOffset <= HEADER_SIZE;
  const endsMemory = last.byteOffset + last.length === memorySize;
  return beginsMemory && endsMemory && memorySize > MAX_SHARED ? last as Bytes : last.slice();
}
