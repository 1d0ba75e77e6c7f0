/** One run of a handler: the job that the handler gets, and what the handler sends. */

import { orAbort } from "../internal/signals.ts";
import { readText } from "../internal/text.ts";
import { ownedBytes } from "../codec/arguments.ts";
import { type Packet, type PacketInput, PacketType } from "../codec/packet.ts";
import type { Workload } from "../connection/arguments.ts";
import type { Connection } from "../connection/connection.ts";
import { checkData, type Outcome, outcomeOfError, outcomeOfResult } from "./outcome.ts";

/** A job that a server has assigned to a worker. */
export interface AssignedJob {
  /** The job's handle. */
  readonly handle: string;
  /** The name of the function. */
  readonly functionName: string;
  /** The unique of the submission; empty if there was none. */
  readonly unique: string;
  /** The reducer of the submission, if there was one. */
  readonly reducer?: string;
  /** The data to work on. The handler may keep and change it. */
  readonly workload: Uint8Array;
  /**
   * Fires when the result is no longer wanted: the connection is lost, the time limit is over, or the worker is
   * destroyed. Its reason is the error, or the reason that was passed to `destroy`.
   */
  readonly signal: AbortSignal;
  /** Decodes the workload as UTF-8. */
  text(): string;
  /**
   * Parses the workload as JSON.
   *
   * @throws {SyntaxError} The workload is not JSON.
   */
  json<T = unknown>(): T;
  /**
   * Sends a piece of the result. The promise never rejects; it resolves when the connection can take more data, or the
   * job is over. A chunk of 64 KiB or more is not copied: do not change it before the promise resolves.
   *
   * @throws {TypeError} The chunk is neither a string nor a `Uint8Array`.
   * @throws {RangeError} The chunk has 4 GiB or more.
   */
  sendData(chunk: Workload): Promise<void>;
  /**
   * Sends a warning. The promise never rejects; it resolves when the connection can take more data, or the job is over.
   *
   * @throws {TypeError} The chunk is neither a string nor a `Uint8Array`.
   * @throws {RangeError} The chunk has 4 GiB or more.
   */
  sendWarning(chunk: Workload): Promise<void>;
  /**
   * Sends the progress. The promise never rejects; it resolves when the connection can take more data, or the job is
   * over.
   *
   * @throws {RangeError} A number is not a whole number from 0 to 4,294,967,295, the largest that gearmand keeps.
   */
  sendStatus(numerator: number, denominator: number): Promise<void>;
}

/**
 * Works on a job. What it returns is the result; `undefined` is an empty one. What an async generator yields is sent as
 * data. What it throws fails the job.
 */
export type JobHandler = (job: AssignedJob) =>
  | Workload
  | void
  | Promise<Workload | void>
  | AsyncGenerator<Workload, Workload | void, undefined>;

/** A packet that assigns a job. */
export type JobPacket = Packet<
  typeof PacketType.JOB_ASSIGN | typeof PacketType.JOB_ASSIGN_UNIQ | typeof PacketType.JOB_ASSIGN_ALL
>;

/** Maximum number of unsent bytes on the connection before a handler that sends more has to wait. */
const MAX_UNSENT = 65_536;

/** A job that was assigned on one connection. */
export class JobRun implements AssignedJob {
  readonly handle: string;
  readonly functionName: string;
  readonly unique: string;
  readonly reducer?: string;
  readonly workload: Uint8Array;
  readonly startedAt: number = performance.now();
  readonly #connection: Connection;
  /** Ended: the outcome was sent. Aborted: the outcome is no longer wanted. What the handler then sends is discarded. */
  #state: "running" | "ended" | "aborted" = "running";
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Created on demand: few handlers look at their signal. */
  #controller: AbortController | undefined;
  #abortReason: unknown;

  constructor(connection: Connection, packet: JobPacket) {
    this.#connection = connection;
    this.handle = readText(packet.args[0]);
    this.functionName = readText(packet.args[1]);
    this.unique = packet.type === PacketType.JOB_ASSIGN ? "" : readText(packet.args[2]);
    if (packet.type === PacketType.JOB_ASSIGN_ALL) this.reducer = readText(packet.args[3]);
    this.workload = ownedBytes(packet.args);
  }

  get isOver(): boolean {
    return this.#state !== "running";
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#state === "aborted") this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  text(): string {
    return new TextDecoder().decode(this.workload);
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }

  sendData(chunk: Workload): Promise<void> {
    return this.#send(PacketType.WORK_DATA, this.handle, checkData(chunk, "chunk"));
  }

  sendWarning(chunk: Workload): Promise<void> {
    return this.#send(PacketType.WORK_WARNING, this.handle, checkData(chunk, "chunk"));
  }

  sendStatus(numerator: number, denominator: number): Promise<void> {
    return this.#send(PacketType.WORK_STATUS, this.handle, formatProgress(numerator), formatProgress(denominator));
  }

  /** Calls back after `ms` milliseconds, unless the run is over before. */
  startTimer(ms: number, onTimeout: () => void): void {
    this.#timer = setTimeout(onTimeout, ms);
  }

  /** Sends the outcome. */
  end(outcome: Outcome): void {
    this.#sendOutcome(outcome);
    clearTimeout(this.#timer);
    this.#state = "ended";
  }

  /** Aborts the signal: the outcome is no longer wanted. */
  abort(reason: unknown): void {
    clearTimeout(this.#timer);
    this.#state = "aborted";
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  #sendOutcome(outcome: Outcome): Promise<void> {
    switch (outcome.kind) {
      case "completed":
        return this.#send(PacketType.WORK_COMPLETE, this.handle, outcome.result);
      case "failed":
        return this.#send(PacketType.WORK_FAIL, this.handle);
      case "exception":
        // gearmand ends the job here: a WORK_FAIL after it would be answered with JOB_NOT_FOUND.
        return this.#send(PacketType.WORK_EXCEPTION, this.handle, outcome.exception);
    }
  }

  async #send<T extends PacketType>(type: T, ...args: PacketInput<T>): Promise<void> {
    if (this.isOver) return;
    try {
      this.#connection.send(type, ...args);
      if (this.#connection.queued > MAX_UNSENT) await orAbort(this.#connection.flush(), this.signal);
    } catch {
      // The connection is lost or the job is over: the signal says so.
    }
  }
}

/** Runs a handler to its end; synchronously if the handler is synchronous. */
export function execute(run: JobRun, handler: JobHandler): Outcome | Promise<Outcome> {
  try {
    const result = handler(run);
    if (typeof result !== "object" || result === null || result instanceof Uint8Array) return outcomeOfResult(result);
    const settled = Symbol.asyncIterator in result
      ? sendAll(run, result[Symbol.asyncIterator]())
      : Promise.resolve(result);
    return settled.then(outcomeOfResult).catch(outcomeOfError);
  } catch (error) {
    return outcomeOfError(error);
  }
}

/** Sends what a generator yields, and returns what it returns. */
async function sendAll(run: JobRun, generator: AsyncGenerator<Workload, Workload | void>): Promise<Workload | void> {
  try {
    for (;;) {
      const { done, value } = await generator.next();
      if (done === true) return value;
      await run.sendData(value);
      if (run.isOver) return;
    }
  } finally {
    // After an invalid chunk and at the end of the job too: the generator may have something to clean up.
    await generator.return();
  }
}

function formatProgress(value: number): string {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return String(value);
  throw new RangeError(`Cannot send the status ${String(value)}: expected a whole number from 0 to 4294967295`);
}
