/** A request and its one reply: from the call to the moment when nothing waits for it any more. */

import { ConnectionError, type GearmanError } from "../errors.ts";
import { deferred } from "../internal/promises.ts";
import { onAbort } from "../internal/signals.ts";
import { messageOf } from "../internal/text.ts";
import { type Packet, PacketType } from "../codec/packet.ts";
import { copySmall, isUncopied } from "../connection/arguments.ts";
import type { StatusSource } from "./background_job.ts";
import type { RunningJobs } from "./running_jobs.ts";

/** A packet that is to be sent. */
export interface Outgoing {
  readonly type: PacketType;
  readonly args: (string | Uint8Array)[];
}

/** The session that has a request, as the request sees it. */
export interface RequestSession {
  /** The server as `host:port`, `[v6]:port` or `unix:/path`. */
  readonly name: string;
  /** Is asked for the status of the background jobs that the server has accepted. */
  readonly statusSource: StatusSource;
  /** The foreground jobs that the server has accepted. */
  readonly jobs: RunningJobs;
  /** Nothing waits for the request any more; its reply, if one arrives, is discarded. */
  release(request: Request): void;
  /** Takes back what was not sent yet, and drops the requests among it that have ended. */
  recall(): void;
  /** The consumer of a job fell behind, or caught up: while all consumers lag, reading pauses. */
  setLagging(lagging: boolean): void;
}

/** Stands for the packet of a request that needs it no longer. */
export const DROPPED: Outgoing = { type: PacketType.NOOP, args: [] };

/**
 * One request; each kind of call has its subclass.
 *
 * There is one for each job, so its fields are few, and assigned in the constructors: on V8 an object with four levels of
 * initialized fields, or two that are private by `#`, takes twice as long. What a reply needs is assigned first: its request
 * is out of the caches by then, and each line of it is fetched anew.
 */
export abstract class Request {
  /** What to send; dropped when it is no longer needed. */
  declare packet: Outgoing;
  /** The packet type of the reply. */
  abstract readonly expects: PacketType;
  /** True if its last argument is not copied. The caller may still transfer its buffer, until it is being written. */
  declare isLarge: boolean;
  /** The session that has it, from the moment when it is handed over until nothing waits for it any more. */
  declare session: RequestSession | undefined;
  /** True once its outcome is known, or it was aborted: a reply that arrives later is discarded. */
  declare settled: boolean;
  /** The name of the only server that may serve it; any may serve a submission, which does not have this field. */
  declare readonly pinnedTo?: string | undefined;
  declare private abortable: { readonly signal: AbortSignal; readonly forget: () => void } | undefined;

  constructor(packet: Outgoing) {
    this.settled = false;
    this.session = undefined;
    this.packet = packet;
    this.abortable = undefined;
    this.isLarge = isUncopied(packet.args[packet.args.length - 1]!);
  }

  get lastArgument(): string | Uint8Array {
    const { args } = this.packet;
    return args[args.length - 1]!;
  }

  /** The signal of its call, from `abortOn` to its end. */
  get signal(): AbortSignal | undefined {
    return this.abortable?.signal;
  }

  /** The unique, or the workload in its place, by which the policy `unique` chooses a server. */
  get balanceKey(): string | Uint8Array | undefined {
    return undefined;
  }

  /** Keeps a copy of what the caller may change: it cannot be encoded yet. */
  copyArguments(): void {
    const { args } = this.packet;
    if (!this.isLarge) args[args.length - 1] = copySmall(this.lastArgument);
  }

  /** It was encoded into the connection's memory. */
  onEncoded(): void {}

  /** Its reply arrived, perhaps only to be discarded. */
  abstract onReply(packet: Packet, session: RequestSession): void;
  /** The connection was lost after it was sent; returns true to have it sent again. */
  abstract onLost(error: GearmanError, server: string): boolean;
  /** It was never sent: no server could be reached. */
  abstract onUnsent(cause: unknown): void;
  /** Ends it with an error. */
  abstract reject(error: unknown): void;

  /** Ends it with an error, unless it has ended. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.settle();
    this.reject(error);
  }

  /** Ends it: nothing waits for it any more. */
  settle(): void {
    this.settled = true;
    this.packet = DROPPED;
    this.abortable?.forget();
    this.abortable = undefined;
    this.session?.release(this);
  }

  /** Ends it with an error. If it has not left yet, it is not sent. */
  withdraw(error: unknown): void {
    const { session } = this;
    this.fail(error);
    session?.recall();
  }

  /** Withdraws it with the signal's reason when the signal fires. */
  abortOn(signal: AbortSignal): void {
    const forget = onAbort(signal, (reason) => this.withdraw(reason));
    if (!this.settled) this.abortable = { signal, forget };
  }
}

/** Reads the arguments of a reply. */
export type ReadReply<T> = (args: readonly Uint8Array[]) => T;

/** What is asked, and how the answer is read. */
export interface Question<T> {
  readonly packet: Outgoing;
  readonly expects: PacketType;
  readonly read: ReadReply<T>;
  /**
   * Called when the connection is lost after it was sent; it is then not asked again. Some servers end the connection
   * because of the question.
   */
  readonly onLost?: () => void;
}

/** A question to a server. It changes nothing there, so it is asked once more if the connection is lost. */
export class Query<T> extends Request {
  override readonly expects: PacketType;
  readonly #answer = deferred<T>();
  readonly answer: Promise<T> = this.#answer.promise;
  readonly #read: ReadReply<T>;
  override readonly pinnedTo: string | undefined;
  readonly #onLost: (() => void) | undefined;
  #retryable: boolean;

  constructor({ packet, expects, read, onLost }: Question<T>, pinnedTo?: string) {
    super(packet);
    this.expects = expects;
    this.#read = read;
    this.pinnedTo = pinnedTo;
    this.#onLost = onLost;
    this.#retryable = onLost === undefined;
  }

  override onReply({ args }: Packet): void {
    if (this.settled) return;
    this.settle();
    this.#answer.resolve(this.#read(args));
  }

  override onLost(error: GearmanError, server: string): boolean {
    if (this.#retryable) {
      this.#retryable = false;
      return true;
    }
    this.#onLost?.();
    if (error instanceof ConnectionError) this.#failUnanswered(error, server);
    else this.fail(error);
    return false;
  }

  override onUnsent(cause: unknown): void {
    this.#failUnanswered(cause, this.pinnedTo);
  }

  override reject(error: unknown): void {
    this.#answer.reject(error);
  }

  #failUnanswered(cause: unknown, server: string | undefined): void {
    const message = `Cannot get an answer from ${server ?? "any job server"}: ${messageOf(cause)}`;
    this.fail(new ConnectionError(message, { cause, server }));
  }
}

/** A question of a session's own, about a connection that is open. It is not asked again, and its errors are ignored. */
export class Probe extends Request {
  override readonly expects: PacketType;
  readonly #onAnswer: ReadReply<void> | undefined;

  /** Takes the packet's type and its one argument, and the type of the reply. */
  constructor(type: PacketType, argument: string, expects: PacketType, onAnswer?: ReadReply<void>) {
    super({ type, args: [argument] });
    this.expects = expects;
    this.#onAnswer = onAnswer;
  }

  override onReply({ args }: Packet): void {
    this.settle();
    this.#onAnswer?.(args);
  }

  override onLost(): boolean {
    this.settle();
    return false;
  }

  override onUnsent(): void {
    this.settle();
  }

  override reject(): void {}
}
