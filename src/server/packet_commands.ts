/** The binary protocol: what each request does, and what is answered. */

import { ProtocolError } from "../errors.ts";
import { MAX_TIMER } from "../internal/checks.ts";
import { ownedBytes } from "../codec/arguments.ts";
import { type Packet, packetName, PacketType } from "../codec/mod.ts";
import { leadingDigits, leadingUint32, toLowerCase, toName, toNameUntilNul, toWire } from "./names.ts";
import { type FunctionQueue, HIGH, type JobDetails, LOW, NORMAL, type Participant, type ServerJob } from "./model.ts";
import type { State } from "./state.ts";

/** Longest unique and reducer, in bytes. */
const GEARMAND_MAX_UNIQUE = 64;
/** Longest identifier that is kept, in bytes. */
const MAX_CLIENT_ID = 127;
/** gearmand keeps a handle, with a NUL, in so many bytes. */
const GEARMAND_HANDLE_SIZE = 64;
/** gearmand reads an argument that is no data into so many bytes. */
const GEARMAND_BUFFER_SIZE = 8_192;
/** The shortest time limit of a job, in ms. */
const MIN_TIME_LIMIT = 1_000;

type Timer = ReturnType<typeof setTimeout>;

/** Serves requests, and sees to what comes of time passing and connections ending. */
export class PacketCommands {
  readonly state: State;
  /** The timers of running jobs whose worker said CAN_DO_TIMEOUT. */
  readonly #timeLimits = new Map<ServerJob, Timer>();
  #epochTimer: Timer | undefined;
  #epochTimerDue = Infinity;

  constructor(state: State) {
    this.state = state;
  }

  /** Serves one request. When it returns, everything is sent that is said to it: answers come in the order of requests. */
  serve(peer: Participant, packet: Packet): void {
    checkSizes(packet);
    if (packet.magic !== "REQ") return sendError(peer, "INVALID_MAGIC", "Request magic expected");
    switch (packet.type) {
      case PacketType.SUBMIT_JOB:
      case PacketType.SUBMIT_JOB_HIGH:
      case PacketType.SUBMIT_JOB_LOW:
      case PacketType.SUBMIT_JOB_BG:
      case PacketType.SUBMIT_JOB_HIGH_BG:
      case PacketType.SUBMIT_JOB_LOW_BG:
        return this.#submit(peer, packet);
      case PacketType.SUBMIT_REDUCE_JOB:
      case PacketType.SUBMIT_REDUCE_JOB_BACKGROUND:
        return this.#submit(peer, packet, { reducer: toName(packet.args[2]) });
      case PacketType.SUBMIT_JOB_EPOCH:
        return this.#submit(peer, packet, { due: Number(leadingDigits(toName(packet.args[2]))) * 1_000 });
      case PacketType.GET_STATUS:
        return this.#getStatus(peer, toNameUntilNul(packet.args[0]));
      case PacketType.GET_STATUS_UNIQUE:
        return this.#getStatusUnique(peer, toNameUntilNul(packet.args[0]));
      case PacketType.ECHO_REQ:
        return peer.send(PacketType.ECHO_RES, packet.args[0]);
      case PacketType.OPTION_REQ:
        return setOption(peer, packet.args[0]);
      case PacketType.SET_CLIENT_ID:
        peer.id = toNameUntilNul(packet.args[0].subarray(0, MAX_CLIENT_ID));
        return;
      case PacketType.CAN_DO:
        return this.state.addAbility(peer, toName(packet.args[0]), 0);
      case PacketType.CAN_DO_TIMEOUT:
        return this.state.addAbility(peer, toName(packet.args[0]), timeLimitOf(packet.args[1]));
      case PacketType.CANT_DO:
        return this.#removeAbilities(peer, toName(packet.args[0]));
      case PacketType.RESET_ABILITIES:
        return this.#removeAbilities(peer);
      case PacketType.PRE_SLEEP:
        return this.#preSleep(peer);
      case PacketType.GRAB_JOB:
      case PacketType.GRAB_JOB_UNIQ:
      case PacketType.GRAB_JOB_ALL:
        return this.#grab(peer, packet.type);
      case PacketType.WORK_DATA:
      case PacketType.WORK_WARNING:
      case PacketType.WORK_STATUS:
      case PacketType.WORK_COMPLETE:
      case PacketType.WORK_FAIL:
      case PacketType.WORK_EXCEPTION:
        return this.#work(peer, packet);
      default:
        // ALL_YOURS and SUBMIT_JOB_SCHED too, which PROTOCOL has and gearmand refuses.
        return sendError(peer, "INVALID_COMMAND", "Command not expected");
    }
  }

