/** A foreground job: its submission, the events that arrive for it, and the one consumer that reads them. */

import { ConnectionError, GearmanError, JobFailedError } from "../errors.ts";
import type { Bytes } from "../internal/bytes.ts";
import { attempt, type Deferred, deferred, markHandled, type Settle } from "../internal/promises.ts";
import { messageOf, printable, readText } from "../internal/text.ts";
import type { Packet } from "../codec/packet.ts";
import { handleOf } from "../connection/reply.ts";
import { Collector } from "./collector.ts";
import { EventQueue } from "./event_queue.ts";
import type { JobEvent } from "./job.ts";
import type { LaggingJob, LaggingJobs } from "./lagging_jobs.ts";
import type { Outgoing, RequestSession } from "./request.ts";
import type { JobSubscriber } from "./running_jobs.ts";
import type { DoOptions } from "./submission_packet.ts";
import { Submission } from "./submission.ts";

/** Limits of what is kept for one job, in bytes; see the options of the client. */
export interface JobLimits {
  readonly maxBuffered: number;
  readonly maxResultSize: number;
  /** The jobs of the client that hold unread events. */
  readonly lagging: LaggingJobs;
}

/** A consumer with more unread bytes than this lags, and reading may pause for it. */
const LAG_SIZE = 262_144;

/** How the job ended for its consumer; pending until then. */
type ForegroundOutcome =
  | { readonly kind: "pending" }
  | { readonly kind: "complete" }
  | { readonly kind: "abandoned" }
  | { readonly kind: "failed"; readonly error: unknown };

const PENDING: ForegroundOutcome = { kind: "pending" };
const COMPLETE: ForegroundOutcome = { kind: "complete" };
const ABANDONED: ForegroundOutcome = { kind: "abandoned" };

type ReadResult = IteratorResult<JobEvent, undefined>;

/** One submission in the foreground. An event goes to the consumer that waits for it, or is kept. */
export class ForegroundJob extends Submission implements JobSubscriber, LaggingJob {
  readonly #limits: JobLimits;
  readonly #onStatus: DoOptions["onStatus"];
  /** The handle, once the server has created the job. */
  handle: string | undefined;
  #outcome: ForegroundOutcome = PENDING;
  /** True once the error was thrown: like any iterator, the job throws it once and is then at its end. */
  #errorThrown = false;
  #consumed = false;
  /** Events that the consumer has not read. Usually a job is collected, and needs no queue. */
  #unread: EventQueue | undefined;
  #lagging = false;
  /** Calls of `next` that wait for an event. */
  #readers: Settle<ReadResult>[] | undefined;
  #collector: Collector | undefined;
  #created: Deferred<string> | undefined;

  constructor(packet: Outgoing, limits: JobLimits, onStatus?: DoOptions["onStatus"]) {
    super(packet);
    this.#limits = limits;
    this.#onStatus = onStatus;
  }

  /** The job in messages. */
  get description(): string {
    return `${printable(this.handle ?? "")} ("${printable(this.functionName)}")`;
  }

  // ---- what the session reports

  override onReply(packet: Packet, session: RequestSession): void {
    const handle = this.handle = handleOf(packet);
    this.#settleCreated();
    session.jobs.subscribe(handle, this);
    if (!this.settled) this.onEvent({ type: "created", handle });
  }

