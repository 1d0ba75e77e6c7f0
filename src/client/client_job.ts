/** The public side of a foreground job. */

import type { Bytes } from "../internal/bytes.ts";
import { markHandled } from "../internal/promises.ts";
import { utf8Decoder } from "../internal/text.ts";
import type { ForegroundJob } from "./foreground_job.ts";
import type { Job, JobEvent } from "./job.ts";

type DecodeOutput<Output> = (bytes: Uint8Array) => Output | PromiseLike<Output>;

/** The public side of a {@linkcode ForegroundJob}. */
export class ClientJob<Output> implements Job<Output> {
  readonly functionName: string;
  readonly unique: string;
  readonly #job: ForegroundJob;
  readonly #decode: DecodeOutput<Output> | undefined;

  /** Takes what decodes the output; for a function by name, the output is the bytes. */
  constructor(job: ForegroundJob, decode: DecodeOutput<Output> | undefined) {
    this.functionName = job.functionName;
    this.unique = job.unique;
    this.#job = job;
    this.#decode = decode;
  }

  get handle(): string | undefined {
    return this.#job.handle;
  }

  created(): Promise<string> {
    return this.#job.created();
  }

  result(): Promise<Output> {
    const bytes = this.bytes();
    return this.#decode === undefined
      ? bytes as Promise<unknown> as Promise<Output>
      : markHandled(bytes.then(this.#decode));
  }

  bytes(): Promise<Bytes> {
    return markHandled(this.#job.collect());
  }

  text(): Promise<string> {
    return markHandled(this.bytes().then((bytes) => utf8Decoder.decode(bytes)));
  }

  json<T = unknown>(): Promise<T> {
    return markHandled(this.text().then((text) => this.#job.parseJson(text) as T));
  }

  stream(): ReadableStream<Bytes> {
    const job = this.#job;
    job.consume();
    return new ReadableStream<Bytes>({
      async pull(controller) {
        for (;;) {
          const { value: event } = await job.next();
          if (event === undefined) return controller.close();
          const isPiece = event.type === "data" || event.type === "complete";
          if (isPiece && event.data.length > 0) return controller.enqueue(event.data as Bytes);
        }
      },
      cancel() {
        job.abandon();
      },
    }, { highWaterMark: 0 });
  }

  /** Makes a job awaitable without being a promise. */
  then<A = Output, B = never>(
    onResult?: ((output: Output) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result().then(onResult, onError);
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Output | B> {
    return this.result().catch(onError);
  }

  finally(onEnd?: (() => void) | null): Promise<Output> {
    return this.result().finally(onEnd);
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
