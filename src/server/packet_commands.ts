/** Commands in packets: reads each request of the binary protocol, and sends its answer. */

import { ProtocolError } from "../errors.ts";
import { MAX_TIMER } from "../internal/checks.ts";
import { ownedBytes } from "../codec/arguments.ts";
import { type Packet, packetName, PacketType } from "../codec/mod.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { HIGH, LOW, NORMAL, type Participant, type PriorityIndex, type ServerJob } from "./model.ts";
import { leadingDigits, leadingUint32, NameReader, toLowerCase, toName, toNameUntilNul, toWire } from "./names.ts";
import type { ServerState } from "./state.ts";
import { MAX_PAGED_WORKLOAD } from "./workloads.ts";

/** Maximum length of a unique and of a reducer that gearmand accepts, in bytes; it corrupts one of 64. */
const GEARMAND_MAX_UNIQUE = 64;
/** Size of gearmand's buffer for a handle and its NUL, in bytes. */
const GEARMAND_HANDLE_SIZE = 64;
/** Size of gearmand's buffer for an argument that is not data, in bytes. */
const GEARMAND_BUFFER_SIZE = 8_192;
/** Number of bytes of a client identifier that gearmand keeps. */
const GEARMAND_CLIENT_ID_SIZE = 127;
/** Minimum time limit of a job in gearmand, in milliseconds. */
const MIN_TIME_LIMIT = 1_000;
/** Maximum of an epoch, in milliseconds: gearmand reads seconds of 64 bits. */
const MAX_EPOCH = 2 ** 63 * 1_000;

/** Serves requests in packets. */
export class PacketCommands {
  readonly #state: ServerState;
  readonly #dispatcher: Dispatcher;
  /** The functions of submissions: most are for the same function as the one before. */
  readonly #functionNames = new NameReader();

  constructor(state: ServerState, dispatcher: Dispatcher) {
    this.#state = state;
    this.#dispatcher = dispatcher;
  }

  /**
   * Serves one request. When it returns, all of its answers are sent: answers come in the order of the requests.
   *
   * @throws {ProtocolError} An argument is longer than gearmand's buffer, or the request exceeds a limit of the server.
   */
  serve(peer: Participant, packet: Packet): void {
    checkArgumentSizes(packet);
    if (packet.magic !== "REQ") return sendError(peer, "INVALID_MAGIC", "Request magic expected");
    switch (packet.type) {
      case PacketType.SUBMIT_JOB:
      case PacketType.SUBMIT_JOB_HIGH:
      case PacketType.SUBMIT_JOB_LOW:
      case PacketType.SUBMIT_JOB_BG:
      case PacketType.SUBMIT_JOB_HIGH_BG:
      case PacketType.SUBMIT_JOB_LOW_BG:
        return this.#submit(peer, packet, "", 0);
      case PacketType.SUBMIT_REDUCE_JOB:
      case PacketType.SUBMIT_REDUCE_JOB_BACKGROUND:
        return this.#submitReduceJob(peer, packet);
      case PacketType.SUBMIT_JOB_EPOCH:
        return this.#submitEpochJob(peer, packet);
      case PacketType.GET_STATUS:
        return this.#getStatus(peer, packet);
      case PacketType.GET_STATUS_UNIQUE:
        return this.#getStatusUnique(peer, packet);
      case PacketType.ECHO_REQ:
        return peer.send(PacketType.ECHO_RES, packet.args[0]);
      case PacketType.OPTION_REQ:
        return setOption(peer, packet);
      case PacketType.SET_CLIENT_ID:
        return setClientId(peer, packet);
      case PacketType.CAN_DO:
        return this.#state.addAbility(peer, toName(packet.args[0]), 0);
      case PacketType.CAN_DO_TIMEOUT:
        return this.#state.addAbility(peer, toName(packet.args[0]), timeLimitOf(packet.args[1]));
      case PacketType.CANT_DO:
        return this.#dispatcher.removeAbilities(peer, toName(packet.args[0]));
      case PacketType.RESET_ABILITIES:
        return this.#dispatcher.removeAllAbilities(peer);
      case PacketType.PRE_SLEEP:
        return this.#dispatcher.sleep(peer);
      case PacketType.GRAB_JOB:
        return this.#grabJob(peer);
      case PacketType.GRAB_JOB_UNIQ:
        return this.#grabJobUniq(peer);
      case PacketType.GRAB_JOB_ALL:
        return this.#grabJobAll(peer);
      case PacketType.WORK_DATA:
      case PacketType.WORK_WARNING:
        return this.#workData(peer, packet);
      case PacketType.WORK_STATUS:
        return this.#workStatus(peer, packet);
      case PacketType.WORK_COMPLETE:
        return this.#workComplete(peer, packet);
      case PacketType.WORK_FAIL:
        return this.#workFail(peer, packet);
      case PacketType.WORK_EXCEPTION:
        return this.#workException(peer, packet);
      default:
        // ALL_YOURS and SUBMIT_JOB_SCHED, too: they are in PROTOCOL, and gearmand refuses them.
        return sendError(peer, "INVALID_COMMAND", "Command not expected");
    }
  }

