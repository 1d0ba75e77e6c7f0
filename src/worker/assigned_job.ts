/** The job that a handler gets. */

import { messageOf, parseJson, printable, quoted, readText, utf8Decoder } from "../internal/text.ts";
import { ownedBytes } from "../codec/arguments.ts";
import { type Packet, PacketType } from "../codec/packet.ts";
import type { Workload } from "../connection/arguments.ts";
import { checkData, type SizeLimit } from "./outcome.ts";

/** What the handler of a typed function may use of its job; a handler of a function by name gets more. */
export interface JobContext {
  /** The job's handle. */
  readonly handle: string;
  /** The name of the function. */
  readonly functionName: string;
  /** The unique of the submission; empty if there was none, or if the server does not tell it (Perl's server). */
  readonly unique: string;
  /** The reducer of the submission, if there was one. */
  readonly reducer?: string;
  /** The data to work on. The handler may keep and change it. */
  readonly workload: Uint8Array;
  /**
   * Aborts when the result of this run is discarded, whatever it will be:
   *
   * - the connection is lost: the server gives the job to another worker;
   * - the time limit of the function is over;
   * - the worker is destroyed, or its `drainTimeout` is over.
   *
   * The reason is the error, or what was passed to `destroy`. It does not abort when the worker is closed gently, and not
   * when the client has left, has aborted its call, or has cancelled the job: gearmand does not tell a worker.
   */
  readonly signal: AbortSignal;
  /**
   * Sends a warning. The promise never rejects; it resolves when the connection can take more data, or the job is over.
   * Where the server does not know warnings (Perl's), it becomes the event `jobWarning` of the worker.
   *
   * @throws {TypeError} The chunk is neither a string nor a `Uint8Array`.
   * @throws {RangeError} Its packet would be larger than `maxPacketSize`.
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

/** A job that a server has assigned to a worker. */
export interface AssignedJob extends JobContext {
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
   * A server that takes a result in one piece only (Perl's) gets the pieces joined, at the end of the job.
   *
   * @throws {TypeError} The chunk is neither a string nor a `Uint8Array`.
   * @throws {RangeError} Its packet would be larger than `maxPacketSize`.
   */
  sendData(chunk: Workload): Promise<void>;
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

/** What the job needs of its run. */
export interface JobSender {
  readonly sizeLimit: SizeLimit;
  readonly signal: AbortSignal;
  send(type: typeof PacketType.WORK_DATA | typeof PacketType.WORK_WARNING, chunk: Workload): Promise<void>;
  sendStatus(numerator: string, denominator: string): Promise<void>;
}

/** The property that `console.log` looks for, on Deno, Bun and Node. */
const INSPECT: unique symbol = /* @__PURE__ */ Symbol.for("nodejs.util.inspect.custom");

/** Makes the job of a run. */
export function jobOf(packet: JobPacket, run: JobSender): AssignedJob {
  // As a method with a computed name it would keep bundlers from dropping the class from programs without a worker.
  if (!(INSPECT in HandlerJob.prototype)) Object.defineProperty(HandlerJob.prototype, INSPECT, { value: shownJob });
  return new HandlerJob(packet, run);
}

/** What is printed of a job. */
function shownJob(this: HandlerJob): Partial<AssignedJob> {
  return { ...this, signal: this.signal };
}

/** What a handler may see and do, and nothing else. */
class HandlerJob implements AssignedJob {
  readonly handle: string;
  readonly functionName: string;
  readonly unique: string;
  declare readonly reducer?: string;
  readonly workload: Uint8Array;
  readonly #run: JobSender;

  constructor(packet: JobPacket, run: JobSender) {
    this.#run = run;
    this.handle = readText(packet.args[0]);
    this.functionName = readText(packet.args[1]);
    this.unique = packet.type === PacketType.JOB_ASSIGN ? "" : readText(packet.args[2]);
    if (packet.type === PacketType.JOB_ASSIGN_ALL) this.reducer = readText(packet.args[3]);
    this.workload = ownedBytes(packet.args);
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  text(): string {
    return utf8Decoder.decode(this.workload);
  }

  json<T = unknown>(): T {
    try {
      return parseJson(this.text()) as T;
    } catch (error) {
      // Not as the cause: its message holds a part of the workload as it is, which is the client's.
      const job = `job ${printable(this.handle)} ("${printable(this.functionName)}")`;
      throw new SyntaxError(`Cannot read the workload of ${job} as JSON: ${messageOf(error)}`);
    }
  }

  sendData(chunk: Workload): Promise<void> {
    return this.#run.send(PacketType.WORK_DATA, checkData(chunk, "chunk", this.#run.sizeLimit));
  }

  sendWarning(chunk: Workload): Promise<void> {
    return this.#run.send(PacketType.WORK_WARNING, checkData(chunk, "warning", this.#run.sizeLimit));
  }

  sendStatus(numerator: number, denominator: number): Promise<void> {
    return this.#run.sendStatus(formatProgress(numerator), formatProgress(denominator));
  }
}

function formatProgress(value: number): string {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return String(value);
  throw new RangeError(`Cannot send the status ${quoted(value)}: expected a whole number from 0 to 4294967295`);
}
