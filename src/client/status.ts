/** The status of a job: what it holds, and how it is read from a packet. */

import { readText } from "../internal/text.ts";
import { readHandle, readNumber } from "../codec/arguments.ts";

/** The status of a job. A server forgets a job that is over: `known` is then false, as for a job that never was. */
export interface JobStatus {
  /** The job's handle. */
  readonly handle: string;
  /** True if the server knows the job: it is queued or running. */
  readonly known: boolean;
  /** True if a worker has it. */
  readonly running: boolean;
  /** The worker's progress, out of `denominator`; 0 until the worker reports any. */
  readonly numerator: number;
  /** The value at which `numerator` is complete; 0 until the worker reports any. */
  readonly denominator: number;
}

/** The status of a job that was asked for by its unique. */
export interface UniqueJobStatus extends Omit<JobStatus, "handle"> {
  /** The job's unique. */
  readonly unique: string;
  /** Number of foreground submissions that wait for it. */
  readonly clients: number;
}

/** Reads the arguments of STATUS_RES. */
export function readStatus(args: readonly Uint8Array[]): JobStatus {
  return { handle: readHandle(args[0]!), ...readProgress(args) };
}

/** Reads the arguments of STATUS_RES_UNIQUE. */
export function readUniqueStatus(args: readonly Uint8Array[]): UniqueJobStatus {
  return { unique: readText(args[0]!), ...readProgress(args), clients: readNumber(args[5]!) };
}

function readProgress(args: readonly Uint8Array[]): Omit<JobStatus, "handle"> {
  return {
    known: readText(args[1]!) === "1",
    running: readText(args[2]!) === "1",
    numerator: readNumber(args[3]!),
    denominator: readNumber(args[4]!),
  };
}