  // ---- Clients

  #submit(peer: Participant, packet: Packet<SubmitType>, reducer: string, due: number): void {
    const [functionName, unique] = packet.args;
    if (unique.length > GEARMAND_MAX_UNIQUE || reducer.length > GEARMAND_MAX_UNIQUE) {
      return sendError(peer, "ARGUMENT_TOO_LARGE", "Unique value too large");
    }
    if (Math.abs(due) > MAX_EPOCH) return sendError(peer, "ARGUMENT_TOO_LARGE", "Epoch value too large");
    const kind = SUBMISSION_KINDS[packet.type];
    const job = this.#dispatcher.submit(peer, {
      functionName: this.#functionNames.read(functionName),
      unique: toName(unique),
      workload: workloadOf(packet),
      priority: kind.priority,
      background: kind.background,
      reducer,
      due,
    });
    if (job === undefined) sendError(peer, "QUEUE_ERROR", "Job queue is full");
    else peer.send(PacketType.JOB_CREATED, job.handle);
  }

  #submitReduceJob(peer: Participant, packet: Packet<ReduceType>): void {
    this.#submit(peer, packet, toName(packet.args[2]), 0);
  }

  #submitEpochJob(peer: Participant, packet: Packet<typeof PacketType.SUBMIT_JOB_EPOCH>): void {
    const seconds = Number(leadingDigits(toName(packet.args[2])));
    this.#submit(peer, packet, "", seconds * 1_000);
  }

  #getStatus(peer: Participant, packet: Packet<typeof PacketType.GET_STATUS>): void {
    const handle = toNameUntilNul(packet.args[0]);
    peer.send(PacketType.STATUS_RES, toWire(handle), ...statusOf(this.#state.jobByHandle(handle)));
  }

  #getStatusUnique(peer: Participant, packet: Packet<typeof PacketType.GET_STATUS_UNIQUE>): void {
    const unique = toNameUntilNul(packet.args[0]);
    const job = this.#state.jobByUnique(unique);
    const clients = String(job?.clients.submissionCount ?? 0);
    peer.send(PacketType.STATUS_RES_UNIQUE, toWire(unique), ...statusOf(job), clients);
  }

  // ---- Workers

  #grabJob(worker: Participant): void {
    const job = this.#dispatcher.grab(worker);
    if (job === undefined) worker.send(PacketType.NO_JOB);
    else worker.send(PacketType.JOB_ASSIGN, job.handle, toWire(job.functionQueue.name), job.workload);
  }

  #grabJobUniq(worker: Participant): void {
    const job = this.#dispatcher.grab(worker);
    if (job === undefined) worker.send(PacketType.NO_JOB);
    else sendAssignUniq(worker, job);
  }

  #grabJobAll(worker: Participant): void {
    const job = this.#dispatcher.grab(worker);
    if (job === undefined) worker.send(PacketType.NO_JOB);
    else if (job.reducer === "") sendAssignUniq(worker, job);
    else sendAssignAll(worker, job);
  }

  #workData(worker: Participant, packet: Packet<typeof PacketType.WORK_DATA | typeof PacketType.WORK_WARNING>): void {
    const job = this.#runningJob(worker, packet.args[0]);
    if (job === undefined) return sendJobNotFound(worker, "Job does not exist on server");
    forward(job, packet);
  }

  #workStatus(worker: Participant, packet: Packet<typeof PacketType.WORK_STATUS>): void {
    const [handle, numerator, denominator] = packet.args;
    const job = this.#runningJob(worker, handle);
    if (job?.run === undefined) return sendJobNotFound(worker, RESULT_WITHOUT_JOB);
    const { run } = job;
    // Clients receive the worker's bytes, whatever they are. GET_STATUS answers with the numbers that C reads from them.
    forward(job, packet);
    run.numerator = leadingUint32(toName(numerator));
    run.denominator = leadingUint32(toName(denominator.subarray(0, GEARMAND_BUFFER_SIZE)));
  }

  #workComplete(worker: Participant, packet: Packet<typeof PacketType.WORK_COMPLETE>): void {
    const job = this.#runningJob(worker, packet.args[0]);
    if (job === undefined) return sendJobNotFound(worker, RESULT_WITHOUT_JOB);
    forward(job, packet);
    this.#dispatcher.finish(job);
  }

  #workFail(worker: Participant, packet: Packet<typeof PacketType.WORK_FAIL>): void {
    if (toNameUntilNul(packet.args[0]).length >= GEARMAND_HANDLE_SIZE) {
      return sendError(worker, "ARGUMENT_TOO_LARGE", HANDLE_TOO_LARGE);
    }
    const job = this.#runningJob(worker, packet.args[0]);
    if (job === undefined) return sendJobNotFound(worker, RESULT_WITHOUT_JOB);
    forward(job, packet);
    this.#dispatcher.finish(job);
  }

  #workException(worker: Participant, packet: Packet<typeof PacketType.WORK_EXCEPTION>): void {
    const job = this.#runningJob(worker, packet.args[0]);
    if (job === undefined) {
      return sendJobNotFound(worker, "An exception was received for a job that does not exist");
    }
    for (const client of job.subscribers()) {
      if (client.exceptions) client.send(PacketType.WORK_EXCEPTION, ...packet.args);
      else client.send(PacketType.WORK_FAIL, `${job.handle}\0`); // gearmand adds a NUL to this failure, and to no other
    }
    this.#dispatcher.finish(job);
  }

  /** Finds the job that a WORK_ packet is about; only the worker that runs it may report on it. */
  #runningJob(worker: Participant, handle: Uint8Array): ServerJob | undefined {
    const job = this.#state.jobByHandle(toNameUntilNul(handle));
    return job?.ability?.group.worker === worker ? job : undefined;
  }
}

