/** How the run of a handler ends: what it returned or threw becomes one of three outcomes. */

import { JobFailedError } from "../errors.ts";
import type { Workload } from "../connection/arguments.ts";

/** How a run ended. Each outcome has a packet of its own, and nothing may be sent after it. */
export type Outcome =
  | { readonly kind: "completed"; readonly result: Workload }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "exception"; readonly exception: Workload; readonly error: unknown };

/** Maximum data of one packet in bytes: the length of a packet's body has 32 bits, and the handle needs room. */
const MAX_DATA = 0xffff_0000;

/**
 * Turns what a handler returned into an outcome.
 *
 * @throws {TypeError} It must be a string, a `Uint8Array` or `undefined`.
 * @throws {RangeError} It must fit in a packet, which holds less than 4 GiB.
 */
export function outcomeOfResult(result: unknown): Outcome {
  return { kind: "completed", result: result === undefined ? "" : checkData(result, "result") };
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

/**
 * Checks data that a handler sends.
 *
 * @throws {TypeError} It must be a string or a `Uint8Array`.
 * @throws {RangeError} It must fit in a packet, which holds less than 4 GiB.
 */
export function checkData(data: unknown, what: string): Workload {
  if (typeof data !== "string" && !(data instanceof Uint8Array)) {
    throw new TypeError(`Cannot send the ${what}: it must be a string or a Uint8Array`);
  }
  if (data.length > MAX_DATA) throw new RangeError(`Cannot send the ${what}: a packet holds less than 4 GiB`);
  return data;
}
