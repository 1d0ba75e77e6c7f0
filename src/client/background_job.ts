/** A job in the background: what is left of it after submission is a handle, and a status as long as it lives. */

import { readText } from "../internal/text.ts";
import { readHandle, readNumber } from "../codec/arguments.ts";
import type { CallOptions } from "../connection/options.ts";
import type { GearmanClient } from "./client.ts";

/** How a job is doing. Once it is over, the server knows nothing of it: `known` is false, as for one that never was. */
export interface JobStatus {
  /** The job's handle. */
  readonly handle: string;
  /** Whether the server knows it: it is queued or running. */
  readonly known: boolean;
  /** Whether a worker has it. */
  readonly running: boolean;
  /** The worker's progress, of `denominator`; 0 before it says any. */
  readonly numerator: number;
  /** What `numerator` counts up to; 0 before the worker says any. */
  readonly denominator: number;
}

/** How a job is doing, asked by its unique. */
export interface UniqueJobStatus extends Omit<JobStatus, "handle"> {
  /** The job's unique. */
  readonly unique: string;
  /** How many foreground submissions wait for it. */
  readonly clients: number;
}

/**
 * A background job that a server has accepted. Keep `toString()`, a token that any client of that server can ask with.
 *
 * @example A token, and how the job is doing
 * ```ts
 * import { GearmanClient } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using client = new GearmanClient({ dial: server.dial });
 * const job = await client.doBackground("resize", "cat.png");
 * console.log(`${job}`); // 127.0.0.1:4730//H:...:1
 * console.log(await job.status()); // known, and not running: there is no worker
 * ```
 */
export interface BackgroundJob {
  /** The handle that the server gave it. */
  readonly handle: string;
  /** The server that has it, as `host:port`, `[v6]:port` or `unix:/path`. */
  readonly server: string;
  /** The unique that it was submitted with; a generated one where none was given. */
  readonly unique: string;
  /** Asks how it is doing; see {@linkcode GearmanClient.prototype.jobStatus | GearmanClient.jobStatus}. */
  status(options?: CallOptions): Promise<JobStatus>;
  /** Asks again and again; see {@linkcode GearmanClient.prototype.watch | GearmanClient.watch}. */
  watch(options?: { interval?: number; signal?: AbortSignal }): AsyncGenerator<JobStatus, void, undefined>;
  /** The token of the job, `SERVER//HANDLE`. */
  toString(): string;
}

/** The background job of a client. */
export class ClientBackgroundJob implements BackgroundJob {
  readonly handle: string;
  readonly server: string;
  readonly unique: string;
  readonly #client: GearmanClient;

  constructor(client: GearmanClient, handle: string, server: string, unique: string) {
    this.#client = client;
    this.handle = handle;
    this.server = server;
    this.unique = unique;
  }

  status(options?: CallOptions): Promise<JobStatus> {
    return this.#client.jobStatus(this, options);
  }

  watch(options?: { interval?: number; signal?: AbortSignal }): AsyncGenerator<JobStatus, void, undefined> {
    return this.#client.watch(this, options);
  }

  toString(): string {
    return `${this.server}//${this.handle}`;
  }
}

/** Server and handle of whatever a caller names a job by. */
export function parseJobReference(job: string | BackgroundJob): { server: string | undefined; handle: string } {
  if (typeof job === "string") {
    const [, server, handle = ""] = /^(?:(.*)\/\/)?(.*)$/s.exec(job)!;
    return { server, handle };
  }
  if (typeof job?.handle !== "string" || typeof job.server !== "string") {
    throw new TypeError("Cannot use the job: expected a handle, a token or a BackgroundJob");
  }
  return job;
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
