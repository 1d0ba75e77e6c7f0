// A worker that answers packet by packet, as the test says.

import { PacketType } from "../../src/codec/mod.ts";
import type { Packet, PacketInput } from "../../src/codec/mod.ts";
import type { Connection } from "../../src/connection/mod.ts";
import { openConnection, type TestServer } from "./servers.ts";
import { until } from "./wait.ts";

/** A job that was assigned to a raw worker. */
export interface RawJob {
  readonly handle: string;
  readonly functionName: string;
  readonly unique: string;
  readonly reducer: string | undefined;
  readonly workload: Uint8Array;
}

/** A worker that sends nothing by itself: the test decides what it sends, and when. */
export class RawWorker {
  readonly connection: Connection;
  readonly #packets: AsyncIterator<Packet>;

  constructor(connection: Connection) {
    this.connection = connection;
    this.#packets = connection[Symbol.asyncIterator]() as AsyncIterator<Packet>;
  }

  /** Connects a worker, and registers these functions. */
  static async open(server: TestServer, ...functionNames: string[]): Promise<RawWorker> {
    const worker = new RawWorker(await openConnection(server));
    for (const name of functionNames) worker.send(PacketType.CAN_DO, name);
    return worker;
  }

  send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.connection.send(type, ...args);
  }

  /** Reads the next packet. */
  async next(): Promise<Packet> {
    const { done, value } = await this.#packets.next();
    if (done === true) throw new Error("The server has closed the connection of the worker");
    return value;
  }

  /** Asks for a job once; `undefined` if there is none. */
  async tryGrab(): Promise<RawJob | undefined> {
    this.send(PacketType.GRAB_JOB_ALL);
    return await this.#nextJob();
  }

  /** Reads the answer to the first grab that is unanswered. */
  async #nextJob(): Promise<RawJob | undefined> {
    for (;;) {
      const packet = await this.next();
      if (packet.type === PacketType.NO_JOB) return undefined;
      const args = packet.args.map((arg) => new TextDecoder().decode(arg));
      const [handle, functionName, unique, reducer] = args as [string, string, string, string];
      const workload = (packet.args.at(-1) ?? new Uint8Array(0)).slice();
      if (packet.type === PacketType.JOB_ASSIGN_UNIQ) {
        return { handle, functionName, unique, reducer: undefined, workload };
      }
      if (packet.type === PacketType.JOB_ASSIGN_ALL) return { handle, functionName, unique, reducer, workload };
    }
  }

  /** Asks for jobs until one is assigned. */
  async grab(): Promise<RawJob> {
    let assigned: RawJob | undefined;
    await until(async () => {
      assigned = await this.tryGrab();
      return assigned !== undefined;
    });
    return assigned!;
  }

  /** Completes `count` jobs with the results of `work`, with up to 50 grabs in flight. */
  async serve(count: number, work: (job: RawJob) => string | Uint8Array = (job) => job.workload): Promise<void> {
    let done = 0;
    let inFlight = 0;
    let maxInFlight = 1;
    while (done < count) {
      for (; inFlight < Math.min(maxInFlight, count - done); inFlight++) this.send(PacketType.GRAB_JOB_ALL);
      const job = await this.#nextJob();
      inFlight--;
      maxInFlight = job === undefined ? 1 : 50; // many grabs on an empty server would be a busy loop
      if (job === undefined) continue;
      this.send(PacketType.WORK_COMPLETE, job.handle, work(job));
      done++;
    }
    await this.connection.flush();
  }

  /** Resolves when the server has handled everything that was sent; packets that it sends before are discarded. */
  async served(): Promise<void> {
    this.send(PacketType.ECHO_REQ, "served");
    while ((await this.next()).type !== PacketType.ECHO_RES);
  }

  /** Closes the connection after the server has handled everything that was sent. */
  async close(): Promise<void> {
    try {
      await this.served(); // a close could discard what is unsent
    } catch {
      // The server has closed the connection already.
    }
    await this.connection.close();
  }
}
