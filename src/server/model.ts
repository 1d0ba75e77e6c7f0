/**
 * The model of a job server: connections, abilities, functions and jobs.
 *
 * These types refer to each other, so they share one file. What happens to them is in `state.ts`.
 */

import { Heap } from "../internal/heap.ts";
import { IndexedHeap } from "../internal/indexed_heap.ts";
import type { PacketInput, PacketType } from "../codec/mod.ts";
import { latin1 } from "./names.ts";
import type { Namesake } from "./namesakes.ts";
import type { KeptWorkload } from "./workloads.ts";

/** Index of a priority in the queues and limits of a function. */
export type PriorityIndex = 0 | 1 | 2;
export const HIGH = 0;
export const NORMAL = 1;
export const LOW = 2;
/** All priorities, the highest first. */
export const PRIORITIES: readonly PriorityIndex[] = [HIGH, NORMAL, LOW];

/** One thing for each priority. */
type ByPriority<T> = readonly [high: T, normal: T, low: T];

/**
 * A connection, as far as functions and jobs are concerned.
 *
 * It has no fixed role: one connection may submit jobs, work on them, and administer the server.
 */
export abstract class Participant {
  /** The identifier that the `workers` command shows. */
  id = "-";
  /** True if the connection receives WORK_EXCEPTION; otherwise it receives WORK_FAIL instead. */
  exceptions = false;
  /** As a client: the foreground jobs that it waits for. */
  readonly awaitedJobs: Set<ServerJob> = new Set();
  /** As a worker: its abilities by function. */
  readonly abilities: Map<FunctionQueue, AbilityGroup> = new Map();
  /** Number of its abilities. A function that was registered twice counts twice. */
  abilityCount = 0;
  /**
   * As a worker: for each priority, the abilities that there may be a job for, in the order of their places. The queue of any
   * other ability is empty, and has it among its watchers: so a worker with many functions finds a job without looking at all.
   */
  readonly candidates: ByPriority<IndexedHeap<AbilityGroup>> = [newCandidates(), newCandidates(), newCandidates()];
  /** The lowest and the highest place of its abilities so far. */
  firstPlace = 0;
  lastPlace = 0;
  /** As a worker: true from PRE_SLEEP until it is woken or asks for a job. */
  asleep = false;

  /** Sends one packet to the connection. */
  abstract send<T extends PacketType>(type: T, ...args: PacketInput<T>): void;
}

const newCandidates = () => new IndexedHeap<AbilityGroup>((a, b) => a.place < b.place);

/** A function that a worker can do, registered with CAN_DO or CAN_DO_TIMEOUT. */
export interface Ability {
  readonly group: AbilityGroup;
  /** Maximum duration of a job in milliseconds; 0 means no limit. */
  readonly timeLimit: number;
  /** Running jobs that were assigned because of this ability, in the order in which they were grabbed. */
  readonly jobs: Set<ServerJob>;
  /** Position among the abilities of the worker: those with a lower place are served first. */
  place: number;
}

/** All abilities of one worker for one function. There is usually one, but a worker may register a function again. */
export class AbilityGroup {
  readonly worker: Participant;
  readonly functionQueue: FunctionQueue;
  /** There is always at least one. */
  readonly abilities: Heap<Ability> = new Heap((a, b) => a.place < b.place);

  constructor(worker: Participant, functionQueue: FunctionQueue) {
    this.worker = worker;
    this.functionQueue = functionQueue;
  }

  /** The lowest place of its abilities. */
  get place(): number {
    return this.abilities.first!.place;
  }
}

