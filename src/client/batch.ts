/** Submitting any number of background jobs in one pipeline: in order, in bounded memory, without a promise for each. */

import { checkFunction, checkOptions, wholeNumber } from "../internal/checks.ts";
import { markHandled, Notifier } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { orAbort } from "../internal/signals.ts";
import type { Workload } from "../connection/arguments.ts";
import type { AnyFunction } from "../function/function.ts";
import { signalOf } from "../connection/options.ts";
import type { BackgroundJob } from "./background_job.ts";
import { BatchSubmission } from "./submission.ts";
import { type DoBackgroundOptions, packetOf, type SharedOptions } from "./submission_packet.ts";

/** Options of many submissions in the background. */
export interface DoBackgroundAllOptions<Input = Workload> extends Omit<DoBackgroundOptions, "unique"> {
  /** Maximum number of jobs that are in flight, or accepted and not taken from the generator yet. Default 1,000. */
  inFlight?: number | undefined;
  /** Makes the unique of each job from its input and its index, counted from 0. Default a generated unique. */
  unique?: ((input: Input, index: number) => string) | undefined;
}

/** Inputs, read one by one or as they come; the workloads of a function by name. */
export type Inputs = Iterable<unknown> | AsyncIterable<unknown>;

/** What a batch needs of its client. */
export interface BatchContext {
  makeUnique(): string;
  /** Sends a submission; returns a promise if its input is encoded asynchronously, which resolves when it was sent. */
  send(
    submission: BatchSubmission,
    signal: AbortSignal | undefined,
    fn: string | AnyFunction,
    input: unknown,
  ): PromiseLike<void> | void;
}

/**
 * The phases of a batch; `src/README.md` has the diagram.
 *
 * - reading: the source is read as fast as jobs are accepted and taken.
 * - draining: the source has ended, or a submission has failed; nothing more is read.
 * - failed: the source or a workload has failed; the error is thrown after the jobs before it.
 * - done: the generator has returned or thrown, or its loop was left.
 */
type BatchState =
  | { readonly phase: "reading" }
  | { readonly phase: "draining" }
  | { readonly phase: "failed"; readonly error: unknown }
  | { readonly phase: "done" };

/** Submits the inputs of a source; see `GearmanClient.doBackgroundAll`. */
export function submitAll(
  fn: string | AnyFunction,
  inputs: Inputs,
  options: DoBackgroundAllOptions<never>,
  context: BatchContext,
): AsyncGenerator<BackgroundJob, void, undefined> {
  const slot: BatchSlot = { batch: undefined };
  const generator = runBatch(slot, fn, inputs, options, context);
  const generate = generator.next.bind(generator);
  let generating = 0;
  const generateNext = async () => {
    generating += 1;
    try {
      return await generate();
    } finally {
      generating -= 1;
    }
  };
  return Object.assign(generator, {
    // A job that is ready is taken past the generator, whose own promises cost more than all the rest.
    next: () => {
      const job = generating === 0 ? slot.batch?.takeReadyJob() : undefined;
      return job === undefined ? generateNext() : Promise.resolve({ done: false as const, value: job });
    },
  });
}

/** Where a generator puts its batch. */
interface BatchSlot {
  batch: Batch | undefined;
}

async function* runBatch(
  slot: BatchSlot,
  fn: string | AnyFunction,
  inputs: Inputs,
  options: DoBackgroundAllOptions<never>,
  context: BatchContext,
): AsyncGenerator<BackgroundJob, void, undefined> {
  checkOptions(options);
  const { unique = () => context.makeUnique() } = options;
  const inFlight = wholeNumber(options, "inFlight", 1_000, 1, Number.MAX_SAFE_INTEGER);
  checkFunction(unique, "unique");
  const signal = signalOf(options);
  packetOf("background", fn, "-", "", options); // what is wrong with every job is not blamed on the first
  if (typeof inputs !== "object" || inputs instanceof Uint8Array) {
    throw new TypeError("Cannot use the workloads: expected an iterable of them");
  }
  signal?.throwIfAborted();

  const batch = slot.batch = new Batch(fn, inputs, { options, inFlight, unique, signal }, context);
  let threw = false;
  try {
    for (;;) {
      batch.readAhead();
      if (!batch.hasMore) return;
      const job = batch.takeJob();
      if (job !== undefined) yield job;
      else await orAbort(batch.change.wait(), signal);
    }
  } catch (error) {
    threw = true;
    throw error;
  } finally {
    await batch.finish({ threw });
  }
}

/** The options of a batch, checked and complete. */
interface Settings {
  /** The options that a packet is made of, as the caller gave them. */
  readonly options: SharedOptions;
  readonly inFlight: number;
  readonly unique: (input: never, index: number) => string;
  readonly signal: AbortSignal | undefined;
}

