// Sources of workloads whose use a test can see, and what comes of submitting them.

import { type BackgroundJob, GearmanClient, type Workload } from "../../mod.ts";
import { text } from "./bytes.ts";
import { type FakeServer, isSubmission } from "./fake_server.ts";

/** Workloads "0", "1" and so on, and what became of their source. */
export class Numbers implements Iterable<string> {
  readonly #count: number;
  /** How many were asked for. */
  asked = 0;
  /** How often it was closed before its end. */
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

/** A source that yields when the test says so, and whose return() does not wait for that. */
export class Faucet implements AsyncIterable<Workload>, AsyncIterator<Workload> {
  readonly #results: IteratorResult<Workload>[] = [];
  #wanted: ((result: IteratorResult<Workload>) => void) | undefined;
  closed = 0;

  push(...workloads: Workload[]): void {
    for (const value of workloads) this.#give({ done: false, value });
  }

  end(): void {
    this.#give({ done: true, value: undefined });
  }

  #give(result: IteratorResult<Workload>): void {
    if (this.#wanted === undefined) this.#results.push(result);
    else this.#wanted(result);
    this.#wanted = undefined;
  }

  next(): Promise<IteratorResult<Workload>> {
    return new Promise((resolve) => {
      const result = this.#results.shift();
      if (result !== undefined) resolve(result);
      else this.#wanted = resolve;
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

/** A client of a server that the test plays. */
export function clientOf(server: FakeServer): GearmanClient {
  return new GearmanClient({ dial: server.dial, minBackoff: 1, maxBackoff: 1 });
}

/** The workloads that it was sent. */
export function submitted({ peers }: FakeServer): string[] {
  return peers.flatMap(({ requests }) => requests.filter(isSubmission)).map(({ args }) => text(args.at(-1)!));
}

/** Everything that is yielded; `Array.fromAsync` is not in Node 20. */
export async function listOf<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of source) list.push(one);
  return list;
}

/** What is yielded, and the error that ends it, if one does. */
export async function outcomeOf(jobs: AsyncIterable<BackgroundJob>): Promise<{ handles: string[]; error: unknown }> {
  const handles: string[] = [];
  try {
    for await (const { handle } of jobs) handles.push(handle);
  } catch (error) {
    return { handles, error };
  }
  return { handles, error: undefined };
}
