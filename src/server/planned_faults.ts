/** Faults that are planned by what a program does, so that its tests need not know the protocol. */

import { GearmanError } from "../errors.ts";
import { checkOneOf } from "../internal/checks.ts";
import { type Deferred, deferred, markHandled } from "../internal/promises.ts";
import { type Packet, PacketType, type TextLine } from "../codec/mod.ts";
import type { Fault } from "./faults.ts";

/**
 * What a program does when a planned fault happens:
 *
 * - `"do"`: a client submits a foreground job, of any priority (SUBMIT_JOB, and SUBMIT_REDUCE_JOB).
 * - `"doBackground"`: a client submits a background job, of any priority or with a time (SUBMIT_JOB_BG, SUBMIT_JOB_EPOCH).
 * - `"status"`: a client asks for the status of a job (GET_STATUS, GET_STATUS_UNIQUE).
 * - `"grab"`: a worker asks for a job (GRAB_JOB, GRAB_JOB_UNIQ, GRAB_JOB_ALL).
 * - `"result"`: a worker ends a job (WORK_COMPLETE, WORK_FAIL, WORK_EXCEPTION).
 */
export type FaultTarget = "do" | "doBackground" | "status" | "grab" | "result";

/** A fault that was planned. Disposing of it removes it. */
export interface PlannedFault extends Disposable {
  /** Number of requests that it has happened to. */
  readonly count: number;
  /**
   * Resolves when it happens for the first time, just before the request is served or not. Rejects with a `GearmanError` if
   * it was removed before, or the server was closed.
   */
  readonly happened: Promise<void>;
  /** Removes it: it does not happen any more. It may be called again. */
  remove(): void;
}

/**
 * Plans what goes wrong with a job server, by what a program does.
 *
 * What a {@linkcode Fault} means to a program depends on what it does:
 *
 * | | `"drop-before"` | `"drop-after"` | `{ error }` |
 * | --- | --- | --- | --- |
 * | `"do"`, `"doBackground"` | the job is not accepted; the client cannot know, and its connection is lost | the job is accepted, and the client's connection is lost after JOB_CREATED | the job is refused |
 * | `"status"` | no answer, and the client's connection is lost | the answer, then the connection is lost | no answer but an error |
 * | `"grab"` | the worker's connection is lost | the worker gets a job, if there is one, and its connection is lost; the job is queued again | an error instead of a job |
 * | `"result"` | the result is lost with the worker's connection; the job is queued again, and runs again | the client gets the result, and the worker's connection is lost | the result is refused; the job goes on running |
 *
 * With `"stall"`, the connection stays open and silent, so that only a time limit or a probe ends the wait. With `"split"`,
 * nothing goes wrong, but the answer arrives in many small pieces.
 *
 * Planned faults of the same target happen one after the other, in the order in which they were planned. The option
 * {@linkcode JobServerOptions.fault | fault} is asked first, and what it returns takes precedence.
 *
 * @example A worker that loses its connection before its result arrives: the job runs again
 * ```ts
 * import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer();
 * const lost = server.faults.once("result", "drop-before");
 *
 * let runs = 0;
 * await using worker = new GearmanWorker({ dial: server.dial, onEvent: () => {} });
 * worker.addFunction("count", () => {
 *   runs += 1;
 *   return String(runs);
 * });
 * worker.run();
 *
 * await using client = new GearmanClient({ dial: server.dial });
 * console.log(await client.do("count", "").text()); // 2
 * await lost.happened;
 * ```
 */
export interface JobServerFaults {
  /**
   * Plans a fault for the next request of that kind, on any connection.
   *
   * @throws {RangeError} There is no such target.
   * @throws {TypeError} There is no such fault.
   */
  once(target: FaultTarget, fault: Fault): PlannedFault;
  /**
   * Plans a fault for every request of that kind, until it is removed. Faults that are planned later wait until then.
   *
   * @throws {RangeError} There is no such target.
   * @throws {TypeError} There is no such fault.
   */
  always(target: FaultTarget, fault: Fault): PlannedFault;
  /** Removes all planned faults. */
  clear(): void;
}

