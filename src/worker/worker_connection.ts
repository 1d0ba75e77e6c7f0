/** A worker at one server: it registers, grabs, sleeps and wakes, and keeps the jobs that it holds there. */

import { ConnectionError, GearmanError, ProtocolError, ServerError } from "../errors.ts";
import { delay } from "../internal/signals.ts";
import { readText } from "../internal/text.ts";
import { type Packet, type PacketInput, PacketType } from "../codec/packet.ts";
import type { ServerAddress } from "../transport/transport.ts";
import type { ConnectionSettings } from "../connection/options.ts";
import { ServerConnection, type ServerConnectionUser } from "../connection/server_connection.ts";
import { execute, type JobHandler, type JobPacket, JobRun } from "./job_run.ts";
import { type Outcome, outcomeOfError } from "./outcome.ts";

/** A function that a worker can do. */
export interface Ability {
  readonly handler: JobHandler;
  readonly timeout: number | undefined;
}

/** What a station asks of its worker, and tells it. */
export interface WorkerContext {
  readonly settings: ConnectionSettings;
  readonly id: string | undefined;
  readonly concurrency: number;
  readonly abilities: ReadonlyMap<string, Ability>;
  /** Something changed: slots may be free, or a drain may be done. `finished` has just ended a job. */
  update(finished?: WorkerConnection): void;
}

/** gearmand 1.1.20 wakes a worker at once, again and again, for a job that it does not give (behind one that is not due
 * yet). After so many alarms that came within so many ms of falling asleep, and nothing to do, the worker sleeps in. */
const FALSE_ALARMS = 3;
const AT_ONCE = 20;
const LONGEST_NAP = 250;

/** One server of a worker. */
export class WorkerConnection implements ServerConnectionUser {
  readonly link: ServerConnection;
  readonly #foreman: WorkerContext;
  /** The functions as this connection was told of them. */
  readonly #told = new Map<string, Ability>();
  /** Whether that is still to be put right: until it is, nothing is grabbed. */
  #stale = false;
  readonly #runs = new Set<JobRun>();
  #grabs = 0;
  /** Whether the server has said that it has nothing, and not taken it back. */
  dry = false;
  #asleep = false;
  #asleepSince = 0;
  #falseAlarms = 0;
  /** Whether the server may still keep the timer of a job that has ended. */
  #timed = false;
  /** A server that answers and ends the connection at once, again and again, is not dialed before this time. */
  #earliest = 0;
  /** Whether this connection knows the functions; until then there is nothing to tell it. */
  #registered = false;
  #nap: ReturnType<typeof setTimeout> | undefined;
  #onLost: (() => void) | undefined;

  constructor(server: ServerAddress, foreman: WorkerContext) {
    this.#foreman = foreman;
    this.link = new ServerConnection(server, foreman.settings, this);
  }

  /** Jobs held and grabs outstanding: each takes one of the worker's slots. */
  get taken(): number {
    return this.#runs.size + this.#grabs;
  }

  /** Whether asking for a job makes sense: not while a server that failed has said nothing, which would take a slot. */
  get promising(): boolean {
    const { connection, failing } = this.link;
    return this.#registered && connection !== undefined && !failing && !this.dry && !this.#stale &&
      this.#foreman.abilities.size > 0;
  }

