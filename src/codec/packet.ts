/** The packets of the protocol: their numbers, names, arguments and types. */

/**
 * Packet types by their names in PROTOCOL.
 *
 * Number 5 is unused. SUBMIT_JOB_SCHED and ALL_YOURS are in PROTOCOL, but gearmand answers both with
 * `ERROR INVALID_COMMAND`.
 */
export const PacketType = {
  /** Worker to server: this worker can do the function. */
  CAN_DO: 1,
  /** Worker to server: it no longer can; a running job of that function goes back to the queue. */
  CANT_DO: 2,
  /** Worker to server: CANT_DO for every function. */
  RESET_ABILITIES: 3,
  /** Worker to server: about to sleep; NOOP wakes it. */
  PRE_SLEEP: 4,
  /** Server to worker: wake up, there may be a job. */
  NOOP: 6,
  /** Client to server: a foreground job of normal priority. */
  SUBMIT_JOB: 7,
  /** Server to client: the job is queued under this handle. */
  JOB_CREATED: 8,
  /** Worker to server: give me a job. */
  GRAB_JOB: 9,
  /** Server to worker: there is none. */
  NO_JOB: 10,
  /** Server to worker: a job. */
  JOB_ASSIGN: 11,
  /** Worker to server to client: progress, as two decimal numbers. */
  WORK_STATUS: 12,
  /** Worker to server to client: the job is done. */
  WORK_COMPLETE: 13,
  /** Worker to server to client: the job failed. */
  WORK_FAIL: 14,
  /** Client to server: the status of a job, by its handle. */
  GET_STATUS: 15,
  /** Anyone to server: send these bytes back. */
  ECHO_REQ: 16,
  /** Server to anyone: the bytes of an ECHO_REQ. */
  ECHO_RES: 17,
  /** Client to server: a background job of normal priority. */
  SUBMIT_JOB_BG: 18,
  /** Server to anyone: a request could not be served. */
  ERROR: 19,
  /** Server to client: the answer to GET_STATUS. */
  STATUS_RES: 20,
  /** Client to server: a foreground job of high priority. */
  SUBMIT_JOB_HIGH: 21,
  /** Anyone to server: the name that `workers` shows. */
  SET_CLIENT_ID: 22,
  /** Worker to server: CAN_DO with a time limit, in milliseconds on gearmand (at least 1,000). */
  CAN_DO_TIMEOUT: 23,
  /** Worker to server: in PROTOCOL, refused by gearmand. */
  ALL_YOURS: 24,
  /** Worker to server to client: the job failed with an exception; nothing comes after it. */
  WORK_EXCEPTION: 25,
  /** Anyone to server: switch an option on; gearmand knows `exceptions`. */
  OPTION_REQ: 26,
  /** Server to anyone: the option is on. */
  OPTION_RES: 27,
  /** Worker to server to client: a piece of the result. */
  WORK_DATA: 28,
  /** Worker to server to client: a warning. */
  WORK_WARNING: 29,
  /** Worker to server: give me a job with its unique. */
  GRAB_JOB_UNIQ: 30,
  /** Server to worker: a job with its unique. */
  JOB_ASSIGN_UNIQ: 31,
  /** Client to server: a background job of high priority. */
  SUBMIT_JOB_HIGH_BG: 32,
  /** Client to server: a foreground job of low priority. */
  SUBMIT_JOB_LOW: 33,
  /** Client to server: a background job of low priority. */
  SUBMIT_JOB_LOW_BG: 34,
  /** Client to server: a job by a calendar; in PROTOCOL, refused by gearmand. */
  SUBMIT_JOB_SCHED: 35,
  /** Client to server: a background job that waits until a time, in seconds since 1970. */
  SUBMIT_JOB_EPOCH: 36,
  /** Client to server: a foreground job with a reducer. */
  SUBMIT_REDUCE_JOB: 37,
  /** Client to server: a background job with a reducer. */
  SUBMIT_REDUCE_JOB_BACKGROUND: 38,
  /** Worker to server: give me a job with its unique and reducer. */
  GRAB_JOB_ALL: 39,
  /** Server to worker: a job with a reducer (gearmand sends JOB_ASSIGN_UNIQ for those without). */
  JOB_ASSIGN_ALL: 40,
  /** Client to server: the status of a job, by its unique. */
  GET_STATUS_UNIQUE: 41,
  /** Server to client: the answer to GET_STATUS_UNIQUE. */
  STATUS_RES_UNIQUE: 42,
} as const;

/** One of the packet types. */
export type PacketType = typeof PacketType[keyof typeof PacketType];

/**
 * Arguments of each packet, in wire order; `B` is what one argument is held as.
 *
 * All but the last are ended by a NUL on the wire and cannot hold one; the last is the rest of the body. They follow
 * gearmand 1.1.20, also where PROTOCOL differs: the reduce submissions have an (unused) fourth argument, and
 * STATUS_RES_UNIQUE begins with the unique.
 */
