/** What a script is, and the words that scripts are made of. */

import { PacketType as P } from "../../src/codec/mod.ts";
import type { JobServerOptions } from "../../src/server/mod.ts";
import { request as r } from "./wire.ts";

/** Waits until something comes on the connection, instead of sending. */
export const WAIT = "(wait)";
/** Sends what follows again and again, until the last part stands in the answer; only that answer counts. */
export const UNTIL = "(until)";
/** Sends what follows, which is no whole packet: from then on the connection is not asked what it has got. */
export const SILENT = "(silent)";
/** As many digits: the second after next, as an epoch. */
export const SOON = "{now + 2s}";

/** One step: a connection (made when first named) sends something, or closes (null). */
export type Step = readonly [connection: string, ...bytes: string[]] | readonly [connection: string, close: null];

/** A named exchange; `H:1` in it stands for the server's first handle. */
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
