/** How the run of a handler ends: what it returned or threw becomes one of three outcomes. */

import { JobFailedError } from "../errors.ts";
import { byteLength } from "../internal/text.ts";
import type { Workload } from "../connection/arguments.ts";

/** How a run ended. Each outcome has a packet of its own, and nothing may be sent after it. */
export type Outcome =
  | { readonly kind: "completed"; readonly result: Workload }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "exception"; readonly exception: Workload; readonly error: unknown };

/**
 * Turns what a handler returned into an outcome.
 *
 * @throws {TypeError} It must be a string, a `Uint8Array` or `undefined`.
 * @throws {RangeError} Its packet must not be larger than `maxPacketSize`.
 */
export function outcomeOfResult(result: unknown, limit: SizeLimit): Outcome {
  return { kind: "completed", result: result === undefined ? "" : checkData(result, "result", limit) };
}

/**
 * Turns what a handler threw into an outcome; never throws.
 *
 * A `JobFailedError` of the handler's own is sent as its `exception`, or else as its message. Without both it fails the
 * job in silence. Any other error is an exception with its message, or with its name if the message is empty.
 */
export function outcomeOfError(error: unknown): Outcome {
  try {
    // One with a handle comes from a job that the handler submitted: it is an error like any other.
    if (error instanceof JobFailedError && error.handle === undefined) return outcomeOfFailure(error);
    return {
      kind: "exception",
      exception: String(error instanceof Error ? error.message || error.name : error),
      error,
    };
  } catch {
    // Anything can be thrown, also an object with properties that throw.
    return { kind: "exception", exception: "unknown error", error };
  }
}

function outcomeOfFailure(error: JobFailedError): Outcome {
  const { exception, message } = error;
  if (exception instanceof Uint8Array) return { kind: "exception", exception, error };
  return message === "" ? { kind: "failed", error } : { kind: "exception", exception: String(message), error };
}

/** How much data fits in the packets of a job. */
export interface SizeLimit {
  /** Maximum size of a packet's body in bytes. */
  readonly maxPacketSize: number;
  /** Bytes of a packet's body before the data: the handle and its NUL. */
  readonly overhead: number;
}

/**
 * Checks data that a handler sends.
 *
 * @throws {TypeError} It must be a string or a `Uint8Array`.
 * @throws {RangeError} Its packet must not be larger than `maxPacketSize`.
 */
export function checkData(data: unknown, what: string, limit: SizeLimit): Workload {
  if (typeof data !== "string" && !(data instanceof Uint8Array)) {
    throw new TypeError(`Cannot send the ${what}: it must be a string or a Uint8Array`);
  }
  const { maxPacketSize, overhead } = limit;
  // A UTF-16 unit takes at most three bytes of UTF-8: most strings are short enough to skip the count.
  const longest = typeof data === "string" ? data.length * 3 : data.length;
  if (overhead + longest <= maxPacketSize) return data;
  const size = overhead + (typeof data === "string" ? byteLength(data) : data.length);
  if (size <= maxPacketSize) return data;
  throw new RangeError(`Cannot send the ${what}: ${describeOversize(size, maxPacketSize)}`);
}

/** Describes why a packet is too large. */
export function describeOversize(size: number, maxPacketSize: number): string {
  return `its packet has ${size} bytes, and maxPacketSize is ${maxPacketSize}`;
}
