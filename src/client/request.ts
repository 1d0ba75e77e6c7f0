/** What waits for a server: questions, which any connection may answer, and submissions, which are never repeated. */

import { ConnectionError, type GearmanError } from "../errors.ts";
import { deferred } from "../internal/promises.ts";
import { onAbort } from "../internal/signals.ts";
import { messageOf, readText } from "../internal/text.ts";
import { PacketType } from "../codec/packet.ts";
import { type BackgroundJob, ClientBackgroundJob } from "./background_job.ts";
import type { GearmanClient } from "./client.ts";
import type { Session } from "./session.ts";

/** A packet that is to be sent. */
export interface Outgoing {
  readonly type: PacketType;
  readonly args: (string | Uint8Array)[];
}

/** One request and its one reply. */
export abstract class Request {
  readonly type: PacketType;
  /** What is still to be sent; let go of once it was. */
  args: (string | Uint8Array)[];
  readonly expects: PacketType;
  /** The only server that will do, if there is but one. */
  readonly only: Session | undefined;
  /** Where it is, from the moment that it was given to a connection to the one that nothing waits for it any more. */
  session: Session | undefined;
  /** Whether its outcome is settled, or nobody wants it: its reply is then read over. */
  settled = false;
  /** How often it came back unsent. */
  returns = 0;
  /** The caller's, from `abortOn` on. */
  signal: AbortSignal | undefined;
  #forgetSignal: (() => void) | undefined;

  constructor(packet: Outgoing, expects: PacketType, only?: Session) {
    ({ type: this.type, args: this.args } = packet);
    this.expects = expects;
    this.only = only;
  }

  /** The unique by which a server is chosen, where that is the policy. */
  get key(): string | Uint8Array | undefined {
    return undefined;
  }

  /** Its bytes are on their way. */
  onSent(): void {}

  /** Its reply came, if only to be read over. */
  abstract onReply(args: readonly Uint8Array[], session: Session): void;
  /** The connection was lost after it was sent; true to have it sent once more. */
  abstract onLost(error: GearmanError, session: Session): boolean;
  /** No server could be reached: it was never sent. */
  abstract onUnsent(cause: unknown): void;
  /** Ends it with an error. */
  abstract reject(error: unknown): void;

  /** Ends it with an error, once. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.settle();
    this.reject(error);
  }

  /** Ends it: nothing is waited for any more. */
  settle(): void {
    this.settled = true;
    this.args = [];
    this.#forgetSignal?.();
    this.#forgetSignal = undefined;
    this.session?.leave(this);
  }

  /** Ends it when the signal fires, with the signal's reason. */
  abortOn(signal: AbortSignal | undefined): void {
    this.signal = signal;
    if (signal !== undefined) this.#forgetSignal = onAbort(signal, (reason) => this.fail(reason));
  }
}

/** A question; asked once more, on a new connection, if the first was lost with it. */
export class Query<T> extends Request {
  readonly #answer = deferred<T>();
  readonly answer: Promise<T> = this.#answer.promise;
  readonly #read: (args: readonly Uint8Array[]) => T;
  /** Whether it is not to be asked again. */
  repeated = false;

  constructor(packet: Outgoing, expects: PacketType, read: (args: readonly Uint8Array[]) => T, only?: Session) {
    super(packet, expects, only);
    this.#read = read;
  }

  override onReply(args: readonly Uint8Array[]): void {
    if (this.settled) return;
    this.settle();
    this.#answer.resolve(this.#read(args));
  }

  override onLost(error: GearmanError, session: Session): boolean {
    if (!this.repeated) return this.repeated = true;
    if (error instanceof ConnectionError) this.onUnsent(error, session);
    else this.fail(error);
    return false;
  }

  override onUnsent(cause: unknown, session: Session | undefined = this.only): void {
    const server = session?.link.name;
    const message = `Cannot get an answer from ${server ?? "any job server"}: ${messageOf(cause)}`;
    this.fail(new ConnectionError(message, { cause, server }));
  }

  override reject(error: unknown): void {
    this.#answer.reject(error);
  }
}

type Delivery = ConnectionError["delivery"];

/** A submission: never sent twice. */
export abstract class Submission extends Request {
  /** Known once the server has created the job. */
  handle: string | undefined;
  readonly functionName: string;
  readonly unique: string;

  constructor(packet: Outgoing) {
    super(packet, PacketType.JOB_CREATED);
    [this.functionName, this.unique] = packet.args as [string, string];
  }

  override get key(): string | Uint8Array | undefined {
    return this.unique === "-" ? this.args[this.args.length - 1] : this.unique || undefined;
  }

  override onSent(): void {
    this.args = [];
  }

  override onLost(error: GearmanError, session: Session): boolean {
    this.lost("it was sent, but never acknowledged", error, "unknown", session.link.name);
    return false;
  }

  override onUnsent(cause: unknown): void {
    this.lost("no job server could be reached", cause, "not-sent");
  }

  /** Ends a submission that was lost at some point. */
  lost(what: string, cause: unknown, delivery: Delivery, server?: string): void {
    const where = server ? ` on ${server}` : "";
    const message = `Cannot run "${this.functionName}"${where}: ${what}: ${messageOf(cause)}`;
    this.fail(new ConnectionError(message, { cause, delivery, server, handle: this.handle, unique: this.unique }));
  }
}

/** Told of a submission that has been accepted, or has failed. */
export type OnSettled = (submission: BackgroundSubmission) => void;

/** The submission of a background job: over when the server has accepted it. */
export class BackgroundSubmission extends Submission {
  readonly #client: GearmanClient;
  readonly #onSettled: OnSettled;
  /** What came of it, once something has. */
  job: BackgroundJob | undefined;
  failure: { readonly error: unknown } | undefined;

  constructor(packet: Outgoing, client: GearmanClient, onSettled: OnSettled) {
    super(packet);
    this.#client = client;
    this.#onSettled = onSettled;
  }

  override onReply(args: readonly Uint8Array[], session: Session): void {
    if (this.settled) return;
    this.settle();
    this.job = new ClientBackgroundJob(this.#client, readText(args[0]!), session.link.name, this.unique);
    this.#onSettled(this);
  }

  override reject(error: unknown): void {
    this.failure = { error };
    this.#onSettled(this);
  }
}
