/**
 * The state of a job server: its functions, its jobs, and every change to them.
 *
 * The state does no I/O and has no clock. Its caller sends the packets that a change calls for.
 */

import { ProtocolError } from "../errors.ts";
import { IndexedHeap } from "../internal/indexed_heap.ts";
import {
  addAbility,
  announceJob,
  firstWithHighestPriority,
  firstWithJobs,
  moveToEnd,
  removeAbilities,
} from "./abilities.ts";
import {
  type AbilityGroup,
  coalesceKeyOf,
  coalesceKeyOfUnique,
  FunctionQueue,
  isKeyOfUnique,
  JobClients,
  type JobDetails,
  type Joining,
  NO_CLIENTS,
  type Participant,
  ServerJob,
} from "./model.ts";
import { toLowerCase } from "./names.ts";
import { NamesakeIndex } from "./namesakes.ts";
import { NumberTable } from "./number_table.ts";
import { WorkloadPages } from "./workloads.ts";

/** Maximum number of functions of a server, and of abilities of a worker: without it one peer could fill the memory. */
const MAX_FUNCTIONS = 100_000;

/** The version of gearmand that a server answers as: 1.1.20 or 2.0.0. */
export type GearmandVersion = "1.1" | "2.0";

/** Options that the state depends on; `JobServerOptions` describes them. */
export interface StateSettings {
  readonly handlePrefix: string;
  readonly jobRetries: number;
  readonly version: GearmandVersion;
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
  /** Jobs by number, in the order of their submission. */
  readonly jobs: NumberTable<ServerJob> = new NumberTable();
  /** Functions by their names in lower case. */
  readonly #functionNames = new NamesakeIndex<FunctionQueue>();
  /** Jobs that further submissions join by their unique, in all functions. */
  readonly #uniques = new NamesakeIndex<Joining>();
  /** Epoch jobs that are not due yet. */
  readonly #waiting = new IndexedHeap<ServerJob>(isDueBefore);
  readonly #workloads = new WorkloadPages();
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
    const functionQueue = new FunctionQueue(name, this.#settings.handlePrefix);
    this.functions.set(name, functionQueue);
    this.#functionNames.add(toLowerCase(name), functionQueue);
    return functionQueue;
  }

  /** Finds the function that is written so, or else the newest that differs only in case. */
  functionInAnyCase(name: string): FunctionQueue | undefined {
    return this.functions.get(name) ?? this.#functionNames.newest(toLowerCase(name));
  }

  /** Removes a function; returns false if it has workers, or jobs that are not ignored. */
  dropFunction(functionQueue: FunctionQueue): boolean {
    if (functionQueue.abilityCount > 0 || functionQueue.waiting > 0 || functionQueue.running > 0) return false;
    for (const queue of functionQueue.queues) {
      // Only up to the first job that is wanted: another attempt must not look at the same jobs again.
      while (queue.first?.ignored === true) this.#forget(queue.shift()!);
      if (queue.size > 0) return false;
    }
    this.#functionNames.delete(toLowerCase(functionQueue.name), functionQueue);
    return this.functions.delete(functionQueue.name);
  }

