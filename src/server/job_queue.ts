/** Where jobs wait: in line for a worker, or for their time to come. */

import type { Job } from "./state.ts";

/** Jobs in some order, of which the first can be taken: a binary heap, so that many jobs cost each other little. */
export class JobQueue {
  readonly #heap: Job[] = [];
  readonly #isBefore: (a: Job, b: Job) => boolean;

  constructor(isBefore: (a: Job, b: Job) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#heap.length;
  }

  get first(): Job | undefined {
    return this.#heap[0];
  }

  push(job: Job): void {
    const heap = this.#heap;
    let at = heap.length;
    for (let above = (at - 1) >> 1; at > 0 && this.#isBefore(job, heap[above]!); above = (at - 1) >> 1) {
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
      if (below + 1 < heap.length && this.#isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!this.#isBefore(heap[below]!, moved)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = moved;
    return first;
  }

  /** Takes out all jobs of which that is true: it looks at every one. */
  take(isMeant: (job: Job) => boolean): Job[] {
    const jobs = this.#heap.splice(0);
    for (const job of jobs) if (!isMeant(job)) this.push(job);
    return jobs.filter(isMeant);
  }
}