type SubmitType = keyof typeof SUBMISSION_KINDS;
type ReduceType = typeof PacketType.SUBMIT_REDUCE_JOB | typeof PacketType.SUBMIT_REDUCE_JOB_BACKGROUND;
type ForwardedType =
  | typeof PacketType.WORK_DATA
  | typeof PacketType.WORK_WARNING
  | typeof PacketType.WORK_STATUS
  | typeof PacketType.WORK_COMPLETE
  | typeof PacketType.WORK_FAIL;

/** What a type of submission says about the job. */
interface SubmissionKind {
  readonly priority: PriorityIndex;
  readonly background: boolean;
}

/** Kinds of submissions. Those with a reducer or an epoch have no priority in the protocol: theirs is normal. */
const SUBMISSION_KINDS = {
  [PacketType.SUBMIT_JOB]: { priority: NORMAL, background: false },
  [PacketType.SUBMIT_JOB_BG]: { priority: NORMAL, background: true },
  [PacketType.SUBMIT_JOB_HIGH]: { priority: HIGH, background: false },
  [PacketType.SUBMIT_JOB_HIGH_BG]: { priority: HIGH, background: true },
  [PacketType.SUBMIT_JOB_LOW]: { priority: LOW, background: false },
  [PacketType.SUBMIT_JOB_LOW_BG]: { priority: LOW, background: true },
  [PacketType.SUBMIT_JOB_EPOCH]: { priority: NORMAL, background: true },
  [PacketType.SUBMIT_REDUCE_JOB]: { priority: NORMAL, background: false },
  [PacketType.SUBMIT_REDUCE_JOB_BACKGROUND]: { priority: NORMAL, background: true },
} as const satisfies Record<number, SubmissionKind>;