/** A function with its jobs and workers. */
export class FunctionQueue implements Namesake<FunctionQueue> {
  readonly name: string;
  /** Start of the handles of its jobs. */
  readonly handlePrefix: string;
  /** Functions that differ only in the case of their letters. */
  olderNamesake: FunctionQueue | undefined;
  newerNamesake: FunctionQueue | undefined;
  /** Jobs that a worker may grab, by priority. */
  readonly queues: ByPriority<Heap<ServerJob>> = [newQueue(), newQueue(), newQueue()];
  /** Abilities that become candidates when a job is put into the queue of that priority. */
  readonly watchers: ByPriority<Set<AbilityGroup>> = [new Set(), new Set(), new Set()];
  /** Number of epoch jobs that are not due yet. They count as jobs of normal priority. */
  waiting = 0;
  /** Number of running jobs. */
  running = 0;
  /** Its workers. Where `workerWakeup` limits how many are woken, the first ones are next. */
  readonly workers: Set<AbilityGroup> = new Set();
  /** Number of abilities of all workers. A worker that registered the function twice counts twice. */
  abilityCount = 0;
  /**
   * Maximum number of jobs for a submission of each priority; 0 means no limit. As in gearmand, the limit is compared with
   * all jobs of the function, whatever their priority.
   */
  limits: readonly [high: number, normal: number, low: number] = [0, 0, 0];
  /** Jobs that further submissions join, by {@linkcode coalesceKeyOf}. */
  readonly coalescable: Map<string, ServerJob> = new Map();

  constructor(name: string, handlePrefix: string) {
    this.name = name;
    this.handlePrefix = handlePrefix;
  }

  /** The queue of the highest priority that holds a job. */
  get nextQueue(): Heap<ServerJob> | undefined {
    for (const queue of this.queues) if (queue.size > 0) return queue;
    return undefined;
  }

  /** Numbers of jobs that do not run. */
  get queued(): [high: number, normal: number, low: number] {
    const [high, normal, low] = this.queues;
    return [high.size, normal.size + this.waiting, low.size];
  }

  /** Number of all jobs, including the running ones. */
  get total(): number {
    const [high, normal, low] = this.queued;
    return high + normal + low + this.running;
  }
}

const newQueue = () => new Heap<ServerJob>((a, b) => a.sequence < b.sequence);

/** The contents of one submission. */
export interface JobDetails {
  readonly functionName: string;
  readonly unique: string;
  /** A short one is a view of what was received; one over `MAX_PAGED_WORKLOAD` is memory of its own. */
  readonly workload: Uint8Array;
  readonly priority: PriorityIndex;
  readonly background: boolean;
  /** Empty for a job without a reducer. */
  readonly reducer: string;
  /** Earliest time to run, in milliseconds since 1970. A time in the past means now. */
  readonly due: number;
}

/** How further submissions find a job that they join. Most jobs have no unique, and need no such object. */
export class Joining implements Namesake<Joining> {
  readonly job: ServerJob;
  /** Key of the job in `coalescable`; see {@linkcode coalesceKeyOf}. */
  readonly key: string;
  /** The same of jobs of other functions with this unique. */
  olderNamesake: Joining | undefined;
  newerNamesake: Joining | undefined;

  constructor(job: ServerJob, key: string) {
    this.job = job;
    this.key = key;
  }
}

/** A running job's worker, and how far it is. */
export interface JobRun {
  /** The ability that the job was assigned for. */
  readonly ability: Ability;
  numerator: number;
  denominator: number;
}

/** The foreground submissions of a job, by the connections that wait for it. */
export class JobClients {
  readonly #submissions = new Map<Participant, number>();
  /** Number of submissions of all connections. */
  submissionCount = 0;

  /** Number of connections. */
  get size(): number {
    return this.#submissions.size;
  }

  keys(): IterableIterator<Participant> {
    return this.#submissions.keys();
  }

  /** Iterates over the connections, each with the number of its submissions. */
  [Symbol.iterator](): IterableIterator<[Participant, number]> {
    return this.#submissions.entries();
  }

  add(client: Participant): void {
    this.#submissions.set(client, (this.#submissions.get(client) ?? 0) + 1);
    this.submissionCount += 1;
  }

  delete(client: Participant): void {
    this.submissionCount -= this.#submissions.get(client) ?? 0;
    this.#submissions.delete(client);
  }
}

