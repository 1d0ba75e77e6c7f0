/** The foreground jobs of one connection, by handle, and which submission gets which copy of a packet. */

import type { GearmanError } from "../errors.ts";
import { Fifo } from "../internal/queue.ts";
import type { JobEvent } from "./job.ts";

/** The submission of a foreground job, as it receives what its server sends; once it is settled it ignores that. */
export interface JobSubscriber {
  /** True if nothing waits for the job any more. */
  readonly settled: boolean;
  onEvent(event: JobEvent): void;
  /** The worker failed the job; `exception` holds the data of WORK_EXCEPTION. */
  onFailed(exception: Uint8Array | undefined): void;
  /** A packet of the job was too large to receive. */
  onOversized(error: GearmanError): void;
  /** The connection was lost, or the job was, after the server had accepted it. */
  onGone(error: GearmanError, server: string): void;
}

/**
 * Subscribers by handle. Each submission of one unique gets a copy of every packet, and the server sends all copies in a
 * row: so the subscribers of a handle take turns, and leave with their final packet. One that was abandoned stays, since
 * the server goes on to send its copies.
 */
export class RunningJobs {
  readonly #subscribers = new Map<string, Fifo<JobSubscriber>>();

  /** Number of handles. */
  get size(): number {
    return this.#subscribers.size;
  }

  subscribe(handle: string, subscriber: JobSubscriber): void {
    const present = this.#subscribers.get(handle);
    if (present === undefined) this.#subscribers.set(handle, new Fifo([subscriber]));
    else present.push(subscriber);
  }

  /** Returns the receiver of a packet after which more may follow. */
  nextReceiver(handle: string): JobSubscriber | undefined {
    const present = this.#subscribers.get(handle);
    const subscriber = present?.first;
    if (present !== undefined && present.length > 1) present.push(present.shift()!);
    return subscriber;
  }

  /** Returns the receiver of a final packet, and forgets it. */
  lastReceiver(handle: string): JobSubscriber | undefined {
    const present = this.#subscribers.get(handle);
    const subscriber = present?.shift();
    if (present?.length === 0) this.#subscribers.delete(handle);
    return subscriber;
  }

  /** Returns at most `max` handles that something waits for, those first that were not returned for the longest time. */
  nextHandles(max: number): string[] {
    const handles: string[] = [];
    for (const [handle, subscribers] of this.#subscribers) {
      if (handles.length === max) break;
      if ([...subscribers].some(({ settled }) => !settled)) handles.push(handle);
    }
    for (const handle of handles) {
      const subscribers = this.#subscribers.get(handle)!;
      this.#subscribers.delete(handle);
      this.#subscribers.set(handle, subscribers);
    }
    return handles;
  }

  /** Ends the jobs of one handle: the server does not know it any more. */
  vanish(handle: string, error: GearmanError, server: string): void {
    const subscribers = this.#subscribers.get(handle)?.drain() ?? [];
    this.#subscribers.delete(handle);
    for (const subscriber of subscribers) subscriber.onGone(error, server);
  }

  /** Ends all jobs: their connection was lost. */
  vanishAll(error: GearmanError, server: string): void {
    for (const handle of [...this.#subscribers.keys()]) this.vanish(handle, error, server);
  }
}
