/**
 * What a job server remembers: functions, their jobs, and who waits for what. It does no I/O and has no clock; what has to
 * be said to a connection is its caller's business.
 */

import { ProtocolError } from "../errors.ts";
import { Heap } from "../internal/heap.ts";
import {
  type Ability,
  coalesceKeyOf,
  FunctionQueue,
  type JobDetails,
  NO_CLIENTS,
  type Participant,
  ServerJob,
} from "./model.ts";

/** Most functions of a server, and most abilities of a worker: a peer could name them without end. */
const MAX_FUNCTIONS = 100_000;

/** The options that a server's state depends on. */
export interface StateSettings {
  readonly handlePrefix: string;
  readonly jobRetries: number;
  readonly roundRobin: boolean;
  readonly workerWakeup: number;
  readonly maxJobs: number;
}

/** Everything that a job server remembers. */
export class State {
  readonly #settings: StateSettings;
  /** Functions by name; they stay listed until they are dropped. */
  readonly functions: Map<string, FunctionQueue> = new Map();
  /** Jobs by handle, in the order of their submission. */
  readonly jobs: Map<string, ServerJob> = new Map();
  readonly #waiting = new Heap<ServerJob>((a, b) => a.due < b.due || (a.due === b.due && a.sequence < b.sequence));
  #lastNumber = 0;
  #lastSequence = 0;

  constructor(settings: StateSettings) {
    this.#settings = settings;
  }

  /**
   * The function of that name, made if there is none.
   *
   * @throws {ProtocolError} There are 100,000.
   */
  addFunction(name: string): FunctionQueue {
    let queue = this.functions.get(name);
    if (queue === undefined && this.functions.size >= MAX_FUNCTIONS) throw new ProtocolError("Too many functions");
    if (queue === undefined) this.functions.set(name, queue = new FunctionQueue(name));
    return queue;
  }

