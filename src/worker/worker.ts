/** The worker: functions, slots, and one station at every server. */

import { GearmanError } from "../errors.ts";
import { checkOptions, checkWord, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { deferred } from "../internal/promises.ts";
import { checkSignal } from "../internal/signals.ts";
import { checkFunctionName } from "../connection/arguments.ts";
import { type ConnectOptions, normalizeOptions, readConnectOptions } from "../connection/options.ts";
import type { JobHandler } from "./job_run.ts";
import { type Ability, WorkerConnection, type WorkerContext } from "./worker_connection.ts";

/** Options of {@linkcode GearmanWorker}. */
export interface WorkerOptions extends ConnectOptions {
  /** The name that the server's `workers` shows; at most 127 bytes, no white space or control characters. */
  id?: string;
  /** Jobs held at a time, over all servers; default 1. */
  concurrency?: number;
  /** Time to finish what is held when stopping, in ms; default no limit. Then signals abort and results are dropped. */
  drainTimeout?: number;
}

/**
 * Works on jobs: connects to every server, and again for ever, and never holds more than `concurrency` jobs.
 *
 * The message of whatever a handler throws reaches every client that waits for the job. To keep it to yourself, catch
 * it and throw `new JobFailedError()`, which fails the job without a word.
 *
 * @example Ten jobs at a time, and a gentle stop
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
 * stop.abort(); // finishes what it holds
 * await running;
 * ```
 */
export class GearmanWorker implements AsyncDisposable {
  readonly #abilities = new Map<string, Ability>();
  readonly #foreman: WorkerContext;
  readonly #drainTimeout: number | undefined;
  readonly #stations: readonly WorkerConnection[];
  #turn = 0;
  #running: Promise<void> | undefined;
  /** Fires when it is closed, and ends the attempts to connect. */
  readonly #stop = new AbortController();
  readonly #idle = deferred<void>();
  readonly #forced = deferred<void>();

  /**
   * Makes a worker for the servers named, or for `127.0.0.1:4730`.
   *
   * @throws {TypeError} An option is of the wrong kind, or options exclude each other.
   * @throws {RangeError} A server makes no sense, a number is out of its range, or the id is too long or has white space.
   */
  constructor(options?: string | WorkerOptions) {
    const given: WorkerOptions = normalizeOptions(options);
    const { servers, settings } = readConnectOptions(given);
    this.#drainTimeout = wholeNumber(given, "drainTimeout", undefined, 0, MAX_TIMER);
    this.#foreman = {
      settings,
      id: given.id === undefined ? undefined : checkWord(given.id, "id", 127),
      concurrency: wholeNumber(given, "concurrency", 1, 1, 1_000_000),
      abilities: this.#abilities,
      update: (finished) => this.#update(finished),
    };
    this.#stations = servers.map((server) => new WorkerConnection(server, this.#foreman));
  }

  /**
   * Takes a function on, before or while it runs; a second time, replaces its handler.
   *
   * After `timeout` ms a job's signal aborts and the job fails. With `concurrency` 1 gearmand is told as well, with a second
   * more, after which it gives the job to another worker: this one is stuck.
   *
   * @throws {TypeError} The handler is no function, the name no string, or the options are no object.
   * @throws {RangeError} The name is empty, over 512 bytes or holds a NUL or a line feed; or the timeout is out of its range.
   */
  addFunction(functionName: string, handler: JobHandler, options: { timeout?: number } = {}): this {
    checkFunctionName(functionName);
    if (typeof handler !== "function") throw new TypeError(`Cannot add "${functionName}": its handler is no function`);
    checkOptions(options);
    const timeout = wholeNumber(options, "timeout", undefined, 1, MAX_TIMER);
    this.#abilities.set(functionName, { handler, timeout });
    for (const station of this.#stations) station.tell();
    this.#update();
    return this;
  }

  /**
   * Gives a function up, as soon as its jobs are finished; a function that is not there is ignored. Until then nothing
   * else is asked for on a connection that holds one of them: gearmand takes back what runs of a function given up.
   */
  removeFunction(functionName: string): this {
    this.#abilities.delete(functionName);
    for (const station of this.#stations) station.tell();
    this.#update();
    return this;
  }

  /**
   * Serves until `signal` fires or {@linkcode GearmanWorker.prototype.close | close} is called; then finishes what it
   * holds, and resolves.
   *
   * @throws {GearmanError} It runs already, or was closed.
   */
  async run(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#stop.signal.aborted) throw new GearmanError("Cannot run the worker: it is closed");
    if (this.#running !== undefined) throw new GearmanError("Cannot run the worker: it runs already");
    const { signal } = options;
    checkSignal(signal);
    const stop = () => void this.close();
    if (signal?.aborted) return await this.close();
    signal?.addEventListener("abort", stop);
    this.#running = Promise.all(this.#stations.map((station) => this.#serve(station))).then(() => {});
    await this.#running;
    signal?.removeEventListener("abort", stop);
  }

  /**
   * Stops asking for jobs, finishes those that are held, and closes when their results have left. A second call, or
   * `drainTimeout`, does not wait: it aborts the signals of the jobs that are still held, and drops their results; what
   * was sent then has two seconds to leave. Never rejects. In a handler do not wait for it: it waits for the handler.
   */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) this.#forced.resolve();
    else await this.#drain();
    await this.#running;
  }

  /** The same as {@linkcode GearmanWorker.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(): Promise<void> {
    this.#stop.abort();
    const limit = this.#drainTimeout;
    const timer = limit === undefined ? undefined : setTimeout(this.#forced.resolve, limit);
    await Promise.race([this.#forced.promise, this.#finished()]);
    clearTimeout(timer);
    await Promise.all(this.#stations.map((station) => station.close()));
  }

  /** Resolves when nothing is held, and every result has left, however slowly the server takes it. */
  async #finished(): Promise<void> {
    if (this.#held() > 0) await this.#idle.promise;
    await Promise.all(this.#stations.map(({ link }) => link.connection?.flush().catch(() => {})));
  }

  async #serve(station: WorkerConnection): Promise<void> {
    const { signal } = this.#stop;
    // Where it cannot connect, its link says so, and knows for how long to leave the server alone.
    while (!signal.aborted) await station.serve(signal).catch(() => {});
  }

  #held(): number {
    return this.#stations.reduce((sum, { taken }) => sum + taken, 0);
  }

  /** Gives free slots to the servers in turn, and lets those sleep that have nothing. */
  #update(finished?: WorkerConnection): void {
    if (this.#stop.signal.aborted) {
      if (this.#held() === 0) this.#idle.resolve();
      return;
    }
    const count = this.#stations.length;
    let free = this.#foreman.concurrency - this.#held();
    for (let missed = 0; free > 0 && missed < count; this.#turn++) {
      const station = this.#stations[this.#turn % count]!;
      missed++;
      if (!station.promising) continue;
      station.grab();
      free--;
      missed = 0;
    }
    for (const station of this.#stations) if (station.dry || station === finished) station.rest();
  }
}
