/** The packets of the protocol: one table of their numbers, names and arguments, and the types that follow from it. */

/**
 * An entry of the table: the number of the packet's arguments. The packet's own number and the names of its arguments are
 * only in the type, so that programs do not carry them. Tests compare the count with the names and with captured packets,
 * and the number with the place of the entry.
 *
 * @internal
 */
export type Entry<Type extends number, Names extends readonly (keyof ArgumentLabels<unknown>)[]> = Names["length"] & {
  readonly type: Type;
  readonly names: Names;
};

/**
 * Every packet of the protocol: its name in PROTOCOL, and the number of its arguments. Its type has its number and the
 * names of its arguments in wire order. The entries are in the order of their numbers, from 1, of which 5 is unused.
 *
 * This is the only list of packets. `PacketType`, `PacketArgs`, the counts of arguments and the names come from it, and
 * the tables in the documentation of `mod.ts` are checked against it. The comment of an entry names the sender and the
 * receiver, then the meaning: editors show it, and it is a row of that documentation.
 *
 * The arguments follow gearmand 1.1.20, also where PROTOCOL differs: the reduce submissions have an (unused) fourth
 * argument, and STATUS_RES_UNIQUE begins with the unique.
 *
 * @internal
 */
export const PACKETS = {
  /** Worker to server: this worker can do the function. */
  CAN_DO: 1 as Entry<1, ["functionName"]>,
  /** Worker to server: it can no longer do the function; a running job of that function goes back to the queue. */
  CANT_DO: 1 as Entry<2, ["functionName"]>,
  /** Worker to server: CANT_DO for every function. */
  RESET_ABILITIES: 0 as Entry<3, []>,
  /** Worker to server: it is about to sleep, and NOOP wakes it. */
  PRE_SLEEP: 0 as Entry<4, []>,
  /** Server to worker: wake up, there may be a job. */
  NOOP: 0 as Entry<6, []>,
  /** Client to server: a foreground job of normal priority. */
  SUBMIT_JOB: 3 as Entry<7, ["functionName", "unique", "workload"]>,
  /** Server to client: the job is queued under this handle. */
  JOB_CREATED: 1 as Entry<8, ["handle"]>,
  /** Worker to server: asks for a job. */
  GRAB_JOB: 0 as Entry<9, []>,
  /** Server to worker: there is no job. */
  NO_JOB: 0 as Entry<10, []>,
  /** Server to worker: a job. */
  JOB_ASSIGN: 3 as Entry<11, ["handle", "functionName", "workload"]>,
  /** Worker to server to client: progress, as two decimal numbers. */
  WORK_STATUS: 3 as Entry<12, ["handle", "numerator", "denominator"]>,
  /** Worker to server to client: the job is done. */
  WORK_COMPLETE: 2 as Entry<13, ["handle", "data"]>,
  /** Worker to server to client: the job failed; gearmand may put a NUL, or a NUL and more, after the handle. */
  WORK_FAIL: 1 as Entry<14, ["handle"]>,
  /** Client to server: asks for the status of a job, by its handle. */
  GET_STATUS: 1 as Entry<15, ["handle"]>,
  /** Client or worker to server: asks for these bytes back. */
  ECHO_REQ: 1 as Entry<16, ["data"]>,
  /** Server to client or worker: the bytes of an ECHO_REQ. */
  ECHO_RES: 1 as Entry<17, ["data"]>,
  /** Client to server: a background job of normal priority. */
  SUBMIT_JOB_BG: 3 as Entry<18, ["functionName", "unique", "workload"]>,
  /** Server to client or worker: a request could not be served. */
  ERROR: 2 as Entry<19, ["code", "text"]>,
  /** Server to client: the answer to GET_STATUS. */
  STATUS_RES: 5 as Entry<20, ["handle", "known", "running", "numerator", "denominator"]>,
  /** Client to server: a foreground job of high priority. */
  SUBMIT_JOB_HIGH: 3 as Entry<21, ["functionName", "unique", "workload"]>,
  /** Client or worker to server: the name that the command `workers` shows. */
  SET_CLIENT_ID: 1 as Entry<22, ["id"]>,
  /** Worker to server: CAN_DO with a time limit for each job, in milliseconds on gearmand (at least 1,000). */
  CAN_DO_TIMEOUT: 2 as Entry<23, ["functionName", "timeout"]>,
  /** Worker to server: in PROTOCOL, but refused by gearmand. */
  ALL_YOURS: 0 as Entry<24, []>,
  /** Worker to server to client: the job failed with an exception; no packet of that job follows. */
  WORK_EXCEPTION: 2 as Entry<25, ["handle", "data"]>,
  /** Client or worker to server: switches an option on; gearmand knows `exceptions`. */
  OPTION_REQ: 1 as Entry<26, ["option"]>,
  /** Server to client or worker: the option is on. */
  OPTION_RES: 1 as Entry<27, ["option"]>,
  /** Worker to server to client: a piece of the result. */
  WORK_DATA: 2 as Entry<28, ["handle", "data"]>,
  /** Worker to server to client: a warning. */
  WORK_WARNING: 2 as Entry<29, ["handle", "data"]>,
  /** Worker to server: asks for a job with its unique. */
  GRAB_JOB_UNIQ: 0 as Entry<30, []>,
  /** Server to worker: a job with its unique. */
  JOB_ASSIGN_UNIQ: 4 as Entry<31, ["handle", "functionName", "unique", "workload"]>,
  /** Client to server: a background job of high priority. */
  SUBMIT_JOB_HIGH_BG: 3 as Entry<32, ["functionName", "unique", "workload"]>,
  /** Client to server: a foreground job of low priority. */
  SUBMIT_JOB_LOW: 3 as Entry<33, ["functionName", "unique", "workload"]>,
  /** Client to server: a background job of low priority. */
  SUBMIT_JOB_LOW_BG: 3 as Entry<34, ["functionName", "unique", "workload"]>,
  /** Client to server: a job by a calendar; in PROTOCOL, but refused by gearmand. */
  SUBMIT_JOB_SCHED: 8 as Entry<
    35,
    ["functionName", "unique", "minute", "hour", "dayOfMonth", "month", "dayOfWeek", "workload"]
  >,
  /** Client to server: a background job that waits until a time, in seconds since 1970. */
  SUBMIT_JOB_EPOCH: 4 as Entry<36, ["functionName", "unique", "epoch", "workload"]>,
  /** Client to server: a foreground job with a reducer. */
  SUBMIT_REDUCE_JOB: 5 as Entry<37, ["functionName", "unique", "reducer", "aggregator", "workload"]>,
  /** Client to server: a background job with a reducer. */
  SUBMIT_REDUCE_JOB_BACKGROUND: 5 as Entry<38, ["functionName", "unique", "reducer", "aggregator", "workload"]>,
  /** Worker to server: asks for a job with its unique and reducer. */
  GRAB_JOB_ALL: 0 as Entry<39, []>,
  /** Server to worker: a job with its unique and reducer; gearmand sends JOB_ASSIGN_UNIQ for a job without one. */
  JOB_ASSIGN_ALL: 5 as Entry<40, ["handle", "functionName", "unique", "reducer", "workload"]>,
  /** Client to server: asks for the status of a job, by its unique. */
  GET_STATUS_UNIQUE: 1 as Entry<41, ["unique"]>,
  /** Server to client: the answer to GET_STATUS_UNIQUE. */
  STATUS_RES_UNIQUE: 6 as Entry<42, ["unique", "known", "running", "numerator", "denominator", "clients"]>,
};

