/** The type of a script, and shorthands for the steps of scripts. */

import { PacketType as P } from "../../src/codec/mod.ts";
import type { JobServerOptions } from "../../src/server/mod.ts";
import { request as r } from "./wire.ts";

/** Waits until the connection receives something, instead of sending. */
export const WAIT = "(wait)";
/** Sends the next part repeatedly, until the answer contains the last part; only that answer is logged. */
export const UNTIL = "(until)";
/** Sends the next parts, which are not a whole packet; afterwards the connection is not read any more. */
export const SILENT = "(silent)";
/** Placeholder for the second after next, as an epoch; it has the same number of digits. */
export const SOON = "{now + 2s}";

/** One step: a connection sends something, or closes (null). It is opened when it is first named. */
export type Step = readonly [connection: string, ...bytes: string[]] | readonly [connection: string, close: null];

/** A named exchange. In it, `H:1` stands for the server's first handle. */
export interface Script {
  readonly name: string;
  readonly options?: JobServerOptions;
  /** The same options for gearmand. */
  readonly args?: readonly string[];
  readonly steps: readonly Step[];
}

export const canDo = (...names: string[]): string => names.map((name) => r(P.CAN_DO, name)).join("");
export const grab: string = r(P.GRAB_JOB);
export const grabUniq: string = r(P.GRAB_JOB_UNIQ);
export const grabAll: string = r(P.GRAB_JOB_ALL);
export const sleep: string = r(P.PRE_SLEEP);
export const submit = (name: string, unique: string, workload: string | Uint8Array = ""): string =>
  r(P.SUBMIT_JOB, name, unique, workload);
export const submitBg = (name: string, unique: string, workload: string | Uint8Array = ""): string =>
  r(P.SUBMIT_JOB_BG, name, unique, workload);
export const complete = (handle: string, data: string | Uint8Array = ""): string => r(P.WORK_COMPLETE, handle, data);