  /** Finds a job by its handle, which ends with its number. */
  jobByHandle(handle: string): ServerJob | undefined {
    const job = this.jobs.get(Number(handle.slice(this.#settings.handlePrefix.length + 1)));
    return job?.handle === handle ? job : undefined;
  }

  /**
   * Finds a job by its unique. A unique belongs to a function, but GET_STATUS_UNIQUE names none: it is about the newest job
   * of all functions.
   */
  jobByUnique(unique: string): ServerJob | undefined {
    return this.#uniques.newest(coalesceKeyOfUnique(unique))?.job;
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
    const workload = this.#workloads.keep(details.workload);
    const job = new ServerJob(this.#lastJobNumber, functionQueue, details, workload, coalesceKey);
    this.jobs.add(job.number, job);
    const { joining } = job;
    if (joining !== undefined) {
      functionQueue.coalescable.set(joining.key, job);
      if (isKeyOfUnique(joining.key)) this.#uniques.add(joining.key, joining);
    }
    return job;
  }

  /**
   * Puts a new job into its queue, or among the waiting jobs if it is due later. Returns the workers that are woken: gearmand
   * wakes them for a job that has to wait, too.
   */
  enqueue(job: ServerJob, now: number): readonly Participant[] {
    job.sequence = this.#nextSequence();
    if (job.due <= now) {
      job.queue.push(job);
    } else {
      this.#waiting.add(job);
      job.functionQueue.waiting += 1;
    }
    return this.#wakeFor(job);
  }

  /** Time when the first waiting job is due, in milliseconds since 1970; infinite if none waits. */
  get nextDue(): number {
    return this.#waiting.first?.due ?? Infinity;
  }

  /**
   * Puts the first waiting job into its queue; there must be one. It gets the position that it would have if
   * it had not waited, as in gearmand.
   */
  queueFirstWaiting(): readonly Participant[] {
    const job = this.#waiting.first!;
    this.#waiting.delete(job);
    job.functionQueue.waiting -= 1;
    job.queue.push(job);
    return this.#wakeFor(job);
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
    if (!this.#waiting.delete(job)) return;
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
    if (worker.abilityCount >= MAX_FUNCTIONS) {
      throw new ProtocolError(`Cannot add an ability: the worker has ${MAX_FUNCTIONS} already`);
    }
    addAbility(worker, this.addFunction(functionName), timeLimit);
  }

  /**
   * Removes the abilities of one worker for one function; none of their jobs may be running. Returns the workers that are
   * woken instead: with `workerWakeup`, this one may have been the only one that was woken for a job.
   */
  removeAbilities(group: AbilityGroup): readonly Participant[] {
    removeAbilities(group);
    const { functionQueue } = group;
    if (this.#settings.workerWakeup === 0 || functionQueue.nextQueue === undefined) return [];
    return this.#wakeNext(functionQueue);
  }

  /** True if the worker would get a job now. Ignored jobs that come before it are discarded. */
  hasJobFor(worker: Participant): boolean {
    return this.#groupWithJob(worker) !== undefined;
  }

  /** Assigns the worker its next job. */
  grab(worker: Participant): ServerJob | undefined {
    const group = this.#groupWithJob(worker);
    if (group === undefined) return undefined;
    const { functionQueue } = group;
    const ability = group.abilities.first!;
    this.#takeTurn(group);
    const job = functionQueue.nextQueue!.shift()!;
    job.run = { ability, numerator: 0, denominator: 0 };
    ability.jobs.add(job);
    functionQueue.running += 1;
    return job;
  }

  /** Finds the ability for the worker's next job; discards the ignored jobs that come before it. */
  #groupWithJob(worker: Participant): AbilityGroup | undefined {
    const find = this.#settings.version === "1.1" ? firstWithJobs : firstWithHighestPriority;
    for (;;) {
      const group = find(worker);
      if (group === undefined) return undefined;
      const queue = group.functionQueue.nextQueue!;
      if (!queue.first!.ignored) return group;
      this.#forget(queue.shift()!);
      this.#takeTurn(group);
    }
  }

  /** With `roundRobin`, a function that had its turn comes last afterwards, even if its job was discarded. */
  #takeTurn(group: AbilityGroup): void {
    if (this.#settings.roundRobin) moveToEnd(group);
  }

  /**
   * Wakes workers that sleep, since a job came into a queue of their function or will come: all, or at most `workerWakeup`
   * of them. Returns them.
   */
  #wakeFor({ functionQueue, priority }: ServerJob): readonly Participant[] {
    const announced = announceJob(functionQueue, priority);
    if (this.#settings.workerWakeup > 0) return this.#wakeNext(functionQueue);
    const woken: Participant[] = [];
    // A worker that sleeps watches the queues of all of its functions.
    for (const { worker } of announced) {
      if (wakeUp(worker)) woken.push(worker);
    }
    return woken;
  }

  /** Wakes at most `workerWakeup` workers. If it found that number, those that it has looked at come last the next time. */
  #wakeNext({ workers }: FunctionQueue): readonly Participant[] {
    const woken: Participant[] = [];
    const passed: AbilityGroup[] = [];
    for (const group of workers) {
      passed.push(group);
      if (wakeUp(group.worker)) woken.push(group.worker);
      if (woken.length === this.#settings.workerWakeup) {
        for (const group of passed) moveLast(workers, group);
        break;
      }
    }
    return woken;
  }

  /**
   * Takes a job from its lost worker and puts it at the end of its queue. Returns the workers that are woken, or undefined if
   * the job was lost `jobRetries` times: then it is not queued, and its caller must finish it.
   */
  requeue(job: ServerJob): readonly Participant[] | undefined {
    this.#unassign(job);
    job.retries += 1;
    if (job.retries === this.#settings.jobRetries) return undefined;
    job.sequence = this.#nextSequence();
    job.queue.push(job);
    return this.#wakeFor(job);
  }

  /** Removes a job that is over. */
  finish(job: ServerJob): void {
    this.#unassign(job);
    this.#forget(job);
  }

  /** Removes all functions and jobs. */
  clear(): void {
    this.functions.clear();
    this.#functionNames.clear();
    this.jobs.clear();
    this.#uniques.clear();
  }

  #nextSequence(): number {
    this.#lastSequence += 1;
    return this.#lastSequence;
  }

  #unassign(job: ServerJob): void {
    if (job.run === undefined) return;
    job.run.ability.jobs.delete(job);
    job.run = undefined;
    job.functionQueue.running -= 1;
  }

  #forget(job: ServerJob): void {
    this.jobs.delete(job.number);
    this.#detach(job);
  }

  /** Removes a job from its clients, and from the jobs that submissions can join. */
  #detach(job: ServerJob): void {
    for (const client of job.clients.keys()) client.awaitedJobs.delete(job);
    job.clients = NO_CLIENTS;
    const { joining, functionQueue: { coalescable } } = job;
    // After `cancel job`, the key may belong to a newer job.
    if (joining === undefined || coalescable.get(joining.key) !== job) return;
    coalescable.delete(joining.key);
    if (isKeyOfUnique(joining.key)) this.#uniques.delete(joining.key, joining);
  }
}

function isDueBefore(a: ServerJob, b: ServerJob): boolean {
  if (a.due !== b.due) return a.due < b.due;
  return a.sequence < b.sequence;
}

/** Adds a submission to its job. */
function subscribe(job: ServerJob, client: Participant, { background }: JobDetails): void {
  job.ignored = false;
  if (background) {
    job.background = true;
    return;
  }
  if (job.clients === NO_CLIENTS) job.clients = new JobClients();
  job.clients.add(client);
  client.awaitedJobs.add(job);
}

/** Wakes a worker if it sleeps; until it sleeps again, it needs no other NOOP. */
function wakeUp(worker: Participant): boolean {
  const wasAsleep = worker.asleep;
  worker.asleep = false;
  return wasAsleep;
}

/** Moves an item of a set behind all others. */
function moveLast<T>(items: Set<T>, item: T): void {
  items.delete(item);
  items.add(item);
}
