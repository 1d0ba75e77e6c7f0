/** A job in the foreground, as its submitter holds it: awaitable, iterable, a stream. */

import type { Bytes } from "../internal/bytes.ts";
import { markHandled } from "../internal/promises.ts";
import type { ForegroundJob } from "./foreground_job.ts";

/** What happens to a foreground job, in order; a failure is thrown instead. */
export type JobEvent =
  | { readonly type: "created"; readonly handle: string }
  | { readonly type: "status"; readonly numerator: number; readonly denominator: number }
  | { readonly type: "data" | "warning" | "complete"; readonly data: Uint8Array };

/**
 * A foreground job.
 *
 * `await job` is `await job.bytes()`. `bytes`, `text`, `json`, `stream` and iteration are consumers, and there is one: a
 * second is a `TypeError`. A failure is a `JobFailedError`, a lost connection a `ConnectionError`, an abort the signal's
 * reason; a job that nobody consumes throws nothing. Since it is awaited like a promise, an `async` function that returns
 * a job consumes it. Leaving an iteration (`break`), or cancelling the stream, abandons
 * the job here; the server still runs it.
 *
 * @example The result as a whole, and the progress
 * ```ts
 * import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using worker = new GearmanWorker({ dial: server.dial });
 * worker.addFunction("count", async function* (job) {
 *   for (let i = 1; i <= 3; i++) {
 *     await job.sendStatus(i, 3);
 *     yield `${i} `;
 *   }
 *   return "done";
 * });
 * worker.run();
 *
 * await using client = new GearmanClient({ dial: server.dial });
 * console.log(await client.do("count").text()); // 1 2 3 done
 * for await (const event of client.do("count")) {
 *   if (event.type === "status") console.log(`${event.numerator} of ${event.denominator}`);
 * }
 * ```
 */
export interface Job extends PromiseLike<Bytes>, AsyncIterable<JobEvent> {
  /** The function that was asked for. */
  readonly functionName: string;
  /** The unique that it was submitted with, or the empty string. */
  readonly unique: string;
  /** The handle, once the server has created the job. */
  readonly handle: string | undefined;
  /** Resolves to the handle as soon as the server has created the job; may be called any number of times. */
  created(): Promise<string>;
  /**
   * Collects all data and the result, joined, as PHP's `doNormal` returns them.
   *
   * @throws {JobFailedError} The job failed.
   * @throws {ConnectionError} The connection was lost; see its `delivery`.
   * @throws {ServerError} The server refused the job.
   * @throws {GearmanError} There are more bytes than `maxResultSize`.
   * @throws {TypeError} The job has a consumer already.
   */
  bytes(): Promise<Bytes>;
  /** The same as {@linkcode Job.bytes}, read as UTF-8. */
  text(): Promise<string>;
  /** The same as {@linkcode Job.text}, parsed as JSON; throws a `SyntaxError` where it is none. */
  json<T = unknown>(): Promise<T>;
  /**
   * Data and result as a stream, piece by piece, each with at least one byte.
   *
   * @throws {TypeError} The job has a consumer already.
   */
  stream(): ReadableStream<Bytes>;
}

/** The face of a {@linkcode ForegroundJob} towards its submitter. */
export class ClientJob implements Job {
  readonly functionName: string;
  readonly unique: string;
  readonly #job: ForegroundJob;

  constructor(job: ForegroundJob) {
    ({ functionName: this.functionName, unique: this.unique } = job);
    this.#job = job;
  }

  get handle(): string | undefined {
    return this.#job.handle;
  }

  created(): Promise<string> {
    return this.#job.created();
  }

  bytes(): Promise<Bytes> {
    return markHandled(this.#job.collect());
  }

  text(): Promise<string> {
    return markHandled(this.bytes().then((bytes) => new TextDecoder().decode(bytes)));
  }

  json<T = unknown>(): Promise<T> {
    return markHandled(this.text().then((text) => JSON.parse(text) as T));
  }

  stream(): ReadableStream<Bytes> {
    const job = this.#job;
    job.consume();
    return new ReadableStream<Bytes>({
      async pull(controller) {
        for (;;) {
          const { value: event } = await job.next();
          if (event === undefined) return controller.close();
          if ((event.type === "data" || event.type === "complete") && event.data.length > 0) {
            return controller.enqueue(event.data as Bytes);
          }
        }
      },
      cancel: () => void job.abandon(),
    }, { highWaterMark: 0 });
  }

  /** A job is awaited like a promise, and yet has more to it than one. */
  then<A = Bytes, B = never>(
    onResult?: ((bytes: Bytes) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.bytes().then(onResult, onError);
  }

  [Symbol.asyncIterator](): AsyncIterator<JobEvent, void, undefined> {
    const job = this.#job;
    job.consume();
    return {
      next: () => job.next(),
      return: () => job.abandon(),
    };
  }
}