/**
 * The arguments that packets have: each name, as the label of a tuple of one.
 *
 * TypeScript cannot turn a string into a label, so that the names in the table are looked up here.
 *
 * @internal
 */
export interface ArgumentLabels<B> {
  /** Name of the function that does the job. */
  functionName: [functionName: B];
  /** The client's own key of the job; empty for none. */
  unique: [unique: B];
  /** Data of the job. */
  workload: [workload: B];
  /** The server's name of the job, such as `H:box:1`. */
  handle: [handle: B];
  /** Finished part of the job, as a decimal number. */
  numerator: [numerator: B];
  /** All of the job, as a decimal number. */
  denominator: [denominator: B];
  /** Bytes for the client: a result or a piece of it, a warning, an exception, or an echo. */
  data: [data: B];
  /** Code of an error, such as `QUEUE_ERROR`. */
  code: [code: B];
  /** Text of an error. */
  text: [text: B];
  /** `1` if the server knows the job, otherwise `0`. */
  known: [known: B];
  /** `1` if a worker runs the job, otherwise `0`. */
  running: [running: B];
  /** Number of clients that wait for the job, in decimal digits. */
  clients: [clients: B];
  /** Name of the client or worker in the list of workers. */
  id: [id: B];
  /** Time limit of a job, as a decimal number; milliseconds on gearmand. */
  timeout: [timeout: B];
  /** Name of an option, such as `exceptions`. */
  option: [option: B];
  /** Minute of the calendar, 0 to 59, or `*`. */
  minute: [minute: B];
  /** Hour of the calendar, 0 to 23, or `*`. */
  hour: [hour: B];
  /** Day of the month, 1 to 31, or `*`. */
  dayOfMonth: [dayOfMonth: B];
  /** Month of the calendar, 1 to 12, or `*`. */
  month: [month: B];
  /** Day of the week, 0 (Monday) to 6, or `*`. */
  dayOfWeek: [dayOfWeek: B];
  /** Time in seconds since 1970, as a decimal number. */
  epoch: [epoch: B];
  /** Name of the function that reduces the results. */
  reducer: [reducer: B];
  /** Not used by gearmand; empty. */
  aggregator: [aggregator: B];
}

