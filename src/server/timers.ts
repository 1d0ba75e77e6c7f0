/** The timers of a job server: time limits of running jobs, and the time of the next epoch job. */

import { MAX_TIMER } from "../internal/checks.ts";
import type { ServerJob } from "./model.ts";

type Timer = ReturnType<typeof setTimeout>;

/** One timer for each running job that has a time limit, from CAN_DO_TIMEOUT. */
export class TimeLimits {
  readonly #timers = new Map<ServerJob, Timer>();
  readonly #onExpired: (job: ServerJob) => void;

  constructor(onExpired: (job: ServerJob) => void) {
    this.#onExpired = onExpired;
  }

  /** Starts the time limit of a job, in milliseconds. */
  start(job: ServerJob, limit: number): void {
    this.#timers.set(job, setTimeout(() => this.#onExpired(job), limit));
  }

  /** Ends the time limit of a job, if it has one. */
  stop(job: ServerJob): void {
    clearTimeout(this.#timers.get(job));
    this.#timers.delete(job);
  }

  stopAll(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** One timer for all epoch jobs: it fires when the first is due. */
export class EpochTimer {
  readonly #onDue: () => void;
  #timer: Timer | undefined;
  /** The time that the timer is set to, in milliseconds since 1970; infinite while it is not set. */
  #due = Infinity;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** Sets the timer to a time in milliseconds since 1970; an infinite time stops it. */
  set(due: number): void {
    if (due === this.#due) return;
    this.stop();
    if (due === Infinity) return;
    this.#due = due;
    // A job that is due in a year must not keep the process alive. A longer timer than MAX_TIMER would fire at once.
    this.#timer = setTimeout(() => this.#fire(), Math.min(due - Date.now(), MAX_TIMER));
    (this.#timer as { unref?(): void }).unref?.();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#due = Infinity;
  }

  #fire(): void {
    this.#due = Infinity;
    this.#onDue();
  }
}
