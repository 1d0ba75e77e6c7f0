/** The submission of a foreground job, and everything that comes of it until its consumer has read it. */

import { GearmanError, JobFailedError } from "../errors.ts";
import { type Bytes, joinBytes } from "../internal/bytes.ts";
import { type Deferred, deferred, markHandled, type Settle } from "../internal/promises.ts";
import { printable, readText } from "../internal/text.ts";
import type { ClientOptions } from "./client.ts";
import { EventQueue } from "./event_queue.ts";
import type { JobEvent } from "./job.ts";
import { type Outgoing, Submission } from "./request.ts";
import type { Session } from "./session.ts";

/** The bounds of what is kept for one job, in bytes. */
export type JobLimits = Required<Pick<ClientOptions, "maxBuffered" | "maxResultSize">>;

/** A consumer with more than this unread, in bytes, lags: reading may pause for it. */
const LAG = 262_144;

/** One submission in the foreground: an event comes in from the session and goes to the one consumer, or waits. */
export class ForegroundJob extends Submission {
  readonly #limits: JobLimits;
  #queue: EventQueue | undefined;
  #lags = false;
  #consumed = false;
  /** Why there will be no further event: the job is complete (`null`), or this. */
  #end: { readonly error: unknown } | null | undefined;
  #created: Deferred<string> | undefined;
  /** Whether the reader has been told of that error. */
  #thrown = false;
  #readers: Settle<IteratorResult<JobEvent, undefined>>[] = [];
  #collector: Settle<Bytes> | undefined;
  #parts: Uint8Array[] = [];
  #collectedSize = 0;

  constructor(packet: Outgoing, limits: JobLimits) {
    super(packet);
    this.#limits = limits;
  }

  // ---- what the session tells

  override onReply(args: readonly Uint8Array[], session: Session): void {
    const handle = this.handle = readText(args[0]!);
    this.#tellCreated();
    session.subscribe(handle, this.settled ? null : this);
    if (!this.settled) this.onEvent({ type: "created", handle });
  }

  /** An event of the job came. */
  onEvent(event: JobEvent): void {
    if (this.settled) return;
    if (this.#collector !== undefined) this.#collect(event);
    else if (this.#readers.length > 0) this.#readers.shift()!.resolve({ done: false, value: event });
    else this.#keep(event);
    if (event.type === "complete" && !this.settled) {
      this.settle();
      this.#finish(null);
    }
  }

  /** The worker failed it. */
  onFailed(exception: Uint8Array | undefined): void {
    const { functionName, handle } = this;
    const what = `Job ${handle} of "${functionName}" failed`;
    const message = exception === undefined ? what : `${what}: ${printable(readText(exception))}`;
    this.fail(new JobFailedError(message, { handle, functionName, exception }));
  }

  /** The connection was lost, or the job was, after the server had accepted it. */
  onGone(error: GearmanError, server: string): void {
    this.lost("it was accepted, and its outcome is not known", error, "accepted", server);
  }

  override reject(error: unknown): void {
    this.#finish({ error });
  }

  override settle(): void {
    if (this.#lags) this.session?.lag(false);
    if (this.handle !== undefined) this.session?.unsubscribe(this.handle, this);
    this.#lags = false;
    super.settle();
  }

  // ---- what the consumer asks

  created(): Promise<string> {
    this.#created ??= deferred();
    this.#tellCreated();
    return markHandled(this.#created.promise);
  }

  /** Takes the place of the one consumer. */
  consume(): void {
    if (this.#consumed) throw new TypeError(`Cannot consume the job of "${this.functionName}" a second time`);
    this.#consumed = true;
  }

  next(): Promise<IteratorResult<JobEvent, undefined>> {
    const value = this.#queue?.shift();
    this.#updateLag();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
      if (this.#end !== undefined) this.#endReaders();
    });
  }

  /** Data and result, joined. */
  collect(): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      this.consume();
      this.#collector = { resolve, reject };
      let event: JobEvent | undefined;
      while (this.#collector !== undefined && (event = this.#queue?.shift()) !== undefined) this.#collect(event);
      this.#updateLag();
      if (this.#end !== undefined) this.#finish(this.#end);
    });
  }

  /** The consumer has gone; what still comes is read over. */
  abandon(): Promise<IteratorResult<JobEvent, undefined>> {
    this.#queue = undefined;
    if (!this.settled) this.settle();
    this.#finish(null);
    return this.next();
  }

  /** Tells those who wait for the handle of it, or that there will be none. */
  #tellCreated(): void {
    if (this.handle !== undefined) return this.#created?.resolve(this.handle);
    if (this.#end === undefined) return;
    const what = `The job of "${this.functionName}" was abandoned before it was created`;
    this.#created?.reject(this.#end === null ? new GearmanError(what) : this.#end.error);
  }

  #keep(event: JobEvent): void {
    const queue = this.#queue ??= new EventQueue(); // most jobs are collected, and need none
    queue.push(event);
    const { maxBuffered } = this.#limits;
    if (queue.size <= maxBuffered || event.type === "complete") return this.#updateLag();
    const what = `Cannot keep more of job ${this.handle} of "${this.functionName}"`;
    this.fail(new GearmanError(`${what}: its consumer is over ${maxBuffered} bytes behind (maxBuffered)`));
  }

  #updateLag(): void {
    const lags = this.#queue !== undefined && this.#queue.size > Math.min(LAG, this.#limits.maxBuffered / 2);
    if (lags === this.#lags || this.session === undefined) return;
    this.#lags = lags;
    this.session.lag(lags);
  }

  #collect(event: JobEvent): void {
    if (event.type !== "data" && event.type !== "complete") return;
    this.#parts.push(event.data);
    this.#collectedSize += event.data.length;
    const { maxResultSize } = this.#limits;
    if (this.#collectedSize <= maxResultSize) return;
    const error = new GearmanError(
      `Cannot collect job ${this.handle} of "${this.functionName}": it has over ${maxResultSize} bytes (maxResultSize)`,
    );
    if (this.settled) this.#finish({ error }); // it was complete before anybody collected it
    else this.fail(error);
  }

  /** Tells everybody who waits that nothing more comes. */
  #finish(end: { readonly error: unknown } | null): void {
    this.#end = end;
    if (this.#collector !== undefined) {
      const parts = this.#parts;
      if (end !== null) this.#collector.reject(end.error);
      // Each part is the job's own already: a single one need not be copied.
      else this.#collector.resolve((parts.length === 1 ? parts[0] : joinBytes(parts, this.#collectedSize)) as Bytes);
      this.#parts = [];
      this.#collector = undefined;
    }
    this.#endReaders();
    this.#tellCreated();
  }

  /** An error is thrown once; whoever goes on reading after it is at the end, as with any iterator. */
  #endReaders(): void {
    for (const reader of this.#readers.splice(0)) {
      if (this.#end && !this.#thrown) reader.reject(this.#end.error);
      else reader.resolve({ done: true, value: undefined });
      this.#thrown = true;
    }
  }
}
