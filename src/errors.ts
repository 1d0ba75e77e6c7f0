/**
 * The errors of this library. Misuse is a `TypeError` or `RangeError` instead, and an abort is `signal.reason`.
 *
 * @module
 */

import { printable } from "./internal/text.ts";

/** Properties for a new {@linkcode ProtocolError}; those that are `undefined` are left out. */
export type ProtocolErrorOptions = ErrorOptions & { [P in "offset"]?: ProtocolError[P] | undefined };

/** Properties for a new {@linkcode ConnectionError}; those that are `undefined` are left out. */
export type ConnectionErrorOptions =
  & ErrorOptions
  & { [P in "delivery" | "handle" | "server" | "unique"]?: ConnectionError[P] | undefined };

/** Properties for a new {@linkcode JobFailedError}; those that are `undefined` are left out. */
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

  /** Offset of the faulty packet or line in the received stream, in bytes from 0, if it is known. */
  declare readonly offset?: number;

  /** Makes an error; `offset` is counted in bytes from the start of the stream. */
  constructor(message?: string, options: ProtocolErrorOptions = {}) {
    super(message, options);
    if (options.offset !== undefined) this.offset = options.offset;
  }
}

/**
 * A connection could not be made, or was lost; `cause` is the error of the runtime.
 *
 * On the error of a submission, `delivery` says how far it came:
 *
 * - `not-sent`: no byte of it was handed to the transport, so that it is safe to repeat.
 * - `unknown`: it was sent, and never acknowledged.
 * - `accepted`: the job server had queued it.
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
    assignDefined(this, options);
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
  /** The server's text. */
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
 * A worker's handler may throw one of its own: `new JobFailedError("quota exceeded")` sends its message as an exception,
 * `new JobFailedError()` fails the job without one. With the option `exception` those bytes are sent, and the message is
 * for the worker's events alone.
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
  /** What the worker sent with WORK_EXCEPTION, or what a handler has it send; absent after a plain WORK_FAIL. */
  declare readonly exception?: Uint8Array;

  /** Makes an error, as a handler does to fail its job. */
  constructor(message?: string, options: JobFailedErrorOptions = {}) {
    super(message, options);
    assignDefined(this, options);
  }
}

/** Why a schema refuses a value, as in Standard Schema v1 (standardschema.dev). */
export interface SchemaIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where it is wrong: keys from the outside in; absent for the value as a whole. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * The input or output of a typed function is not what its schema takes, or its serializer cannot encode or decode it.
 *
 * The error of a serializer, and one that a schema throws, is the `cause` and the only issue.
 */
export class ValidationError extends GearmanError {
  /** The name of the class. */
  override get name(): string {
    return "ValidationError";
  }

  /** The function's name. */
  declare readonly functionName: string;
  /** What is invalid. */
  declare readonly part: "input" | "output";
  /** All issues, as the schema reported them; the message names the first ones. */
  declare readonly issues: readonly SchemaIssue[];

  /** Makes an error from the issues of a schema, at least one. */
  constructor(
    functionName: string,
    part: "input" | "output",
    issues: readonly SchemaIssue[],
    options?: ErrorOptions,
  ) {
    super(`The ${part} of "${functionName}" is invalid: ${describeIssues(issues)}`, options);
    assignDefined(this, { functionName, part, issues } as ErrorOptions);
  }
}

/** Describes issues as "items.0.name: Required; width: Too small". */
function describeIssues(issues: readonly SchemaIssue[]): string {
  // Copies, since libraries pass subclasses of Array whose map() returns no array.
  const texts = [...issues].map(({ message, path = [] }) => {
    const keys = [...path].map((part) => String((part as { key?: PropertyKey }).key ?? part));
    return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
  });
  return printable(texts.join("; "));
}

/** Assigns the options that are defined: the others would be properties with `undefined`, and would be printed. */
function assignDefined(error: GearmanError, { cause: _, ...properties }: ErrorOptions): void {
  for (const [name, value] of Object.entries(properties)) {
    if (value !== undefined) Object.assign(error, { [name]: value });
  }
}
