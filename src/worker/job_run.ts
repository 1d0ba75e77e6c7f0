/** One run of a handler: the job as the handler sees it, and what becomes of what the handler does. */

import { JobFailedError } from "../errors.ts";
import { orAbort } from "../internal/signals.ts";
import { readText } from "../internal/text.ts";
import { ownedBytes } from "../codec/arguments.ts";
import { PacketType } from "../codec/packet.ts";
import type { Workload } from "../connection/arguments.ts";
import type { Connection } from "../connection/connection.ts";

/** A job, as its handler is given it. */
export interface AssignedJob {
  /** The handle that the server gave it. */
  readonly handle: string;
  /** The function that it is of. */
  readonly functionName: string;
  /** The unique that it was submitted with; empty where there was none. */
  readonly unique: string;
  /** The reducer that it was submitted with, if any. */
  readonly reducer?: string;
  /** What to work on: bytes of the job's own. */
  readonly workload: Uint8Array;
  /** Fires when nobody wants the result any more: the connection is lost, the time is up, or the worker is forced to stop. */
  readonly signal: AbortSignal;
  /** The workload, read as UTF-8. */
  text(): string;
  /** The workload, parsed as JSON; throws a `SyntaxError` where it is none. */
  json<T = unknown>(): T;
  /**
   * Sends a piece of the result; resolves when more can be taken, or the job is over. The promise never rejects. A chunk
   * of 64 KiB or more is not copied: do not change it before.
   *
   * @throws {TypeError} The chunk is neither string nor bytes.
   * @throws {RangeError} It has 4 GiB or more.
   */
  sendData(chunk: Workload): Promise<void>;
  /**
   * Sends a warning; resolves when more can be taken, or the job is over. The promise never rejects.
   *
   * @throws {TypeError} The chunk is neither string nor bytes.
   * @throws {RangeError} It has 4 GiB or more.
   */
  sendWarning(chunk: Workload): Promise<void>;
  /**
   * Sends the progress; resolves when more can be taken, or the job is over. The promise never rejects.
   *
   * @throws {RangeError} A number is not a whole one from 0 to 4,294,967,295, which is what gearmand keeps.
   */
  sendStatus(numerator: number, denominator: number): Promise<void>;
}

/**
 * Works on a job: what it returns is the result (nothing is an empty one), what an async generator yields is sent as
 * data, and what it throws fails the job.
 */
export type JobHandler = (job: AssignedJob) =>
  | Workload
  | void
  | Promise<Workload | void>
  | AsyncGenerator<Workload, Workload | void, undefined>;

/** The most bytes that a packet takes, with room for a handle. */
const MOST = 0xffff_0000;
/** More bytes than these waiting to be sent make the handler wait. */
const HIGH_WATER = 65_536;

/** How a run ended: its final packet, and the error if it failed. */
export interface Outcome {
  readonly type: 13 | 14 | 25;
  readonly data: readonly Workload[];
  readonly error?: unknown;
}

/** A job that a server has assigned on one connection. */
export class JobRun implements AssignedJob {
  readonly handle: string;
  readonly functionName: string;
  readonly unique: string;
  readonly reducer?: string;
  readonly workload: Uint8Array;
  readonly startedAt: number = performance.now();
  readonly #connection: Connection;
  /** Whether what it still sends is dropped. */
  over = false;
  /** Its time limit, if it has one. */
  timer: ReturnType<typeof setTimeout> | undefined;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(connection: Connection, type: PacketType, args: readonly Uint8Array[]) {
    this.#connection = connection;
    this.handle = readText(args[0]!);
    this.functionName = readText(args[1]!);
    this.unique = type === PacketType.JOB_ASSIGN ? "" : readText(args[2]!);
    if (type === PacketType.JOB_ASSIGN_ALL) this.reducer = readText(args[3]!);
    this.workload = ownedBytes(args);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  text(): string {
    return new TextDecoder().decode(this.workload);
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }

  sendData(chunk: Workload): Promise<void> {
    return this.#send(PacketType.WORK_DATA, checkData(chunk, "chunk"));
  }

  sendWarning(chunk: Workload): Promise<void> {
    return this.#send(PacketType.WORK_WARNING, checkData(chunk, "chunk"));
  }

  sendStatus(numerator: number, denominator: number): Promise<void> {
    return this.#send(PacketType.WORK_STATUS, checkProgress(numerator), checkProgress(denominator));
  }

  /** Sends how it ended; from then on whatever else it sends is dropped. */
  end({ type, data }: Outcome): void {
    this.#send(type, ...data);
    this.#close();
  }

  /** Nobody wants its outcome any more: aborts its signal, and drops what it still sends. */
  abort(reason: unknown): void {
    this.#close();
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  #close(): void {
    this.over = true;
    clearTimeout(this.timer);
  }

  async #send(type: 12 | 13 | 14 | 25 | 28 | 29, ...rest: Workload[]): Promise<void> {
    if (this.over) return;
    try {
      this.#connection.send(type, ...[this.handle, ...rest] as never);
      if (this.#connection.queued > HIGH_WATER) await orAbort(this.#connection.flush(), this.signal);
    } catch {
      // The connection is lost or the job is over, and the signal says so.
    }
  }
}

/** Runs a handler to its end; synchronously, if the handler is. */
export function execute(run: JobRun, handler: JobHandler): Outcome | Promise<Outcome> {
  try {
    const result = handler(run);
    if (typeof result !== "object" || result === null || result instanceof Uint8Array) return completed(result);
    if (Symbol.asyncIterator in result) return drive(run, result[Symbol.asyncIterator]()).then(completed).catch(failed);
    return Promise.resolve(result).then(completed).catch(failed);
  } catch (error) {
    return failed(error);
  }
}

async function drive(run: JobRun, generator: AsyncGenerator<Workload, Workload | void>): Promise<Workload | void> {
  try {
    for (;;) {
      const { done, value } = await generator.next();
      if (done === true) return value;
      await run.sendData(value);
      if (run.over) return;
    }
  } finally {
    // A bad chunk and the end of the job both leave the generator, which may have something to clean up.
    await generator.return();
  }
}

function completed(result: unknown): Outcome {
  return { type: PacketType.WORK_COMPLETE, data: [result === undefined ? "" : checkData(result, "result")] };
}

/** "WORK_EXCEPTION: Job ID and exception": it ends the job on gearmand, so nothing may come after it. */
export function failed(error: unknown): Outcome {
  let data = "unknown error";
  try {
    if (error instanceof JobFailedError && error.handle === undefined) {
      return { type: PacketType.WORK_FAIL, data: [], error };
    }
    data = String(error instanceof Error ? error.message || error.name : error);
  } catch {
    // What cannot even be looked at fails the job all the same.
  }
  return { type: PacketType.WORK_EXCEPTION, data: [data], error };
}

function checkData(data: unknown, what: string): Workload {
  if (typeof data !== "string" && !(data instanceof Uint8Array)) {
    throw new TypeError(`Cannot send the ${what}: it is neither a string nor a Uint8Array`);
  }
  if (data.length > MOST) throw new RangeError(`Cannot send the ${what}: it has 4 GiB or more`);
  return data;
}

function checkProgress(value: number): string {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return String(value);
  throw new RangeError(`Cannot send the status: ${String(value)} is not a whole number from 0 to 4294967295`);
}
