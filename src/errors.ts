/**
 * Every error of this library that is not plain misuse (`TypeError`, `RangeError`) or an abort (`signal.reason`).
 *
 * @module
 */

import { printable } from "./internal/text.ts";

/** What a connection error knows of the submission that it ended; see {@linkcode ConnectionError}. */
export type ConnectionErrorOptions =
  & ErrorOptions
  & { [P in "delivery" | "handle" | "server" | "unique"]?: ConnectionError[P] | undefined };

/** What a failed job is known by; see {@linkcode JobFailedError}. */
export type JobFailedErrorOptions =
  & ErrorOptions
  & { [P in "handle" | "functionName" | "exception"]?: JobFailedError[P] | undefined };

/** The base of all errors of this library: catch it to catch them all. */
export class GearmanError extends Error {
  /** The name of the class. */
  override get name(): string {
    return "GearmanError";
  }
}

/** The peer sent bytes that are not the Gearman protocol, or broke its rules; the connection cannot be used further. */
export class ProtocolError extends GearmanError {
  /** The name of the class. */
  override get name(): string {
    return "ProtocolError";
  }

  /** Where in the stream of received bytes the fault lies, counted from 0, where it is known. */
  declare readonly offset?: number;

  /** Makes an error; `offset` is counted in bytes from the start of the stream. */
  constructor(message?: string, options: ErrorOptions & { offset?: number } = {}) {
    super(message, options);
    if (options.offset !== undefined) this.offset = options.offset;
  }
}

/**
 * A connection could not be made, or was lost; `cause` is the runtime's own error.
 *
 * On the error of a submission, `delivery` says how far it came: `not-sent` (no byte of it was handed to the transport:
 * safe to repeat), `unknown` (sent, never acknowledged) or `accepted` (the job server had queued it).
 */
export class ConnectionError extends GearmanError {
  /** The name of the class. */
  override get name(): string {
    return "ConnectionError";
  }

  /** How far the submission came; absent on errors of other calls. */
  declare readonly delivery?: "not-sent" | "unknown" | "accepted";
  /** The handle of the accepted job. */
  declare readonly handle?: string;
  /** The server, as `host:port`, `[v6]:port` or `unix:/path`. */
  declare readonly server?: string;
  /** The unique of the submission. */
  declare readonly unique?: string;

  /** Makes an error. */
  constructor(message?: string, options: ConnectionErrorOptions = {}) {
    super(message, options);
    tell(this, options);
  }
}

/** The job server answered with an ERROR packet, or with `ERR` to an administrative command. */
export class ServerError extends GearmanError {
  /** The name of the class. */
  override get name(): string {
    return "ServerError";
  }

  /** The server's code, such as `QUEUE_ERROR` (gearmand sends it without the prefix `GEARMAN_`). */
  readonly code: string;
  /** The server's own words. */
  readonly text: string;

  /** Makes an error from the server's code and text. */
  constructor(code: string, text: string, options?: ErrorOptions) {
    super(`The job server answered ${printable(code) || "ERROR"}: ${printable(text) || "(no text)"}`, options);
    this.code = code;
    this.text = text;
  }
}

/**
 * The job failed: its worker sent WORK_FAIL, or WORK_EXCEPTION (then `exception` holds its bytes).
 *
 * Thrown by a worker's handler, `new JobFailedError()` fails the job without an exception.
 */
export class JobFailedError extends GearmanError {
  /** The name of the class. */
  override get name(): string {
    return "JobFailedError";
  }

  /** The job's handle; absent on an error that a handler made. */
  declare readonly handle?: string;
  /** The function's name; absent on an error that a handler made. */
  declare readonly functionName?: string;
  /** What the worker sent with WORK_EXCEPTION; absent after a plain WORK_FAIL. */
  declare readonly exception?: Uint8Array;

  /** Makes an error, as a handler does to fail its job. */
  constructor(message?: string, options: JobFailedErrorOptions = {}) {
    super(message, options);
    tell(this, options);
  }
}

/** Gives an error what is known besides its message; what is not known is no property, and so not printed either. */
function tell(error: GearmanError, { cause: _, ...known }: ErrorOptions): void {
  for (const [name, value] of Object.entries(known)) if (value !== undefined) Object.assign(error, { [name]: value });
}
