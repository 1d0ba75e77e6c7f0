/** The memory of a client's jobs whose consumers lag: together they hold at most `maxBufferedTotal` bytes. */

/** A job whose consumer lags, as it is ended when all together hold too much. */
export interface LaggingJob {
  /** Its consumer is too far behind; the reason is one for a message. */
  onTooMuchUnread(reason: string): void;
}

/** Counts the unread bytes of the jobs that still run. What a finished job holds is its caller's. */
export class LaggingJobs {
  readonly #max: number;
  readonly #sizes = new Map<LaggingJob, number>();
  #total = 0;

  /** Takes the maximum in bytes. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Sets the unread bytes of a job, and ends the one that holds most if all hold too much. */
  update(job: LaggingJob, size: number): void {
    this.#total += size - (this.#sizes.get(job) ?? 0);
    if (size === 0) this.#sizes.delete(job);
    else this.#sizes.set(job, size);
    if (this.#total <= this.#max) return;
    const [largest] = [...this.#sizes].reduce((one, other) => other[1] > one[1] ? other : one);
    largest.onTooMuchUnread(`the jobs of its client are over ${this.#max} bytes behind (maxBufferedTotal)`);
  }
}