export interface PacketArgs<B = Uint8Array> {
  /** CAN_DO */
  1: [functionName: B];
  /** CANT_DO */
  2: [functionName: B];
  /** RESET_ABILITIES */
  3: [];
  /** PRE_SLEEP */
  4: [];
  /** NOOP */
  6: [];
  /** SUBMIT_JOB */
  7: [functionName: B, unique: B, workload: B];
  /** JOB_CREATED */
  8: [handle: B];
  /** GRAB_JOB */
  9: [];
  /** NO_JOB */
  10: [];
  /** JOB_ASSIGN */
  11: [handle: B, functionName: B, workload: B];
  /** WORK_STATUS */
  12: [handle: B, numerator: B, denominator: B];
  /** WORK_COMPLETE */
  13: [handle: B, data: B];
  /** WORK_FAIL; gearmand may put a NUL, or a NUL and more, after the handle. */
  14: [handle: B];
  /** GET_STATUS */
  15: [handle: B];
  /** ECHO_REQ */
  16: [data: B];
  /** ECHO_RES */
  17: [data: B];
  /** SUBMIT_JOB_BG */
  18: [functionName: B, unique: B, workload: B];
  /** ERROR */
  19: [code: B, text: B];
  /** STATUS_RES */
  20: [handle: B, known: B, running: B, numerator: B, denominator: B];
  /** SUBMIT_JOB_HIGH */
  21: [functionName: B, unique: B, workload: B];
  /** SET_CLIENT_ID */
  22: [id: B];
  /** CAN_DO_TIMEOUT */
  23: [functionName: B, timeout: B];
  /** ALL_YOURS */
  24: [];
  /** WORK_EXCEPTION */
  25: [handle: B, data: B];
  /** OPTION_REQ */
  26: [option: B];
  /** OPTION_RES */
  27: [option: B];
  /** WORK_DATA */
  28: [handle: B, data: B];
  /** WORK_WARNING */
  29: [handle: B, data: B];
  /** GRAB_JOB_UNIQ */
  30: [];
  /** JOB_ASSIGN_UNIQ */
  31: [handle: B, functionName: B, unique: B, workload: B];
  /** SUBMIT_JOB_HIGH_BG */
  32: [functionName: B, unique: B, workload: B];
  /** SUBMIT_JOB_LOW */
  33: [functionName: B, unique: B, workload: B];
  /** SUBMIT_JOB_LOW_BG */
  34: [functionName: B, unique: B, workload: B];
  /** SUBMIT_JOB_SCHED */
  35: [functionName: B, unique: B, minute: B, hour: B, dayOfMonth: B, month: B, dayOfWeek: B, workload: B];
  /** SUBMIT_JOB_EPOCH */
  36: [functionName: B, unique: B, epoch: B, workload: B];
  /** SUBMIT_REDUCE_JOB */
  37: [functionName: B, unique: B, reducer: B, aggregator: B, workload: B];
  /** SUBMIT_REDUCE_JOB_BACKGROUND */
  38: [functionName: B, unique: B, reducer: B, aggregator: B, workload: B];
  /** GRAB_JOB_ALL */
  39: [];
  /** JOB_ASSIGN_ALL */
  40: [handle: B, functionName: B, unique: B, reducer: B, workload: B];
  /** GET_STATUS_UNIQUE */
  41: [unique: B];
  /** STATUS_RES_UNIQUE */
  42: [unique: B, known: B, running: B, numerator: B, denominator: B, clients: B];
}

/**
 * A packet as it was received, told apart by `type`.
 *
 * `args` are views of the received bytes: keep a copy (`.slice()`), not the view, since a small argument holds on to
 * the whole chunk that it came in.
 */
export type Packet<T extends PacketType = PacketType> = T extends PacketType ? {
    /** Whether it is a request (to the server) or a response (from it). */
    readonly magic: "REQ" | "RES";
    /** Its number. */
    readonly type: T;
    /** Its arguments, in wire order. */
    readonly args: Readonly<PacketArgs[T]>;
  }
  : never;

/** What is given to encode a packet of type `T`: strings are sent as UTF-8. */
export type PacketInput<T extends PacketType = PacketType> = PacketArgs<string | Uint8Array>[T];

/** How many arguments each packet type has; -1 where there is no such type. */
// deno-fmt-ignore
const ARGUMENT_COUNTS = new Int8Array([
  -1, 1, 1, 0, 0, -1, 0, 3, 1, 0, // 0-9
  0, 3, 3, 2, 1, 1, 1, 1, 3, 2, // 10-19
  5, 3, 1, 2, 0, 2, 1, 1, 2, 2, // 20-29
  0, 4, 3, 3, 3, 8, 4, 5, 5, 0, // 30-39
  5, 1, 6, // 40-42
]);

/** The number of arguments of a packet type, or -1 where there is no such type. */
export function argumentCount(type: number): number {
  return ARGUMENT_COUNTS[type] ?? -1;
}

/** The name of a packet type in PROTOCOL, or its number in words. */
export function packetName(type: number): string {
  for (const [name, number] of Object.entries(PacketType)) if (number === type) return name;
  return `packet type ${type}`;
}

/** Length of a packet's header in bytes: magic, type and body length. */
export const HEADER_SIZE = 12;
/** The first four bytes of a request, "\0REQ". */
export const MAGIC_REQ = 0x00524551;
/** The first four bytes of a response, "\0RES". */
export const MAGIC_RES = 0x00524553;
