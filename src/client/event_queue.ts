/** What a job's consumer has not read yet. */

import { Fifo } from "./fifo.ts";
import type { JobEvent } from "./job.ts";

/** What an event counts besides its bytes: a flood of empty ones must reach the bound too. */
const EVENT_SIZE = 64;

/** An event, or the place of a status that has been overtaken. */
type Place = { event: JobEvent | undefined };

/** Events in order; of statuses only the last is kept, since it says all that those before it said. */
export class EventQueue {
  readonly #places = new Fifo<Place>();
  /** The status that is here, if there is one. */
  #status: Place | undefined;
  /** Bytes that the unread events are counted as. */
  size = 0;

  push(event: JobEvent): void {
    const place = { event };
    if (event.type === "status") {
      const status = this.#status;
      if (status !== undefined && status === this.#places.last) {
        status.event = event;
        return;
      }
      if (status !== undefined) status.event = undefined; // it still counts, since it still takes its place
      this.#status = place;
    }
    this.#places.push(place);
    this.size += sizeOf(event);
  }

  shift(): JobEvent | undefined {
    for (let place = this.#places.shift(); place !== undefined; place = this.#places.shift()) {
      const { event } = place;
      if (place === this.#status) this.#status = undefined;
      this.size -= sizeOf(event);
      if (event !== undefined) return event;
    }
    return undefined;
  }

  clear(): void {
    this.#places.drain();
    this.#status = undefined;
    this.size = 0;
  }
}

function sizeOf(event: JobEvent | undefined): number {
  return EVENT_SIZE + (event !== undefined && "data" in event ? event.data.length : 0);
}
