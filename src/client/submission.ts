/** Submissions: requests that create a job, and that are never sent twice. */

import { ConnectionError, type GearmanError } from "../errors.ts";
import { messageOf, printable } from "../internal/text.ts";
import { type Packet, PacketType } from "../codec/packet.ts";
import { checkWorkload, isUncopied, type Workload } from "../connection/arguments.ts";
import { handleOf } from "../connection/reply.ts";
import { type BackgroundJob, ClientBackgroundJob } from "./background_job.ts";
import { checkStorable } from "./submission_packet.ts";
import { DROPPED, type Outgoing, Request, type RequestSession } from "./request.ts";

/** How far a submission came that cannot run, in words. */
const STAGES = {
  "not-sent": "no job server could be reached",
  "unknown": "it was sent, but never acknowledged",
} as const;

/** The submission of a job. */
export abstract class Submission extends Request {
  declare readonly functionName: string;
  declare readonly unique: string;

  constructor(packet: Outgoing) {
    super(packet);
    this.unique = packet.args[1] as string;
    this.functionName = packet.args[0] as string;
  }

  override get expects(): PacketType {
    return PacketType.JOB_CREATED;
  }

  /**
   * Takes the workload of a typed function, which is encoded after the other arguments were checked, and maybe after the
   * submission was aborted.
   */
  setWorkload(workload: Workload): void {
    if (this.settled) return;
    checkWorkload(workload);
    const { args } = this.packet;
    args[args.length - 1] = workload;
    this.isLarge = isUncopied(workload);
  }

  override get balanceKey(): string | Uint8Array | undefined {
    if (this.unique === "-") return this.lastArgument;
    return this.unique === "" ? undefined : this.unique;
  }

  override onEncoded(): void {
    this.packet = DROPPED; // a submission is sent once
  }

  override onLost(cause: GearmanError, server: string): boolean {
    this.#fail("unknown", cause, server);
    return false;
  }

  override onUnsent(cause: unknown): void {
    this.#fail("not-sent", cause);
  }

  #fail(delivery: keyof typeof STAGES, cause: unknown, server?: string): void {
    const where = server === undefined ? "" : ` on ${server}`;
    const message = `Cannot run "${printable(this.functionName)}"${where}: ${STAGES[delivery]}: ${messageOf(cause)}`;
    this.fail(new ConnectionError(message, { cause, delivery, server, unique: this.unique }));
  }
}

/** The submission of a background job; it is over when the server has accepted it. */
abstract class BackgroundSubmission extends Submission {
  override setWorkload(workload: Workload): void {
    super.setWorkload(workload);
    checkStorable(workload);
  }

  override onReply(packet: Packet, session: RequestSession): void {
    if (this.settled) return;
    this.settle();
    this.accept(new ClientBackgroundJob(session.statusSource, handleOf(packet), session.name, this.unique));
  }

  abstract accept(job: BackgroundJob): void;
}

/** A submission whose caller waits for a promise. */
export class AwaitedSubmission extends BackgroundSubmission {
  declare readonly accept: (job: BackgroundJob) => void;
  declare readonly reject: (error: unknown) => void;

  /** Takes the functions that settle the promise. */
  constructor(
    packet: Outgoing,
    resolve: (job: BackgroundJob) => void,
    reject: (error: unknown) => void,
  ) {
    super(packet);
    this.accept = resolve;
    this.reject = reject;
  }
}

/** A submission of a batch, which takes the outcomes in the order of its source. */
export class BatchSubmission extends BackgroundSubmission {
  declare private readonly onSettled: (submission: BatchSubmission) => void;
  /** The job, once a server has accepted it. */
  declare job: BackgroundJob | undefined;
  /** The failure, once it has failed. */
  declare failure: { readonly error: unknown } | undefined;

  constructor(packet: Outgoing, onSettled: (submission: BatchSubmission) => void) {
    super(packet);
    this.onSettled = onSettled;
    this.job = undefined;
    this.failure = undefined;
  }

  override accept(job: BackgroundJob): void {
    this.job = job;
    this.onSettled(this);
  }

  override reject(error: unknown): void {
    this.failure = { error };
    this.onSettled(this);
  }
}
