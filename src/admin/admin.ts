/** The admin client: commands of the text protocol, and what their answers mean. */

import { ProtocolError, ServerError } from "../errors.ts";
import { checkWord, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { type Deferred, deferred } from "../internal/promises.ts";
import { checkSignal, delay, orAbort } from "../internal/signals.ts";
import type { Decoded } from "../codec/decoder.ts";
import { PacketType } from "../codec/packet.ts";
import { MAX_FUNCTION_NAME } from "../connection/arguments.ts";
import { type CallOptions, type ConnectOptions, normalizeOptions, readConnectOptions } from "../connection/options.ts";
import { ServerConnection } from "../connection/server_connection.ts";

/** One function, as `status` lists it. */
export interface FunctionStatus {
  /** The function's name; it stays listed until it is dropped. */
  readonly functionName: string;
  /** Jobs that are queued or running. */
  readonly total: number;
  /** Jobs that a worker has. */
  readonly running: number;
  /** Workers that can do it. */
  readonly workers: number;
}

/** One function, as `prioritystatus` lists it: its queued jobs by priority, without those that run. */
export interface FunctionPriorityStatus {
  /** The function's name. */
  readonly functionName: string;
  /** Queued jobs of high priority. */
  readonly high: number;
  /** Queued jobs of normal priority. */
  readonly normal: number;
  /** Queued jobs of low priority. */
  readonly low: number;
  /** Workers that can do it. */
  readonly workers: number;
}

/** One connection, as `workers` lists it: also clients, and whoever asks. */
export interface WorkerInfo {
  /** The server's file descriptor of it. */
  readonly fd: number;
  /** Its IP address. */
  readonly address: string;
  /** The id that it has set, or "-". */
  readonly id: string;
  /** What it can do, the newest first; a client can do nothing. */
  readonly functionNames: readonly string[];
}

/** One job, as `show jobs` lists it. */
export interface JobInfo {
  /** Its handle. */
  readonly handle: string;
  /** How often a worker was lost over it. */
  readonly retries: number;
  /** Whether it will be thrown away: it was cancelled, or its clients have left. */
  readonly ignored: boolean;
  /** Whether it was submitted in the background. */
  readonly background: boolean;
}

/** A command that was sent: the lines of its answer, and who waits for them. */
type Call = { readonly lines: string[]; readonly reply: Deferred<string[]> };

/** A row of a list: a name, and up to four numbers. */
type Row = [string, number, number, number, number];

/** The longest handle that gearmand keeps, in bytes. */
const MAX_HANDLE = 63;
/** The largest limit of a queue: gearmand keeps it as an `int`. */
const MAX_LIMIT = 2_147_483_647;

/**
 * Looks into one job server, and tells it what to do with its functions and jobs.
 *
 * Nothing is dialed before the first call, and calls may be made at once: they are answered in their order. Each rejects
 * with a `ServerError` where the server answers `ERR`, a `ConnectionError` where it cannot be asked, a `ProtocolError`
 * where its answer makes no sense, and the signal's reason where that fires.
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
  readonly #link: ServerConnection<true>;
  readonly #calls: Call[] = [];
  readonly #maxSize: number;
  /** Characters of the answer that is coming in. */
  #size = 0;

  /**
   * Makes an admin client of the server named, or of `127.0.0.1:4730`.
   *
   * @throws {TypeError} An option is of the wrong kind, or options exclude each other.
   * @throws {RangeError} The server makes no sense, there are several, or a number is out of its range.
   */
  constructor(options?: string | ConnectOptions) {
    const { servers, settings } = readConnectOptions(normalizeOptions(options));
    if (servers.length > 1) throw new RangeError("Cannot use several servers: an admin client takes one");
    this.#maxSize = settings.maxPacketSize;
    this.#link = new ServerConnection(servers[0]!, settings, {
      onPacket: (packet) => this.#receive(packet),
      onLost: (error) => {
        for (const { reply } of this.#calls.splice(0)) reply.reject(error);
        this.#size = 0;
      },
    }, true);
  }

  /** Lists all functions with their jobs and workers, in no order. */
  async status(options?: CallOptions): Promise<FunctionStatus[]> {
    const rows = await this.#table("status", 3, options);
    return rows.map(([functionName, total, running, workers]) => ({ functionName, total, running, workers }));
  }

  /** Lists all functions with their queued jobs by priority. */
  async priorityStatus(options?: CallOptions): Promise<FunctionPriorityStatus[]> {
    const rows = await this.#table("prioritystatus", 4, options);
    return rows.map(([functionName, high, normal, low, workers]) => ({ functionName, high, normal, low, workers }));
  }

  /** Lists all connections: workers, clients, and this one. Blanks in names cannot be told from those between names. */
  async workers(options?: CallOptions): Promise<WorkerInfo[]> {
    // gearmand shows names as they are, and there may be anything in them: a connection begins where its line can begin.
    const records = (await this.#list("workers", options)).slice(0, -1).split(/\n(?=-?\d+ [\da-fA-F.:-]+ )/);
    return records.flatMap((record) => {
      const [, fd, address, id, names] = /^(-?\d+) (\S+) (.*?) :(.*)$/s.exec(record) ?? [];
      if (names === undefined) return [];
      return [{ fd: Number(fd), address: address!, id: id!, functionNames: names.split(" ").slice(1) }];
    });
  }

  /** Asks for the server's version, such as `1.1.20`. */
  version(options?: CallOptions): Promise<string> {
    return this.#value("version", options);
  }

  /** Asks for the server's process id. */
  async pid(options?: CallOptions): Promise<number> {
    return Number(await this.#value("getpid", options));
  }

  /** Asks how much the server logs, such as `INFO`. */
  verbose(options?: CallOptions): Promise<string> {
    return this.#value("verbose", options);
  }

  /** Lists all jobs. */
  async showJobs(options?: CallOptions): Promise<JobInfo[]> {
    const rows = await this.#table("show jobs", 3, options);
    return rows.map(([handle, retries, a, b]) => ({ handle, retries, ignored: a === 1, background: b === 1 }));
  }

  /** Lists the uniques of all jobs; those without one have an empty one. */
  async showUniqueJobs(options?: CallOptions): Promise<string[]> {
    return (await this.#list("show unique jobs", options)).split("\n").slice(0, -1);
  }

  /**
   * Limits how many jobs a function may have in all, for submissions of any priority, or of each; 0, the default, is no
   * limit. For a function that it does not know, gearmand answers OK too, and does nothing: make it first, with
   * {@linkcode GearmanAdmin.prototype.createFunction | createFunction}.
   *
   * @throws {RangeError} The name cannot be written in a command, or a limit is not a whole number from 0 to 2,147,483,647.
   */
  async maxQueue(
    functionName: string,
    limits: number | { high: number; normal: number; low: number } = 0,
    options?: CallOptions,
  ): Promise<void> {
    const given = typeof limits === "object" ? [limits.high, limits.normal, limits.low] : [limits];
    // One that is missing is no default: gearmand reads whatever is no number as no limit.
    for (const limit of given) wholeNumber({ limit: limit ?? NaN }, "limit", undefined, 0, MAX_LIMIT);
    const name = checkWord(functionName, "function name", MAX_FUNCTION_NAME);
    await this.#value(`maxqueue ${name} ${given.join(" ")}`, options);
  }

  /**
   * Makes a function, which is listed from then on; one that is there already stays as it is.
   *
   * @throws {RangeError} The name cannot be written in a command.
   */
  async createFunction(functionName: string, options?: CallOptions): Promise<void> {
    await this.#value(`create function ${checkWord(functionName, "function name", MAX_FUNCTION_NAME)}`, options);
  }

  /**
   * Drops a function. gearmand 1.1.20 does so although jobs of it are queued, which are then never run: look first.
   *
   * @throws {RangeError} The name cannot be written in a command.
   * @throws {ServerError} There is no such function, or it has workers or running jobs.
   */
  async dropFunction(functionName: string, options?: CallOptions): Promise<void> {
    await this.#value(`drop function ${checkWord(functionName, "function name", MAX_FUNCTION_NAME)}`, options);
  }

  /**
   * Cancels a queued job: whoever waits for it is told that it failed. One that runs is not stopped.
   *
   * @throws {RangeError} The handle cannot be written in a command.
   * @throws {ServerError} The server does not know it.
   */
  async cancelJob(handle: string, options?: CallOptions): Promise<void> {
    await this.#value(`cancel job ${checkWord(handle, "job handle", MAX_HANDLE)}`, options);
  }

  /**
   * Lists all functions at once, and then every `interval` ms (default 1,000), until it is left or its signal fires.
   *
   * @throws {RangeError} The interval is not a whole number from 0 to 2,147,483,647.
   */
  async *watch(
    options: { interval?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<FunctionStatus[], void, undefined> {
    const interval = wholeNumber(options, "interval", 1_000, 0, MAX_TIMER);
    for (;; await delay(interval, options.signal)) yield await this.status(options);
  }

  /** Closes the connection, and ends what still waits. Idempotent. */
  close(): Promise<void> {
    return this.#link.close();
  }

  /** The same as {@linkcode GearmanAdmin.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Rows of a name and so many numbers; a name may hold anything, tabs and line feeds too. */
  async #table(command: string, columns: number, options?: CallOptions): Promise<Row[]> {
    const row = new RegExp(`(.*?)${"\\t(\\d+)".repeat(columns)}\\n`, "gs");
    const text = await this.#list(command, options);
    return Array.from(text.matchAll(row), ([, name, ...numbers]) => [name, ...numbers.map(Number)] as Row);
  }

  /** The lines of a list, each with its line feed. */
  async #list(command: string, options?: CallOptions): Promise<string> {
    const lines = await this.#ask(command, options);
    if (lines.pop() !== ".") throw new ProtocolError(`Cannot read the answer to ${command}: it is no list`);
    return lines.map((line) => `${line}\n`).join("");
  }

  /** What stands behind `OK`. */
  async #value(command: string, options?: CallOptions): Promise<string> {
    const [line = "", ...more] = await this.#ask(command, options);
    if (!/^OK( |$)/.test(line) || more.length > 0) throw new ProtocolError(`Cannot read the answer to ${command}`);
    return line.slice(3);
  }

  /** The lines of an answer. Each command's ends otherwise, and a unique may be a dot: an echo behind it ends them all. */
  async #ask(command: string, { signal }: CallOptions = {}): Promise<string[]> {
    checkSignal(signal);
    signal?.throwIfAborted();
    const connection = await this.#link.open(signal);
    connection.sendText(command);
    connection.send(PacketType.ECHO_REQ, "");
    const call: Call = { lines: [], reply: deferred() };
    this.#calls.push(call);
    this.#link.setWaiting(true);
    const lines = await orAbort(call.reply.promise, signal);
    const refusal = lines.length === 1 ? /^ERR (?:([A-Z_]+)(?: |$))?(.*)/.exec(lines[0]!) : null;
    if (refusal !== null) throw new ServerError(refusal[1] ?? "", refusal[2]!.replaceAll("+", " "));
    return lines;
  }

  #receive(packet: Decoded<true>): void {
    const call = this.#calls[0];
    if (call === undefined) throw new ProtocolError("The server said what nothing had asked for");
    if (packet.magic === "TEXT") {
      this.#size += packet.line.length;
      if (this.#size > this.#maxSize) throw new ProtocolError(`An answer is over maxPacketSize, ${this.#maxSize}`);
      call.lines.push(packet.line);
    } else if (packet.type === PacketType.ECHO_RES) {
      this.#size = 0;
      this.#calls.shift();
      this.#link.setWaiting(this.#calls.length > 0);
      call.reply.resolve(call.lines);
    } else {
      throw new ProtocolError("The server sent a packet that nothing had asked for");
    }
  }
}
