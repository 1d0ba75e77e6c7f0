/** A connection on which a worker has registered: its functions, grabs, jobs and sleep. */

import { GearmanError, ProtocolError, type ServerError } from "../errors.ts";
import { deferred } from "../internal/promises.ts";
import { printable } from "../internal/text.ts";
import { type Packet, type PacketInput, PacketType } from "../codec/packet.ts";
import type { Connection } from "../connection/connection.ts";
import type { Workload } from "../connection/arguments.ts";
import type { ConnectionSettings } from "../connection/options.ts";
import { Announcements, type Announcer, type FunctionSource } from "./announcements.ts";
import type { AssignedJob, JobPacket } from "./assigned_job.ts";
import { execute, JobRun, type JobRunUser } from "./job_run.ts";
import { describeOversize, type Outcome, outcomeOfError } from "./outcome.ts";
import { Negotiation, type NegotiationUser } from "./negotiation.ts";
import type { Readiness } from "./readiness.ts";
import type { OptionalRequest, ServerAbilities } from "./server_abilities.ts";
import { Sleep, type Sleeper } from "./sleep.ts";

/** What a connection needs of its worker. */
export interface WorkerContext extends FunctionSource {
  readonly settings: ConnectionSettings;
  /** The worker's id, if it has one. */
  readonly id: string | undefined;
  readonly readiness: Readiness;
  /** Reports that a slot may be free, that a server may have jobs, or that a connection may sleep. */
  update(): void;
}

/** How a job ended: with an outcome that was sent, or aborted without one. */
type JobEnd = Outcome | { readonly kind: "aborted"; readonly error: unknown };

/** Everything that a worker knows about one connection; a new connection has a new registration. */
export class Registration implements Announcer, Sleeper, JobRunUser, NegotiationUser {
  readonly connection: Connection;
  readonly abilities: ServerAbilities;
  readonly #worker: WorkerContext;
  readonly #serverName: string;
  readonly #announcements: Announcements;
  readonly #sleep: Sleep;
  readonly #runs = new Set<JobRun>();
  /** Number of held jobs by function. */
  readonly #jobCounts = new Map<string, number>();
  readonly #lost = deferred<void>();
  readonly #negotiation: Negotiation;
  /**
   * - unconfirmed: the server has failed before, and must answer something first: the functions are not announced.
   * - active: assigned jobs are started.
   * - stopped: the worker was destroyed while no job was held. A job that still arrives is not started.
   * - aborted: the worker was destroyed, or the connection was lost, and held jobs were aborted.
   */
  #state: "unconfirmed" | "active" | "stopped" | "aborted" = "unconfirmed";
  /** True once the server has sent a packet. */
  #heard = false;

  /** Registers: options, id and functions leave in one write. With `confirmed` false the latter wait for an answer. */
  constructor(
    worker: WorkerContext,
    connection: Connection,
    serverName: string,
    abilities: ServerAbilities,
    { confirmed }: { confirmed: boolean },
  ) {
    this.#worker = worker;
    this.connection = connection;
    this.abilities = abilities;
    this.#negotiation = new Negotiation(abilities, this);
    this.#serverName = serverName;
    this.#announcements = new Announcements(worker, this);
    this.#sleep = new Sleep(this);
    this.send(PacketType.OPTION_REQ, "exceptions");
    if (confirmed) this.#register();
  }

  /** Resolves when the connection is lost or closed. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  get grabsInFlight(): number {
    return this.#negotiation.grabsInFlight;
  }

  /** Number of the worker's slots that are in use here: each job and each grab takes one. */
  get slotsInUse(): number {
    return this.#runs.size + this.grabsInFlight;
  }

  get canGrab(): boolean {
    const mayAsk = this.abilities.grab !== undefined && !this.#negotiation.isDoubtful;
    if (!mayAsk) return false;
    return !this.#sleep.serverIsEmpty && !this.#announcements.isPostponed && this.#worker.functions.size > 0;
  }

  mayHoldJobOf(functionName: string): boolean {
    return this.grabsInFlight > 0 || this.#jobCounts.has(functionName);
  }

  get takesTimeLimits(): boolean {
    return this.abilities.takes(PacketType.CAN_DO_TIMEOUT);
  }

