/** Events that the consumer of a job has not read yet. */

import type { JobEvent } from "./job.ts";

/** Size in bytes that an event counts besides its data, so that a flood of empty events reaches the limit too. */
const EVENT_SIZE = 64;

/** Events in order. Of the statuses only the last is kept, since it replaces those before it. */
export class EventQueue {
  readonly #events = new Set<JobEvent>();
  /** One iterator for all reads: a new one would have to skip the places of all events that were taken. */
  #reader = this.#events.values();
  #status: JobEvent | undefined;
  /** Size of the unread events in bytes. */
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
      this.#reader = this.#events.values(); // an iterator that has reached the end stays there
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
