/** The worker: functions, slots, and one connection to every server. */

import { GearmanError } from "../errors.ts";
import { checkOptions, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { deferred } from "../internal/promises.ts";
import { checkSignal, onAbort } from "../internal/signals.ts";
import { checkFunctionName, checkId } from "../connection/arguments.ts";
import {
  type CallOptions,
  type ConnectOptions,
  type GearmanEvent,
  normalizeOptions,
  readConnectOptions,
  signalOf,
} from "../connection/options.ts";
import { type AnyFunction, nameOf } from "../function/function.ts";
import type { WorkerFunction } from "./announcements.ts";
import { FailureLog } from "./failure_log.ts";
import type { WorkerContext } from "./registration.ts";
import { DueJobs } from "./gearmand_1.ts";
import { Readiness } from "./readiness.ts";
import { type HandlerOf, jobHandlerOf } from "./typed_handler.ts";
import { WorkerConnection } from "./worker_connection.ts";

/** Options of {@linkcode GearmanWorker}. */
export interface WorkerOptions extends ConnectOptions {
  /** The id that the server's `workers` lists: at most 127 bytes, without white space or control characters. */
  id?: string | undefined;
  /** Maximum number of jobs that are held at a time, over all servers. Default: 1. */
  concurrency?: number | undefined;
  /**
   * Maximum time in milliseconds that closing waits for held jobs. Then their signals abort, and their results are
   * discarded. Default: no limit.
   */
  drainTimeout?: number | undefined;
  /**
   * Time in milliseconds between two questions of a worker that sleeps, whether a job has become due; 0 for none. Default
   * 1,000. gearmand 1.1 does not wake a worker for a job that was submitted with `at`, gearmand 2.0 does.
   *
   * A question is one packet of 12 bytes to each server where the worker sleeps. It has an answer only if there is a job.
   * Without them a sleeping worker asks when a server was silent for `probeInterval`.
   */
  pollInterval?: number | undefined;
}

/** Options of {@linkcode GearmanWorker.prototype.addFunction}. */
export interface AddFunctionOptions {
  /**
   * Time limit of a job in milliseconds; default no limit. When it is over, the job's signal aborts and the job fails.
   *
   * With `concurrency` 1 the limit is announced to gearmand too, with one second more: gearmand then gives the job of a
   * worker that is stuck to another one.
   */
  timeout?: number | undefined;
}

/** Options of {@linkcode GearmanWorker.prototype.run}. */
export interface RunOptions {
  /** Closes the worker gently: held jobs are finished, and `run` resolves. */
  signal?: AbortSignal | undefined;
}

/**
 * Runs jobs: connects to every server, reconnects when a connection is lost, and runs at most `concurrency` jobs at a time.
 *
 * A worker detects what each server supports, and works with gearmand of any version, and with servers that support less,
 * such as Perl's `Gearman::Server`. The event `serverLacks` reports once for each server what it does not support.
 *
 * The message of an error that a handler throws reaches every client that waits for the job, that of a
 * `JobFailedError` too. To keep it private, catch the error and throw `new JobFailedError()`, which fails the
 * job without a message.
 *
 * Without the option `onEvent` a worker writes a line to `console.error` for each failed job, and for each server that is
 * lost or cannot be reached: at most 10 lines in 10 s, and then one with the number of those that were left out. With
 * `onEvent` it writes nothing.
 *
 * @example Run ten jobs at a time, and stop gently
 * ```ts
 * import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using worker = new GearmanWorker({ dial: server.dial, concurrency: 10 });
 * worker.addFunction("upper", async (job) => {
 *   await job.sendStatus(1, 2);
 *   return job.text().toUpperCase();
 * });
 * const stop = new AbortController();
 * const running = worker.run({ signal: stop.signal });
 *
 * await using client = new GearmanClient({ dial: server.dial });
 * console.log(await client.do("upper", "hello").text()); // HELLO
 * stop.abort(); // finishes the jobs that it holds
 * await running;
 * ```
 */
export class GearmanWorker implements AsyncDisposable {
  readonly #functions = new Map<string, WorkerFunction>();
  readonly #concurrency: number;
  readonly #drainTimeout: number | undefined;
  readonly #connections: readonly WorkerConnection[];
  /** Index of the connection that gets the next free slot, if it can use it. */
  #turn = 0;
  /**
   * - new: not connected.
   * - running: connects and grabs.
   * - draining: finishes the held jobs, until none is held, or until it is destroyed.
   * - closed: closes the connections, or has closed them.
   */
  #state: "new" | "running" | "draining" | "closed" = "new";
  /** Fires when draining begins, and ends attempts to connect. */
  readonly #stop = new AbortController();
  /** Resolves when no job is held any more while draining. */
  readonly #idle = deferred<void>();
  readonly #destroyed = deferred<void>();
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #dueJobs: DueJobs;
  readonly #readiness = new Readiness();
  readonly #log = new FailureLog();

  /**
   * Creates a worker for the given servers, or for `127.0.0.1:4730`.
   *
   * @throws {TypeError} An option has the wrong type, or options exclude each other.
   * @throws {RangeError} A server cannot be parsed, a number is out of range, or the id is too long or has white space.
   */
  constructor(options?: string | WorkerOptions) {
    const given: WorkerOptions = normalizeOptions(options);
    const { servers, settings } = readConnectOptions(given);
    this.#drainTimeout = wholeNumber(given, "drainTimeout", undefined, 0, MAX_TIMER);
    this.#concurrency = wholeNumber(given, "concurrency", 1, 1, 1_000_000);
    this.#dueJobs = new DueJobs(wholeNumber(given, "pollInterval", 1_000, 0, MAX_TIMER), () => this.#poll());
    if (given.id !== undefined) checkId(given.id);
    const log = this.#log;
    const { emit } = settings;
    const emitOrLog = (event: GearmanEvent) => given.onEvent === undefined ? log.report(event) : emit(event);
    const context: WorkerContext = {
      settings: { ...settings, emit: emitOrLog },
      id: given.id,
      concurrency: this.#concurrency,
      functions: this.#functions,
      readiness: this.#readiness,
      update: () => this.#update(),
    };
    this.#connections = servers.map((server) => new WorkerConnection(server, context));
  }

  /**
   * Adds a function, before or while the worker runs; replaces the handler if the function was added before.
   *
   * The handler of a function by name gets its {@linkcode AssignedJob | job}. The handler of a typed function gets its
   * input, decoded and checked, and its job; what it returns is checked and encoded. If one of them is invalid, the job
   * fails with the message of a `ValidationError`, which reaches the client.
   *
   * @throws {TypeError} The handler is not a function, the function is neither a name nor a definition, or the options are
   * not an object.
   * @throws {RangeError} The name is empty, has over 512 bytes, or holds a NUL or a line feed; or the timeout is not a
   * whole number from 1 to 2,147,483,647.
   */
  addFunction<F extends string | AnyFunction>(fn: F, handler: HandlerOf<F>, options: AddFunctionOptions = {}): this {
    const name = nameOf(fn);
    checkFunctionName(name);
    if (typeof handler !== "function") throw new TypeError(`Cannot add "${name}": its handler must be a function`);
    checkOptions(options);
    const timeout = wholeNumber(options, "timeout", undefined, 1, MAX_TIMER);
    this.#functions.set(name, { handler: jobHandlerOf(fn, handler), timeout });
    this.#announce(name);
    return this;
  }

  /**
   * Removes a function as soon as its jobs have ended; an unknown function is ignored.
   *
   * A connection that holds a job of the function grabs no more jobs until then: gearmand requeues the running jobs of a
   * function that is withdrawn.
   */
  removeFunction(fn: string | AnyFunction): this {
    const name = nameOf(fn);
    this.#functions.delete(name);
    this.#announce(name);
    return this;
  }

  /**
   * Serves until `signal` fires, or {@linkcode GearmanWorker.prototype.close | close} or
   * {@linkcode GearmanWorker.prototype.destroy | destroy} is called.
   *
   * Resolves when the worker is closed. A signal is a way to stop, not an error: `run` resolves after it too, and jobs
   * that are held when it fires are finished first. A worker without functions connects, and waits until one is added.
   *
   * @throws {GearmanError} The worker is already running, or it is closed.
   * @throws {TypeError} The options are not an object, or the signal is not an `AbortSignal`.
   */
  async run(options: RunOptions = {}): Promise<void> {
    checkOptions(options);
    if (this.#state === "running") throw new GearmanError("Cannot run the worker: it is already running");
    if (this.#state !== "new") throw new GearmanError("Cannot run the worker: it is closed");
    const { signal } = options;
    checkSignal(signal);
    this.#state = "running";
    this.#dueJobs.start(); // before the signal, which may have fired, and then closes the worker at once
    const forgetSignal = signal && onAbort(signal, () => this.close());
    const serving = this.#connections.map((connection) => connection.serve(this.#stop.signal));
    this.#running = Promise.all(serving).then(() => {});
    await this.#running;
    forgetSignal?.();
  }

  /**
   * Resolves when the first server has accepted the functions that were added before this call: from then on it gives jobs
   * to this worker. Without functions, it resolves when the first server has answered.
   *
   * You may call it before {@linkcode GearmanWorker.prototype.run | run}, and more than once. It waits until a server can be
   * reached, or until `signal` fires.
   *
   * @throws {GearmanError} The worker is closed, or is closed before a server has taken the functions.
   * @throws The reason of `signal`, if it fires first.
   *
   * @example Submit a job when a worker is there
   * ```ts
   * import { GearmanWorker } from "@gearwire/gearman";
   * import { JobServer } from "@gearwire/gearman/server";
   *
   * await using server = new JobServer(); // in production: gearmand
   * await using worker = new GearmanWorker({ dial: server.dial });
   * worker.addFunction("hello", (job) => `Hello ${job.text()}`);
   * worker.run();
   * await worker.ready({ signal: AbortSignal.timeout(5_000) });
   * ```
   */
  async ready(options: CallOptions = {}): Promise<void> {
    checkOptions(options);
    const signal = signalOf(options);
    if (this.#state === "draining" || this.#state === "closed") {
      throw new GearmanError("Cannot wait for a server: the worker is closed");
    }
    const waiting = this.#readiness.wait(signal);
    const release = this.#readiness.release();
    for (const connection of this.#connections) connection.fence(release);
    await waiting;
  }

  /**
   * Stops asking for jobs, finishes the held ones, sends their results, and closes the connections.
   *
   * Idempotent: all calls resolve at the same time. Never rejects. There is no time limit unless `drainTimeout` is set;
   * after that time the worker is {@linkcode GearmanWorker.prototype.destroy | destroyed}.
   *
   * Do not await it in a handler: it waits for the handler.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /**
   * Stops at once. The signals of the held jobs abort with `reason`, or with a `GearmanError` if there is none, and the
   * results of these jobs are discarded; gearmand requeues the jobs. Pending calls of `run` and `close` resolve.
   *
   * Pending writes have two seconds to be sent. It does not wait for handlers: they may still be running when the promise
   * resolves, and a handler may await it.
   *
   * You may call it at any time, also while the worker closes. Idempotent: the first reason counts. Never rejects.
   */
  destroy(reason?: unknown): Promise<void> {
    const closed = this.close();
    const error = reason === undefined
      ? new GearmanError("The worker was stopped before the job was finished")
      : reason;
    for (const connection of this.#connections) connection.abort(error);
    this.#destroyed.resolve();
    return closed;
  }

  /** The same as {@linkcode GearmanWorker.prototype.close | close}: gentle, and idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#state = "draining";
    this.#readiness.fail(new GearmanError("Cannot wait for a server: the worker was closed"));
    this.#stop.abort();
    this.#dueJobs.stop();
    for (const connection of this.#connections) connection.drain();
    const timer = this.#startDrainTimer();
    await Promise.race([this.#drained(), this.#destroyed.promise]);
    clearTimeout(timer);
    this.#state = "closed";
    await Promise.all(this.#connections.map((connection) => connection.close()));
    await this.#running;
    this.#log.close();
  }

  #startDrainTimer(): ReturnType<typeof setTimeout> | undefined {
    const timeout = this.#drainTimeout;
    if (timeout === undefined) return undefined;
    const message = `The worker was stopped before the job was finished: drainTimeout (${timeout} ms) is over`;
    return setTimeout(() => this.destroy(new GearmanError(message)), timeout);
  }

  /** Resolves when no job is held, and all results were sent, however slowly the server reads. */
  async #drained(): Promise<void> {
    if (this.#slotsInUse() > 0) await this.#idle.promise;
    await Promise.all(this.#connections.map((connection) => connection.flush()));
  }

  #announce(functionName: string): void {
    for (const connection of this.#connections) connection.announce(functionName);
    this.#update();
  }

  #poll(): void {
    for (const connection of this.#connections) connection.poll();
  }

  /** Grabs jobs with the free slots, and lets connections sleep; while draining, looks whether all jobs have ended. */
  #update(): void {
    if (this.#state === "draining" && this.#slotsInUse() === 0) this.#idle.resolve();
    if (this.#state !== "running") return;
    this.#grabJobs();
    for (const connection of this.#connections) connection.sleepIfIdle();
  }

  #grabJobs(): void {
    let free = this.#concurrency - this.#slotsInUse();
    while (free > 0) {
      const connection = this.#nextToGrab();
      if (connection === undefined) return;
      connection.grab();
      free -= 1;
    }
  }

  /** Returns the next connection in turn that can grab, if there is one. */
  #nextToGrab(): WorkerConnection | undefined {
    const count = this.#connections.length;
    for (let offset = 0; offset < count; offset++) {
      const index = (this.#turn + offset) % count;
      const connection = this.#connections[index]!;
      if (!connection.canGrab) continue;
      this.#turn = (index + 1) % count;
      return connection;
    }
    return undefined;
  }

  #slotsInUse(): number {
    return this.#connections.reduce((sum, { slotsInUse }) => sum + slotsInUse, 0);
  }
}
