/** Waiting until a server has taken the functions of a worker. */

import type { GearmanError } from "../errors.ts";
import { type Deferred, deferred } from "../internal/promises.ts";
import { orAbort } from "../internal/signals.ts";

/** The calls that wait until a server has taken the functions. */
export class Readiness {
  #waiters = new Set<Deferred<void>>();

  get isAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  /** Waits for a server. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    const waiter = deferred<void>();
    this.#waiters.add(waiter);
    try {
      await orAbort(waiter.promise, signal);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** Returns a function that lets the calls return which wait now: a later one may wait for functions added later. */
  release(): () => void {
    const waiters = [...this.#waiters];
    return () => waiters.forEach((waiter) => waiter.resolve());
  }

  /** Ends all waiting with an error. */
  fail(error: GearmanError): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}
