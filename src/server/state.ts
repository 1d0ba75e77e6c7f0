/**
 * What a job server remembers: functions, their jobs, and who waits for what. It does no I/O and has no clock; what has to
 * be said to a connection is its caller's business.
 */

import { ProtocolError } from "../errors.ts";
import { Heap } from "../internal/heap.ts";
import { type Ability, FunctionQueue, Job, NOBODY, type Party, samenessOf, type Submission } from "./model.ts";

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
  readonly jobs: Map<string, Job> = new Map();
  readonly #waiting = new Heap<Job>((a, b) => a.due < b.due || (a.due === b.due && a.place < b.place));
  #serial = 0;
  #places = 0;

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
    for (const line of queue.lines) line.take(({ ignored }) => ignored).forEach((job) => this.#forget(job));
    return queue.workers.length === 0 && queue.total === 0 && this.functions.delete(queue.name);
  }

  /** Uniques belong to functions, but GET_STATUS_UNIQUE names none: it is about the newest job of them all. */
  jobByUnique(unique: string): Job | undefined {
    let newest: Job | undefined;
    for (const queue of this.functions.values()) {
      const job = queue.joinable.get(`=${unique}`);
      if (job !== undefined && job.serial > (newest?.serial ?? 0)) newest = job;
    }
    return newest;
  }

  // ---- Clients

  /**
   * Takes a submission. Where a job of the same function and unique is queued or running, it is joined to that one: the
   * first workload and priority win, and no limit is looked at. Undefined means that there is no room.
   */
  submit(client: Party, submission: Submission): { job: Job; isNew: boolean } | undefined {
    if (this.jobs.size >= this.#settings.maxJobs && !this.functions.has(submission.functionName)) return undefined;
    const queue = this.addFunction(submission.functionName);
    let job = queue.joinable.get(samenessOf(submission) ?? "");
    const isNew = job === undefined;
    if (job === undefined) {
      const limit = queue.limits[submission.priority];
      if (this.jobs.size >= this.#settings.maxJobs || (limit > 0 && queue.total >= limit)) return undefined;
      job = new Job(`${this.#settings.handlePrefix}:${++this.#serial}`, this.#serial, queue, submission);
      this.jobs.set(job.handle, job);
      if (job.sameness !== undefined) queue.joinable.set(job.sameness, job);
    }
    job.ignored = false;
    if (submission.background) {
      job.background = true;
    } else {
      if (job.clients === NOBODY) job.clients = new Map();
      job.clients.set(client, (job.clients.get(client) ?? 0) + 1);
      client.waitsFor.add(job);
    }
    return { job, isNew };
  }

  /** Puts a new job in its line, or lets it wait for its time. */
  enqueue(job: Job, now: number): void {
    job.place = ++this.#places;
    if (job.due <= now) return job.line.push(job);
    this.#waiting.push(job);
    job.queue.waiting++;
  }

  /** When the first of the waiting jobs is due, in milliseconds since 1970. */
  get nextDue(): number {
    return this.#waiting.first?.due ?? Infinity;
  }

  /** Puts the first of the waiting jobs in its line, if its time has come: where it would be if it had not waited. */
  takeDue(now: number): Job | undefined {
    if (this.nextDue > now) return undefined;
    const job = this.#waiting.shift()!;
    job.queue.waiting--;
    job.line.push(job);
    return job;
  }

  /** A client leaves. A foreground job that nobody else waits for stays listed until a worker looks, or is joined again. */
  abandon(client: Party): void {
    for (const job of client.waitsFor) {
      job.clients.delete(client);
      if (job.clients.size === 0 && !job.background) job.ignored = true;
    }
    client.waitsFor.clear();
  }

  /**
   * Nobody waits for the job or joins it any more, but it stays listed until a worker looks, or the one that has it is
   * done. One that waits for its time goes at once: that may be in a year.
   */
  cancel(job: Job): void {
    job.ignored = true;
    job.background = false;
    this.#detach(job);
    if (job.due === 0 || this.#waiting.take((waiting) => waiting === job).length === 0) return;
    job.queue.waiting--;
    this.#forget(job);
  }

  // ---- Workers

  /**
   * Does not wake it: a worker that wants to know of jobs that are queued already asks for one.
   *
   * @throws {ProtocolError} The worker has 100,000 abilities, or there are as many functions.
   */
  addAbility(worker: Party, functionName: string, timeLimit: number): void {
    if (worker.abilities.length >= MAX_FUNCTIONS) throw new ProtocolError("Too many functions");
    const queue = this.addFunction(functionName);
    const ability = { worker, queue, timeLimit, jobs: new Set<Job>() };
    worker.abilities.push(ability);
    queue.workers.push(ability);
  }

  /** Takes abilities from a worker, all at once, since lists may be long; returns the functions that they were of. */
  removeAbilities(worker: Party, lost: ReadonlySet<Ability>): ReadonlySet<FunctionQueue> {
    const queues = new Set(Array.from(lost, ({ queue }) => queue));
    const stays = (ability: Ability) => !lost.has(ability);
    worker.abilities = worker.abilities.filter(stays);
    for (const queue of queues) queue.workers = queue.workers.filter(stays);
    return queues;
  }

  /**
   * By which ability a worker gets its next job: by what it registered last, whatever the priorities of the others.
   * Ignored jobs before that are thrown away.
   */
  next(worker: Party): Ability | undefined {
    const { abilities } = worker;
    for (let i = abilities.length - 1; i >= 0; i--) {
      const ability = abilities[i]!;
      const line = ability.queue.line;
      if (line === undefined) continue;
      if (!line.first!.ignored) return ability;
      this.#forget(line.shift()!);
      this.#takeTurn(worker, ability);
      i = abilities.length; // begin again
    }
    return undefined;
  }

  /** Gives a worker its next job. */
  grab(worker: Party): Job | undefined {
    const ability = this.next(worker);
    if (ability === undefined) return undefined;
    this.#takeTurn(worker, ability);
    const job = ability.queue.line!.shift()!;
    job.ability = ability;
    ability.jobs.add(job);
    job.queue.running++;
    return job;
  }

  /** With `roundRobin` a function that had its turn comes last from then on, also if its job was thrown away. */
  #takeTurn({ abilities }: Party, ability: Ability): void {
    if (this.#settings.roundRobin) abilities.unshift(...abilities.splice(abilities.indexOf(ability), 1));
  }

  /** Wakes the sleepers of a function: all, or as many as `workerWakeup` says, who then come last. */
  *wake({ workers }: FunctionQueue): Iterable<Party> {
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
    return this.#settings.workerWakeup > 0 && queue.line !== undefined;
  }

  /**
   * Takes a job from its worker, who is lost to it, and puts it at the end of its line. False where that has happened
   * `jobRetries` times, and the job is to be finished instead.
   */
  requeue(job: Job): boolean {
    this.#release(job);
    job.numerator = job.denominator = 0;
    if (++job.retries === this.#settings.jobRetries) return false;
    job.place = ++this.#places;
    job.line.push(job);
    return true;
  }

  /** The job is over. */
  finish(job: Job): void {
    this.#release(job);
    this.#forget(job);
  }

  #release(job: Job): void {
    if (job.ability === undefined) return;
    job.ability.jobs.delete(job);
    job.ability = undefined;
    job.queue.running--;
  }

  #forget(job: Job): void {
    this.jobs.delete(job.handle);
    this.#detach(job);
  }

  #detach(job: Job): void {
    for (const client of job.clients.keys()) client.waitsFor.delete(job);
    job.clients = NOBODY;
    const { joinable } = job.queue;
    if (job.sameness !== undefined && joinable.get(job.sameness) === job) joinable.delete(job.sameness);
  }
}