  /** The connection has ended: what it waited for is abandoned, what it worked on is given to others. */
  release(peer: Participant): void {
    this.state.abandon(peer);
    this.#removeAbilities(peer);
  }

  /** `cancel job`: its clients are told that it failed. A worker that has it already is not told. */
  cancel(job: ServerJob): void {
    sendFailure(job);
    this.state.cancel(job);
  }

  /** Ends all timers. */
  close(): void {
    clearTimeout(this.#epochTimer);
    for (const timer of this.#timeLimits.values()) clearTimeout(timer);
  }

  // ---- Clients

  #submit(peer: Participant, packet: Packet<SubmitType>, { reducer = "", due = 0 }: Partial<JobDetails> = {}): void {
    const [functionName, unique] = packet.args;
    if (unique.length > GEARMAND_MAX_UNIQUE || reducer.length > GEARMAND_MAX_UNIQUE) {
      return sendError(peer, "ARGUMENT_TOO_LARGE", "Unique value too large");
    }
    // Epochs are 64-bit seconds; here they are milliseconds.
    if (Math.abs(due) > 2 ** 63 * 1_000) return sendError(peer, "ARGUMENT_TOO_LARGE", "Epoch value too large");
    const accepted = this.state.submit(peer, {
      ...SUBMISSIONS[packet.type],
      functionName: toName(functionName),
      unique: toName(unique),
      workload: ownedBytes(packet.args), // a view would hold on to the whole chunk that it came in
      reducer,
      due,
    });
    if (accepted === undefined) return sendError(peer, "QUEUE_ERROR", "Job queue is full");
    const { job, isNew } = accepted;
    if (isNew) {
      this.state.enqueue(job, Date.now());
      this.#wake(job.functionQueue); // also for one that must wait, as gearmand does: only the worker can tell
    }
    peer.send(PacketType.JOB_CREATED, job.handle);
    this.#setEpochTimer();
  }

  #getStatus(peer: Participant, handle: string): void {
    peer.send(PacketType.STATUS_RES, toWire(handle), ...statusOf(this.state.jobs.get(handle)));
  }