  /** Forgets a function; false where it has workers, or jobs that somebody wants. */
  dropFunction(queue: FunctionQueue): boolean {
    for (const jobQueue of queue.queues) jobQueue.take(({ ignored }) => ignored).forEach((job) => this.#forget(job));
    return queue.workers.length === 0 && queue.total === 0 && this.functions.delete(queue.name);
  }

  /** Uniques belong to functions, but GET_STATUS_UNIQUE names none: it is about the newest job of them all. */
  jobByUnique(unique: string): ServerJob | undefined {
    let newest: ServerJob | undefined;
    for (const queue of this.functions.values()) {
      const job = queue.coalescable.get(`=${unique}`);
      if (job !== undefined && job.number > (newest?.number ?? 0)) newest = job;
    }
    return newest;
  }

  // ---- Clients

  /**
   * Takes a submission. Where a job of the same function and unique is queued or running, it is joined to that one: the
   * first workload and priority win, and no limit is looked at. Undefined means that there is no room.
   */
  submit(client: Participant, details: JobDetails): { job: ServerJob; isNew: boolean } | undefined {
    if (this.jobs.size >= this.#settings.maxJobs && !this.functions.has(details.functionName)) return undefined;
    const queue = this.addFunction(details.functionName);
    let job = queue.coalescable.get(coalesceKeyOf(details) ?? "");
    const isNew = job === undefined;
    if (job === undefined) {
      const limit = queue.limits[details.priority];
      if (this.jobs.size >= this.#settings.maxJobs || (limit > 0 && queue.total >= limit)) return undefined;
      job = new ServerJob(`${this.#settings.handlePrefix}:${++this.#lastNumber}`, this.#lastNumber, queue, details);
      this.jobs.set(job.handle, job);
      if (job.coalesceKey !== undefined) queue.coalescable.set(job.coalesceKey, job);
    }
    job.ignored = false;
    if (details.background) {
      job.background = true;
    } else {
      if (job.clients === NO_CLIENTS) job.clients = new Map();
      job.clients.set(client, (job.clients.get(client) ?? 0) + 1);
      client.awaitedJobs.add(job);
    }
    return { job, isNew };
  }

  /** Puts a new job in its queue, or lets it wait for its time. */
  enqueue(job: ServerJob, now: number): void {
    job.sequence = ++this.#lastSequence;
    if (job.due <= now) return job.queue.push(job);
    this.#waiting.push(job);
    job.functionQueue.waiting++;
  }

  /** When the first of the waiting jobs is due, in milliseconds since 1970. */
  get nextDue(): number {
    return this.#waiting.first?.due ?? Infinity;
  }

  /** Puts the first of the waiting jobs in its queue, if its time has come: where it would be if it had not waited. */
  takeDue(now: number): ServerJob | undefined {
    if (this.nextDue > now) return undefined;
    const job = this.#waiting.shift()!;
    job.functionQueue.waiting--;
    job.queue.push(job);
    return job;
  }

  /** A client leaves. A foreground job that nobody else waits for stays listed until a worker looks, or is joined again. */
  abandon(client: Participant): void {
    for (const job of client.awaitedJobs) {
      job.clients.delete(client);
      if (job.clients.size === 0 && !job.background) job.ignored = true;
    }
    client.awaitedJobs.clear();
  }

  /**
   * Nobody waits for the job or joins it any more, but it stays listed until a worker looks, or the one that has it is
   * done. One that waits for its time goes at once: that may be in a year.
   */
  cancel(job: ServerJob): void {
    job.ignored = true;
    job.background = false;
    this.#detach(job);
    if (job.due === 0 || this.#waiting.take((waiting) => waiting === job).length === 0) return;
    job.functionQueue.waiting--;
    this.#forget(job);
  }

  // ---- Workers

  /**
   * Does not wake it: a worker that wants to know of jobs that are queued already asks for one.
   *
   * @throws {ProtocolError} The worker has 100,000 abilities, or there are as many functions.
   */
  addAbility(worker: Participant, functionName: string, timeLimit: number): void {
    if (worker.abilities.length >= MAX_FUNCTIONS) throw new ProtocolError("Too many functions");
    const queue = this.addFunction(functionName);
    const ability = { worker, functionQueue: queue, timeLimit, jobs: new Set<ServerJob>() };
    worker.abilities.push(ability);
    queue.workers.push(ability);
  }

  /** Takes abilities from a worker, all at once, since lists may be long; returns the functions that they were of. */
  removeAbilities(worker: Participant, lost: ReadonlySet<Ability>): ReadonlySet<FunctionQueue> {
    const queues = new Set(Array.from(lost, ({ functionQueue }) => functionQueue));
    const stays = (ability: Ability) => !lost.has(ability);
    worker.abilities = worker.abilities.filter(stays);
    for (const queue of queues) queue.workers = queue.workers.filter(stays);
    return queues;
  }

  /**
   * By which ability a worker gets its next job: by what it registered last, whatever the priorities of the others.
   * Ignored jobs before that are thrown away.
   */
  next(worker: Participant): Ability | undefined {
    const { abilities } = worker;
    for (let i = abilities.length - 1; i >= 0; i--) {
      const ability = abilities[i]!;
      const nextQueue = ability.functionQueue.nextQueue;
      if (nextQueue === undefined) continue;
      if (!nextQueue.first!.ignored) return ability;
      this.#forget(nextQueue.shift()!);
      this.#takeTurn(worker, ability);
      i = abilities.length; // begin again
    }
    return undefined;
  }

  /** Gives a worker its next job. */
  grab(worker: Participant): ServerJob | undefined {
    const ability = this.next(worker);
    if (ability === undefined) return undefined;
    this.#takeTurn(worker, ability);
    const job = ability.functionQueue.nextQueue!.shift()!;
    job.ability = ability;
    ability.jobs.add(job);
    job.functionQueue.running++;
    return job;
  }

  /** With `roundRobin` a function that had its turn comes last from then on, also if its job was thrown away. */
  #takeTurn({ abilities }: Participant, ability: Ability): void {
    if (this.#settings.roundRobin) abilities.unshift(...abilities.splice(abilities.indexOf(ability), 1));
  }

  /** Wakes the sleepers of a function: all, or as many as `workerWakeup` says, who then come last. */
  *wake({ workers }: FunctionQueue): Iterable<Participant> {
    let left = this.#settings.workerWakeup;
    for (const [at, { worker }] of workers.entries()) {
      if (!worker.asleep) continue;
      worker.asleep = false; // it needs no NOOP until it sleeps again
      yield worker;
      if (--left === 0) return void workers.splice(0, at + 1).forEach((ability) => workers.push(ability));
    }
  }

  /** When a worker has left: with `workerWakeup` it may have been the only one that was woken for a job. */
  oversleeps(queue: FunctionQueue): boolean {
    return this.#settings.workerWakeup > 0 && queue.nextQueue !== undefined;
  }

  /**
   * Takes a job from its worker, who is lost to it, and puts it at the end of its queue. False where that has happened
   * `jobRetries` times, and the job is to be finished instead.
   */
  requeue(job: ServerJob): boolean {
    this.#release(job);
    job.numerator = job.denominator = 0;
    if (++job.retries === this.#settings.jobRetries) return false;
    job.sequence = ++this.#lastSequence;
    job.queue.push(job);
    return true;
  }

  /** The job is over. */
  finish(job: ServerJob): void {
    this.#release(job);
    this.#forget(job);
  }

  #release(job: ServerJob): void {
    if (job.ability === undefined) return;
    job.ability.jobs.delete(job);
    job.ability = undefined;
    job.functionQueue.running--;
  }

  #forget(job: ServerJob): void {
    this.jobs.delete(job.handle);
    this.#detach(job);
  }

  #detach(job: ServerJob): void {
    for (const client of job.clients.keys()) client.awaitedJobs.delete(job);
    job.clients = NO_CLIENTS;
    const { coalescable } = job.functionQueue;
    if (job.coalesceKey !== undefined && coalescable.get(job.coalesceKey) === job) coalescable.delete(job.coalesceKey);
  }
}
