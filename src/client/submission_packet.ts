/** From the arguments of a call to a packet: everything that can be wrong with them is said here, before a byte is sent. */

import { checkName, checkOneOf, checkOptions } from "../internal/checks.ts";
import { checkSignal } from "../internal/signals.ts";
import { PacketType } from "../codec/packet.ts";
import { checkFunctionName, checkUnique, MAX_UNIQUE, takeWorkload, type Workload } from "../connection/arguments.ts";
import type { CallOptions } from "../connection/options.ts";
import type { Outgoing } from "./request.ts";

/** How urgent a job is: all high ones of a function come before its normal ones, and those before its low ones. */
export type Priority = "high" | "normal" | "low";

/** Options of a submission. */
export interface DoOptions extends CallOptions {
  /**
   * Jobs of one function and unique run once for all who submit them while one is queued or running; at most 63 bytes.
   * `-` takes the workload for it. Default none for a foreground job, and a generated one for a background job.
   */
  unique?: string;
  /** Default "normal", which is also the only one of a job with a `reducer`. */
  priority?: Priority;
  /** The function that is to reduce the result, for workers that can; at most 63 bytes. */
  reducer?: string;
}

/** Options of a submission in the background. */
export interface DoBackgroundOptions extends DoOptions {
  /** Not before this time, rounded up to seconds. Not together with `reducer`, or a `priority` that is not normal. */
  at?: Date;
}

/** In the foreground, and in the background. */
const TYPES = {
  high: [PacketType.SUBMIT_JOB_HIGH, PacketType.SUBMIT_JOB_HIGH_BG],
  normal: [PacketType.SUBMIT_JOB, PacketType.SUBMIT_JOB_BG],
  low: [PacketType.SUBMIT_JOB_LOW, PacketType.SUBMIT_JOB_LOW_BG],
} as const;
const PRIORITIES = /* @__PURE__ */ Object.keys(TYPES);

/** The packet of a foreground job. */
export function foregroundPacket(functionName: string, workload: Workload, options: DoOptions): Outgoing {
  checkOptions(options);
  if ((options as DoBackgroundOptions).at !== undefined) throw new TypeError("Cannot use at in the foreground");
  return packetOf(functionName, workload, options.unique ?? "", options, 0);
}

/** What all jobs of a batch have in common. */
export type Shared = Omit<DoBackgroundOptions, "unique">;

/** The packet of a background job. */
export function backgroundPacket(functionName: string, workload: Workload, unique: string, options: Shared): Outgoing {
  return packetOf(functionName, workload, unique, options, 1);
}

function packetOf(functionName: string, workload: Workload, unique: string, options: Shared, background: 0 | 1) {
  const { priority = "normal", reducer, at, signal } = options;
  checkFunctionName(functionName);
  checkUnique(unique);
  checkSignal(signal);
  const data = takeWorkload(workload);
  checkOneOf(priority, "priority", PRIORITIES);
  if (at === undefined && reducer === undefined) {
    return { type: TYPES[priority][background], args: [functionName, unique, data] };
  }
  if (priority !== "normal" || (at !== undefined && reducer !== undefined)) {
    throw new TypeError("Cannot use at, reducer and priority together: there is no such packet");
  }
  if (at !== undefined) return { type: PacketType.SUBMIT_JOB_EPOCH, args: [functionName, unique, seconds(at), data] };
  checkName(reducer!, "reducer", MAX_UNIQUE);
  const type = background ? PacketType.SUBMIT_REDUCE_JOB_BACKGROUND : PacketType.SUBMIT_REDUCE_JOB;
  return { type, args: [functionName, unique, reducer!, "", data] };
}

function seconds(at: Date): string {
  if (!(at instanceof Date)) throw new TypeError("Cannot use at: it is no Date");
  if (Number.isNaN(at.getTime())) throw new RangeError("Cannot use at: it is an invalid Date");
  return `${Math.max(0, Math.ceil(at.getTime() / 1_000))}`;
}