/** Text of gearmand's ERROR for a WORK_STATUS, WORK_COMPLETE or WORK_FAIL of a job that the worker does not run. */
const RESULT_WITHOUT_JOB = "Job given in work result not found";
const HANDLE_TOO_LARGE = "Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf";

/** Types with data as their last argument. WORK_STATUS has none, but gearmand's limit for its last argument is different. */
const DATA_TYPES: ReadonlySet<PacketType> = new Set<PacketType>([
  ...Object.keys(SUBMISSION_KINDS).map((type) => Number(type) as SubmitType),
  PacketType.ECHO_REQ,
  PacketType.WORK_DATA,
  PacketType.WORK_WARNING,
  PacketType.WORK_STATUS,
  PacketType.WORK_COMPLETE,
  PacketType.WORK_EXCEPTION,
]);

/** Checks that the arguments fit in gearmand's buffer, all but the last one with their NUL; data has no limit. */
function checkArgumentSizes({ type, args }: Packet): void {
  const last = args.length - 1;
  for (let i = 0; i < last; i++) {
    if (args[i]!.length >= GEARMAND_BUFFER_SIZE) throw argumentTooLong(type);
  }
  if (last >= 0 && args[last]!.length > GEARMAND_BUFFER_SIZE && !DATA_TYPES.has(type)) throw argumentTooLong(type);
}

function argumentTooLong(type: PacketType): ProtocolError {
  return new ProtocolError(
    `Cannot serve ${packetName(type)}: an argument is longer than ${GEARMAND_BUFFER_SIZE} bytes`,
  );
}

/** Returns the workload. A view of a long one would keep the whole received chunk in memory; short ones are copied later. */
function workloadOf({ args }: Packet<SubmitType>): Uint8Array {
  const workload = args[args.length - 1]!;
  return workload.length > MAX_PAGED_WORKLOAD ? ownedBytes(args) : workload;
}

function sendError(peer: Participant, code: string, text: string): void {
  peer.send(PacketType.ERROR, code, text);
}

function sendJobNotFound(worker: Participant, text: string): void {
  sendError(worker, "JOB_NOT_FOUND", text);
}

function sendAssignUniq(worker: Participant, { handle, functionQueue, unique, workload }: ServerJob): void {
  worker.send(
    PacketType.JOB_ASSIGN_UNIQ,
    handle,
    toWire(functionQueue.name),
    toWire(unique),
    workload,
  );
}

function sendAssignAll(worker: Participant, { handle, functionQueue, unique, reducer, workload }: ServerJob): void {
  worker.send(
    PacketType.JOB_ASSIGN_ALL,
    handle,
    toWire(functionQueue.name),
    toWire(unique),
    toWire(reducer),
    workload,
  );
}

/** Sends a worker's packet to the clients of its job, unchanged. */
function forward(job: ServerJob, { type, args }: Packet<ForwardedType>): void {
  for (const client of job.subscribers()) client.send(type, ...args);
}

function statusOf(
  job: ServerJob | undefined,
): [known: string, running: string, numerator: string, denominator: string] {
  if (job === undefined) return ["0", "0", "0", "0"];
  if (job.run === undefined) return ["1", "0", "0", "0"];
  return ["1", "1", String(job.run.numerator), String(job.run.denominator)];
}

/** Sets an option, in any case. gearmand knows one; its answer repeats the bytes of the request. */
function setOption(peer: Participant, { args: [option] }: Packet<typeof PacketType.OPTION_REQ>): void {
  if (toLowerCase(toNameUntilNul(option)) !== "exceptions") {
    return sendError(peer, "UNKNOWN_OPTION", "Server does not recognize given option");
  }
  peer.exceptions = true;
  peer.send(PacketType.OPTION_RES, option);
}

function setClientId(peer: Participant, { args: [id] }: Packet<typeof PacketType.SET_CLIENT_ID>): void {
  peer.id = toNameUntilNul(id.subarray(0, GEARMAND_CLIENT_ID_SIZE));
}

/** Reads the time limit of CAN_DO_TIMEOUT: milliseconds, as gearmand has it. 0, also for anything below, means no limit. */
function timeLimitOf(timeout: Uint8Array): number {
  const limit = Number(leadingDigits(toName(timeout)));
  if (!(limit > 0)) return 0;
  return Math.min(Math.max(limit, MIN_TIME_LIMIT), MAX_TIMER);
}
