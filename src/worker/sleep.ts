/**
 * When a worker sleeps at a server, and whether the server is worth a grab.
 *
 * A server that has no job for a worker answers NO_JOB. The worker then sends PRE_SLEEP, and the server wakes it with
 * NOOP when a job arrives.
 */

import { PacketType } from "../codec/packet.ts";
import { FalseAlarms, ServerTimer, type TimedConnection } from "./gearmand_1.ts";

/** What sleeping needs of the connection. */
export interface Sleeper extends TimedConnection {
  /** Number of requests for a job that are not answered yet. */
  readonly grabsInFlight: number;
}

/** Whether the worker sleeps on one connection, and whether the server may have jobs for it. */
export class Sleep {
  readonly #connection: Sleeper;
  /**
   * - awake: the server does not send NOOP.
   * - delayed: the worker is idle, but was woken for nothing before; it sleeps when `#sleepTimer` fires.
   * - asleep: PRE_SLEEP was sent. NOOP or a grab ends this.
   */
  #state: "awake" | "delayed" | "asleep" = "awake";
  #sleepTimer: ReturnType<typeof setTimeout> | undefined;
  #asleepSince = 0;
  #serverIsEmpty = false;
  /** A job has ended since the last call of `sleepIfIdle`. */
  #jobHasEnded = false;
  readonly #serverTimer: ServerTimer;
  readonly #falseAlarms = new FalseAlarms();

  constructor(connection: Sleeper) {
    this.#connection = connection;
    this.#serverTimer = new ServerTimer(connection);
  }

  /** True if the server has answered NO_JOB, and nothing since then suggests that it has a job. */
  get serverIsEmpty(): boolean {
    return this.#serverIsEmpty;
  }

  /** The worker has asked for a job, which ends its sleep. */
  grabSent(): void {
    this.#wake();
    this.#serverTimer.grabSent();
  }

  /** The server has answered NO_JOB. */
  noJob(): void {
    this.#serverIsEmpty = true;
  }

  /** The server has assigned a job, and limits its time if `timed`. */
  jobAssigned({ timed }: { timed: boolean }): void {
    this.#serverIsEmpty = false;
    this.#serverTimer.jobAssigned({ timed });
    this.#falseAlarms.reset();
  }

  /** A job has ended: the server may have another one. */
  jobEnded(): void {
    this.#serverIsEmpty = false;
    this.#jobHasEnded = true;
  }

  /** Functions were announced: the server may have jobs of theirs. */
  announced(): void {
    this.#serverIsEmpty = false;
  }

  /** Handles NOOP; false if the worker is not asleep: NOOP has crossed a grab, and the answer to that says more. */
  noop(): boolean {
    if (this.#state !== "asleep") return false;
    this.#falseAlarms.wokenAfter(performance.now() - this.#asleepSince);
    this.#serverIsEmpty = false;
    this.#wake();
    return true;
  }

  /** The server was silent for a while. Some server may have lost a NOOP: the worker asks for a job. */
  probed(): void {
    this.#serverIsEmpty = false;
  }

  /** Asks the server, while the worker sleeps, whether it has a job by now. */
  poll(): void {
    if (this.#state === "asleep") this.#sleep();
  }

  /**
   * Sleeps if there is nothing to do here: no request for a job is in flight, and the server has no jobs.
   *
   * If a job has just ended here, and its slot went to another server, the worker sleeps here too. Otherwise this server
   * could not wake it while the other one always has jobs.
   */
  sleepIfIdle(): void {
    const isIdle = this.#serverIsEmpty || this.#jobHasEnded;
    this.#jobHasEnded = false;
    if (!isIdle || this.#state !== "awake" || this.#connection.grabsInFlight > 0) return;
    this.#serverTimer.stop();
    const delay = this.#falseAlarms.sleepDelay;
    if (delay === 0) {
      this.#sleep();
    } else {
      this.#state = "delayed";
      this.#sleepTimer = setTimeout(() => this.#sleep(), delay);
    }
  }

  /** Cancels a delayed sleep, since the connection is closed or lost. */
  stop(): void {
    this.#wake();
  }

  #sleep(): void {
    this.#state = "asleep";
    this.#asleepSince = performance.now();
    this.#connection.send(PacketType.PRE_SLEEP);
  }

  #wake(): void {
    clearTimeout(this.#sleepTimer);
    this.#state = "awake";
  }
}
