/** The client: checks the arguments of each call, and hands a request over to the router. */

import { ServerError } from "../errors.ts";
import type { Bytes } from "../internal/bytes.ts";
import { checkName, checkOneOf, checkOptions, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { attempt } from "../internal/promises.ts";
import { delay } from "../internal/signals.ts";
import { printable } from "../internal/text.ts";
import { ownedBytes } from "../codec/arguments.ts";
import { PacketType } from "../codec/packet.ts";
import { formatServer, parseServers } from "../transport/addresses.ts";
import { checkId, checkWorkload, copySmall, MAX_UNIQUE, type Workload } from "../connection/arguments.ts";
import {
  type CallOptions,
  type ConnectOptions,
  normalizeOptions,
  readConnectOptions,
  signalOf,
  type WatchOptions,
} from "../connection/options.ts";
import { BACKGROUND, type EncodeOptions } from "../function/payload.ts";
import { type AnyFunction, type CallArguments, definitionOf, type GearmanFunction } from "../function/function.ts";
import { type BackgroundJob, parseJobReference } from "./background_job.ts";
import { type Balance, BALANCES } from "./balance.ts";
import { type DoBackgroundAllOptions, submitAll } from "./batch.ts";
import { ClientJob } from "./client_job.ts";
import { ForegroundJob, type JobLimits } from "./foreground_job.ts";
import type { Job } from "./job.ts";
import { LaggingJobs } from "./lagging_jobs.ts";
import { Query, type Question } from "./request.ts";
import { Router } from "./router.ts";
import { type JobStatus, readStatus, readUniqueStatus, type UniqueJobStatus } from "./status.ts";
import { AwaitedSubmission, type Submission } from "./submission.ts";
import { type DoBackgroundOptions, type DoOptions, foregroundPacket, packetOf } from "./submission_packet.ts";

/** Options of {@linkcode GearmanClient}. */
export interface ClientOptions extends ConnectOptions {
  /** Policy by which the server of a job is chosen. Default "failover". */
  balance?: Balance | undefined;
  /** Maximum bytes kept for a job whose consumer lags. Default 64 MiB; past it the job ends with a `GearmanError`. */
  maxBuffered?: number | undefined;
  /**
   * Maximum bytes kept for all jobs whose consumers lag. Default 256 MiB; past it the one that holds most ends with a
   * `GearmanError`.
   */
  maxBufferedTotal?: number | undefined;
  /** Name of the client, which gearmand shows in the list of `workers`: at most 127 bytes, without white space. Default none. */
  id?: string | undefined;
  /** Maximum bytes that `bytes()`, `text()` and `json()` collect. Default 256 MiB; past it they reject with a `GearmanError`. */
  maxResultSize?: number | undefined;
}

/**
 * Submits jobs, and asks for their status.
 *
 * The client connects on the first call. All calls share one connection to each server, any number of them at a time. A call
 * returns its outcome, or throws a typed error when its connection is lost, or the reason of its signal.
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
  readonly #router: Router;
  readonly #limits: JobLimits;
  #uniquePrefix = "";
  #uniqueCount = 0;
  /** Names of the servers that do not answer GET_STATUS_UNIQUE. */
  readonly #withoutUniqueStatus = new Set<string>();

  /**
   * Creates a client for the given servers, by default for `127.0.0.1:4730`.
   *
   * @throws {TypeError} An option is of the wrong kind, or options exclude each other.
   * @throws {RangeError} A server cannot be read, or a number is out of its range.
   */
  constructor(options?: string | ClientOptions) {
    const given: ClientOptions = normalizeOptions(options);
    const { servers, settings } = readConnectOptions(given);
    const balance: Balance = given.balance ?? "failover";
    checkOneOf(balance, "balance", BALANCES);
    this.#limits = {
      maxBuffered: wholeNumber(given, "maxBuffered", 67_108_864, 1, Number.MAX_SAFE_INTEGER),
      maxResultSize: wholeNumber(given, "maxResultSize", 268_435_456, 0, Number.MAX_SAFE_INTEGER),
      lagging: new LaggingJobs(wholeNumber(given, "maxBufferedTotal", 268_435_456, 1, Number.MAX_SAFE_INTEGER)),
    };
    if (given.id !== undefined) checkId(given.id);
    this.#router = new Router(servers, { ...settings, id: given.id, statusSource: this }, balance);
  }

  /**
   * Submits a job in the foreground, and returns it at once; {@linkcode Job} says what to do with it.
   *
   * For a function by name, the input is its workload: a string or bytes, by default empty. Bytes of 64 KiB or more are
   * not copied: do not change them until the job has been created. For a typed function, the input is checked and encoded
   * at once. If it is invalid, the job rejects with a `ValidationError`, and nothing is sent.
   *
   * @throws {TypeError} The function is neither a name nor a definition; the workload of a function by name must be a
   * string or a `Uint8Array`; options exclude each other.
   * @throws {RangeError} The function name must have 1 to 512 bytes, the unique and the reducer at most 63, all without NUL
   * and line feed.
   */
  do<Input = Workload | undefined, Output = Bytes>(
    fn: string | GearmanFunction<Input, Output, unknown, never>,
    ...args: CallArguments<Input, DoOptions>
  ): Job<Output>;
  do(fn: string | AnyFunction, input?: unknown, options: DoOptions = {}): Job<unknown> {
    const job = new ForegroundJob(foregroundPacket(fn, input, options), this.#limits, options.onStatus);
    this.#send(job, signalOf(options), fn, input);
    return new ClientJob(job, definitionOf(fn)?.output.decode);
  }

  /**
   * Submits a job in the background; resolves when a server has accepted it. Its result cannot be fetched.
   *
   * Without a unique the job gets a generated one, since on gearmand's persistent queue jobs without a unique overwrite
   * each other; `""` submits it without. The workload must not be empty: gearmand 1.1 and 2.0 store an empty one as NULL
   * where their queue is in a database, and then never start again. A workload of 64 KiB or more is not copied: do not change it until the promise
   * has settled.
   *
   * @throws {TypeError} The function is neither a name nor a definition; the workload of a function by name must be a
   * string or a `Uint8Array`; options exclude each other.
   * @throws {RangeError} The workload is empty; or a name is empty, too long or holds a NUL, see
   * {@linkcode GearmanClient.prototype.do | do}.
   * @throws {ValidationError} The input of a typed function is invalid, or was encoded as no bytes, which gearmand cannot
   * store.
   * @throws {ServerError} The server refused the job: its queue is full.
   * @throws {ConnectionError} No server could be reached, or the connection was lost; see its `delivery`.
   */
  doBackground<Input = Workload>(
    fn: string | GearmanFunction<Input, unknown, unknown, never>,
    ...args: CallArguments<Input, DoBackgroundOptions>
  ): Promise<BackgroundJob>;
  doBackground(fn: string | AnyFunction, input?: unknown, options: DoBackgroundOptions = {}): Promise<BackgroundJob> {
    return new Promise((resolve, reject) => {
      checkOptions(options);
      const packet = packetOf("background", fn, input, options.unique ?? this.#makeUnique(), options);
      this.#send(new AwaitedSubmission(packet, resolve, reject), signalOf(options), fn, input, BACKGROUND);
    });
  }

  /**
   * Submits a job in the background for each input of a source, many at a time. Yields the jobs in the order of the
   * source, each once a server has accepted it. The inputs of a function by name are workloads.
   *
   * The source is read as fast as jobs are accepted and taken. `inFlight` limits what is held in memory, whatever the
   * length of the source. Leaving the iteration (`break`) closes the source; jobs that were sent before run all the same.
   *
   * Where the schema or the serializer of a typed function is asynchronous, one input is checked and encoded at a time, so
   * that the jobs are sent in their order.
   *
   * The first workload that fails ends the iteration. The error's message has its index, counted from 0, which is also the
   * number of jobs that were yielded. Up to `inFlight` workloads after it may have been accepted too: to submit them all
   * again, give each workload the same `unique` every time. An error of the source or an abort ends the iteration too,
   * after the jobs before it.
   *
   * Invalid arguments throw on the first `next()`, before the source is read. An abort throws the reason of the signal.
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
   *   accepted += 1;
   *   if (accepted % 1_000 === 0) console.log(accepted, `${job}`);
   * }
   * ```
   *
   * @throws {TypeError} The inputs must be an iterable; workloads must be strings or `Uint8Array`s; options exclude each
   * other.
   * @throws {ValidationError} The input of a typed function is invalid.
   * @throws {RangeError} `inFlight` must be a whole number from 1; a name is empty, too long or holds a NUL; a workload is
   * empty.
   * @throws {ServerError} The server refused a job: its queue is full.
   * @throws {ConnectionError} No server could be reached, or the connection was lost; see its `delivery`.
   */
  doBackgroundAll<Input = Workload>(
    fn: string | GearmanFunction<Input, unknown, unknown, never>,
    inputs: (Iterable<NoInfer<Input>> | AsyncIterable<NoInfer<Input>>) & object,
    options: DoBackgroundAllOptions<NoInfer<Input>> = {},
  ): AsyncGenerator<BackgroundJob, void, undefined> {
    return submitAll(fn as string | AnyFunction, inputs, options, {
      makeUnique: () => this.#makeUnique(),
      send: (submission, signal, fn, input) => this.#send(submission, signal, fn, input, BACKGROUND),
    });
  }

  /**
   * Asks for the status of a job: of a `BackgroundJob`, of a token (`SERVER//HANDLE;UNIQUE`), or of a bare handle, for which
   * all servers are asked.
   *
   * If the job has a unique, the server is asked by handle and by unique, and the job is known only if both answers say so:
   * after a restart, gearmand gives the same handles to other jobs. The jobs of a persistent queue then have new handles, and
   * {@linkcode GearmanClient.prototype.jobStatusByUnique | jobStatusByUnique} finds them. A server that cannot answer by
   * unique is asked only by handle.
   *
   * The answer is the same for a job that is over and for one that never was: `known` is false. A server that is down is
   * ignored if another one answers: with several servers keep tokens, not handles. If the connection is lost, the question
   * is asked once more on a new one.
   *
   * @throws {TypeError} The job must be a `BackgroundJob` or a string.
   * @throws {RangeError} The token's server must be one of this client's, and the handle must have 1 to 63 bytes without
   * NUL and line feed.
   * @throws {ConnectionError} The server could not be asked.
   */
  async jobStatus(job: string | BackgroundJob, options: CallOptions = {}): Promise<JobStatus> {
    return await this.#statusOf(job, signalOf(options));
  }

  /**
   * Asks for the status of a job by its unique. All servers are asked; one that is down is ignored if another answers.
   *
   * Jobs of several functions may have the same unique. The request has no function name, so gearmand answers for any one
   * of them.
   *
   * @throws {TypeError} The unique must be a string.
   * @throws {RangeError} The unique must have 1 to 63 bytes without NUL and line feed.
   * @throws {ConnectionError} No server could be asked.
   */
  async jobStatusByUnique(unique: string, options: CallOptions = {}): Promise<UniqueJobStatus> {
    checkName(unique, "unique", MAX_UNIQUE);
    return await this.#askByUnique(this.#router.names, unique, signalOf(options));
  }

  /**
   * Yields the status of a job at once, and then every `interval` ms (default 1,000). It ends after a status in which `known`
   * is false. It also ends on `break`. If its signal fires, it throws the signal's reason.
   *
   * Invalid arguments throw on the first `next()`.
   *
   * @throws {RangeError} The interval must be a whole number from 0 to 2,147,483,647; the job must be one that
   * {@linkcode GearmanClient.prototype.jobStatus | jobStatus} takes.
   * @throws {ConnectionError} The server could not be asked.
   */
  async *watch(
    job: string | BackgroundJob,
    options: WatchOptions = {},
  ): AsyncGenerator<JobStatus, void, undefined> {
    const interval = wholeNumber(options, "interval", 1_000, 0, MAX_TIMER);
    const signal = signalOf(options);
    for (;;) {
      const status = await this.#statusOf(job, signal);
      yield status;
      if (!status.known) return;
      await delay(interval, signal);
    }
  }

  /**
   * Asks a server to send data back, and resolves to it. If the connection is lost, the question is asked once more on a
   * new one.
   *
   * Data of 64 KiB or more are not copied: do not change them until the promise has settled.
   *
   * @throws {TypeError} The data must be a string or a `Uint8Array`.
   * @throws {ConnectionError} No server could be asked.
   */
  async echo(data: Workload, options: CallOptions = {}): Promise<Bytes> {
    checkWorkload(data);
    const packet = { type: PacketType.ECHO_REQ, args: [copySmall(data)] };
    const query = new Query({ packet, expects: PacketType.ECHO_RES, read: ownedBytes });
    this.#router.send(query, signalOf(options));
    return await query.answer;
  }

  /**
   * Lets pending writes go out, closes every connection, and ends all calls that still wait. Idempotent.
   *
   * It does not wait for replies: await the calls before. A submission that is aborted while the client closes may be sent
   * all the same.
   */
  close(): Promise<void> {
    return this.#router.close();
  }

  /** The same as {@linkcode GearmanClient.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Sends a submission: that of a typed function once its input is encoded. */
  #send(
    submission: Submission,
    signal: AbortSignal | undefined,
    fn: string | AnyFunction,
    input: unknown,
    options?: EncodeOptions,
  ): PromiseLike<void> | void {
    if (typeof fn !== "string") return this.#encodeAndSend(submission, signal, fn, input, options);
    this.#router.send(submission, signal);
  }

  /** Encodes the input of a typed function and sends it: at once, unless the encoding returns a promise. */
  #encodeAndSend(
    submission: Submission,
    signal: AbortSignal | undefined,
    definition: AnyFunction,
    input: unknown,
    options: EncodeOptions | undefined,
  ): PromiseLike<void> | void {
    const send = (workload: Workload) => {
      submission.setWorkload(workload);
      this.#router.send(submission, undefined);
    };
    if (signal !== undefined) submission.abortOn(signal);
    const encode = () => definition.input.encode(input as never, options);
    return attempt<Workload, void>(encode, send, (error) => submission.fail(error));
  }

  #makeUnique(): string {
    this.#uniquePrefix ||= crypto.randomUUID();
    const count = this.#uniqueCount.toString(36);
    this.#uniqueCount += 1;
    return `${this.#uniquePrefix}-${count}`;
  }

  async #statusOf(job: string | BackgroundJob, signal: AbortSignal | undefined): Promise<JobStatus> {
    const { server, handle, unique } = parseJobReference(job);
    const names = server === undefined ? this.#router.names : [this.#knownServer(server)];
    const packet = { type: PacketType.GET_STATUS, args: [handle] };
    const question = { packet, expects: PacketType.STATUS_RES, read: readStatus };
    if (server === undefined || unique === undefined) return await this.#ask(names, question, signal);
    let answered = false;
    const answer = this.#ask(names, question, signal).then((status) => {
      answered = true;
      return status;
    });
    const knowsUnique = this.#knowsUnique(names[0]!, unique, signal, () => answered);
    const [status, isSameJob] = await Promise.all([answer, knowsUnique]);
    return isSameJob ? status : { handle, known: false, running: false, numerator: 0, denominator: 0 };
  }

  /**
   * Returns false if a server says that it has no job with the unique, and true if it cannot say. It is asked by handle
   * before: `isAnswered` tells whether that was answered.
   */
  async #knowsUnique(
    name: string,
    unique: string,
    signal: AbortSignal | undefined,
    isAnswered: () => boolean,
  ): Promise<boolean> {
    let losses = 0;
    const onLost = () => {
      losses += 1;
    };
    for (let attempts = 1; !this.#withoutUniqueStatus.has(name); attempts += 1) {
      try {
        return (await this.#askByUnique([name], unique, signal, { onLost })).known;
      } catch (error) {
        signal?.throwIfAborted();
        const isRefused = error instanceof ServerError;
        if (!isRefused && losses < attempts) throw error; // it was not asked: the server is down
        // If the connection was lost before the answer to the question by handle, this question is not why.
        if (isRefused || isAnswered() || losses > 1) this.#withoutUniqueStatus.add(name);
      }
    }
    return true;
  }

  #askByUnique(
    names: readonly string[],
    unique: string,
    signal: AbortSignal | undefined,
    options: { readonly onLost?: () => void } = {},
  ): Promise<UniqueJobStatus> {
    const packet = { type: PacketType.GET_STATUS_UNIQUE, args: [unique] };
    return this.#ask(
      names,
      { packet, expects: PacketType.STATUS_RES_UNIQUE, read: readUniqueStatus, ...options },
      signal,
    );
  }

  /** Returns the name of a token's server: a token may come from a stranger, and must not make this client dial others. */
  #knownServer(server: string): string {
    const name = parseServers(server).map(formatServer).join(); // a list of servers is the name of none
    if (this.#router.names.includes(name)) return name;
    throw new RangeError(`Cannot ask "${printable(server)}": it is no server of this client`);
  }

  /** Asks several servers for a status. */
  async #ask<T extends { readonly known: boolean }>(
    names: readonly string[],
    question: Question<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const queries = names.map((name) => new Query(question, name));
    for (const query of queries) this.#router.send(query, signal);
    try {
      const status = await firstKnown(queries.map(({ answer }) => answer));
      if (status.known) return status;
      signal?.throwIfAborted(); // some servers may have answered before the abort, but not all
      return status;
    } catch (error) {
      signal?.throwIfAborted(); // others may have failed before the abort
      throw error;
    }
  }
}

/** The first answer that knows the job, or else any answer; throws if no server has answered. */
async function firstKnown<T extends { readonly known: boolean }>(answers: readonly Promise<T>[]): Promise<T> {
  const known = new Promise<T>((resolve) => {
    const takeIfKnown = (status: T) => status.known && resolve(status);
    for (const answer of answers) answer.then(takeIfKnown, () => {});
  });
  const all = Promise.allSettled(answers).then((outcomes) => {
    for (const outcome of outcomes) if (outcome.status === "fulfilled") return outcome.value;
    throw (outcomes[0] as PromiseRejectedResult).reason;
  });
  return await Promise.race([known, all]);
}
