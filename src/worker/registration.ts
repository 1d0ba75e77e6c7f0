/** A connection on which a worker has registered: its functions, grabs, jobs and sleep. */

import { GearmanError } from "../errors.ts";
import { deferred } from "../internal/promises.ts";
import { printable } from "../internal/text.ts";
import { type Packet, type PacketInput, PacketType } from "../codec/packet.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionSettings } from "../connection/options.ts";
import { Announcements, type Announcer, type FunctionSource } from "./announcements.ts";
import type { JobPacket } from "./assigned_job.ts";
import { Fences } from "./fences.ts";
import { execute, JobRun } from "./job_run.ts";
import { describeOversize, type Outcome, outcomeOfError } from "./outcome.ts";
import type { Readiness } from "./readiness.ts";
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
export class Registration implements Announcer, Sleeper {
  readonly #worker: WorkerContext;
  readonly #connection: Connection;
  readonly #serverName: string;
  readonly #announcements: Announcements;
  readonly #sleep: Sleep;
  readonly #runs = new Set<JobRun>();
  /** Number of held jobs by function. */
  readonly #jobCounts = new Map<string, number>();
  readonly #lost = deferred<void>();
  readonly #fences = new Fences();
  /**
   * - active: assigned jobs are started.
   * - stopped: the worker was destroyed while no job was held. A job that still arrives is not started.
   * - aborted: the worker was destroyed, or the connection was lost, and held jobs were aborted.
   */
  #state: "active" | "stopped" | "aborted" = "active";

  /** Registers: options, id and functions leave in one write. */
  constructor(worker: WorkerContext, connection: Connection, serverName: string) {
    this.#worker = worker;
    this.#connection = connection;
    this.#serverName = serverName;
    this.#announcements = new Announcements(worker, this);
    this.#sleep = new Sleep(this);
    this.send(PacketType.OPTION_REQ, "exceptions");
    if (worker.id !== undefined) this.send(PacketType.SET_CLIENT_ID, worker.id);
    this.announceAll();
    if (worker.readiness.isAwaited) this.fence(worker.readiness.release());
  }

  /** Resolves when the connection is lost or closed. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  get grabsInFlight(): number {
    return this.#fences.grabsInFlight;
  }

  /** Number of the worker's slots that are in use here: each job and each grab takes one. */
  get slotsInUse(): number {
    return this.#runs.size + this.grabsInFlight;
  }

  get canGrab(): boolean {
    return !this.#sleep.serverIsEmpty && !this.#announcements.isPostponed && this.#worker.functions.size > 0;
  }

  mayHoldJobOf(functionName: string): boolean {
    return this.grabsInFlight > 0 || this.#jobCounts.has(functionName);
  }

  /** Announces a function that was added or replaced, or withdraws one that was removed. */
  announce(functionName: string): void {
    this.#announcements.update(functionName);
    this.#sleep.announced();
  }

  announceAll(): void {
    this.#announcements.announceAll();
    this.#sleep.announced();
  }

  /** Asks for one job. */
  grab(): void {
    this.#fences.grabSent();
    this.#sleep.grabSent();
    this.send(PacketType.GRAB_JOB_ALL);
  }

  sleepIfIdle(): void {
    this.#sleep.sleepIfIdle();
  }

  /** Handles the answer to a grab. */
  receiveAnswer(packet: JobPacket | Packet<typeof PacketType.NO_JOB>): void {
    this.#fences.grabAnswered();
    if (packet.type === PacketType.NO_JOB) this.#sleep.noJob();
    else if (this.#state === "active") this.#start(packet);
    this.#updatePostponed();
  }

  /** Handles NOOP; false if nothing changed. */
  receiveNoop(): boolean {
    return this.#sleep.noop();
  }

  /** Calls back when the server has handled everything that was sent before. */
  fence(onPassed?: () => void): void {
    this.#fences.fenceSent(onPassed);
    this.send(PacketType.ECHO_REQ, "");
  }

  /** Handles ECHO_RES. */
  receiveEcho(): void {
    const refused = this.#fences.fenceAnswered();
    if (refused > 0) this.#updatePostponed();
  }

  /** Asks a silent server for a sign of life, and for jobs. */
  probe(): void {
    this.fence();
    this.#sleep.probed();
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
    if (this.#state !== "active") return;
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
    this.abort(error);
    this.#lost.resolve();
  }

  send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    try {
      this.#connection.send(type, ...args);
    } catch {
      // The connection is lost, and onLost reports it.
    }
  }

  #start(packet: JobPacket): void {
    const { maxPacketSize } = this.#worker.settings;
    const run = new JobRun(this.#connection, packet, maxPacketSize);
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
      `Job ${printable(handle)} of "${printable(functionName)}" took longer than ${timeout} ms`,
    );
    this.#finish(run, outcomeOfError(error));
    run.abort(error);
  }

  #finish(run: JobRun, outcome: Outcome): void {
    const isHeld = this.#runs.delete(run);
    if (!isHeld) return; // it was aborted before
    run.end(outcome);
    this.#reportEnd(run, outcome);
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
