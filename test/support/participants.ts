// Connections of a job server without I/O: they remember what was sent to them.

import { type PacketInput, packetName, type PacketType } from "../../src/codec/mod.ts";
import { Dispatcher } from "../../src/server/dispatcher.ts";
import { type JobDetails, NORMAL, Participant } from "../../src/server/model.ts";
import { ServerState, type StateSettings } from "../../src/server/state.ts";

/** A connection that keeps the packets that were sent to it. */
export class FakeParticipant extends Participant {
  static #made = 0;
  readonly #packets: string[] = [];

  constructor() {
    super();
    FakeParticipant.#made += 1;
    this.id = `participant ${FakeParticipant.#made}`; // makes them different for deepEqual
  }

  override send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.#packets.push([packetName(type), ...args].join(" "));
  }

  /** Returns what was sent since the last call: names of packets, and arguments after blanks. */
  takePackets(): string[] {
    return this.#packets.splice(0);
  }
}

/** Makes the parts of a job server that need no I/O. */
export function createServerParts(settings: Partial<StateSettings> = {}): {
  state: ServerState;
  dispatcher: Dispatcher;
  /** What went wrong when timers fired. */
  errors: unknown[];
} {
  const state = new ServerState({
    handlePrefix: "H",
    version: "2.0",
    roundRobin: true,
    jobRetries: 0,
    workerWakeup: 0,
    maxJobs: Infinity,
    ...settings,
  });
  const errors: unknown[] = [];
  return { state, dispatcher: new Dispatcher(state, (error) => void errors.push(error)), errors };
}

/** Makes the details of a submission: without others, a background job of normal priority that does not coalesce. */
export function jobDetails(functionName: string, others: Partial<JobDetails> = {}): JobDetails {
  const workload = new Uint8Array();
  return { functionName, unique: "", workload, priority: NORMAL, background: true, reducer: "", due: 0, ...others };
}
