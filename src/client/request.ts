/** A request and its one reply: from the call to the moment when nothing waits for it any more. */

import { ConnectionError, type GearmanError } from "../errors.ts";
import { deferred } from "../internal/promises.ts";
import { onAbort } from "../internal/signals.ts";
import { messageOf } from "../internal/text.ts";
import type { PacketType } from "../codec/packet.ts";
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
  /** The foreground jobs that the server has accepted. */
  readonly jobs: RunningJobs;
  /** Nothing waits for the request any more; its reply, if one arrives, is discarded. */
  release(request: Request): void;
  /** The consumer of a job fell behind, or caught up: while all consumers lag, reading pauses. */
  setLagging(lagging: boolean): void;
}

/** One request; each kind of call has its subclass. */
export abstract class Request {
  readonly type: PacketType;
  /** The arguments to send; emptied when they are no longer needed. */
  args: (string | Uint8Array)[];
  /** The packet type of the reply. */
  readonly expects: PacketType;
  /** The session that has it, from the moment when it is handed over until nothing waits for it any more. */
  session: RequestSession | undefined;
  /** True once its outcome is known, or it was aborted: a reply that arrives later is discarded. */
  settled = false;
  /** Number of times that a session returned it unsent. */
  rerouteCount = 0;
  /** The signal of its call, from `abortOn` on. */
  signal: AbortSignal | undefined;
  #forgetSignal: (() => void) | undefined;

  constructor(packet: Outgoing, expects: PacketType) {
    this.type = packet.type;
    this.args = packet.args;
    this.expects = expects;
  }

  /** The name of the only server that may serve it. */
  get pinnedTo(): string | undefined {
    return undefined;
  }

  /** The unique, or the workload in its place, by which the policy `unique` chooses a server. */
  get balanceKey(): string | Uint8Array | undefined {
    return undefined;
  }

  /** Its bytes are on their way. */
  onSent(): void {}

  /** Its reply arrived, perhaps only to be discarded. */
  abstract onReply(args: readonly Uint8Array[], session: RequestSession): void;
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
    this.args = [];
    this.#forgetSignal?.();
    this.#forgetSignal = undefined;
    this.session?.release(this);
  }

  /** Ends it with the signal's reason when the signal fires. */
  abortOn(signal: AbortSignal | undefined): void {
    this.signal = signal;
    if (signal !== undefined) this.#forgetSignal = onAbort(signal, (reason) => this.fail(reason));
  }
}

/** Reads the arguments of a reply. */
export type ReadReply<T> = (args: readonly Uint8Array[]) => T;

/** A question to a server. It changes nothing there, so it is asked once more if the connection is lost. */
export class Query<T> extends Request {
  readonly #answer = deferred<T>();
  readonly answer: Promise<T> = this.#answer.promise;
  readonly #read: ReadReply<T>;
  readonly #pinnedTo: string | undefined;
  #retryable = true;

  constructor(packet: Outgoing, expects: PacketType, read: ReadReply<T>, pinnedTo?: string) {
    super(packet, expects);
    this.#read = read;
    this.#pinnedTo = pinnedTo;
  }

  override get pinnedTo(): string | undefined {
    return this.#pinnedTo;
  }

  override onReply(args: readonly Uint8Array[]): void {
    if (this.settled) return;
    this.settle();
    this.#answer.resolve(this.#read(args));
  }

  override onLost(error: GearmanError, server: string): boolean {
    if (this.#retryable) {
      this.#retryable = false;
      return true;
    }
    if (error instanceof ConnectionError) this.#failUnanswered(error, server);
    else this.fail(error);
    return false;
  }

  override onUnsent(cause: unknown): void {
    this.#failUnanswered(cause, this.#pinnedTo);
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
  readonly #onAnswer: ReadReply<void>;

  constructor(packet: Outgoing, expects: PacketType, onAnswer: ReadReply<void> = () => {}) {
    super(packet, expects);
    this.#onAnswer = onAnswer;
  }

  override onReply(args: readonly Uint8Array[]): void {
    this.settle();
    this.#onAnswer(args);
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