/**
 * The names of arguments as a labelled tuple: `["handle", "data"]` becomes `[handle: B, data: B]`.
 *
 * @internal
 */
export type LabelledArguments<Names, B> = Names extends
  readonly [infer First extends keyof ArgumentLabels<B>, ...infer Others]
  ? [...ArgumentLabels<B>[First], ...LabelledArguments<Others, B>]
  : [];

/** The number that no packet has. */
const UNUSED = 5;
/** The names of the packets, by their numbers. */
const NAMES: readonly (string | undefined)[] = /* @__PURE__ */ byNumber(
  /* @__PURE__ */ Object.keys(PACKETS),
  undefined,
);

/**
 * Packet types by their names in PROTOCOL.
 *
 * Number 5 is unused. SUBMIT_JOB_SCHED and ALL_YOURS are in PROTOCOL, but gearmand answers both with
 * `ERROR INVALID_COMMAND`. The documentation of `./codec` lists all packets with their arguments and meaning.
 */
export const PacketType: { readonly [Name in keyof typeof PACKETS]: (typeof PACKETS)[Name]["type"] } =
  /* @__PURE__ */ Object.fromEntries(
    /* @__PURE__ */ Object.keys(PACKETS).map((name) => [name, NAMES.indexOf(name)]),
  ) as typeof PacketType;

/** One of the packet types. */
export type PacketType = (typeof PACKETS)[keyof typeof PACKETS]["type"];

/**
 * Arguments of each packet by its number, in wire order; `B` is the type of one argument.
 *
 * All but the last are ended by a NUL on the wire and cannot hold one; the last is the rest of the body. They follow
 * gearmand 1.1.20, also where PROTOCOL differs: the reduce submissions have an (unused) fourth argument, and
 * STATUS_RES_UNIQUE begins with the unique.
 */
export type PacketArgs<B = Uint8Array> = {
  -readonly [Name in keyof typeof PACKETS as (typeof PACKETS)[Name]["type"]]: LabelledArguments<
    (typeof PACKETS)[Name]["names"],
    B
  >;
};

/**
 * A received packet; its `type` determines the types of its arguments.
 *
 * `args` are views of the received bytes. Keep a copy (`.slice()`), not the view: a small argument holds on to the
 * memory of the whole chunk that it came in.
 */
export type Packet<T extends PacketType = PacketType> = T extends PacketType ? {
    /** `REQ` for a request (to the server), `RES` for a response (from it). */
    readonly magic: "REQ" | "RES";
    /** Its number. */
    readonly type: T;
    /** Its arguments, in wire order. */
    readonly args: Readonly<PacketArgs[T]>;
    /**
     * Size of the body in bytes, by its header, if that is over `maxPacketSize`; absent otherwise. The last argument is
     * empty then. Only a decoder with the option `skipOversized` yields such packets.
     */
    readonly oversized?: number;
  }
  : never;

/** The arguments to encode a packet of type `T`: strings are sent as UTF-8. */
export type PacketInput<T extends PacketType = PacketType> = PacketArgs<string | Uint8Array>[T];

/** What `argumentCount` returns for a number that is not a packet type. */
export const NO_PACKET = -1;

/** The number of arguments by packet type. It is a typed array since decoder and encoder look here for every packet. */
const ARGUMENT_COUNTS: Int8Array = /* @__PURE__ */ Int8Array.from(
  /* @__PURE__ */ byNumber(/* @__PURE__ */ Object.values(PACKETS), NO_PACKET),
);

/** Returns the number of arguments of a packet type, or `NO_PACKET`. */
export function argumentCount(type: number): number {
  return ARGUMENT_COUNTS[type] ?? NO_PACKET;
}

/** Returns the name of a packet type in PROTOCOL, or "packet type N" for a number that is not a packet type. */
export function packetName(type: number): string {
  return NAMES[type] ?? `packet type ${type}`;
}

/** Puts one value for each entry of the table at the place of the packet's number, and another one where there is no packet. */
function byNumber<T, U>(values: T[], unused: U): (T | U)[] {
  const list: (T | U)[] = [unused, ...values];
  list.splice(UNUSED, 0, unused);
  return list;
}

/** Length of a packet's header in bytes: magic, type and body length. */
export const HEADER_SIZE = 12;
/** The first four bytes of a request, "\0REQ". */
export const MAGIC_REQ = 0x00524551;
/** The first four bytes of a response, "\0RES". */
export const MAGIC_RES = 0x00524553;
