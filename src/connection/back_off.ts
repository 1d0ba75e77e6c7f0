/** Back-off: the time that a server which failed is not dialed, longer with each failure in a row. */

/** Enough for every pair of delays. 2 to the power of 1,024 would be infinite, and infinity times 0 is NaN. */
const MAX_DOUBLINGS = 31;

/** Counts failures in a row and computes the delay after each. */
export class BackOff {
  readonly #minDelay: number;
  readonly #maxDelay: number;
  /** Failures in a row. */
  failures = 0;

  /** Takes the first and the longest delay in ms. */
  constructor(minDelay: number, maxDelay: number) {
    this.#minDelay = minDelay;
    this.#maxDelay = maxDelay;
  }

  /**
   * Counts one more failure; returns the delay until the next attempt in ms: `minDelay`, then twice as long each time,
   * with jitter. With `firstIsFree` a first failure costs nothing, since it may be chance.
   */
  fail({ firstIsFree }: { firstIsFree: boolean }): number {
    this.failures += 1;
    const counted = firstIsFree ? this.failures - 1 : this.failures;
    if (counted === 0) return 0;
    const doublings = Math.min(counted - 1, MAX_DOUBLINGS);
    const longest = Math.min(this.#maxDelay, this.#minDelay * 2 ** doublings);
    return Math.round(longest * (0.5 + Math.random() / 2));
  }

  /** Ends the row of failures: the server has answered. */
  reset(): void {
    this.failures = 0;
  }
}
