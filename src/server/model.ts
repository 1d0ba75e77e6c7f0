/** What a job server is made of: connections, functions and jobs. They refer to each other, and so they are one file. */

import { Heap } from "../internal/heap.ts";
import type { PacketInput, PacketType } from "../codec/mod.ts";
import { latin1 } from "./names.ts";

/** Index of a priority in a function's queues and limits. */
export type PriorityIndex = 0 | 1 | 2;
export const HIGH = 0;
export const NORMAL = 1;
export const LOW = 2;

/** One connection. It has no fixed role: the same one may submit jobs, work on them, and administer the server. */
export abstract class Participant {
  /** What `workers` shows of it. */
  id = "-";
  /** It takes WORK_EXCEPTION of a job that failed so; otherwise it is told WORK_FAIL. */
  exceptions = false;
  /** As a client: the jobs that it waits for. */
  readonly awaitedJobs: Set<ServerJob> = new Set();
  /** As a worker: what it can do, the newest last; what it registered twice is there twice. */
  abilities: Ability[] = [];
  /** As a worker: it has sent PRE_SLEEP, and was not woken since. */
  asleep = false;

  /** Sends it one packet. */
  abstract send<T extends PacketType>(type: T, ...args: PacketInput<T>): void;
}

/** What a worker can do, by CAN_DO or CAN_DO_TIMEOUT. */
export interface Ability {
  readonly worker: Participant;
  readonly functionQueue: FunctionQueue;
  /** How long a job may take, in ms; 0 is for ever. */
  readonly timeLimit: number;
  /** What was grabbed by it and is not finished. */
  readonly jobs: Set<ServerJob>;
}

/** One function, with its jobs and workers. */
export class FunctionQueue {
  readonly name: string;
  /** Jobs that a worker may grab, by priority. */
  readonly queues: readonly [Heap<ServerJob>, Heap<ServerJob>, Heap<ServerJob>] = [newQueue(), newQueue(), newQueue()];
  /** How many wait for their time; they are counted as jobs of normal priority. */
  waiting = 0;
  running = 0;
  /** Who can do it; the first is the next to be woken, where not all are. */
  workers: Ability[] = [];
  /** A submission of that priority is refused where there are so many jobs in all; 0 is no limit. */
  limits: readonly [high: number, normal: number, low: number] = [0, 0, 0];
  /** Jobs that further submissions join, by what {@linkcode coalesceKeyOf} says. */
  readonly coalescable: Map<string, ServerJob> = new Map();

  constructor(name: string) {
    this.name = name;
  }

  /** The queue of the highest priority in which there are jobs. */
  get nextQueue(): Heap<ServerJob> | undefined {
    return this.queues.find(({ size }) => size > 0);
  }

  /** Jobs of each priority that do not run. */
  get queued(): [high: number, normal: number, low: number] {
    const [high, normal, low] = this.queues;
    return [high.size, normal.size + this.waiting, low.size];
  }

  get total(): number {
    const [high, normal, low] = this.queued;
    return high + normal + low + this.running;
  }
}

/** What a client submits. */
export interface JobDetails {
  readonly functionName: string;
  readonly unique: string;
  readonly workload: Uint8Array;
  readonly priority: PriorityIndex;
  readonly background: boolean;
  readonly reducer?: string;
  /** When it may run, in milliseconds since 1970. */
  readonly due?: number;
}

/** A map for each of many background jobs would be a third of their memory. */
export const NO_CLIENTS: Map<Participant, number> = new Map();

/** One job, from JOB_CREATED to its last packet. */
export class ServerJob {
  readonly handle: string;
  readonly number: number;
  readonly functionQueue: FunctionQueue;
  /** The first submission; of those that joined it only their clients are kept. */
  readonly details: JobDetails;
  readonly due: number;
  readonly coalesceKey: string | undefined;
  /** Somebody was promised that it runs, whoever leaves. */
  background = false;
  /** Nobody wants it any more: no worker gets it. */
  ignored = false;
  /** How many foreground submissions of each connection wait for it. */
  clients: Map<Participant, number> = NO_CLIENTS;
  /** By what it was grabbed, while it runs. */
  ability: Ability | undefined;
  /** How often a worker was lost over it. */
  retries = 0;
  numerator = 0;
  denominator = 0;
  /** It comes before jobs of a higher number. */
  sequence = 0;

  constructor(handle: string, number: number, functionQueue: FunctionQueue, details: JobDetails) {
    this.handle = handle;
    this.number = number;
    this.functionQueue = functionQueue;
    this.details = details;
    this.due = details.due ?? 0;
    this.coalesceKey = coalesceKeyOf(details);
  }

  get queue(): Heap<ServerJob> {
    return this.functionQueue.queues[this.details.priority];
  }

  /** Whom to tell of it: a connection that has submitted the same unique three times is told three times in a row. */
  *subscribers(): Iterable<Participant> {
    for (const [client, submissions] of this.clients) for (let i = 0; i < submissions; i++) yield client;
  }
}

const newQueue = () => new Heap<ServerJob>((a, b) => a.sequence < b.sequence);

/**
 * What submissions of one job have in common. The unique "-" stands for the workload, which is not the same as a unique
 * of those bytes; without a unique, or with an empty workload for "-", each is a job of its own.
 */
export function coalesceKeyOf({ unique, workload }: JobDetails): string | undefined {
  if (unique !== "-") return unique === "" ? undefined : `=${unique}`;
  // No string is longer than half a GiB.
  return workload.length === 0 || workload.length > 2 ** 28 ? undefined : `-${latin1.decode(workload)}`;
}