class Batch {
  readonly #fn: string | AnyFunction;
  readonly #settings: Settings;
  readonly #context: BatchContext;
  readonly #source: Iterator<unknown> | AsyncIterator<unknown>;
  /** Submissions in the order of the source, until their jobs are taken. */
  readonly #submissions = new Fifo<BatchSubmission>();
  #state: BatchState = { phase: "reading" };
  /** True while the source's `next`, or the encoding of an input, is awaited: both may never answer. */
  #isWaiting = false;
  #sourceEnded = false;
  #readCount = 0;
  #takenCount = 0;
  /** Notifies when a job may be taken, or the end may have come. */
  readonly change = new Notifier();
  /** One function for all submissions. */
  readonly #onSettled = ({ failure }: BatchSubmission): void => {
    if (failure !== undefined && this.#isReading) this.#state = { phase: "draining" };
    this.change.notify();
  };

  constructor(fn: string | AnyFunction, inputs: Inputs, settings: Settings, context: BatchContext) {
    this.#fn = fn;
    this.#settings = settings;
    this.#context = context;
    this.#source = Symbol.asyncIterator in inputs ? inputs[Symbol.asyncIterator]() : inputs[Symbol.iterator]();
  }

  /** Reads on once half of the jobs in flight were taken, so that many submissions leave in one write. */
  readAhead(): void {
    const isHalfEmpty = this.#submissions.length <= this.#settings.inFlight / 2;
    if (this.#isReading && !this.#isWaiting && isHalfEmpty) this.#read();
  }

  /** False when every job was taken. */
  get hasMore(): boolean {
    return this.#state.phase !== "draining" || this.#submissions.length > 0;
  }

  /** Takes the next job if it was accepted; throws if the batch ends with an error here. */
  takeJob(): BackgroundJob | undefined {
    const next = this.#submissions.first;
    if (next === undefined && this.#state.phase === "failed") throw this.#state.error;
    if (next?.failure !== undefined) throw this.#describe(next.failure.error);
    if (next?.job === undefined) return undefined;
    this.#submissions.shift();
    this.#takenCount += 1;
    return next.job;
  }

  /** Takes the next job if there is nothing to wait for, and nothing to throw. */
  takeReadyJob(): BackgroundJob | undefined {
    this.readAhead();
    return this.#submissions.first?.job === undefined ? undefined : this.takeJob();
  }

  /** Drops what was not taken, and closes the source. */
  async finish({ threw }: { threw: boolean }): Promise<void> {
    this.#state = { phase: "done" };
    for (const submission of this.#submissions.drain()) submission.withdraw(undefined);
    if (this.#sourceEnded) return;
    const closing = (async () => await this.#source.return?.())();
    // A source may never answer, and its error must not replace the one that is thrown.
    if (this.#isWaiting || threw) markHandled(closing);
    else await closing;
  }

  get #isReading(): boolean {
    return this.#state.phase === "reading";
  }

  /** Reads and submits until enough jobs are in flight, or reading ends. */
  async #read(): Promise<void> {
    try {
      while (this.#isReading && this.#submissions.length < this.#settings.inFlight) {
        this.#isWaiting = true;
        const next = this.#source.next();
        const { done = false, value } = "then" in next ? await next : next;
        this.#sourceEnded = done;
        if (!this.#isReading) break;
        if (done) {
          this.#state = { phase: "draining" };
          break;
        }
        const sending = this.#submit(value);
        if (sending !== undefined) await sending;
        this.#isWaiting = false;
      }
    } catch (error) {
      if (this.#isReading) this.#state = { phase: "failed", error };
    }
    this.change.notify();
  }

  #submit(input: unknown): PromiseLike<void> | void {
    const index = this.#readCount;
    this.#readCount += 1;
    const { options, unique: makeUnique, signal } = this.#settings;
    const unique = makeUnique(input as never, index);
    try {
      const packet = packetOf("background", this.#fn, input, unique, options);
      const submission = new BatchSubmission(packet, this.#onSettled);
      this.#submissions.push(submission);
      return this.#context.send(submission, signal, this.#fn, input);
    } catch (error) {
      throw withIndex(error, index);
    }
  }

  /** An abort is thrown as it is; other errors say which workload they are about. */
  #describe(error: unknown): unknown {
    return error === this.#settings.signal?.reason ? error : withIndex(error, this.#takenCount);
  }
}

/** Puts the index of the workload into an error, also where its stack is logged. */
function withIndex(error: unknown, index: number): unknown {
  const { message, stack = "" } = error as Error;
  const indexed = `Workload ${index}: ${message}`;
  return Object.assign(error as Error, { message: indexed, stack: stack.replace(message, () => indexed) });
}
