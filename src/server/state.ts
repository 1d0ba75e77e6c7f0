/**
 * The state of a job server: its functions, its jobs, and every change to them.
 *
 * The state does no I/O and has no clock. Its caller sends the packets that a change calls for.
 */

import { ProtocolError } from "../errors.ts";
import { Heap } from "../internal/heap.ts";
import {
  type Ability,
  coalesceKeyOf,
  coalesceKeyOfUnique,
  FunctionQueue,
  type JobDetails,
  NO_CLIENTS,
  type Participant,
  ServerJob,
} from "./model.ts";

/** Maximum number of functions of a server, and of abilities of a worker: without it one peer could fill the memory. */
const MAX_FUNCTIONS = 100_000;

/** Options that the state depends on; `JobServerOptions` describes them. */
export interface StateSettings {
  readonly handlePrefix: string;
  readonly jobRetries: number;
  readonly roundRobin: boolean;
  readonly workerWakeup: number;
  readonly maxJobs: number;
}

/** The job that a submission created or joined. */
export interface AcceptedJob {
  readonly job: ServerJob;
  readonly isNew: boolean;
}

/** All functions and jobs of a job server. */
export class ServerState {
  readonly #settings: StateSettings;
  /** Functions by name; a function stays listed until it is dropped. */
  readonly functions: Map<string, FunctionQueue> = new Map();
  /** Jobs by handle, in the order of their submission. */
  readonly jobs: Map<string, ServerJob> = new Map();
  /** Epoch jobs that are not due yet. */
  readonly #waiting = new Heap<ServerJob>(isDueBefore);
  #lastJobNumber = 0;
  #lastSequence = 0;

  constructor(settings: StateSettings) {
    this.#settings = settings;
  }

  // ---- Functions

  /**
   * Returns the function of that name, and creates it first if it does not exist.
   *
   * @throws {ProtocolError} There are 100,000 functions already.
   */
  addFunction(name: string): FunctionQueue {
    const existing = this.functions.get(name);
    if (existing !== undefined) return existing;
    if (this.functions.size >= MAX_FUNCTIONS) {
      throw new ProtocolError(`Cannot add a function: the server has ${MAX_FUNCTIONS} already`);
    }
    const functionQueue = new FunctionQueue(name);
    this.functions.set(name, functionQueue);
    return functionQueue;
  }

  /** Removes a function; returns false if it has workers, or jobs that are not ignored. */
  dropFunction(functionQueue: FunctionQueue): boolean {
    for (const queue of functionQueue.queues) {
      for (const job of queue.take(({ ignored }) => ignored)) this.#forget(job);
    }
    if (functionQueue.abilities.length > 0 || functionQueue.total > 0) return false;
    return this.functions.delete(functionQueue.name);
  }

  /**
   * Finds a job by its unique. A unique belongs to a function, but GET_STATUS_UNIQUE names none: it is about the newest job
   * of all functions.
   */
  jobByUnique(unique: string): ServerJob | undefined {
    const key = coalesceKeyOfUnique(unique);
    let newest: ServerJob | undefined;
    for (const { coalescable } of this.functions.values()) {
      const job = coalescable.get(key);
      if (job !== undefined && job.number > (newest?.number ?? 0)) newest = job;
    }
    return newest;
  }

  // ---- Clients

  /**
   * Accepts a submission; returns undefined if there is no room for its job.
   *
   * If a job of the same function and unique is queued or running, the submission joins it: the first workload and priority
   * win, and no limit applies.
   */
  submit(client: Participant, details: JobDetails): AcceptedJob | undefined {
    const isFull = this.jobs.size >= this.#settings.maxJobs;
    if (isFull && !this.functions.has(details.functionName)) return undefined;
    const functionQueue = this.addFunction(details.functionName);
    const coalesceKey = coalesceKeyOf(details);
    const existing = coalesceKey === undefined ? undefined : functionQueue.coalescable.get(coalesceKey);
    if (existing !== undefined) {
      subscribe(existing, client, details);
      return { job: existing, isNew: false };
    }
    const limit = functionQueue.limits[details.priority];
    if (isFull || (limit > 0 && functionQueue.total >= limit)) return undefined;
    const job = this.#createJob(functionQueue, details, coalesceKey);
    subscribe(job, client, details);
    return { job, isNew: true };
  }

