/** From the arguments of a submission to its packet: everything wrong with them throws here, before a byte is sent. */

import { checkFunction, checkName, checkOneOf, checkOptions } from "../internal/checks.ts";
import { PacketType } from "../codec/packet.ts";
import { checkFunctionName, checkUnique, checkWorkload, MAX_UNIQUE, type Workload } from "../connection/arguments.ts";
import { type AnyFunction, nameOf } from "../function/function.ts";
import type { CallOptions } from "../connection/options.ts";
import type { Outgoing } from "./request.ts";

/** Priority of a job: high ones of a function run before its normal ones, and those before its low ones. */
export type Priority = "high" | "normal" | "low";

/** Options of a submission. */
export interface DoOptions extends CallOptions {
  /**
   * Key by which jobs of one function coalesce: while one is queued or running, further submissions share it. At most 63
   * bytes; `-` stands for the workload. Default none for a foreground job, and a generated one for a background job.
   */
  unique?: string | undefined;
  /** Priority. Default "normal", the only one of a job with a `reducer`. */
  priority?: Priority | undefined;
  /** Function that reduces the result, for workers that can; at most 63 bytes. */
  reducer?: string | undefined;
  /**
   * Called with each progress that arrives, however the job is consumed. What it throws ends the job here with that error;
   * the server still runs it.
   */
  onStatus?: ((status: { readonly numerator: number; readonly denominator: number }) => void) | undefined;
}

/** Options of a submission in the background. */
export interface DoBackgroundOptions extends Omit<DoOptions, "onStatus"> {
  /**
   * Earliest start, rounded up to seconds. Not together with `reducer`, or a `priority` other than normal.
   *
   * gearmand 1.1 does not wake a sleeping worker when the job is due: it starts when a worker asks next. Workers of this
   * library ask every second (their option `pollInterval`). gearmand 2.0 and `JobServer` wake a worker.
   */
  at?: Date | undefined;
}

/** Packet types by priority. */
const TYPES = {
  high: { foreground: PacketType.SUBMIT_JOB_HIGH, background: PacketType.SUBMIT_JOB_HIGH_BG },
  normal: { foreground: PacketType.SUBMIT_JOB, background: PacketType.SUBMIT_JOB_BG },
  low: { foreground: PacketType.SUBMIT_JOB_LOW, background: PacketType.SUBMIT_JOB_LOW_BG },
} as const;
const REDUCE_TYPES = {
  foreground: PacketType.SUBMIT_REDUCE_JOB,
  background: PacketType.SUBMIT_REDUCE_JOB_BACKGROUND,
} as const;
const PRIORITIES = /* @__PURE__ */ Object.keys(TYPES);

/** The options that the jobs of a batch share. */
export type SharedOptions = Omit<DoBackgroundOptions, "unique">;

/** The options that a packet is made of. */
type PacketOptions = Omit<SharedOptions, keyof CallOptions>;

/** The function name that was checked last: most submissions are of the same function as the one before. */
let lastFunctionName: string | undefined;

/** Makes the packet of a foreground job. */
export function foregroundPacket(
  fn: string | AnyFunction,
  input: unknown = "",
  options: DoOptions,
): Outgoing {
  checkOptions(options);
  if ((options as DoBackgroundOptions).at !== undefined) throw new TypeError("Cannot use at in the foreground");
  if (options.onStatus !== undefined) checkFunction(options.onStatus, "onStatus");
  return packetOf("foreground", fn, input, options.unique ?? "", options);
}

/**
 * Makes the packet of a job. The workload is the input of a function by name; that of a typed function is set when it is
 * encoded.
 */
export function packetOf(
  mode: "foreground" | "background",
  fn: string | AnyFunction,
  input: unknown,
  unique: string,
  options: PacketOptions,
): Outgoing {
  const { priority = "normal", reducer, at } = options;
  const functionName = nameOf(fn);
  const workload = functionName === fn ? input as Workload : "";
  if (functionName !== lastFunctionName) checkFunctionName(functionName);
  lastFunctionName = functionName;
  checkUnique(unique);
  checkWorkload(workload);
  if (mode === "background" && functionName === fn) checkStorable(workload);
  if (priority !== "normal") checkOneOf(priority, "priority", PRIORITIES);
  if (at === undefined && reducer === undefined) {
    return { type: TYPES[priority][mode], args: [functionName, unique, workload] };
  }
  if (priority !== "normal" || (at !== undefined && reducer !== undefined)) {
    throw new TypeError("Cannot use at, reducer and priority together: there is no such packet");
  }
  if (at !== undefined) {
    return { type: PacketType.SUBMIT_JOB_EPOCH, args: [functionName, unique, seconds(at), workload] };
  }
  checkName(reducer!, "reducer", MAX_UNIQUE);
  return { type: REDUCE_TYPES[mode], args: [functionName, unique, reducer!, "", workload] };
}

/**
 * Checks that a job in the background has a workload.
 *
 * @throws {RangeError} It must have at least one byte.
 */
export function checkStorable(workload: Workload): void {
  if (workload.length > 0) return;
  throw new RangeError("Cannot use the workload: it is empty, and gearmand cannot store that");
}

function seconds(at: Date): string {
  if (!(at instanceof Date)) throw new TypeError("Cannot use at: it must be a Date");
  if (Number.isNaN(at.getTime())) throw new RangeError("Cannot use at: it is an invalid Date");
  return String(Math.max(0, Math.ceil(at.getTime() / 1_000)));
}
