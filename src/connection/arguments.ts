/** The arguments of calls: limits and checks of function names, uniques, handles and workloads. */

import { MIN_UNCOPIED } from "../codec/encoder.ts";
import type { Workload } from "../codec/arguments.ts";
import { checkName, checkText } from "../internal/checks.ts";

export { checkFunctionName, checkWorkload, MAX_FUNCTION_NAME, type Workload } from "../codec/arguments.ts";

/**
 * Longest unique, reducer and handle in bytes. gearmand keeps them, with a NUL, in 64 bytes: it accepts a unique of 64
 * bytes and corrupts it, and never answers a status request for a handle of 64 bytes.
 */
export const MAX_UNIQUE = 63;
/** Longest id of a connection in bytes: gearmand cuts a longer one. */
const MAX_ID = 127;

/**
 * Checks a unique; the empty string stands for none.
 *
 * @throws {TypeError} It must be a string.
 * @throws {RangeError} It must have at most 63 bytes, and no NUL, line feed or lone surrogate.
 */
export function checkUnique(unique: string): void {
  if (unique !== "") checkText(unique, "unique", MAX_UNIQUE);
}

/**
 * Checks a job handle.
 *
 * @throws {TypeError} It must be a string.
 * @throws {RangeError} It must have 1 to 63 bytes, and no NUL, line feed or lone surrogate.
 */
export function checkHandle(handle: string): void {
  checkName(handle, "job handle", MAX_UNIQUE);
}

/**
 * Checks the id of a connection, which gearmand prints in the list of `workers` as it is.
 *
 * @throws {TypeError} It must be a string.
 * @throws {RangeError} It must have 1 to 127 bytes, without white space or control characters.
 */
export function checkId(id: string): void {
  checkName(id, "id", MAX_ID);
  if (/[\s\p{Cc}]/u.test(id)) throw new RangeError("Cannot use the id: it holds white space or control characters");
}

/** True if a workload is not copied: the caller does not change it until the call has settled. */
export function isUncopied(workload: Workload): boolean {
  return typeof workload !== "string" && workload.length >= MIN_UNCOPIED;
}

/** Copies a workload that the caller may change as soon as the call has returned. */
export function copySmall(workload: Workload): Workload {
  return typeof workload === "string" || isUncopied(workload) ? workload : new Uint8Array(workload);
}

/** Makes the error for an argument of which the buffer is not what it was: its bytes are gone, or fewer. */
export function transferredError(): TypeError {
  return new TypeError("Cannot send an argument: its buffer was transferred or shrunk");
}
