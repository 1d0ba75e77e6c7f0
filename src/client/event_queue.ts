/** What a job's consumer has not read yet. */

import type { JobEvent } from "./job.ts";

/** What an event counts besides its bytes: a flood of empty ones must reach the bound too. */
const EVENT_SIZE = 64;

/** Events in order; of statuses only the last is kept, since it says all that those before it said. */
export class EventQueue {
  readonly #events = new Set<JobEvent>();
  /** Goes on from event to event: one made anew would pass, each time, the places of all that have been taken. */
  #reader = this.#events.values();
  #status: JobEvent | undefined;
  /** Bytes that the unread events are counted as. */
  size = 0;

  push(event: JobEvent): void {
    if (event.type === "status") {
      if (this.#status !== undefined) this.#remove(this.#status);
      this.#status = event;
    }
    this.#events.add(event);
    this.size += sizeOf(event);
  }

  shift(): JobEvent | undefined {
    if (this.size === 0) return undefined;
    let event = this.#reader.next().value;
    if (event === undefined) {
      this.#reader = this.#events.values(); // one that has been at the end stays there
      event = this.#reader.next().value!;
    }
    this.#remove(event);
    return event;
  }

  #remove(event: JobEvent): void {
    if (this.#events.delete(event)) this.size -= sizeOf(event);
  }
}

const sizeOf = (event: JobEvent) => EVENT_SIZE + ("data" in event ? event.data.length : 0);
