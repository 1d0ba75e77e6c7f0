/** What a job server is made of: connections, functions and jobs. They refer to each other, and so they are one file. */

import { Heap } from "../internal/heap.ts";
import type { PacketInput, PacketType } from "../codec/mod.ts";
import { latin1 } from "./names.ts";

/** Index of a priority in a function's lines and limits. */
export type Priority = 0 | 1 | 2;
export const HIGH = 0;
export const NORMAL = 1;
export const LOW = 2;

/** One connection. It has no fixed role: the same one may submit jobs, work on them, and administer the server. */
export abstract class Party {
  /** What `workers` shows of it. */
  id = "-";
  /** It takes WORK_EXCEPTION of a job that failed so; otherwise it is told WORK_FAIL. */
  exceptions = false;
  /** As a client: the jobs that it waits for. */
  readonly waitsFor: Set<Job> = new Set();
  /** As a worker: what it can do, the newest last; what it registered twice is there twice. */
  abilities: Ability[] = [];
  /** As a worker: it has sent PRE_SLEEP, and was not woken since. */
  asleep = false;

  /** Sends it one packet. */
  abstract send<T extends PacketType>(type: T, ...args: PacketInput<T>): void;
}

/** What a worker can do, by CAN_DO or CAN_DO_TIMEOUT. */
export interface Ability {
  readonly worker: Party;
  readonly queue: FunctionQueue;
  /** How long a job may take, in ms; 0 is for ever. */
  readonly timeLimit: number;
  /** What was grabbed by it and is not finished. */
  readonly jobs: Set<Job>;
}

/** One function, with its jobs and workers. */
export class FunctionQueue {
  readonly name: string;
  /** Jobs that a worker may grab, by priority. */
  readonly lines: readonly [Heap<Job>, Heap<Job>, Heap<Job>] = [newLine(), newLine(), newLine()];
  /** How many wait for their time; they are counted as jobs of normal priority. */
  waiting = 0;
  running = 0;
  /** Who can do it; the first is the next to be woken, where not all are. */
  workers: Ability[] = [];
  /** A submission of that priority is refused where there are so many jobs in all; 0 is no limit. */
  limits: readonly [high: number, normal: number, low: number] = [0, 0, 0];
  /** Jobs that further submissions join, by what {@linkcode samenessOf} says. */
  readonly joinable: Map<string, Job> = new Map();

  constructor(name: string) {
    this.name = name;
  }

  /** The line of the highest priority in which there are jobs. */
  get line(): Heap<Job> | undefined {
    return this.lines.find(({ size }) => size > 0);
  }

  /** Jobs of each priority that do not run. */
  get queued(): [high: number, normal: number, low: number] {
    const [high, normal, low] = this.lines;
    return [high.size, normal.size + this.waiting, low.size];
  }

  get total(): number {
    const [high, normal, low] = this.queued;
    return high + normal + low + this.running;
  }
}

/** What a client submits. */
export interface Submission {
  readonly functionName: string;
  readonly unique: string;
  readonly workload: Uint8Array;
  readonly priority: Priority;
  readonly background: boolean;
  readonly reducer?: string;
  /** When it may run, in milliseconds since 1970. */
  readonly due?: number;
}

/** A map for each of many background jobs would be a third of their memory. */
export const NOBODY: Map<Party, number> = new Map();

/** One job, from JOB_CREATED to its last packet. */
export class Job {
  readonly handle: string;
  readonly serial: number;
  readonly queue: FunctionQueue;
  /** The first submission; of those that joined it only their clients are kept. */
  readonly submission: Submission;
  readonly due: number;
  readonly sameness: string | undefined;
  /** Somebody was promised that it runs, whoever leaves. */
  background = false;
  /** Nobody wants it any more: no worker gets it. */
  ignored = false;
  /** How many foreground submissions of each connection wait for it. */
  clients: Map<Party, number> = NOBODY;
  /** By what it was grabbed, while it runs. */
  ability: Ability | undefined;
  /** How often a worker was lost over it. */
  retries = 0;
  numerator = 0;
  denominator = 0;
  /** It comes before jobs of a higher number. */
  place = 0;

  constructor(handle: string, serial: number, queue: FunctionQueue, submission: Submission) {
    this.handle = handle;
    this.serial = serial;
    this.queue = queue;
    this.submission = submission;
    this.due = submission.due ?? 0;
    this.sameness = samenessOf(submission);
  }

  get line(): Heap<Job> {
    return this.queue.lines[this.submission.priority];
  }

  /** Whom to tell of it: a connection that has submitted the same unique three times is told three times in a row. */
  *subscribers(): Iterable<Party> {
    for (const [client, submissions] of this.clients) for (let i = 0; i < submissions; i++) yield client;
  }
}

const newLine = () => new Heap<Job>((a, b) => a.place < b.place);

/**
 * What submissions of one job have in common. The unique "-" stands for the workload, which is not the same as a unique
 * of those bytes; without a unique, or with an empty workload for "-", each is a job of its own.
 */
export function samenessOf({ unique, workload }: Submission): string | undefined {
  if (unique !== "-") return unique === "" ? undefined : `=${unique}`;
  // No string is longer than half a GiB.
  return workload.length === 0 || workload.length > 2 ** 28 ? undefined : `-${latin1.decode(workload)}`;
}