  get maxPacketSize(): number {
    return this.#worker.settings.maxPacketSize;
  }

  /** True if the server has sent a packet. */
  get wasHeard(): boolean {
    return this.#heard;
  }

  /** The request that the server may have ended the connection on, if it has. */
  get suspect(): OptionalRequest | undefined {
    return this.#heard ? this.#negotiation.suspect : undefined;
  }

  /** Announces a function that was added or replaced, or withdraws one that was removed. */
  announce(functionName: string): void {
    if (this.#state === "unconfirmed") return;
    this.#announcements.update(functionName);
    this.#announced();
  }

  announceAll(): void {
    this.#announcements.announceAll();
    this.#announced();
  }

  /** Asks for one job. */
  grab(): void {
    const type = this.abilities.grab!;
    this.#negotiation.grabSent(type);
    this.#sleep.grabSent();
    this.send(type);
  }

  sleepIfIdle(): void {
    this.#sleep.sleepIfIdle();
  }

  /** The server has sent a packet; true if it was the first one. */
  hear(): boolean {
    if (this.#heard) return false;
    this.#heard = true;
    if (this.#state === "unconfirmed") this.#register();
    return true;
  }

  /** Handles the answer to a grab. */
  receiveAnswer(packet: JobPacket | Packet<typeof PacketType.NO_JOB>): void {
    this.#negotiation.grabAnswered();
    this.#reportLacks();
    if (packet.type === PacketType.NO_JOB) this.#sleep.noJob();
    else if (this.#state === "active") this.#start(packet);
    this.#updatePostponed();
  }

  /** Handles NOOP; false if nothing changed. */
  receiveNoop(): boolean {
    return this.#sleep.noop();
  }

  receiveOption(): void {
    this.#negotiation.optionAnswered();
  }

  receiveEcho(): void {
    this.#negotiation.echoAnswered();
  }

  receiveError(error: ServerError): void {
    this.#negotiation.errorReceived(error);
  }

  /** Calls back when the server has handled everything that was sent before. */
  fence(onPassed: () => void): void {
    if (this.#state !== "unconfirmed") this.#negotiation.fence(onPassed);
  }

  requestSent(request: OptionalRequest): void {
    this.#negotiation.requestSent(request);
  }

  onRefused(request: OptionalRequest): void {
    if (request === PacketType.CAN_DO_TIMEOUT) {
      this.#announcements.timeLimitsRefused();
      this.#sleep.announced();
    }
    if (this.abilities.grab === undefined) {
      throw new ProtocolError("The server refuses every request for a job: GRAB_JOB_ALL, GRAB_JOB_UNIQ and GRAB_JOB");
    }
    const hasAnswered = this.abilities.knows(this.abilities.grab);
    if (hasAnswered) this.#reportLacks();
  }

  onGrabsRefused(): void {
    this.#updatePostponed();
  }

  onError(error: ServerError): void {
    this.#worker.settings.emit({ type: "error", server: this.#serverName, error });
  }

  onWarning({ handle, functionName }: AssignedJob, data: Workload): void {
    this.#worker.settings.emit({ type: "jobWarning", server: this.#serverName, handle, functionName, data });
  }

  /** Asks a silent server for a sign of life, and for jobs. */
  probe(): void {
    this.#negotiation.probe();
    this.#sleep.probed();
  }

  /** The worker is about to close: grabs in flight that will not be answered must not hold it. */
  drain(): void {
    this.#negotiation.drain();
  }

  /** Asks a server, while the worker sleeps there, whether it has a job by now. */
  poll(): void {
    if (this.#worker.functions.size > 0) this.#sleep.poll();
  }

  /** Withdraws all functions before the connection is closed. If jobs were aborted, closing alone requeues them. */
  close(): void {
    this.#sleep.stop();
    if (this.#state !== "aborted") this.send(PacketType.RESET_ABILITIES);
  }

  /** Aborts the signals of all held jobs, and discards their outcomes. */
  abort(reason: unknown): void {
    if (this.#state === "stopped" || this.#state === "aborted") return;
    this.#sleep.stop();
    const runs = [...this.#runs];
    this.#runs.clear();
    this.#state = runs.length > 0 ? "aborted" : "stopped";
    for (const run of runs) {
      run.abort(reason);
      this.#reportEnd(run, { kind: "aborted", error: reason });
    }
  }

  /** Ends the registration; held jobs are aborted. */
  connectionLost(error: GearmanError): void {
    this.#negotiation.end();
    this.abort(error);
    this.#lost.resolve();
  }

  send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    try {
      this.connection.send(type, ...args);
    } catch {
      // The connection is lost, and onLost reports it.
    }
  }

  #register(): void {
    const { id, readiness } = this.#worker;
    this.#state = "active";
    if (id !== undefined && this.abilities.takes(PacketType.SET_CLIENT_ID)) {
      this.send(PacketType.SET_CLIENT_ID, id);
      this.requestSent(PacketType.SET_CLIENT_ID);
    }
    this.announceAll();
    if (readiness.isAwaited) this.fence(readiness.release());
  }

  /** Functions were announced or withdrawn. */
  #announced(): void {
    this.#sleep.announced();
    if (!this.#announcements.takeHasTimeLimits()) return;
    this.requestSent(PacketType.CAN_DO_TIMEOUT);
  }

  #start(packet: JobPacket): void {
    const { maxPacketSize } = this;
    const run = new JobRun(packet, this);
    const { handle, functionName } = run.job;
    this.#runs.add(run);
    this.#jobCounts.set(functionName, (this.#jobCounts.get(functionName) ?? 0) + 1);
    this.#sleep.jobAssigned({ timed: this.#announcements.isTimedByServer(functionName) });
    this.#worker.settings.emit({ type: "jobStarted", server: this.#serverName, handle, functionName });
    if (packet.oversized !== undefined) {
      const reason = `Cannot receive the job: ${describeOversize(packet.oversized, maxPacketSize)}`;
      // Not before the workload has arrived to its end: gearmand frees it with the job, and then sends other memory, or
      // ends the connection.
      this.fence(() => this.#refuse(run, reason));
      return;
    }
    const found = this.#announcements.find(functionName);
    if (found === undefined) {
      this.#refuse(run, `This worker has no function "${printable(functionName)}"`);
      return;
    }
    const { handler, timeout } = found;
    if (timeout !== undefined) run.startTimer(timeout, () => this.#timeOut(run, timeout));
    const outcome = execute(run, handler);
    if (outcome instanceof Promise) outcome.then((outcome) => this.#finish(run, outcome));
    else this.#finish(run, outcome);
  }

  /** Fails a job that has no handler, or that cannot be given to it. */
  #refuse(run: JobRun, reason: string): void {
    this.#finish(run, outcomeOfError(new GearmanError(reason)));
  }

  #timeOut(run: JobRun, timeout: number): void {
    const { handle, functionName } = run.job;
    const error = new GearmanError(
      `Job ${printable(handle)} ("${printable(functionName)}") took longer than ${timeout} ms`,
    );
    this.#finish(run, outcomeOfError(error));
    run.abort(error);
  }

  #finish(run: JobRun, outcome: Outcome): void {
    const isHeld = this.#runs.delete(run);
    if (!isHeld) return; // it was aborted before
    const sent = run.end(outcome);
    this.#reportEnd(run, sent);
    this.#countEnd(run.job.functionName);
    this.#sleep.jobEnded();
    this.#worker.update();
  }

  #countEnd(functionName: string): void {
    const count = this.#jobCounts.get(functionName)!;
    if (count > 1) {
      this.#jobCounts.set(functionName, count - 1);
    } else {
      this.#jobCounts.delete(functionName);
      this.#announcements.jobEnded(functionName);
    }
  }

  /** Reports what the server does not know, once a way to ask for jobs was found. */
  #reportLacks(): void {
    const packets = this.abilities.takeReport();
    if (packets !== undefined) this.#worker.settings.emit({ type: "serverLacks", server: this.#serverName, packets });
  }

  #updatePostponed(): void {
    if (this.grabsInFlight === 0) this.#announcements.noGrabInFlight();
  }

  #reportEnd(run: JobRun, end: JobEnd): void {
    const { handle, functionName } = run.job;
    const duration = performance.now() - run.startedAt;
    const event = { type: "jobEnded", server: this.#serverName, handle, functionName, duration } as const;
    this.#worker.settings.emit(end.kind === "completed" ? event : { ...event, error: end.error });
  }
}
