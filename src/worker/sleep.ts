/**
 * When a worker sleeps at a server, and whether the server is worth a grab.
 *
 * A server that has no job for a worker answers NO_JOB. The worker then sends PRE_SLEEP, and the server wakes it with
 * NOOP when a job arrives.
 *
 * Three parts are work-arounds for gearmand:
 *
 * - `FalseAlarms` delays sleep if the worker is woken again and again without a job (1.1; mended in 2.0).
 * - `Sleep.poll` asks a silent server for jobs, since it wakes no worker when a job becomes due (1.1; mended in 2.0).
 * - `Sleep.#stopServerTimer` removes the time limit of an ended job before the worker sleeps (1.1 and 2.0).
 */

import { PacketType } from "../codec/packet.ts";

/** What sleeping needs of the connection. */
export interface Sleeper {
  /** Number of requests for a job that are not answered yet. */
  readonly grabsInFlight: number;
  send(type: typeof PacketType.PRE_SLEEP | typeof PacketType.RESET_ABILITIES): void;
  /** Announces all functions again, after RESET_ABILITIES. */
  announceAll(): void;
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
  /** The server may hold the time limit of a job, running or ended. */
  #serverTimerIsSet = false;
  readonly #falseAlarms = new FalseAlarms();

  constructor(connection: Sleeper) {
    this.#connection = connection;
  }

  /** True if the server has answered NO_JOB, and nothing since then suggests that it has a job. */
  get serverIsEmpty(): boolean {
    return this.#serverIsEmpty;
  }

  /** The worker has asked for a job, which ends its sleep. */
  grabSent(): void {
    this.#wake();
    this.#serverTimerIsSet = false;
  }

  /** The server has answered NO_JOB. */
  noJob(): void {
    this.#serverIsEmpty = true;
  }

  /** The server has assigned a job, and limits its time if `timed`. */
  jobAssigned({ timed }: { timed: boolean }): void {
    this.#serverIsEmpty = false;
    this.#serverTimerIsSet = timed;
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

  /** The server was silent for a while. gearmand 1.1.20 sends no NOOP when a job becomes due: it must be asked. */
  poll(): void {
    this.#serverIsEmpty = false;
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
    if (this.#serverTimerIsSet) this.#stopServerTimer();
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

  /**
   * gearmand keeps the timer of an ended job until the next grab, or until a PRE_SLEEP that finds no runnable job. When
   * the timer fires, gearmand requeues whatever job has the memory of the ended one by then. Without functions no job is
   * runnable: this PRE_SLEEP stops the timer.
   */
  #stopServerTimer(): void {
    this.#serverTimerIsSet = false;
    this.#connection.send(PacketType.RESET_ABILITIES);
    this.#connection.send(PacketType.PRE_SLEEP);
    this.#connection.announceAll();
  }
}

/** False alarms in a row that are tolerated before sleep is delayed. */
const MAX_FALSE_ALARMS = 3;
/** A worker that is woken within this time, in milliseconds, was woken for a job that was there when it fell asleep. */
const MIN_SLEEP = 20;
/** Maximum delay of sleep in milliseconds. */
const MAX_SLEEP_DELAY = 250;

/**
 * Alarms without a job behind them. If a low job waits behind one that is not due yet, gearmand 1.1.20 answers PRE_SLEEP
 * with NOOP at once, but then does not assign it: without a delay the worker would grab and sleep in a busy loop.
 */
class FalseAlarms {
  #count = 0;

  /** Milliseconds before the worker may sleep: none, then twice as long with each false alarm. */
  get sleepDelay(): number {
    return this.#count <= MAX_FALSE_ALARMS ? 0 : Math.min(MAX_SLEEP_DELAY, 2 ** this.#count);
  }

  wokenAfter(ms: number): void {
    if (ms < MIN_SLEEP) this.#count += 1;
    else this.#count = 0;
  }

  reset(): void {
    this.#count = 0;
  }
}