  #createJob(functionQueue: FunctionQueue, details: JobDetails, coalesceKey: string | undefined): ServerJob {
    this.#lastJobNumber += 1;
    const handle = `${this.#settings.handlePrefix}:${this.#lastJobNumber}`;
    const job = new ServerJob(handle, this.#lastJobNumber, functionQueue, details, coalesceKey);
    this.jobs.set(handle, job);
    if (coalesceKey !== undefined) functionQueue.coalescable.set(coalesceKey, job);
    return job;
  }

  /** Puts a new job into its queue, or among the waiting jobs if it is due later. */
  enqueue(job: ServerJob, now: number): void {
    job.sequence = this.#nextSequence();
    if (job.details.due <= now) {
      job.queue.push(job);
    } else {
      this.#waiting.push(job);
      job.functionQueue.waiting += 1;
    }
  }

  /** Time when the first waiting job is due, in milliseconds since 1970; infinite if none waits. */
  get nextDue(): number {
    return this.#waiting.first?.details.due ?? Infinity;
  }

  /**
   * Puts the first waiting job into its queue, and returns it; there must be one. It gets the position that it would have if
   * it had not waited, as in gearmand 1.1.20.
   */
  queueFirstWaiting(): ServerJob {
    const job = this.#waiting.shift()!;
    job.functionQueue.waiting -= 1;
    job.queue.push(job);
    return job;
  }

  /**
   * Removes a client from the jobs that it waits for. A foreground job without clients stays listed until a worker looks
   * for a job, or until another submission joins it.
   */
  abandon(client: Participant): void {
    for (const job of client.awaitedJobs) {
      job.clients.delete(client);
      if (job.clients.size === 0 && !job.background) job.ignored = true;
    }
    client.awaitedJobs.clear();
  }

  /**
   * Cancels a job: no client waits for it any more, and no submission joins it. It stays listed until a worker looks for a
   * job, or until its own worker has finished it. An epoch job that waits is removed at once: it might wait for a year.
   */
  cancel(job: ServerJob): void {
    job.ignored = true;
    job.background = false;
    this.#detach(job);
    if (job.details.due === 0) return; // only a job with a time can be among the waiting ones
    const found = this.#waiting.take((waiting) => waiting === job);
    if (found.length === 0) return;
    job.functionQueue.waiting -= 1;
    this.#forget(job);
  }

  // ---- Workers

  /**
   * Registers an ability. It does not wake the worker: a worker that wants the jobs that are queued already asks for one.
   *
   * @throws {ProtocolError} The worker has 100,000 abilities already, or the server has 100,000 functions.
   */
  addAbility(worker: Participant, functionName: string, timeLimit: number): void {
    if (worker.abilities.length >= MAX_FUNCTIONS) {
      throw new ProtocolError(`Cannot add an ability: the worker has ${MAX_FUNCTIONS} already`);
    }
    const functionQueue = this.addFunction(functionName);
    const ability: Ability = { worker, functionQueue, timeLimit, jobs: new Set() };
    worker.abilities.push(ability);
    functionQueue.abilities.push(ability);
  }

  /** Removes abilities of a worker, all in one pass because lists may be long. Returns their functions. */
  removeAbilities(worker: Participant, removed: ReadonlySet<Ability>): ReadonlySet<FunctionQueue> {
    const isKept = (ability: Ability) => !removed.has(ability);
    const functionQueues = new Set<FunctionQueue>();
    for (const { functionQueue } of removed) functionQueues.add(functionQueue);
    worker.abilities = worker.abilities.filter(isKept);
    for (const functionQueue of functionQueues) functionQueue.abilities = functionQueue.abilities.filter(isKept);
    return functionQueues;
  }

  /** True if the worker would get a job now. Ignored jobs that come before it are discarded. */
  hasJobFor(worker: Participant): boolean {
    return this.#abilityWithJob(worker) !== undefined;
  }

  /** Assigns the worker its next job. */
  grab(worker: Participant): ServerJob | undefined {
    const ability = this.#abilityWithJob(worker);
    if (ability === undefined) return undefined;
    this.#takeTurn(worker, ability);
    const { functionQueue } = ability;
    const job = functionQueue.nextQueue!.shift()!;
    job.ability = ability;
    ability.jobs.add(job);
    functionQueue.running += 1;
    return job;
  }