const TARGETS: Readonly<Record<FaultTarget, readonly PacketType[]>> = {
  do: [
    PacketType.SUBMIT_JOB,
    PacketType.SUBMIT_JOB_HIGH,
    PacketType.SUBMIT_JOB_LOW,
    PacketType.SUBMIT_REDUCE_JOB,
  ],
  doBackground: [
    PacketType.SUBMIT_JOB_BG,
    PacketType.SUBMIT_JOB_HIGH_BG,
    PacketType.SUBMIT_JOB_LOW_BG,
    PacketType.SUBMIT_JOB_EPOCH,
    PacketType.SUBMIT_REDUCE_JOB_BACKGROUND,
  ],
  status: [PacketType.GET_STATUS, PacketType.GET_STATUS_UNIQUE],
  grab: [PacketType.GRAB_JOB, PacketType.GRAB_JOB_UNIQ, PacketType.GRAB_JOB_ALL],
  result: [PacketType.WORK_COMPLETE, PacketType.WORK_FAIL, PacketType.WORK_EXCEPTION],
};

const NAMED_FAULTS: readonly unknown[] = ["drop-before", "drop-after", "stall", "split"] satisfies Fault[];

type Repeat = "once" | "always";

/** The planned faults of a server. */
export class FaultPlan implements JobServerFaults {
  /** In the order in which they were planned. */
  readonly #planned = new Set<Planned>();
  #state: "open" | "closed" = "open";

  once(target: FaultTarget, fault: Fault): PlannedFault {
    return this.#plan(target, fault, "once");
  }

  always(target: FaultTarget, fault: Fault): PlannedFault {
    return this.#plan(target, fault, "always");
  }

  clear(): void {
    for (const planned of this.#planned) planned.remove();
  }

  /** Removes all planned faults, and those that are planned later: nothing happens any more. */
  close(): void {
    this.#state = "closed";
    this.clear();
  }

  /** Returns the fault that is planned for a request, which happens now. */
  next(request: Packet | TextLine): Fault | undefined {
    if (this.#planned.size === 0 || request.magic !== "REQ") return undefined;
    for (const planned of this.#planned) {
      if (TARGETS[planned.target].includes(request.type)) return planned.happen();
    }
    return undefined;
  }

  #plan(target: FaultTarget, fault: Fault, repeat: Repeat): PlannedFault {
    checkOneOf(target, "the target", Object.keys(TARGETS));
    checkFault(fault);
    const planned: Planned = new Planned(target, fault, repeat, () => this.#planned.delete(planned));
    this.#planned.add(planned);
    if (this.#state === "closed") planned.remove();
    return planned;
  }
}

class Planned implements PlannedFault {
  readonly target: FaultTarget;
  readonly #fault: Fault;
  readonly #repeat: Repeat;
  readonly #onRemoved: () => void;
  readonly #happened: Deferred<void> = deferred();
  #count = 0;

  constructor(target: FaultTarget, fault: Fault, repeat: Repeat, onRemoved: () => void) {
    this.target = target;
    this.#fault = fault;
    this.#repeat = repeat;
    this.#onRemoved = onRemoved;
    markHandled(this.#happened.promise); // a test need not wait for it
  }

  get count(): number {
    return this.#count;
  }

  get happened(): Promise<void> {
    return this.#happened.promise;
  }

  happen(): Fault {
    this.#count += 1;
    this.#happened.resolve();
    if (this.#repeat === "once") this.#onRemoved();
    return this.#fault;
  }

  remove(): void {
    this.#onRemoved();
    this.#happened.reject(new GearmanError("Cannot wait for the fault: it was removed before it happened"));
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

function checkFault(fault: Fault): void {
  if (NAMED_FAULTS.includes(fault)) return;
  const { error } = Object(fault) as { error?: unknown };
  if (Array.isArray(error) && error.length === 2 && error.every((part) => typeof part === "string")) return;
  throw new TypeError(`Cannot plan a fault: it must be one of ${NAMED_FAULTS.join(", ")}, or { error: [code, text] }`);
}
