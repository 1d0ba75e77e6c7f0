/** A worker at one server: it registers, grabs, sleeps and wakes, and keeps the jobs that it holds there. */

import { ConnectionError, GearmanError, ProtocolError } from "../errors.ts";
import { type Packet, PacketType } from "../codec/packet.ts";
import { Link, type LinkUser } from "../connection/link.ts";
import type { LinkSettings } from "../connection/options.ts";
import type { ServerAddress } from "../connection/transport.ts";
import { execute, type JobHandler, type Outcome, Run } from "./run.ts";

/** A function that a worker can do. */
export interface Ability {
  readonly handler: JobHandler;
  readonly timeout: number | undefined;
}

/** What a station asks of its worker, and tells it. */
export interface Foreman {
  readonly settings: LinkSettings;
  readonly id: string | undefined;
  readonly concurrency: number;
  /** Something changed: slots may be free, or a drain may be done. */
  update(): void;
}

/** gearmand 1.1.20 wakes a worker at once, again and again, for a job that it does not give (behind one that is not due
 * yet). After so many alarms that came within so many ms of falling asleep, and nothing to do, the worker sleeps in. */
const FALSE_ALARMS = 3;
const AT_ONCE = 20;
const LONGEST_NAP = 250;

/** One server of a worker. */
export class Station implements LinkUser {
  readonly link: Link;
  readonly #foreman: Foreman;
  readonly #abilities = new Map<string, Ability>();
  /** Functions that are given up as soon as no job of theirs is held, since CANT_DO throws running jobs back. */
  readonly #leaving = new Set<string>();
  readonly #runs = new Set<Run>();
  #grabs = 0;
  /** Whether the server has said that it has nothing, and not taken it back. */
  dry = false;
  #asleep = false;
  #asleepSince = 0;
  #falseAlarms = 0;
  /** Whether this connection knows the functions; until then there is nothing to tell it. */
  #registered = false;
  #nap: ReturnType<typeof setTimeout> | undefined;
  #onLost: (() => void) | undefined;

  constructor(server: ServerAddress, foreman: Foreman) {
    this.#foreman = foreman;
    this.link = new Link(server, foreman.settings, this);
  }

  /** Jobs held and grabs outstanding: each takes one of the worker's slots. */
  get taken(): number {
    return this.#runs.size + this.#grabs;
  }

  /** Whether asking for a job makes sense. */
  get promising(): boolean {
    return this.#registered && !this.dry && this.#leaving.size === 0 && this.#abilities.size > 0;
  }