  #getStatusUnique(peer: Participant, unique: string): void {
    const job = this.state.jobByUnique(unique);
    const clients = String([...job?.subscribers() ?? []].length);
    peer.send(PacketType.STATUS_RES_UNIQUE, toWire(unique), ...statusOf(job), clients);
  }

  // ---- Workers

  /** Who cannot do a function any more cannot finish its jobs either. One that sleeps meanwhile is woken for them too. */
  #removeAbilities(worker: Participant, only?: string): void {
    const lost = worker.abilities.filter(({ functionQueue }) => only === undefined || functionQueue.name === only)
      .reverse();
    for (const { jobs } of lost) for (const job of [...jobs].reverse()) this.#lose(job);
    const queues = this.state.removeAbilities(worker, new Set(lost));
    for (const queue of queues) if (this.state.needsWakeup(queue)) this.#wake(queue);
  }

  /** "If there is a job, a NOOP comes at once", and the worker does not sleep; otherwise one comes with the next job. */
  #preSleep(worker: Participant): void {
    this.#takeDue();
    if (!this.state.hasJobFor(worker)) worker.asleep = true;
    else worker.send(PacketType.NOOP);
  }

  #grab(worker: Participant, request: GrabType): void {
    this.#takeDue();
    worker.asleep = false;
    const job = this.state.grab(worker);
    if (job === undefined) return worker.send(PacketType.NO_JOB);
    const { timeLimit } = job.ability!;
    if (timeLimit > 0) this.#timeLimits.set(job, setTimeout(() => this.#lose(job), timeLimit));

    const { workload, reducer = "" } = job.details;
    const [functionName, unique] = [toWire(job.functionQueue.name), toWire(job.details.unique)];
    if (request === PacketType.GRAB_JOB) {
      worker.send(PacketType.JOB_ASSIGN, job.handle, functionName, workload);
    } else if (request === PacketType.GRAB_JOB_UNIQ || reducer === "") {
      worker.send(PacketType.JOB_ASSIGN_UNIQ, job.handle, functionName, unique, workload);
    } else {
      worker.send(PacketType.JOB_ASSIGN_ALL, job.handle, functionName, unique, toWire(reducer), workload);
    }
  }

  /** What a worker says of its job; nobody else may. It goes to the job's clients as it is. */
  #work(worker: Participant, packet: Packet<WorkType>): void {
    const { type, args } = packet;
    const handle = toNameUntilNul(args[0]);
    if (type === PacketType.WORK_FAIL && handle.length >= GEARMAND_HANDLE_SIZE) {
      return sendError(worker, "ARGUMENT_TOO_LARGE", HANDLE_TOO_LARGE);
    }
    const job = this.state.jobs.get(handle);
    if (job?.ability?.worker !== worker) return sendError(worker, "JOB_NOT_FOUND", WORK_REFUSALS[type]);

    for (const client of job.subscribers()) {
      // gearmand puts a NUL behind the handle of this failure, and of no other.
      if (type === PacketType.WORK_EXCEPTION && !client.exceptions) client.send(PacketType.WORK_FAIL, `${handle}\0`);
      else client.send(type, ...args);
    }
    if (type === PacketType.WORK_STATUS) {
      // Clients have got what the worker wrote, whatever it is; GET_STATUS says what C makes of it.
      job.numerator = leadingUint32(toName(packet.args[1]));
      job.denominator = leadingUint32(toName(packet.args[2].subarray(0, GEARMAND_BUFFER_SIZE)));
    } else if (type !== PacketType.WORK_DATA && type !== PacketType.WORK_WARNING) {
      this.#stopTimeLimit(job);
      this.state.finish(job);
    }
  }

  // ---- What comes of it

  /** NOOP is a hint: of the workers that it wakes, one will get the job, and the others NO_JOB. */
  #wake(queue: FunctionQueue): void {
    for (const worker of this.state.wake(queue)) worker.send(PacketType.NOOP);
  }

  /** Its worker is gone, cannot do it any more, or took too long. Clients are told only if the job ends with that. */
  #lose(job: ServerJob): void {
    this.#stopTimeLimit(job);
    if (this.state.requeue(job)) return this.#wake(job.functionQueue);
    sendFailure(job);
    this.state.finish(job);
  }

  #stopTimeLimit(job: ServerJob): void {
    clearTimeout(this.#timeLimits.get(job));
    this.#timeLimits.delete(job);
  }

  /** Epoch jobs whose time has come wake workers like new ones. */
  #takeDue(): void {
    const now = Date.now();
    for (let job = this.state.takeDue(now); job !== undefined; job = this.state.takeDue(now)) {
      this.#wake(job.functionQueue);
    }
  }

  /** One timer, for the first that is due. That may be in a year: the process does not stay alive for it. */
  #setEpochTimer(): void {
    const due = this.state.nextDue;
    if (due === this.#epochTimerDue) return;
    clearTimeout(this.#epochTimer);
    this.#epochTimerDue = due;
    if (due === Infinity) return;
    this.#epochTimer = setTimeout(() => {
      this.#epochTimerDue = Infinity;
      this.#takeDue();
      this.#setEpochTimer();
    }, Math.min(due - Date.now(), MAX_TIMER));
    (this.#epochTimer as { unref?(): void }).unref?.();
  }
}

