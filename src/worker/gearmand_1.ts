/**
 * Work-arounds that only gearmand 1 needs. When it is gone, this file can go:
 *
 * - `FalseAlarms` delays sleep if the worker is woken again and again without a job. gearmand 2.0 does not do that.
 * - `DueJobs` asks for jobs that have become due. gearmand 2.0 wakes a worker for them.
 * - `ServerTimer` removes the time limit of an ended job before the worker sleeps. gearmand 2.0 was seen to keep it too;
 *   it starts it again with each job, so that it is wrong less often.
 */

import { PacketType } from "../codec/packet.ts";

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
export class FalseAlarms {
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

/**
 * Asks for jobs that have become due while the worker sleeps: gearmand 1.1.20 sends no NOOP then.
 *
 * A sleeping worker sends PRE_SLEEP once more. That takes 12 bytes and no slot, and is answered, with NOOP, only if there
 * is a job.
 */
export class DueJobs {
  readonly #interval: number;
  readonly #onPoll: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Takes the time between two questions in milliseconds; 0 for none. */
  constructor(interval: number, onPoll: () => void) {
    this.#interval = interval;
    this.#onPoll = onPoll;
  }

  start(): void {
    if (this.#interval > 0) this.#timer = setInterval(this.#onPoll, this.#interval);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** What the timer of a server needs of the connection. */
export interface TimedConnection {
  send(type: typeof PacketType.PRE_SLEEP | typeof PacketType.RESET_ABILITIES): void;
  /** Announces all functions again, after RESET_ABILITIES. */
  announceAll(): void;
}

/** The time limit of a job, running or ended, at the server. */
export class ServerTimer {
  readonly #connection: TimedConnection;
  #state: "set" | "stopped" = "stopped";

  constructor(connection: TimedConnection) {
    this.#connection = connection;
  }

  /** The server has assigned a job, and limits its time if `timed`. */
  jobAssigned({ timed }: { timed: boolean }): void {
    this.#state = timed ? "set" : "stopped";
  }

  /** The worker has asked for a job, which stops the timer. */
  grabSent(): void {
    this.#state = "stopped";
  }

  /**
   * Stops the timer. gearmand keeps the one of an ended job until the next grab, or until a PRE_SLEEP that finds no
   * runnable job. When it fires, gearmand requeues whatever job has the memory of the ended one by then. Without functions
   * no job is runnable: this PRE_SLEEP stops the timer.
   */
  stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#connection.send(PacketType.RESET_ABILITIES);
    this.#connection.send(PacketType.PRE_SLEEP);
    this.#connection.announceAll();
  }
}
