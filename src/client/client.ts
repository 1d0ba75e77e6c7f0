/** The client: chooses a server for each call, and hands it to that server's session. */

import { ConnectionError } from "../errors.ts";
import type { Bytes } from "../internal/bytes.ts";
import { checkName, checkOneOf, checkOptions, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { ignoreErrors, markHandled } from "../internal/promises.ts";
import { checkSignal, delay } from "../internal/signals.ts";
import { printable } from "../internal/text.ts";
import { ownedBytes } from "../codec/arguments.ts";
import { PacketType } from "../codec/packet.ts";
import { formatServer, parseServers } from "../transport/addresses.ts";
import { checkHandle, MAX_UNIQUE, takeWorkload, type Workload } from "../connection/arguments.ts";
import { type CallOptions, type ConnectOptions, normalizeOptions, readConnectOptions } from "../connection/options.ts";
import {
  type BackgroundJob,
  type JobStatus,
  parseJobReference,
  readStatus,
  readUniqueStatus,
  type UniqueJobStatus,
} from "./background_job.ts";
import { type Balance, BALANCES, orderServers } from "./balance.ts";
import { type DoBackgroundAllOptions, submitAll } from "./batch.ts";
import { ForegroundJob, type JobLimits } from "./foreground_job.ts";
import { ClientJob, type Job } from "./job.ts";
import { BackgroundSubmission, type OnSettled, type Outgoing, Query, type Request } from "./request.ts";
import { Session } from "./session.ts";
import { backgroundPacket, type DoBackgroundOptions, type DoOptions, foregroundPacket } from "./submission_packet.ts";

/** Options of {@linkcode GearmanClient}. */
export interface ClientOptions extends ConnectOptions {
  /**
   * Which server a job goes to: the first that is up ("failover", the default), each in turn ("round-robin"), or the one
   * that its unique stands for ("unique"), so that equal jobs meet whoever submits them.
   */
  balance?: "failover" | "round-robin" | "unique";
  /** Bytes kept for one job whose consumer lags; default 64 MiB. Past it the job ends with a `GearmanError`. */
  maxBuffered?: number;
  /** Bytes that `bytes()`, `text()` and `json()` collect; default 256 MiB. Past it they reject with a `GearmanError`. */
  maxResultSize?: number;
}

/**
 * Submits jobs and asks how they are doing.
 *
 * Nothing is dialed before the first call; one connection to each server serves all calls, in any number at once. A call
 * ends with its outcome, with a typed error once its connection is known to be lost, or with the reason of its signal.
 *
 * @example A background job and its status
 * ```ts
 * import { GearmanClient } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * const { hostname, port } = await server.listen();
 *
 * await using client = new GearmanClient(`${hostname}:${port}`);
 * const job = await client.doBackground("reverse", "this is a test");
 * const { known, running, numerator, denominator } = await job.status();
 * console.log(job.handle, known, running, numerator, denominator);
 * ```
 */
export class GearmanClient implements AsyncDisposable {
  readonly #sessions: readonly Session[];
  readonly #balance: Balance;
  readonly #limits: JobLimits;
  #turn = 0;
  #closing: Promise<void> | undefined;
  #uniquePrefix = "";
  #uniqueCount = 0;

  /**
   * Makes a client of the servers named, or of `127.0.0.1:4730`.
   *
   * @throws {TypeError} An option is of the wrong kind, or options exclude each other.
   * @throws {RangeError} A server makes no sense, or a number is out of its range.
   */
  constructor(options?: string | ClientOptions) {
    const given: ClientOptions = normalizeOptions(options);
    const { servers, settings } = readConnectOptions(given);
    this.#balance = given.balance ?? "failover";
    checkOneOf(this.#balance, "balance", BALANCES);
    this.#limits = {
      maxBuffered: wholeNumber(given, "maxBuffered", 67_108_864, 1, Number.MAX_SAFE_INTEGER),
      maxResultSize: wholeNumber(given, "maxResultSize", 268_435_456, 0, Number.MAX_SAFE_INTEGER),
    };
    // What servers keep giving back unsent is not to go round for ever.
    const reroute = (request: Request, cause: unknown) =>
      void (++request.returns > 2 * servers.length ? request.onUnsent(cause) : this.#route(request, cause));
    this.#sessions = servers.map((server) => new Session(server, settings, reroute));
  }

  /**
   * Submits a job in the foreground and returns it at once; see {@linkcode Job} for what to do with it.
   *
   * A workload of 64 KiB or more is not copied: do not change it before the job has been created.
   *
   * @throws {TypeError} The workload is neither string nor bytes, or options exclude each other.
   * @throws {RangeError} The function name is empty, over 512 bytes or holds a NUL or a line feed; or the unique or the
   * reducer is over 63 bytes or holds a NUL or a line feed.
   */
  do(functionName: string, workload: Workload = "", options: DoOptions = {}): Job {
    const job = new ForegroundJob(foregroundPacket(functionName, workload, options), this.#limits);
    this.#send(job, options.signal);
    return new ClientJob(job);
  }

  /**
   * Submits a job in the background; resolves when a server has accepted it. Its result cannot be fetched.
   *
   * Without a unique it gets one, since on gearmand's persistent queue jobs without one overwrite each other; `""` is
   * sent as none. A workload of 64 KiB or more is not copied: do not change it before the promise has settled.
   *
   * @throws {TypeError} The workload is neither string nor bytes, or options exclude each other.
   * @throws {RangeError} A name is empty, too long or holds a NUL; see {@linkcode GearmanClient.prototype.do | do}.
   * @throws {ServerError} The server refused the job: its queue is full.
   * @throws {ConnectionError} No server could be reached, or the connection was lost; see its `delivery`.
   */
  doBackground(
    functionName: string,
    workload: Workload = "",
    options: DoBackgroundOptions = {},
  ): Promise<BackgroundJob> {
    return new Promise((resolve, reject) => {
      checkOptions(options);
      const packet = backgroundPacket(functionName, workload, options.unique ?? this.#makeUnique(), options);
      this.#submit(packet, options.signal, ({ job, failure }) => failure ? reject(failure.error) : resolve(job!));
    });
  }

  /**
   * Submits a job in the background for each workload of a source, with many on their way at a time, and yields the
   * jobs in the order of the source, each once a server has accepted it.
   *
   * The source is read as fast as jobs are accepted and taken, and `inFlight` bounds what is held in memory, whatever its
   * length. Leaving the iteration (`break`) closes the source; jobs that were sent by then are run all the same.
   *
   * The first workload that fails ends it: its index, counted from 0, is in the error's message, and is the number of jobs
   * that were yielded. Up to `inFlight` workloads after it may have been accepted too: to submit them all once more, give
   * each a `unique` that it has every time. What the source throws, and an abort, end it too, after the jobs before.
   *
   * Errors in the arguments are told by the first `next()`, before the source is read.
   *
   * @example Ten thousand jobs
   * ```ts
   * import { GearmanClient } from "@gearwire/gearman";
   * import { JobServer } from "@gearwire/gearman/server";
   *
   * await using server = new JobServer(); // in production: gearmand
   * await using client = new GearmanClient({ dial: server.dial });
   * function* lines() { // or the lines of a file, of any length
   *   for (let i = 0; i < 10_000; i++) yield `line ${i}`;
   * }
   * let accepted = 0;
   * for await (const job of client.doBackgroundAll("index", lines())) {
   *   if (++accepted % 1_000 === 0) console.log(accepted, `${job}`);
   * }
   * ```
   *
   * @throws {TypeError} The workloads are no iterable, one of them is neither string nor bytes, or options exclude each
   * other.
   * @throws {RangeError} `inFlight` is not a whole number from 1, or a name is empty, too long or holds a NUL.
   * @throws {ServerError} The server refused a job: its queue is full.
   * @throws {ConnectionError} No server could be reached, or the connection was lost; see its `delivery`.
   */
  doBackgroundAll(
    functionName: string,
    workloads: Iterable<Workload> | AsyncIterable<Workload>,
    options: DoBackgroundAllOptions = {},
  ): AsyncGenerator<BackgroundJob, void, undefined> {
    const submit = (packet: Outgoing, onSettled: OnSettled) => this.#submit(packet, options.signal, onSettled);
    return submitAll(functionName, workloads, options, () => this.#makeUnique(), submit);
  }

  /**
   * Asks how a job is doing, by a `BackgroundJob`, its token (`SERVER//HANDLE`), or a bare handle, for which all servers
   * are asked. The answer for a job that is over is the same as for one that never was: `known` is false. A server that
   * is down has no say: with several servers keep tokens, not handles. Asked once more, on a new connection, if the first
   * was lost.
   *
   * @throws {TypeError} It is none of the three.
   * @throws {RangeError} The token's server is none of this client's, or the handle is empty, over 63 bytes, or holds a
   * NUL.
   * @throws {ConnectionError} The server could not be asked.
   */
  async jobStatus(job: string | BackgroundJob, options: CallOptions = {}): Promise<JobStatus> {
    const { server, handle } = parseJobReference(job);
    checkHandle(handle);
    const sessions = server === undefined ? this.#sessions : [this.#sessionOf(server)];
    const packet = { type: PacketType.GET_STATUS, args: [handle] };
    const make = (only: Session) => new Query(packet, PacketType.STATUS_RES, readStatus, only);
    return await this.#ask(sessions.map(make), options.signal);
  }

  /**
   * Asks how a job is doing by its unique; all servers are asked, and one that is down has no say. Functions do not
   * matter: gearmand answers for any one job with that unique.
   *
   * @throws {TypeError} The unique is not a string.
   * @throws {RangeError} The unique is empty, over 63 bytes, or holds a NUL or a line feed.
   * @throws {ConnectionError} No server could be asked.
   */
  async jobStatusByUnique(unique: string, options: CallOptions = {}): Promise<UniqueJobStatus> {
    checkName(unique, "unique", MAX_UNIQUE);
    const packet = { type: PacketType.GET_STATUS_UNIQUE, args: [unique] };
    const make = (only: Session) => new Query(packet, PacketType.STATUS_RES_UNIQUE, readUniqueStatus, only);
    return await this.#ask(this.#sessions.map(make), options.signal);
  }

  /**
   * Asks how a job is doing at once, and then every `interval` ms (default 1,000); the last status has `known` false.
   *
   * A wrong argument is told by the first `next()`.
   *
   * @throws {RangeError} The interval is not a whole number from 0 to 2,147,483,647, or the job cannot be asked for.
   * @throws {ConnectionError} The server could not be asked.
   */
  async *watch(
    job: string | BackgroundJob,
    options: { interval?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<JobStatus, void, undefined> {
    const interval = wholeNumber(options, "interval", 1_000, 0, MAX_TIMER);
    for (;;) {
      const status = await this.jobStatus(job, options);
      yield status;
      if (!status.known) return;
      await delay(interval, options.signal);
    }
  }

  /**
   * Has a server send bytes back: whether it is there, and how long it takes. Asked once more, on a new connection, if
   * the first was lost. Data of 64 KiB or more are not copied: do not change them before the promise has settled.
   *
   * @throws {TypeError} The data are neither string nor bytes.
   * @throws {ConnectionError} No server could be asked.
   */
  async echo(data: Workload, options: CallOptions = {}): Promise<Bytes> {
    const query = new Query(
      { type: PacketType.ECHO_REQ, args: [takeWorkload(data)] },
      PacketType.ECHO_RES,
      ownedBytes,
    );
    checkSignal(options.signal);
    this.#send(query, options.signal);
    return await query.answer;
  }

  /** Lets pending writes go out, closes every connection, and ends what still waits. Idempotent. */
  close(): Promise<void> {
    return this.#closing ??= Promise.all(this.#sessions.map((session) => session.close())).then(() => {});
  }

  /** The same as {@linkcode GearmanClient.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #submit(packet: Outgoing, signal: AbortSignal | undefined, onSettled: OnSettled): BackgroundSubmission {
    const submission = new BackgroundSubmission(packet, this, onSettled);
    this.#send(submission, signal);
    return submission;
  }

  #makeUnique(): string {
    this.#uniquePrefix ||= crypto.randomUUID();
    return `${this.#uniquePrefix}-${(this.#uniqueCount++).toString(36)}`;
  }

  #sessionOf(server: string): Session {
    const name = parseServers(server).map(formatServer).join(); // several are the name of none
    const session = this.#sessions.find(({ link }) => link.name === name);
    if (session !== undefined) return session;
    throw new RangeError(`Cannot ask "${printable(server)}": it is not among the servers of this client`);
  }

  /** Asks all of the servers; the first that knows the job has the word, and one that is down does not matter. */
  async #ask<T extends { readonly known: boolean }>(queries: Query<T>[], signal?: AbortSignal): Promise<T> {
    checkSignal(signal);
    for (const query of queries) this.#send(query, signal);
    const known = queries.map(({ answer }) => answer.then((status) => status.known ? status : Promise.reject(status)));
    try {
      return await Promise.any(known);
    } catch (error) {
      signal?.throwIfAborted(); // some may have answered, but not all
      const { errors } = error as AggregateError;
      const unknown = errors.find((each) => each?.known === false);
      if (unknown === undefined) throw errors[0];
      return unknown;
    }
  }

  #send(request: Request, signal: AbortSignal | undefined): void {
    request.abortOn(signal);
    if (request.settled) return;
    // The usual case, without a detour: the server of choice is connected.
    const first = request.only ?? (this.#balance === "failover" ? this.#sessions[0]! : undefined);
    if (first?.ready === true && this.#closing === undefined) first.send(request);
    else this.#route(request);
  }

  /** Tries the servers in the order of the policy; each that is failing has its time to be left alone. */
  async #route(request: Request, cause?: unknown): Promise<void> {
    let last = cause;
    const { only, key } = request;
    const order = only ? [only] : orderServers(this.#sessions, this.#balance, key, () => this.#turn++);
    const failing = order.filter(({ link }) => link.failing);
    // Whether a server has recovered is found out beside the work, while another does that, whatever time that has.
    const signal = failing.length < order.length ? undefined : request.signal;
    for (const session of failing) markHandled(session.link.open(signal).then(() => session.greet()));
    for (const session of [...order.filter((session) => !failing.includes(session)), ...failing]) {
      const { link } = session;
      if (!session.ready && this.#closing === undefined) {
        await ignoreErrors(() => link.open(request.signal));
        last = link.lastError ?? last;
      }
      if (request.settled) return;
      if (link.connection !== undefined && this.#closing === undefined) return session.send(request);
    }
    if (!request.settled) request.onUnsent(this.#closing ? new ConnectionError("the client is closed") : last);
  }
}