  /** Connects and registers; resolves when the connection is lost again. */
  async serve(signal: AbortSignal): Promise<void> {
    const connection = await this.link.open(signal);
    if (connection !== this.link.connection) return; // lost already
    const lost = new Promise<void>((resolve) => this.#onLost = resolve);
    this.#registered = true;
    const { id } = this.#foreman;
    if (id !== undefined) this.#send(PacketType.SET_CLIENT_ID, id);
    for (const [name, ability] of this.#abilities) this.#register(name, ability);
    this.link.setWaiting(true);
    this.#foreman.update();
    await lost;
  }

  /** Takes a function on, or another handler for it. */
  add(name: string, ability: Ability): void {
    const known = this.#abilities.get(name);
    this.#leaving.delete(name);
    this.#abilities.set(name, ability);
    this.dry = false;
    if (known === undefined || known.timeout !== ability.timeout) this.#register(name, ability);
  }

  /** Gives a function up, when its jobs are finished. */
  remove(name: string): void {
    if (!this.#registered) this.#abilities.delete(name);
    else this.#leaving.add(name);
    this.#leave();
  }

  /** Asks for one job. */
  grab(): void {
    this.#grabs++;
    this.#asleep = false;
    clearTimeout(this.#nap);
    this.#nap = undefined;
    this.#send(PacketType.GRAB_JOB_ALL);
  }

  /** Says that it sleeps, once it has nothing else to say; the server then wakes it. */
  rest(): void {
    if (this.#asleep || this.#grabs > 0 || this.#nap !== undefined || !this.#registered) return;
    if (this.#falseAlarms <= FALSE_ALARMS) return this.#sleep();
    const nap = Math.min(LONGEST_NAP, 2 ** this.#falseAlarms);
    this.#nap = setTimeout(() => {
      this.#nap = undefined;
      this.#sleep();
    }, nap);
  }

  /** Says goodbye; with `force`, drops the jobs that it still holds. */
  async close(force: boolean): Promise<void> {
    clearTimeout(this.#nap);
    if (force) this.#abandon(new GearmanError("The worker was stopped before the job was finished"));
    else this.#send(PacketType.RESET_ABILITIES);
    await this.link.close();
  }

  onPacket(packet: Packet): void {
    switch (packet.type) {
      case PacketType.JOB_ASSIGN:
      case PacketType.JOB_ASSIGN_UNIQ:
      case PacketType.JOB_ASSIGN_ALL:
        this.#answered();
        this.#falseAlarms = 0;
        return this.#start(packet.type, packet.args);
      case PacketType.NO_JOB:
        this.#answered();
        this.dry = true;
        this.#leave();
        return this.#foreman.update();
      case PacketType.NOOP:
        if (!this.#asleep) return; // one that crossed a grab, whose own answer tells
        this.#falseAlarms = performance.now() - this.#asleepSince < AT_ONCE ? this.#falseAlarms + 1 : 0;
        this.#asleep = this.dry = false;
        return this.#foreman.update();
      default: // ECHO_RES of a probe, JOB_NOT_FOUND after a result that came too late: nothing to be done
    }
  }

  onSilence(): void {
    // A grab answers as well as an echo, and finds the epoch jobs for which gearmand wakes nobody.
    if (this.#grabs === 0 && this.dry) {
      this.dry = false;
      this.#foreman.update();
    }
    if (this.#grabs === 0) this.#send(PacketType.ECHO_REQ, "");
  }

  onLost(error: GearmanError): void {
    clearTimeout(this.#nap);
    this.#nap = undefined;
    this.#grabs = this.#falseAlarms = 0;
    this.dry = this.#asleep = this.#registered = false;
    for (const name of this.#leaving) this.#abilities.delete(name);
    this.#leaving.clear();
    const reason = new ConnectionError("The connection was lost: the server has given the job to another worker", {
      cause: error,
      server: this.link.name,
    });
    this.#abandon(reason);
    this.#onLost?.();
    this.#foreman.update();
  }

  #answered(): void {
    if (this.#grabs === 0) throw new ProtocolError("The server answered a request for a job that was never sent");
    this.#grabs--;
  }

  #start(type: PacketType, args: readonly Uint8Array[]): void {
    const run = new Run(this.link.connection!, type, args);
    this.#runs.add(run);
    const { settings } = this.#foreman;
    const { handle, functionName } = run;
    settings.emit({ type: "jobStarted", server: this.link.name, handle, functionName });
    const ability = this.#abilities.get(functionName);
    if (ability === undefined) {
      const error = new GearmanError(`This worker has no function "${functionName}"`);
      return this.#finish(run, { type: PacketType.WORK_EXCEPTION, data: error.message, error });
    }
    const { timeout } = ability;
    if (timeout !== undefined) {
      run.limit(timeout, () => {
        const error = new GearmanError(`Job ${handle} of "${functionName}" took longer than ${timeout} ms`);
        this.#finish(run, { type: PacketType.WORK_EXCEPTION, data: error.message, error });
        run.abort(error);
      });
    }
    const outcome = execute(run, ability.handler);
    if (outcome instanceof Promise) outcome.then((outcome) => this.#finish(run, outcome));
    else this.#finish(run, outcome);
  }

  #finish(run: Run, outcome: Outcome): void {
    if (!this.#runs.delete(run)) return;
    run.end(outcome);
    this.#report(run, outcome.error);
    this.#leave();
    // The server may have more; and gearmand keeps a job's timer until the next grab or sleep.
    this.dry = false;
    this.#foreman.update();
    this.rest();
  }

  /** Nobody wants what it still holds. */
  #abandon(reason: GearmanError): void {
    const runs = [...this.#runs];
    this.#runs.clear();
    for (const run of runs) {
      run.abort(reason);
      this.#report(run, reason);
    }
  }

  #report(run: Run, error: unknown): void {
    const { handle, functionName } = run;
    const duration = performance.now() - run.startedAt;
    const event = { type: "jobEnded", server: this.link.name, handle, functionName, duration } as const;
    this.#foreman.settings.emit(error === undefined ? event : { ...event, error });
  }

  #register(name: string, { timeout }: Ability): void {
    if (!this.#registered) return;
    // gearmand times one job per connection: only a worker of one job at a time can have it watched there.
    if (timeout !== undefined && this.#foreman.concurrency === 1) {
      // A second more than here: were the server first, it would give the job to the next worker, and so on for ever.
      this.#send(PacketType.CAN_DO_TIMEOUT, name, String(timeout + 1_000));
    } else {
      this.#send(PacketType.CAN_DO, name);
    }
  }

  #leave(): void {
    if (this.#grabs > 0) return; // the answer may be a job of that function
    for (const name of this.#leaving) {
      if ([...this.#runs].some((run) => run.functionName === name)) continue;
      this.#leaving.delete(name);
      this.#abilities.delete(name);
      this.#send(PacketType.CANT_DO, name);
    }
  }

  #sleep(): void {
    this.#asleep = true;
    this.#asleepSince = performance.now();
    this.#send(PacketType.PRE_SLEEP);
  }

  #send(type: 1 | 2 | 3 | 4 | 16 | 22 | 23 | 39, ...args: string[]): void {
    try {
      this.link.connection?.send(type, ...args as never);
    } catch {
      // It is lost, and onLost will say so.
    }
  }
}
