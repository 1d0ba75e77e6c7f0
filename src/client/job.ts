/** A foreground job, as the caller sees it. */

import type { Bytes } from "../internal/bytes.ts";

/** An event of a foreground job; events come in order, and a failure is thrown instead. */
export type JobEvent =
  | { readonly type: "created"; readonly handle: string }
  | { readonly type: "status"; readonly numerator: number; readonly denominator: number }
  | { readonly type: "data" | "warning" | "complete"; readonly data: Uint8Array };

/**
 * A foreground job: awaitable, iterable, a stream.
 *
 * `await job` is `await job.result()`: the output of a typed function, and all bytes of a function by name. A job has one
 * consumer: `result`, `bytes`, `text`, `json`, `stream` or iteration. A second one is a `TypeError`.
 *
 * A job that fails throws a `JobFailedError` in its consumer, iteration included. A lost connection is a
 * `ConnectionError`, an abort the signal's reason. Without a consumer nothing is thrown. Leaving an iteration (`break`) or cancelling the stream abandons
 * the job here; the server still runs it.
 *
 * A job is awaited like a promise: an `async` function that returns one consumes it.
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
export interface Job<Output = Bytes> extends PromiseLike<Output>, AsyncIterable<JobEvent> {
  /** The name of the function. */
  readonly functionName: string;
  /** The unique of the submission, or the empty string. */
  readonly unique: string;
  /** The handle, once the server has created the job. */
  readonly handle: string | undefined;
  /** Resolves to the handle as soon as the server has created the job. It may be called any number of times. */
  created(): Promise<string>;
  /**
   * Collects all data and the result, joined, and decodes and checks them as the output of a typed function. For a function
   * by name it is the same as {@linkcode Job.bytes}.
   *
   * @throws {ValidationError} The output cannot be decoded, or its schema refuses it.
   * @throws {JobFailedError} The job failed; for the other errors see {@linkcode Job.bytes}.
   */
  result(): Promise<Output>;
  /**
   * Collects all data and the result, joined, as PHP's `doNormal` returns them.
   *
   * @throws {JobFailedError} The job failed.
   * @throws {ConnectionError} The connection was lost; see its `delivery`.
   * @throws {ServerError} The server refused the job.
   * @throws {GearmanError} The result is larger than `maxResultSize`.
   * @throws {TypeError} The job has a consumer already.
   */
  bytes(): Promise<Bytes>;
  /** The same as {@linkcode Job.bytes}, decoded as UTF-8; a byte order mark stays in the text. */
  text(): Promise<string>;
  /**
   * The same as {@linkcode Job.text}, parsed as JSON, without a byte order mark; rejects with a `SyntaxError` that names the
   * job if it is not JSON.
   */
  json<T = unknown>(): Promise<T>;
  /** The same as `catch` of the promise that {@linkcode Job.result} returns. */
  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Output | B>;
  /** The same as `finally` of the promise that {@linkcode Job.result} returns. */
  finally(onEnd?: (() => void) | null): Promise<Output>;
  /**
   * Returns data and result as a stream of pieces with at least one byte each.
   *
   * @throws {TypeError} The job has a consumer already.
   */
  stream(): ReadableStream<Bytes>;
}
