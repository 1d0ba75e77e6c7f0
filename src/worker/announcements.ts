/** The functions that a worker has announced on one connection. */

import { PacketType } from "../codec/packet.ts";
import type { JobHandler } from "./assigned_job.ts";

/** A function of a worker. */
export interface WorkerFunction {
  readonly handler: JobHandler;
  /** The time limit of a job in milliseconds. */
  readonly timeout: number | undefined;
}

/** What announcements need of the worker. */
export interface FunctionSource {
  readonly functions: ReadonlyMap<string, WorkerFunction>;
  readonly concurrency: number;
}

/** What announcements need of the connection. */
export interface Announcer {
  /** True if the server may know CAN_DO_TIMEOUT. */
  readonly takesTimeLimits: boolean;
  /** True if a job of the function is held, or may still be assigned. */
  mayHoldJobOf(functionName: string): boolean;
  send(type: typeof PacketType.CAN_DO | typeof PacketType.CANT_DO, functionName: string): void;
  send(type: typeof PacketType.CAN_DO_TIMEOUT, functionName: string, timeout: string): void;
}

/** Milliseconds that the server waits longer for a job than the worker does. */
const SERVER_GRACE = 1_000;

/**
 * What the server knows of the worker's functions: CAN_DO, CAN_DO_TIMEOUT and CANT_DO. A change of one function costs the
 * same however many there are.
 */
export class Announcements {
  readonly #worker: FunctionSource;
  readonly #connection: Announcer;
  /** The functions as they were announced: another handler is no news for the server, another time limit is. */
  readonly #announced = new Map<string, WorkerFunction>();
  /** Functions that must be withdrawn when no job of theirs is held or may be assigned. */
  readonly #postponed = new Set<string>();
  #hasTimeLimits = false;

  constructor(worker: FunctionSource, connection: Announcer) {
    this.#worker = worker;
    this.#connection = connection;
  }

  /**
   * True if a function must be withdrawn, but a job of it is held or may be assigned: CANT_DO would requeue a running
   * job. Until the jobs have ended no more are grabbed.
   */
  get isPostponed(): boolean {
    return this.#postponed.size > 0;
  }

  /** Announces all functions, on a new connection or after RESET_ABILITIES. */
  announceAll(): void {
    this.#announced.clear();
    this.#postponed.clear();
    for (const [name, added] of this.#worker.functions) this.#announce(name, added);
  }

  /** Announces a function that was added, withdraws one that was removed, and does both if the time limit has changed. */
  update(name: string): void {
    const wanted = this.#worker.functions.get(name);
    const announced = this.#announced.get(name);
    this.#postponed.delete(name);
    if (announced !== undefined) {
      if (wanted !== undefined && this.#serverTimeout(wanted) === this.#serverTimeout(announced)) {
        this.#announced.set(name, wanted);
        return;
      }
      if (this.#connection.mayHoldJobOf(name)) {
        this.#postponed.add(name);
        return;
      }
      // With another time limit too: a second CAN_DO would register the function twice.
      this.#announced.delete(name);
      this.#connection.send(PacketType.CANT_DO, name);
    }
    if (wanted !== undefined) this.#announce(name, wanted);
  }

  /** A job of a function has ended: withdraws the function if that was postponed. */
  jobEnded(name: string): void {
    if (this.#postponed.has(name)) this.update(name);
  }

  /** No job may be assigned at the moment: withdraws the postponed functions of which no job is held. */
  noGrabInFlight(): void {
    for (const name of [...this.#postponed]) this.update(name);
  }

  /** True if CAN_DO_TIMEOUT was sent since the last call. */
  takeHasTimeLimits(): boolean {
    const hasTimeLimits = this.#hasTimeLimits;
    this.#hasTimeLimits = false;
    return hasTimeLimits;
  }

  /** The server has refused CAN_DO_TIMEOUT: announces those functions without a time limit, which the worker keeps. */
  timeLimitsRefused(): void {
    for (const [name, { timeout }] of this.#announced) {
      if (timeout !== undefined) this.#connection.send(PacketType.CAN_DO, name);
    }
  }

  /** Returns the function for a job; a job of a removed function that is not withdrawn yet still has its handler. */
  find(functionName: string): WorkerFunction | undefined {
    return this.#worker.functions.get(functionName) ?? this.#announced.get(functionName);
  }

  /** True if the server limits the time of a job of this function. */
  isTimedByServer(functionName: string): boolean {
    return this.#serverTimeout(this.#announced.get(functionName)) !== undefined;
  }

  #announce(name: string, added: WorkerFunction): void {
    this.#announced.set(name, added);
    const timeout = this.#serverTimeout(added);
    if (timeout === undefined) {
      this.#connection.send(PacketType.CAN_DO, name);
    } else {
      // If the server's time were up first, it would give the job to the next worker, and so on without end.
      this.#connection.send(PacketType.CAN_DO_TIMEOUT, name, String(timeout + SERVER_GRACE));
      this.#hasTimeLimits = true;
    }
  }

  /** The time limit that is announced: a server times one job of a connection, so the worker must hold one at a time. */
  #serverTimeout(announced: WorkerFunction | undefined): number | undefined {
    return this.#worker.concurrency === 1 && this.#connection.takesTimeLimits ? announced?.timeout : undefined;
  }
}