  onEvent(event: JobEvent): void {
    if (event.type === "status" && !this.settled) {
      attempt<unknown, void>(() => this.#onStatus?.(event), () => {}, (error) => this.fail(error));
    }
    if (this.settled) return; // it may have been ended by onStatus
    const reader = this.#readers?.shift();
    if (this.#collector !== undefined) this.#collect(this.#collector, event);
    else if (reader !== undefined) reader.resolve({ done: false, value: event });
    else this.#keep(event);
    if (event.type === "complete" && !this.settled) {
      this.settle();
      this.#end(COMPLETE);
    }
  }

  onFailed(exception: Uint8Array | undefined): void {
    const { functionName, handle } = this;
    const failure = `Job ${this.description} failed`;
    const message = exception === undefined ? failure : `${failure}: ${printable(readText(exception))}`;
    this.fail(new JobFailedError(message, { handle, functionName, exception }));
  }

  onOversized(cause: GearmanError): void {
    this.fail(new GearmanError(`Cannot receive the result of job ${this.description}: ${cause.message}`, { cause }));
  }

  onTooMuchUnread(reason: string): void {
    this.fail(new GearmanError(`Cannot keep more of job ${this.description}: ${reason}`));
  }

  onGone(cause: GearmanError, server: string): void {
    const { handle, unique } = this;
    const message = `Lost job ${this.description} on ${server}: ${messageOf(cause)}; it may still run`;
    this.fail(new ConnectionError(message, { cause, delivery: "accepted", server, handle, unique }));
  }

  override reject(error: unknown): void {
    this.#end({ kind: "failed", error });
  }

  override settle(): void {
    if (this.#lagging) this.session?.setLagging(false);
    this.#lagging = false;
    this.#limits.lagging.update(this, 0);
    super.settle();
  }

  // ---- what the consumer asks

  created(): Promise<string> {
    this.#created ??= deferred();
    this.#settleCreated();
    return markHandled(this.#created.promise);
  }

  /** Takes the place of the one consumer. */
  consume(): void {
    if (this.#consumed) {
      throw new TypeError(`Cannot consume the job of "${printable(this.functionName)}" a second time`);
    }
    this.#consumed = true;
  }

  next(): Promise<ReadResult> {
    const value = this.#unread?.shift();
    this.#updateLagging();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    return new Promise((resolve, reject) => {
      this.#readers ??= [];
      this.#readers.push({ resolve, reject });
      if (this.#outcome.kind !== "pending") this.#endReaders();
    });
  }

  /** Collects data and result, joined. */
  collect(): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      this.consume();
      this.#collector = new Collector(resolve, reject);
      this.#collectUnread();
      if (this.#outcome.kind !== "pending") this.#end(this.#outcome);
    });
  }

  /** Parses a result as JSON; a byte order mark before it is skipped. */
  parseJson(text: string): unknown {
    try {
      return JSON.parse(text.replace(/^\uFEFF/, ""));
    } catch (cause) {
      throw new SyntaxError(`The result of job ${this.description} is not JSON: ${messageOf(cause)}`, { cause });
    }
  }

  /** The consumer has left: events that arrive later are discarded. */
  abandon(): Promise<ReadResult> {
    const { session } = this;
    this.#unread = undefined;
    if (!this.settled) this.settle();
    session?.recall(); // it may not have left yet
    this.#end(ABANDONED);
    return this.next();
  }

  // ---- events that nothing waits for

  #keep(event: JobEvent): void {
    const unread = this.#unread ??= new EventQueue();
    unread.push(event);
    const { maxBuffered } = this.#limits;
    if (unread.size <= maxBuffered || event.type === "complete") return this.#updateLagging();
    this.onTooMuchUnread(`its consumer is over ${maxBuffered} bytes behind (maxBuffered)`);
  }

  #updateLagging(): void {
    if (!this.settled) this.#limits.lagging.update(this, this.#unread?.size ?? 0);
    const lagging = this.#unread !== undefined && this.#unread.size > Math.min(LAG_SIZE, this.#limits.maxBuffered / 2);
    if (lagging === this.#lagging || this.session === undefined) return;
    this.#lagging = lagging;
    this.session.setLagging(lagging);
  }

  // ---- collecting

  #collectUnread(): void {
    let event = this.#unread?.shift();
    while (event !== undefined && this.#collector !== undefined) {
      this.#collect(this.#collector, event);
      event = this.#unread?.shift();
    }
    this.#updateLagging();
  }

  #collect(collector: Collector, event: JobEvent): void {
    if (event.type !== "data" && event.type !== "complete") return;
    collector.add(event.data);
    const { maxResultSize } = this.#limits;
    if (collector.size <= maxResultSize) return;
    const limit = `it has over ${maxResultSize} bytes (maxResultSize)`;
    const error = new GearmanError(`Cannot collect job ${this.description}: ${limit}`);
    if (this.settled) this.#end({ kind: "failed", error }); // it was complete before anything collected it
    else this.fail(error);
  }

  // ---- the end

  #end(outcome: ForegroundOutcome): void {
    this.#outcome = outcome;
    if (outcome.kind === "failed") this.#collector?.fail(outcome.error);
    else this.#collector?.complete();
    this.#collector = undefined;
    this.#endReaders();
    this.#settleCreated();
  }

  #endReaders(): void {
    const readers = this.#readers ?? [];
    this.#readers = undefined;
    for (const reader of readers) {
      if (this.#outcome.kind === "failed" && !this.#errorThrown) reader.reject(this.#outcome.error);
      else reader.resolve({ done: true, value: undefined });
      this.#errorThrown = true;
    }
  }

  #settleCreated(): void {
    if (this.#created === undefined) return;
    if (this.handle !== undefined) this.#created.resolve(this.handle);
    else if (this.#outcome.kind === "failed") this.#created.reject(this.#outcome.error);
    else if (this.#outcome.kind !== "pending") {
      this.#created.reject(
        new GearmanError(`The job of "${printable(this.functionName)}" was abandoned before it was created`),
      );
    }
  }
}
