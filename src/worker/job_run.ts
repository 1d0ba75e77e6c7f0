/** One run of a handler: what the handler sends, how the run ends, and when it is aborted. */

import { orAbort } from "../internal/signals.ts";
import { utf8Encoder } from "../internal/text.ts";
import { type PacketInput, PacketType } from "../codec/packet.ts";
import type { Workload } from "../connection/arguments.ts";
import type { Connection } from "../connection/connection.ts";
import { type AssignedJob, type JobHandler, jobOf, type JobPacket, type JobSender } from "./assigned_job.ts";
import { JoinedResult } from "./joined_result.ts";
import {
  checkData,
  describeOversize,
  type Outcome,
  outcomeOfError,
  outcomeOfResult,
  type SizeLimit,
} from "./outcome.ts";
import type { ServerAbilities } from "./server_abilities.ts";

/** Maximum number of unsent bytes on the connection before a handler that sends more has to wait. */
const MAX_UNSENT = 65_536;

/** What a run needs of the registration. */
export interface JobRunUser {
  readonly connection: Connection;
  readonly abilities: ServerAbilities;
  readonly maxPacketSize: number;
  /** A packet was sent that the server may not know. */
  requestSent(type: typeof PacketType.WORK_DATA | typeof PacketType.WORK_WARNING): void;
  /** The handler has sent a warning to a server that does not know warnings. */
  onWarning(job: AssignedJob, warning: Workload): void;
}

/** A job that was assigned on one connection, and its handler at work. */
export class JobRun implements JobSender {
  /** What the handler gets. */
  readonly job: AssignedJob;
  readonly startedAt: number = performance.now();
  readonly sizeLimit: SizeLimit;
  readonly #user: JobRunUser;
  /** The pieces of the result so far, for a server that takes a result in one piece only. */
  #joined: JoinedResult | undefined;
  /** Ended: the outcome was sent. Aborted: the outcome is no longer wanted. What the handler then sends is discarded. */
  #state: "running" | "ended" | "aborted" = "running";
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Created on demand: few handlers look at their signal. */
  #controller: AbortController | undefined;
  #abortReason: unknown;

  constructor(packet: JobPacket, user: JobRunUser) {
    this.#user = user;
    this.sizeLimit = { maxPacketSize: user.maxPacketSize, overhead: packet.args[0].length + 1 };
    this.job = jobOf(packet, this);
  }

  get isOver(): boolean {
    return this.#state !== "running";
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#state === "aborted") this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  send(type: typeof PacketType.WORK_DATA | typeof PacketType.WORK_WARNING, chunk: Workload): Promise<void> {
    if (this.isOver) return Promise.resolve();
    if (this.#user.abilities.takes(type)) {
      const sent = this.#send(type, this.job.handle, chunk);
      this.#user.requestSent(type);
      return sent;
    }
    if (type === PacketType.WORK_DATA) this.#join(chunk);
    else this.#user.onWarning(this.job, chunk);
    return Promise.resolve();
  }

  sendStatus(numerator: string, denominator: string): Promise<void> {
    return this.#send(PacketType.WORK_STATUS, this.job.handle, numerator, denominator);
  }

  /** Calls back after `ms` milliseconds, unless the run is over before. */
  startTimer(ms: number, onTimeout: () => void): void {
    this.#timer = setTimeout(onTimeout, ms);
  }

  /** Sends the outcome, and returns it: a result may turn out to be too large. */
  end(outcome: Outcome): Outcome {
    const final = outcome.kind === "completed" ? this.#completed(outcome) : outcome;
    this.#sendOutcome(final);
    clearTimeout(this.#timer);
    this.#state = "ended";
    return final;
  }

  /** Aborts the signal: the outcome is no longer wanted. */
  abort(reason: unknown): void {
    clearTimeout(this.#timer);
    this.#state = "aborted";
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  #sendOutcome(outcome: Outcome): Promise<void> {
    switch (outcome.kind) {
      case "completed":
        return this.#send(PacketType.WORK_COMPLETE, this.job.handle, outcome.result);
      case "failed":
        return this.#send(PacketType.WORK_FAIL, this.job.handle);
      case "exception": {
        const sent = this.#send(PacketType.WORK_EXCEPTION, this.job.handle, this.#shortened(outcome.exception));
        // gearmand ends the job here: a WORK_FAIL after it would be answered with JOB_NOT_FOUND. Perl's server needs it.
        return this.#user.abilities.isOld ? this.#send(PacketType.WORK_FAIL, this.job.handle) : sent;
      }
    }
  }

  /** Keeps a copy of a piece of the result. */
  #join(chunk: Workload): JoinedResult {
    const piece = typeof chunk === "string" ? utf8Encoder.encode(chunk) : chunk;
    const joined = this.#joined ??= new JoinedResult();
    const { maxPacketSize, overhead } = this.sizeLimit;
    const size = overhead + joined.size + piece.length;
    if (size > maxPacketSize) {
      throw new RangeError(`Cannot send the result in one piece: ${describeOversize(size, maxPacketSize)}`);
    }
    joined.append(piece);
    return joined;
  }

  /** Returns the outcome of a completed job, with the pieces of the result that were kept. */
  #completed(outcome: Outcome & { kind: "completed" }): Outcome {
    if (this.#joined === undefined) return outcome;
    try {
      return { kind: "completed", result: this.#join(outcome.result).bytes };
    } catch (error) {
      return outcomeOfError(error);
    }
  }

  /** Returns the exception, or the reason why it cannot be sent. */
  #shortened(exception: Workload): Workload {
    try {
      return checkData(exception, "exception", this.sizeLimit);
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #send<T extends PacketType>(type: T, ...args: PacketInput<T>): Promise<void> {
    if (this.isOver) return;
    try {
      const { connection } = this.#user;
      connection.send(type, ...args);
      if (connection.queued > MAX_UNSENT) await orAbort(connection.flush(), this.signal);
    } catch {
      // The connection is lost or the job is over: the signal says so.
    }
  }
}

/** Runs a handler to its end; synchronously if the handler is synchronous. */
export function execute(run: JobRun, handler: JobHandler): Outcome | Promise<Outcome> {
  try {
    const result = handler(run.job);
    if (typeof result !== "object" || result === null || result instanceof Uint8Array) {
      return outcomeOfResult(result, run.sizeLimit);
    }
    const settled = Symbol.asyncIterator in result
      ? sendAll(run, result[Symbol.asyncIterator]())
      : Promise.resolve(result);
    return settled.then((result) => outcomeOfResult(result, run.sizeLimit)).catch(outcomeOfError);
  } catch (error) {
    return outcomeOfError(error);
  }
}

/** Sends what a generator yields, and returns what it returns. */
async function sendAll(run: JobRun, generator: AsyncGenerator<Workload, Workload | void>): Promise<Workload | void> {
  try {
    for (;;) {
      const { done, value } = await generator.next();
      if (done === true) return value;
      await run.job.sendData(value);
      if (run.isOver) return;
    }
  } finally {
    // After an invalid chunk and at the end of the job too: the generator may have something to clean up.
    await generator.return();
  }
}
