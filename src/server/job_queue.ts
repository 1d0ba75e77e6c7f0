/** Where jobs wait: in line for a worker, or for their time to come. Neither costs more for a job when there are many. */

import type { Job } from "./state.ts";

/** A line of jobs, first in, first out; linked through `job.next`. */
export class JobQueue {
  first: Job | undefined;
  #last: Job | undefined;
  size = 0;

  push(job: Job): void {
    if (this.first === undefined) this.first = job;
    else this.#last!.next = job;
    this.#last = job;
    this.size++;
  }

  shift(): Job | undefined {
    const job = this.first;
    if (job === undefined) return undefined;
    this.first = job.next;
    if (this.first === undefined) this.#last = undefined;
    job.next = undefined;
    this.size--;
    return job;
  }
}

/** Jobs that must not run yet, the earliest first: a binary heap. Of two that are due together the older is earlier. */
export class WaitingRoom {
  readonly #heap: Job[] = [];

  get first(): Job | undefined {
    return this.#heap[0];
  }

  push(job: Job): void {
    const heap = this.#heap;
    let at = heap.length;
    for (let above = (at - 1) >> 1; at > 0 && isEarlier(job, heap[above]!); above = (at - 1) >> 1) {
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = job;
  }

  shift(): Job | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const moved = heap.pop();
    if (moved === undefined || heap.length === 0) return first;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && isEarlier(heap[below + 1]!, heap[below]!)) below++;
      if (!isEarlier(heap[below]!, moved)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = moved;
    return first;
  }
}

function isEarlier(a: Job, b: Job): boolean {
  return a.due < b.due || (a.due === b.due && a.serial < b.serial);
}
