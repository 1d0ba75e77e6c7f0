/** The admin client: one method for each command of the text protocol. */

import { ConnectionError, ProtocolError } from "../errors.ts";
import { checkWord, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { type Deferred, deferred } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { delay, onAbort, orAbort } from "../internal/signals.ts";
import { printable } from "../internal/text.ts";
import { encodeLine, MixedDecoder, type TextLine } from "../codec/lines.ts";
import { type Packet, PacketType } from "../codec/packet.ts";
import { MAX_FUNCTION_NAME, MAX_UNIQUE } from "../connection/arguments.ts";
import {
  type CallOptions,
  type ConnectOptions,
  normalizeOptions,
  readConnectOptions,
  signalOf,
  type WatchOptions,
} from "../connection/options.ts";
import { ServerConnection } from "../connection/server_connection.ts";
import {
  type Answer,
  readConnections,
  readList,
  readNumber,
  readOutcomes,
  readRefusal,
  readTable,
  readValue,
  readVersion,
  type WorkerInfo,
} from "./answers.ts";

export type { WorkerInfo } from "./answers.ts";

/** A function, as `status` lists it. */
export interface FunctionStatus {
  /** The function's name; it stays listed until the function is dropped. */
  readonly functionName: string;
  /** Number of jobs, queued and running. */
  readonly total: number;
  /** Number of jobs that are assigned to a worker. */
  readonly running: number;
  /** Number of workers that have announced the function. */
  readonly workers: number;
}

/** A function, as `prioritystatus` lists it: its queued jobs by priority, without the running ones. */
export interface FunctionPriorityStatus {
  /** The function's name. */
  readonly functionName: string;
  /** Number of queued jobs of high priority. */
  readonly high: number;
  /** Number of queued jobs of normal priority. */
  readonly normal: number;
  /** Number of queued jobs of low priority. */
  readonly low: number;
  /** Number of workers that have announced the function. */
  readonly workers: number;
}

/** A job, as `show jobs` lists it. */
export interface JobInfo {
  /** The job's handle. */
  readonly handle: string;
  /** How often the job was requeued because its worker was lost. */
  readonly retries: number;
  /** True if the server will discard the job: it was cancelled, or all of its clients have disconnected. */
  readonly ignored: boolean;
  /** True if the job was submitted in the background. */
  readonly background: boolean;
}

/** Limits of a function's queue by the priority of the submission; 0 is no limit. */
export interface QueueLimits {
  /** For submissions of high priority. */
  high: number;
  /** For submissions of normal priority. */
  normal: number;
  /** For submissions of low priority. */
  low: number;
}

/** A command that was sent, and the part of its answer that has arrived. */
interface PendingCommand extends Answer {
  readonly lines: string[];
  /** Characters in `lines`, with {@linkcode LINE_OVERHEAD} for each. */
  size: number;
  /** Settles when the answer is complete, or the connection is lost. */
  readonly answered: Deferred<Answer>;
}

/** Memory in bytes that a line takes besides its characters: lists of empty lines are bounded too. */
const LINE_OVERHEAD = 16;
/** Largest limit of a queue: gearmand keeps it as an `int`. */
const MAX_LIMIT = 2_147_483_647;

/**
 * Inspects one job server, and manages its functions and jobs.
 *
 * | command | method | what it does |
 * | --- | --- | --- |
 * | `status` | {@linkcode GearmanAdmin.prototype.status | status}, {@linkcode GearmanAdmin.prototype.watch | watch} | lists functions: jobs, running jobs, workers |
 * | `prioritystatus` | {@linkcode GearmanAdmin.prototype.priorityStatus | priorityStatus} | lists functions: queued jobs by priority, workers |
 * | `workers` | {@linkcode GearmanAdmin.prototype.workers | workers} | lists connections and the functions of each |
 * | `show jobs` | {@linkcode GearmanAdmin.prototype.showJobs | showJobs} | lists jobs |
 * | `show unique jobs` | {@linkcode GearmanAdmin.prototype.showUniqueJobs | showUniqueJobs} | lists the uniques of jobs |
 * | `version` | {@linkcode GearmanAdmin.prototype.version | version} | returns the version, such as `1.1.20` |
 * | `getpid` | {@linkcode GearmanAdmin.prototype.pid | pid} | returns the process id |
 * | `verbose` | {@linkcode GearmanAdmin.prototype.verbose | verbose} | returns the log level |
 * | `maxqueue` | {@linkcode GearmanAdmin.prototype.maxQueue | maxQueue} | limits how many jobs a function may have |
 * | `create function` | {@linkcode GearmanAdmin.prototype.createFunction | createFunction} | adds a function to the list |
 * | `drop function` | {@linkcode GearmanAdmin.prototype.dropFunction | dropFunction} | removes a function from the list |
 * | `cancel job` | {@linkcode GearmanAdmin.prototype.cancelJob | cancelJob} | fails a queued job |
 *
 * The first call connects. Calls may overlap: they are answered in order. A call rejects with
 *
 * - a `ServerError` if the server answers `ERR`,
 * - a `ConnectionError` if the server cannot be reached, or the connection is lost,
 * - a `ProtocolError` if the answer cannot be read,
 * - the signal's reason if that fires.
 *
 * @example A function with a bounded queue
 * ```ts
 * import { GearmanAdmin } from "@gearwire/gearman/admin";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using admin = new GearmanAdmin({ dial: server.dial });
 * await admin.createFunction("resize");
 * await admin.maxQueue("resize", 1_000);
 * for (const { functionName, total, running } of await admin.status()) console.log(functionName, total, running);
 * ```
 */
export class GearmanAdmin implements AsyncDisposable {
  readonly #server: ServerConnection<Packet | TextLine>;
  /** Commands in the order in which they were sent, which is that of their answers. */
  readonly #pending = new Fifo<PendingCommand>();
  readonly #maxAnswerSize: number;
  /** Ends what goes on when the server is lost. */
  readonly #closed = new AbortController();

  /**
   * Creates an admin client for the given server, or for `127.0.0.1:4730`.
   *
   * @throws {TypeError} An option has the wrong type, or options exclude each other.
   * @throws {RangeError} The server cannot be parsed, there are several, or a number is out of range.
   */
  constructor(options?: string | ConnectOptions) {
    const { servers, settings } = readConnectOptions(normalizeOptions(options));
    if (servers.length > 1) throw new RangeError("Cannot use several servers: an admin client takes one");
    const { maxPacketSize } = settings;
    this.#maxAnswerSize = maxPacketSize;
    this.#server = new ServerConnection(servers[0]!, settings, {
      onPacket: (packet) => this.#receive(packet),
      onLost: (error) => {
        for (const { answered } of this.#pending.drain()) answered.reject(error);
      },
      makeDecoder: () => new MixedDecoder({ maxPacketSize, maxLineSize: Math.max(1, maxPacketSize) }),
    });
  }

  /**
   * Lists all functions with their jobs and workers, in no particular order.
   *
   * gearmand prints names as they are, so that one with a line feed may look like several functions. Do not trust the list
   * where workers or clients cannot be trusted.
   */
  async status(options?: CallOptions): Promise<FunctionStatus[]> {
    const rows = readTable(await this.#ask("status", options), 3);
    return rows.map(([functionName, total, running, workers]) => ({ functionName, total, running, workers }));
  }

  /** Lists all functions with their queued jobs by priority; names are listed as by {@linkcode GearmanAdmin.prototype.status | status}. */
  async priorityStatus(options?: CallOptions): Promise<FunctionPriorityStatus[]> {
    const rows = readTable(await this.#ask("prioritystatus", options), 4);
    return rows.map(([functionName, high, normal, low, workers]) => ({ functionName, high, normal, low, workers }));
  }

  /**
   * Lists all connections to the server: workers, clients, and this one.
   *
   * A function name that holds a space is listed as several names: the answer has spaces between names too. gearmand
   * prints names and ids as they are, so that one with a line feed may look like another connection.
   */
  async workers(options?: CallOptions): Promise<WorkerInfo[]> {
    return readConnections(await this.#ask("workers", options));
  }

  /** Returns the server's version, such as `1.1.20`; Perl's server has one such as `v1.130.1`. */
  async version(options?: CallOptions): Promise<string> {
    return readVersion(await this.#ask("version", options));
  }

  /** Returns the server's process id. */
  async pid(options?: CallOptions): Promise<number> {
    return readNumber(await this.#ask("getpid", options));
  }

  /** Returns the server's log level, such as `INFO`. */
  async verbose(options?: CallOptions): Promise<string> {
    return readValue(await this.#ask("verbose", options));
  }

  /** Lists all jobs. */
  async showJobs(options?: CallOptions): Promise<JobInfo[]> {
    const rows = readTable(await this.#ask("show jobs", options), 3);
    return rows.map(([handle, retries, ignored, background]) => ({
      handle,
      retries,
      ignored: ignored === 1,
      background: background === 1,
    }));
  }

  /** Lists the uniques of all jobs; empty strings for jobs without one. A unique with a line feed is listed as several. */
  async showUniqueJobs(options?: CallOptions): Promise<string[]> {
    return readList(await this.#ask("show unique jobs", options));
  }

  /**
   * Limits how many jobs a function may have, queued and running. One number applies to submissions of any priority; an
   * object has a number for each. 0, the default, removes the limit.
   *
   * gearmand answers `OK` for an unknown function too, and ignores the limit. Call
   * {@linkcode GearmanAdmin.prototype.createFunction | createFunction} first.
   *
   * @throws {RangeError} The name is empty, over 512 bytes, or holds a blank, a line feed or a NUL, or a limit is not a whole number from 0 to 2,147,483,647.
   */
  async maxQueue(
    functionName: string,
    limits: number | QueueLimits = 0,
    options?: CallOptions,
  ): Promise<void> {
    const given = typeof limits === "object" ? [limits.high, limits.normal, limits.low] : [limits];
    // A missing limit is refused, not sent: gearmand reads anything but a number as no limit.
    for (const limit of given) wholeNumber({ limit: limit ?? NaN }, "limit", undefined, 0, MAX_LIMIT);
    const name = checkWord(functionName, "function name", MAX_FUNCTION_NAME);
    readValue(await this.#ask(`maxqueue ${name} ${given.join(" ")}`, options));
  }

  /**
   * Creates a function, which is then listed; an existing function does not change.
   *
   * @throws {RangeError} The name is empty, over 512 bytes, or holds a blank, a line feed or a NUL.
   */
  async createFunction(functionName: string, options?: CallOptions): Promise<void> {
    const name = checkWord(functionName, "function name", MAX_FUNCTION_NAME);
    readValue(await this.#ask(`create function ${name}`, options));
  }

  /**
   * Drops a function. gearmand also drops all functions whose names differ from it only in the case of letters.
   *
   * gearmand 1.1.20 drops a function even if jobs of it are queued, and then never runs them: check
   * {@linkcode GearmanAdmin.prototype.status | status} first.
   *
   * @throws {RangeError} The name is empty, over 512 bytes, or holds a blank, a line feed or a NUL.
   * @throws {ServerError} The server does not know the function, or one of them has workers or running jobs.
   */
  async dropFunction(functionName: string, options?: CallOptions): Promise<void> {
    const name = checkWord(functionName, "function name", MAX_FUNCTION_NAME);
    readOutcomes(await this.#ask(`drop function ${name}`, options));
  }

  /**
   * Cancels a queued job: it fails for the clients that wait for it. A running job is not stopped.
   *
   * @throws {RangeError} The handle is empty, over 63 bytes, or holds a blank, a line feed or a NUL.
   * @throws {ServerError} The server does not know the job.
   */
  async cancelJob(handle: string, options?: CallOptions): Promise<void> {
    readValue(await this.#ask(`cancel job ${checkWord(handle, "job handle", MAX_UNIQUE)}`, options));
  }

  /**
   * Lists all functions at once and then every `interval` milliseconds (default 1,000).
   *
   * It goes on when the server cannot be reached, or restarts, which `onEvent` reports: it lists the functions again after
   * the interval, or after the back-off if that is longer. It ends when the loop is left, by the signal, whose reason it
   * throws, and by {@linkcode GearmanAdmin.prototype.close | close}.
   *
   * @throws {RangeError} The interval is not a whole number from 0 to 2,147,483,647.
   * @throws {ConnectionError} The admin client is closed.
   * @throws {ServerError} The server answers `ERR`.
   * @throws {ProtocolError} The answer cannot be read.
   */
  async *watch(options: WatchOptions = {}): AsyncGenerator<FunctionStatus[], void, undefined> {
    const interval = wholeNumber(options, "interval", 1_000, 0, MAX_TIMER);
    const ended = new AbortController();
    const signals = [signalOf(options), this.#closed.signal].filter((signal) => signal !== undefined);
    const forgetSignals = signals.map((signal) => onAbort(signal, (reason) => ended.abort(reason)));
    try {
      for (;;) {
        const functions = await this.#statusUnlessLost(ended.signal);
        if (functions !== undefined) yield functions;
        await delay(Math.max(interval, this.#server.retryDelay), ended.signal);
      }
    } finally {
      for (const forgetSignal of forgetSignals) forgetSignal();
    }
  }

  /** Closes the connection; pending calls reject, and watches end with an error. Idempotent. */
  close(): Promise<void> {
    this.#closed.abort(new ConnectionError("The admin client was closed"));
    return this.#server.close();
  }

  /** The same as {@linkcode GearmanAdmin.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Lists all functions; `undefined` if the server cannot be reached, or was lost. */
  async #statusUnlessLost(signal: AbortSignal): Promise<FunctionStatus[] | undefined> {
    try {
      return await this.status({ signal });
    } catch (error) {
      if (error instanceof ConnectionError) return undefined;
      throw error;
    }
  }

  /** Sends a command and waits for its answer. */
  async #ask(command: string, options: CallOptions = {}): Promise<Answer> {
    const signal = signalOf(options);
    signal?.throwIfAborted();
    const connection = await this.#server.open(signal);
    connection.sendBytes(encodeLine(command));
    // Answers have no common end, and a list of uniques may hold a line that is a dot: the echo marks the end.
    connection.send(PacketType.ECHO_REQ, "");
    const pending: PendingCommand = { command, lines: [], size: 0, answered: deferred() };
    this.#pending.push(pending);
    this.#server.setWaiting(true);
    const answer = await orAbort(pending.answered.promise, signal);
    const refusal = readRefusal(answer);
    if (refusal !== undefined) throw refusal;
    return answer;
  }

  #receive(packet: Packet | TextLine): void {
    const pending = this.#pending.first;
    if (pending === undefined) throw new ProtocolError("The server sent an answer, but no command was pending");
    if (packet.magic === "TEXT") this.#receiveLine(pending, packet.line);
    else if (packet.type === PacketType.ECHO_RES) this.#complete(pending);
    else throw new ProtocolError("The server sent a packet that is not part of an answer");
  }

  #receiveLine(pending: PendingCommand, line: string): void {
    pending.size += line.length + LINE_OVERHEAD;
    if (pending.size > this.#maxAnswerSize) {
      const command = printable(pending.command);
      throw new ProtocolError(
        `Cannot read the answer to "${command}": it is longer than maxPacketSize (${this.#maxAnswerSize})`,
      );
    }
    pending.lines.push(line);
  }

  #complete(pending: PendingCommand): void {
    this.#pending.shift();
    this.#server.setWaiting(this.#pending.length > 0);
    pending.answered.resolve(pending);
  }
}
