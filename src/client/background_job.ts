/** A background job after its submission: its handle, its token, and its status while the server knows it. */

import type { CallOptions, WatchOptions } from "../connection/options.ts";
import type { JobStatus } from "./status.ts";

/**
 * A background job that a server has accepted. Keep `toString()`: with this token any client of that server can ask for
 * the job's status.
 *
 * @example A token, and the status of the job
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
  /** The handle that the server gave the job. */
  readonly handle: string;
  /** The server that has the job, as `host:port`, `[v6]:port` or `unix:/path`. */
  readonly server: string;
  /** The unique of the submission; a generated one if none was given. */
  readonly unique: string;
  /** Asks for the status; see {@linkcode GearmanClient.prototype.jobStatus | GearmanClient.jobStatus}. */
  status(options?: CallOptions): Promise<JobStatus>;
  /** Yields the status at intervals; see {@linkcode GearmanClient.prototype.watch | GearmanClient.watch}. */
  watch(options?: WatchOptions): AsyncGenerator<JobStatus, void, undefined>;
  /** Returns the token of the job, `SERVER//HANDLE`. */
  toString(): string;
}

/** What a background job needs of its client. */
export interface StatusSource {
  jobStatus(job: BackgroundJob, options?: CallOptions): Promise<JobStatus>;
  watch(job: BackgroundJob, options?: WatchOptions): AsyncGenerator<JobStatus, void, undefined>;
}

/** The background job of a client. */
export class ClientBackgroundJob implements BackgroundJob {
  readonly handle: string;
  readonly server: string;
  readonly unique: string;
  readonly #source: StatusSource;

  constructor(source: StatusSource, handle: string, server: string, unique: string) {
    this.#source = source;
    this.handle = handle;
    this.server = server;
    this.unique = unique;
  }

  status(options?: CallOptions): Promise<JobStatus> {
    return this.#source.jobStatus(this, options);
  }

  watch(options?: WatchOptions): AsyncGenerator<JobStatus, void, undefined> {
    return this.#source.watch(this, options);
  }

  toString(): string {
    return `${this.server}//${this.handle}`;
  }
}

/** A handle, and the server that gave it, if that is known. */
export interface JobReference {
  readonly server: string | undefined;
  readonly handle: string;
}

/**
 * Reads a reference to a job: a `BackgroundJob`, a token, or a bare handle. A token is split at its last `//`.
 *
 * @throws {TypeError} It must be one of the three.
 */
export function parseJobReference(job: string | BackgroundJob): JobReference {
  if (typeof job === "string") {
    const [, server, handle = ""] = /^(?:(.*)\/\/)?(.*)$/s.exec(job)!;
    return { server, handle };
  }
  if (typeof job?.handle !== "string" || typeof job.server !== "string") {
    throw new TypeError("Cannot use the job: expected a handle, a token or a BackgroundJob");
  }
  return job;
}