  /** Connects, not before it is time, and registers; resolves when the connection is lost again. */
  async serve(signal: AbortSignal): Promise<void> {
    const { settings, id } = this.#foreman;
    await delay(Math.max(this.link.retryDelay, this.#earliest - performance.now()), signal);
    const connection = await this.link.open(signal);
    if (connection !== this.link.connection) return; // lost already
    this.#earliest = performance.now() + settings.minBackoff;
    const lost = new Promise<void>((resolve) => this.#onLost = resolve);
    this.#registered = true;
    this.#send(PacketType.OPTION_REQ, "exceptions");
    if (id !== undefined) this.#send(PacketType.SET_CLIENT_ID, id);
    this.tell();
    this.link.setWaiting(true);
    this.#foreman.update();
    await lost;
  }

  /**
   * Tells of functions that came; and of those that went, once no job of theirs is held or may come: CANT_DO throws
   * running jobs back. One with another time limit goes and comes: with a second CAN_DO it would be there twice.
   */
  tell(): void {
    this.dry = this.#stale = false;
    if (!this.#registered) return;
    const { abilities } = this.#foreman;
    for (const [name, told] of this.#told) {
      const wanted = abilities.get(name);
      if (wanted !== undefined && this.#limit(wanted) === this.#limit(told)) {
        this.#told.set(name, wanted);
      } else if (this.#grabs > 0 || [...this.#runs].some((run) => run.functionName === name)) {
        this.#stale = true;
      } else {
        this.#told.delete(name);
        this.#send(PacketType.CANT_DO, name);
      }
    }
    for (const [name, ability] of abilities) {
      if (this.#told.has(name)) continue;
      this.#told.set(name, ability);
      const limit = this.#limit(ability);
      if (limit === undefined) this.#send(PacketType.CAN_DO, name);
      // A second more than here: were the server first, it would give the job to the next worker, and so on for ever.
      else this.#send(PacketType.CAN_DO_TIMEOUT, name, String(limit + 1_000));
    }
  }

  /** Asks for one job. */
  grab(): void {
    this.#grabs++;
    this.#asleep = this.#timed = false;
    clearTimeout(this.#nap);
    this.#nap = undefined;
    this.#send(PacketType.GRAB_JOB_ALL);
  }

  /** Says that it sleeps, once it has nothing else to say; the server then wakes it. */
  rest(): void {
    if (this.#asleep || this.#grabs > 0 || this.#nap !== undefined || !this.#registered) return;
    if (this.#timed) {
      // gearmand keeps a job's timer until the next grab, or a sleep with nothing to do; one that runs out after the job
      // throws back whatever job has its memory by then. With the slot at another server, have nothing to do for a moment.
      this.#timed = false;
      this.#send(PacketType.RESET_ABILITIES);
      this.#send(PacketType.PRE_SLEEP);
      this.#told.clear();
      this.tell();
    }
    if (this.#falseAlarms <= FALSE_ALARMS) return this.#sleep();
    this.#nap = setTimeout(() => {
      this.#nap = undefined;
      this.#sleep();
    }, Math.min(LONGEST_NAP, 2 ** this.#falseAlarms));
  }

  /** Says goodbye; drops the jobs that it still holds. */
  close(): Promise<void> {
    clearTimeout(this.#nap);
    if (this.#runs.size === 0) this.#send(PacketType.RESET_ABILITIES);
    else this.#abandon(new GearmanError("The worker was stopped before the job was finished"));
    return this.link.close();
  }

  onPacket(packet: Packet): void {
    switch (packet.type) {
      case PacketType.JOB_ASSIGN:
      case PacketType.JOB_ASSIGN_UNIQ:
      case PacketType.JOB_ASSIGN_ALL:
      case PacketType.NO_JOB:
        if (this.#grabs === 0) throw new ProtocolError("The server answered a request for a job that was never sent");
        this.#grabs--;
        this.dry = packet.type === PacketType.NO_JOB;
        if (packet.type !== PacketType.NO_JOB) this.#start(packet);
        if (this.#stale) this.tell();
        break;
      case PacketType.NOOP:
        if (!this.#asleep) return; // one that crossed a grab, whose own answer tells
        this.#falseAlarms = performance.now() - this.#asleepSince < AT_ONCE ? this.#falseAlarms + 1 : 0;
        this.#asleep = this.dry = false;
        break;
      case PacketType.ERROR: { // JOB_NOT_FOUND after a result that came too late, most of all: nothing to be done
        const error = new ServerError(readText(packet.args[0]), readText(packet.args[1]));
        this.#foreman.settings.emit({ type: "error", server: this.link.name, error });
      }
    }
    this.#foreman.update(); // also after ECHO_RES of a probe and OPTION_RES: the server is well
  }

  onTick({ silent }: { readonly silent: boolean }): void {
    if (!silent) return;
    this.#send(PacketType.ECHO_REQ, "");
    // gearmand wakes nobody for a job whose time has come: it must be asked.
    this.dry = false;
    this.#foreman.update();
  }

  onLost(error: GearmanError): void {
    clearTimeout(this.#nap);
    this.#nap = undefined;
    this.#grabs = this.#falseAlarms = 0;
    this.dry =
      this.#asleep =
      this.#registered =
      this.#timed =
        false;
    this.#told.clear();
    const reason = new ConnectionError("The connection was lost: the server has given the job to another worker", {
      cause: error,
      server: this.link.name,
    });
    this.#abandon(reason);
    this.#onLost?.();
    this.#foreman.update();
  }

  #start(packet: JobPacket): void {
    this.#falseAlarms = 0;
    const run = new JobRun(this.link.connection!, packet);
    this.#runs.add(run);
    const { handle, functionName } = run;
    this.#foreman.settings.emit({ type: "jobStarted", server: this.link.name, handle, functionName });
    const ability = this.#foreman.abilities.get(functionName) ?? this.#told.get(functionName);
    if (ability === undefined) {
      return this.#finish(run, outcomeOfError(new GearmanError(`This worker has no function "${functionName}"`)));
    }
    const { timeout } = ability;
    if (timeout !== undefined) {
      run.startTimer(timeout, () => {
        const error = new GearmanError(`Job ${handle} of "${functionName}" took longer than ${timeout} ms`);
        this.#finish(run, outcomeOfError(error));
        run.abort(error);
      });
    }
    const outcome = execute(run, ability.handler);
    if (outcome instanceof Promise) outcome.then((outcome) => this.#finish(run, outcome));
    else this.#finish(run, outcome);
  }

  #finish(run: JobRun, outcome: Outcome): void {
    if (!this.#runs.delete(run)) return;
    this.#timed = this.#limit(this.#told.get(run.functionName)) !== undefined;
    run.end(outcome);
    this.#report(run, outcome);
    if (this.#stale) this.tell();
    this.dry = false; // the server may have more
    this.#foreman.update(this);
  }

  /** Nobody wants what it still holds. */
  #abandon(reason: GearmanError): void {
    const runs = [...this.#runs];
    this.#runs.clear();
    for (const run of runs) {
      run.abort(reason);
      this.#report(run, { kind: "failed", error: reason });
    }
  }

  #report(run: JobRun, outcome: Outcome): void {
    const { handle, functionName } = run;
    const duration = performance.now() - run.startedAt;
    const event = { type: "jobEnded", server: this.link.name, handle, functionName, duration } as const;
    this.#foreman.settings.emit(outcome.kind === "completed" ? event : { ...event, error: outcome.error });
  }

  /** The time limit that the server is told: it times one job per connection, and so those of one job at a time. */
  #limit(ability: Ability | undefined): number | undefined {
    return this.#foreman.concurrency === 1 ? ability?.timeout : undefined;
  }

  #sleep(): void {
    this.#asleep = true;
    this.#asleepSince = performance.now();
    this.#send(PacketType.PRE_SLEEP);
  }

  #send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    try {
      this.link.connection?.send(type, ...args);
    } catch {
      // It is lost, and onLost will say so.
    }
  }
}
