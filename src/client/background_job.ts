/** A background job after its submission: its handle, its token, and its status while the server knows it. */

import { printable } from "../internal/text.ts";
import { checkHandle, checkUnique } from "../connection/arguments.ts";
import type { CallOptions, WatchOptions } from "../connection/options.ts";
import type { JobStatus } from "./status.ts";

/**
 * A background job that a server has accepted. Keep its `token`: with it any client of that server can ask for the job's
 * status.
 *
 * @example A token, and the status of the job
 * ```ts
 * import { GearmanClient } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using client = new GearmanClient({ dial: server.dial });
 * const job = await client.doBackground("resize", "cat.png");
 * console.log(job.token); // 127.0.0.1:4730//H:...:1;UNIQUE
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
  /**
   * The token of the job: `SERVER//HANDLE;UNIQUE`, with the unique encoded as by `encodeURIComponent`, and left out when it
   * is empty or `-`, which gearmand never finds.
   */
  readonly token: string;
  /** Returns the token. */
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

  get token(): string {
    const unique = isFindable(this.unique) ? `;${encodeURIComponent(this.unique)}` : "";
    return `${this.server}//${this.handle}${unique}`;
  }

  toString(): string {
    return this.token;
  }
}

/** A handle, and the server that gave it and the job's unique, if they are known. */
export interface JobReference {
  readonly server: string | undefined;
  readonly handle: string;
  readonly unique: string | undefined;
}

/** Longest token in characters. */
const MAX_TOKEN = 512;

/**
 * Reads a reference to a job: a `BackgroundJob`, a token, or a bare handle. A token is split at its last `//`, and what
 * follows at the last `;`.
 *
 * @throws {TypeError} It must be one of the three.
 * @throws {RangeError} The handle or the unique is not well formed, or the token has over 512 characters.
 */
export function parseJobReference(job: string | BackgroundJob): JobReference {
  const reference: JobReference = typeof job === "string" ? parseToken(job) : job;
  if (typeof job !== "string" && (typeof job?.handle !== "string" || typeof job.server !== "string")) {
    throw new TypeError("Cannot use the job: expected a handle, a token or a BackgroundJob");
  }
  const { handle, server, unique = "" } = reference;
  checkHandle(handle);
  checkUnique(unique);
  return { handle, server, unique: isFindable(unique) ? unique : undefined };
}

function parseToken(token: string): JobReference {
  if (token.length > MAX_TOKEN) throw new RangeError(`Cannot use the token: it has over ${MAX_TOKEN} characters`);
  const [, server, rest = ""] = /^(?:(.*)\/\/)?(.*)$/s.exec(token)!;
  const [, handle = "", unique] = /^(.*);(.*)$/s.exec(rest) ?? [];
  // A bare handle may hold a semicolon.
  if (server === undefined || unique === undefined) return { server, handle: rest, unique: undefined };
  try {
    return { server, handle, unique: decodeURIComponent(unique) };
  } catch {
    throw new RangeError(`Cannot use the token "${printable(token)}": its unique is not encoded well`);
  }
}

/** True if a server can find a job by its unique; gearmand never finds a `-`. */
function isFindable(unique: string): boolean {
  return unique !== "" && unique !== "-";
}