type SubmitType = keyof typeof SUBMISSIONS;
type WorkType = keyof typeof WORK_REFUSALS;
type GrabType = typeof PacketType.GRAB_JOB | typeof PacketType.GRAB_JOB_UNIQ | typeof PacketType.GRAB_JOB_ALL;

/** What the packets that submit a job mean. Those with a reducer or a time have no priority of their own. */
const SUBMISSIONS = {
  [PacketType.SUBMIT_JOB]: { priority: NORMAL, background: false },
  [PacketType.SUBMIT_JOB_BG]: { priority: NORMAL, background: true },
  [PacketType.SUBMIT_JOB_HIGH]: { priority: HIGH, background: false },
  [PacketType.SUBMIT_JOB_HIGH_BG]: { priority: HIGH, background: true },
  [PacketType.SUBMIT_JOB_LOW]: { priority: LOW, background: false },
  [PacketType.SUBMIT_JOB_LOW_BG]: { priority: LOW, background: true },
  [PacketType.SUBMIT_JOB_EPOCH]: { priority: NORMAL, background: true },
  [PacketType.SUBMIT_REDUCE_JOB]: { priority: NORMAL, background: false },
  [PacketType.SUBMIT_REDUCE_JOB_BACKGROUND]: { priority: NORMAL, background: true },
} as const;

/** What gearmand says to a WORK_ packet of a job that is not the worker's. */
const WORK_REFUSALS = {
  [PacketType.WORK_DATA]: "Job does not exist on server",
  [PacketType.WORK_WARNING]: "Job does not exist on server",
  [PacketType.WORK_STATUS]: "Job given in work result not found",
  [PacketType.WORK_COMPLETE]: "Job given in work result not found",
  [PacketType.WORK_FAIL]: "Job given in work result not found",
  [PacketType.WORK_EXCEPTION]: "An exception was received for a job that does not exist",
} as const;

const HANDLE_TOO_LARGE = "Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf";

/** An argument must fit in gearmand's buffer, with its NUL; the last one has none. */
function checkSizes({ type, args }: Packet): void {
  const isTooLong = ({ length }: Uint8Array, at: number) =>
    at < args.length - 1 ? length >= GEARMAND_BUFFER_SIZE : length > GEARMAND_BUFFER_SIZE && !endsInData(type);
  if (args.some(isTooLong)) throw new ProtocolError(`Cannot serve ${packetName(type)}: an argument is too long`);
}

/** WORK_STATUS does not, but gearmand's limit for its last argument is another. */
const endsInData = (type: PacketType): boolean =>
  type in SUBMISSIONS || type === PacketType.ECHO_REQ || (type in WORK_REFUSALS && type !== PacketType.WORK_FAIL);

const sendError = (peer: Participant, code: string, text: string) => peer.send(PacketType.ERROR, code, text);

function sendFailure(job: ServerJob): void {
  for (const client of job.subscribers()) client.send(PacketType.WORK_FAIL, job.handle);
}

function statusOf(
  job: ServerJob | undefined,
): [known: string, running: string, numerator: string, denominator: string] {
  if (job === undefined) return ["0", "0", "0", "0"];
  return ["1", job.ability === undefined ? "0" : "1", String(job.numerator), String(job.denominator)];
}

/** The answer is the request's bytes, in whatever case it was written. */
function setOption(peer: Participant, option: Uint8Array): void {
  if (toLowerCase(toNameUntilNul(option)) !== "exceptions") {
    return sendError(peer, "UNKNOWN_OPTION", "Server does not recognize given option");
  }
  peer.exceptions = true;
  peer.send(PacketType.OPTION_RES, option);
}

/** CAN_DO_TIMEOUT counts in milliseconds on gearmand; what is no number above 0 is no limit. */
function timeLimitOf(timeout: Uint8Array): number {
  const limit = Number(leadingDigits(toName(timeout)));
  return limit > 0 ? Math.min(Math.max(limit, MIN_TIME_LIMIT), MAX_TIMER) : 0;
}