/** Shared by all jobs without clients: clients of its own would be a third of the memory of a background job. */
export const NO_CLIENTS: JobClients = new JobClients();

/**
 * One job, from JOB_CREATED to its last packet.
 *
 * What only some jobs have is in objects of their own: half of the time that a background job costs is spent on moving and
 * marking it in memory (Node 24).
 */
export class ServerJob {
  /** Number of the job, counted from 1: the end of its handle. */
  readonly number: number;
  readonly functionQueue: FunctionQueue;
  // Of the first submission. Those that joined the job later only add clients.
  readonly unique: string;
  readonly priority: PriorityIndex;
  readonly reducer: string;
  readonly due: number;
  // Its workload, in a page that others may share.
  readonly #memory: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  /** Undefined for a job that no submission can join. */
  readonly joining: Joining | undefined;
  /** True if there was a background submission: the job runs even if no client waits for it. */
  background = false;
  /** True if no client wants the job any more: it is discarded instead of being assigned to a worker. */
  ignored = false;
  /** The connections that wait for the job. */
  clients: JobClients = NO_CLIENTS;
  /** Its run; undefined while it does not run. */
  run: JobRun | undefined;
  /** Number of times that its worker was lost. */
  retries = 0;
  /** Position in its queue: jobs with a lower number come first. */
  sequence = 0;

  constructor(
    number: number,
    functionQueue: FunctionQueue,
    { unique, priority, reducer, due }: JobDetails,
    { memory, start, end }: KeptWorkload,
    coalesceKey: string | undefined,
  ) {
    this.number = number;
    this.functionQueue = functionQueue;
    this.unique = unique;
    this.#memory = memory;
    this.#start = start;
    this.#end = end;
    this.priority = priority;
    this.reducer = reducer;
    this.due = due;
    if (coalesceKey !== undefined) this.joining = new Joining(this, coalesceKey);
  }

  get workload(): Uint8Array {
    return this.#memory.subarray(this.#start, this.#end);
  }

  /** The handle is not kept: there may be a million jobs, and their handles would be a tenth of their memory. */
  get handle(): string {
    return `${this.functionQueue.handlePrefix}:${this.number}`;
  }

  /** The ability that the job was assigned for; undefined while it does not run. */
  get ability(): Ability | undefined {
    return this.run?.ability;
  }

  /** The queue of its function and priority. */
  get queue(): Heap<ServerJob> {
    return this.functionQueue.queues[this.priority];
  }

  /** Receivers of the job's packets: a connection that submitted the same unique three times comes three times in a row. */
  *subscribers(): Iterable<Participant> {
    for (const [client, submissions] of this.clients) {
      for (let i = 0; i < submissions; i++) yield client;
    }
  }
}

/** Maximum length of a workload that is part of a key, in bytes; a JavaScript string holds at most half a GiB. */
const MAX_KEY_WORKLOAD = 2 ** 28;

/**
 * Returns what submissions of the same job have in common, or undefined for a submission that is always a job of its own.
 *
 * The unique "-" stands for the workload. That is another key than a unique of the same bytes. A submission without a
 * unique, or with "-" and an empty workload, has no key.
 */
export function coalesceKeyOf({ unique, workload }: JobDetails): string | undefined {
  if (unique === "") return undefined;
  if (unique !== "-") return coalesceKeyOfUnique(unique);
  if (workload.length === 0 || workload.length > MAX_KEY_WORKLOAD) return undefined;
  return `-${latin1.decode(workload)}`;
}

/** Returns the key of all submissions with this unique, which is neither empty nor "-". */
export function coalesceKeyOfUnique(unique: string): string {
  return `=${unique}`;
}

/** True for a key of {@linkcode coalesceKeyOfUnique}; false for one that stands for a workload. */
export function isKeyOfUnique(coalesceKey: string): boolean {
  return coalesceKey.startsWith("=");
}