  /** Finds the ability for the worker's next job; discards the ignored jobs that come before it. */
  #abilityWithJob(worker: Participant): Ability | undefined {
    for (;;) {
      const ability = newestAbilityWithQueue(worker);
      if (ability === undefined) return undefined;
      const queue = ability.functionQueue.nextQueue!;
      if (!queue.first!.ignored) return ability;
      this.#forget(queue.shift()!);
      this.#takeTurn(worker, ability);
    }
  }

  /** With `roundRobin`, a function that had its turn comes last afterwards, even if its job was discarded. */
  #takeTurn({ abilities }: Participant, ability: Ability): void {
    if (!this.#settings.roundRobin) return;
    abilities.splice(abilities.indexOf(ability), 1);
    abilities.unshift(ability);
  }

  /**
   * Wakes workers of a function that sleep, and returns them: all, or at most `workerWakeup` of them. In that case the
   * workers that were looked at come last the next time.
   */
  wake({ abilities }: FunctionQueue): Participant[] {
    const woken: Participant[] = [];
    for (const [index, { worker }] of abilities.entries()) {
      if (!worker.asleep) continue;
      worker.asleep = false; // until it sleeps again, it needs no other NOOP
      woken.push(worker);
      if (woken.length === this.#settings.workerWakeup) {
        moveToEnd(abilities, index + 1);
        break;
      }
    }
    return woken;
  }

  /**
   * True if other workers must be woken after one has left: with `workerWakeup`, it may have been the only one that was
   * woken for a job.
   */
  needsWakeup(functionQueue: FunctionQueue): boolean {
    return this.#settings.workerWakeup > 0 && functionQueue.nextQueue !== undefined;
  }

  /**
   * Takes a job from its lost worker and puts it at the end of its queue. Returns false if the job was lost `jobRetries`
   * times: then it is not queued, and its caller must finish it.
   */
  requeue(job: ServerJob): boolean {
    this.#unassign(job);
    job.numerator = 0;
    job.denominator = 0;
    job.retries += 1;
    if (job.retries === this.#settings.jobRetries) return false;
    job.sequence = this.#nextSequence();
    job.queue.push(job);
    return true;
  }

  /** Removes a job that is over. */
  finish(job: ServerJob): void {
    this.#unassign(job);
    this.#forget(job);
  }

  /** Removes all functions and jobs. */
  clear(): void {
    this.functions.clear();
    this.jobs.clear();
  }

  #nextSequence(): number {
    this.#lastSequence += 1;
    return this.#lastSequence;
  }

  #unassign(job: ServerJob): void {
    if (job.ability === undefined) return;
    job.ability.jobs.delete(job);
    job.ability = undefined;
    job.functionQueue.running -= 1;
  }

  #forget(job: ServerJob): void {
    this.jobs.delete(job.handle);
    this.#detach(job);
  }

  /** Removes a job from its clients, and from the jobs that submissions can join. */
  #detach(job: ServerJob): void {
    for (const client of job.clients.keys()) client.awaitedJobs.delete(job);
    job.clients = NO_CLIENTS;
    const { coalescable } = job.functionQueue;
    // After `cancel job`, the key may belong to a newer job.
    if (job.coalesceKey !== undefined && coalescable.get(job.coalesceKey) === job) coalescable.delete(job.coalesceKey);
  }
}

function isDueBefore(a: ServerJob, b: ServerJob): boolean {
  if (a.details.due !== b.details.due) return a.details.due < b.details.due;
  return a.sequence < b.sequence;
}

/** Adds a submission to its job. */
function subscribe(job: ServerJob, client: Participant, { background }: JobDetails): void {
  job.ignored = false;
  if (background) {
    job.background = true;
    return;
  }
  if (job.clients === NO_CLIENTS) job.clients = new Map();
  job.clients.set(client, (job.clients.get(client) ?? 0) + 1);
  client.awaitedJobs.add(job);
}

/** Finds the worker's newest ability with queued jobs, whatever the priorities of the jobs of others. */
function newestAbilityWithQueue({ abilities }: Participant): Ability | undefined {
  for (let i = abilities.length - 1; i >= 0; i--) {
    const ability = abilities[i]!;
    if (ability.functionQueue.nextQueue !== undefined) return ability;
  }
  return undefined;
}

/** Moves the first items of a list to its end; item by item because a call has a limited number of arguments. */
function moveToEnd<T>(list: T[], count: number): void {
  for (const item of list.splice(0, count)) list.push(item);
}
