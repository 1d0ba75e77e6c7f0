// Sources of workloads that record how they are used, and helpers that collect what an iterable yields.

import type { BackgroundJob, Workload } from "../../mod.ts";

/** Yields the workloads "0", "1" and so on, and records how it is used. */
export class NumberSource implements Iterable<string> {
  readonly #count: number;
  /** Number of workloads that were requested. */
  asked = 0;
  /** Number of times that it was closed before its end. */
  closed = 0;

  constructor(count: number) {
    this.#count = count;
  }

  [Symbol.iterator](): Iterator<string> {
    return {
      next: () =>
        this.asked === this.#count ? { done: true, value: undefined } : { done: false, value: `${this.asked++}` },
      return: () => {
        this.closed++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** Yields workloads when the test pushes them; `return()` does not wait for a pending `next()`. */
export class ManualSource implements AsyncIterable<Workload>, AsyncIterator<Workload> {
  readonly #results: IteratorResult<Workload>[] = [];
  #waiting: ((result: IteratorResult<Workload>) => void) | undefined;
  closed = 0;

  push(...workloads: Workload[]): void {
    for (const value of workloads) this.#give({ done: false, value });
  }

  end(): void {
    this.#give({ done: true, value: undefined });
  }

  #give(result: IteratorResult<Workload>): void {
    if (this.#waiting === undefined) this.#results.push(result);
    else this.#waiting(result);
    this.#waiting = undefined;
  }

  next(): Promise<IteratorResult<Workload>> {
    return new Promise((resolve) => {
      const result = this.#results.shift();
      if (result !== undefined) resolve(result);
      else this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<Workload>> {
    this.closed++;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Collects everything that is yielded; `Array.fromAsync` is missing in Node 20. */
export async function toArray<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of source) list.push(one);
  return list;
}

/** Collects the handles of all jobs, and the error that ends the iteration, if there is one. */
export async function collectHandles(
  jobs: AsyncIterable<BackgroundJob>,
): Promise<{ handles: string[]; error: unknown }> {
  const handles: string[] = [];
  try {
    for await (const { handle } of jobs) handles.push(handle);
  } catch (error) {
    return { handles, error };
  }
  return { handles, error: undefined };
}
