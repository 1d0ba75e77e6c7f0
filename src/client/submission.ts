/** Submissions: requests that create a job, and that are never sent twice. */

import { ConnectionError, type GearmanError } from "../errors.ts";
import { messageOf, readText } from "../internal/text.ts";
import { PacketType } from "../codec/packet.ts";
import { type BackgroundJob, ClientBackgroundJob, type StatusSource } from "./background_job.ts";
import { type Outgoing, Request, type RequestSession } from "./request.ts";

/** What is known of a submission that was lost. */
export interface Loss {
  /** How far it came. */
  readonly delivery: NonNullable<ConnectionError["delivery"]>;
  /** The server that had it, if one had. */
  readonly server?: string;
  readonly cause: unknown;
}

/** How far a lost submission came, in words. */
const STAGES = {
  "not-sent": "no job server could be reached",
  "unknown": "it was sent, but never acknowledged",
  "accepted": "it was accepted, and its outcome is not known",
} as const;

/** The submission of a job. */
export abstract class Submission extends Request {
  /** The handle, once the server has created the job. */
  handle: string | undefined;
  readonly functionName: string;
  readonly unique: string;

  constructor(packet: Outgoing) {
    super(packet, PacketType.JOB_CREATED);
    this.functionName = packet.args[0] as string;
    this.unique = packet.args[1] as string;
  }

  override get balanceKey(): string | Uint8Array | undefined {
    if (this.unique === "-") return this.args[this.args.length - 1];
    return this.unique === "" ? undefined : this.unique;
  }

  override onSent(): void {
    this.args = [];
  }

  override onLost(cause: GearmanError, server: string): boolean {
    this.lose({ delivery: "unknown", server, cause });
    return false;
  }

  override onUnsent(cause: unknown): void {
    this.lose({ delivery: "not-sent", cause });
  }

  /** Ends a submission that was lost. */
  lose({ delivery, server, cause }: Loss): void {
    const where = server === undefined ? "" : ` on ${server}`;
    const message = `Cannot run "${this.functionName}"${where}: ${STAGES[delivery]}: ${messageOf(cause)}`;
    this.fail(new ConnectionError(message, { cause, delivery, server, handle: this.handle, unique: this.unique }));
  }
}

/** Called when a submission was accepted, or has failed. */
export type OnSettled = (submission: BackgroundSubmission) => void;

/** The submission of a background job; it is over when the server has accepted it. */
export class BackgroundSubmission extends Submission {
  readonly #source: StatusSource;
  readonly #onSettled: OnSettled;
  /** The job, once a server has accepted it. */
  job: BackgroundJob | undefined;
  /** The failure, once it has failed. */
  failure: { readonly error: unknown } | undefined;

  constructor(packet: Outgoing, source: StatusSource, onSettled: OnSettled) {
    super(packet);
    this.#source = source;
    this.#onSettled = onSettled;
  }

  override onReply(args: readonly Uint8Array[], session: RequestSession): void {
    if (this.settled) return;
    this.settle();
    this.job = new ClientBackgroundJob(this.#source, readText(args[0]!), session.name, this.unique);
    this.#onSettled(this);
  }

  override reject(error: unknown): void {
    this.failure = { error };
    this.#onSettled(this);
  }
}
