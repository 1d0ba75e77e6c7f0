// The other side of a test server: a raw worker that answers packet by packet, and a look at the server's queue.

import assert from "node:assert/strict";
import { PacketType } from "../../src/codec/mod.ts";
import type { Packet, PacketInput } from "../../src/codec/mod.ts";
import { Connection, dialTcp } from "../../src/connection/mod.ts";
import type { ServerAddress } from "../../src/connection/mod.ts";
import { parseServers } from "../../src/transport/addresses.ts";
import type { TestServer } from "./servers.ts";

/** Waits until something is true, asking again and again; the test's own timeout ends it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Opens a connection of the test's own; with `text` it takes lines as well. */
export async function openConnection<Text extends boolean = false>(
  server: TestServer,
  text?: Text,
): Promise<Connection<Text>> {
  const dial = server.connect.dial ?? dialTcp();
  const address: ServerAddress = parseServers(server.connect.servers ?? "127.0.0.1:1")[0]!;
  return new Connection(await dial(address, {}), { text: text ?? false } as { text: Text });
}

/** Sends one line of the text protocol; its answer is the lines up to `.`, or the one line that there is. */
export async function command(server: TestServer, line: string, list = false): Promise<string[]> {
  const connection = await openConnection(server, true);
  try {
    connection.sendText(line);
    const lines: string[] = [];
    for await (const item of connection) {
      if (item.magic !== "TEXT" || item.line === ".") break;
      lines.push(item.line);
      if (!list) break;
    }
    return lines;
  } finally {
    await connection.close();
  }
}

/** Limits the queue of a function that the worker can do: of one that it does not know yet, gearmand says OK too. */
export async function limitQueue(server: TestServer, worker: RawWorker, name: string, most: number): Promise<void> {
  await worker.served();
  const functions = (await command(server, "status", true)).map((line) => line.split("\t")[0]);
  assert.ok(functions.includes(name), `the server knows no ${name}, but ${functions}`);
  assert.deepEqual(await command(server, `maxqueue ${name} ${most}`), ["OK"]);
}

/** How many jobs of a function the server has, running ones included; 0 for a function that it does not know. */
export async function jobsOf(server: TestServer, functionName: string): Promise<number> {
  const lines = await command(server, "status", true);
  const line = lines.find((line) => line.startsWith(`${functionName}\t`));
  return Number(line?.split("\t")[1] ?? 0);
}

/** A job as a raw worker was given it. */
export interface Assigned {
  readonly handle: string;
  readonly functionName: string;
  readonly unique: string;
  readonly reducer: string | undefined;
  readonly workload: Uint8Array;
}

/** A worker that does nothing by itself: what it sends, and when, is the test's. */
export class RawWorker {
  readonly connection: Connection;
  readonly #packets: AsyncIterator<Packet>;

  constructor(connection: Connection) {
    this.connection = connection;
    this.#packets = connection[Symbol.asyncIterator]() as AsyncIterator<Packet>;
  }

  /** Connects one that can do these functions. */
  static async open(server: TestServer, ...functionNames: string[]): Promise<RawWorker> {
    const worker = new RawWorker(await openConnection(server));
    for (const name of functionNames) worker.send(PacketType.CAN_DO, name);
    return worker;
  }

  send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.connection.send(type, ...args);
  }

  /** The next packet. */
  async next(): Promise<Packet> {
    const { done, value } = await this.#packets.next();
    if (done === true) throw new Error("the server has ended the worker's connection");
    return value;
  }

  /** Asks once for a job. */
  async tryGrab(): Promise<Assigned | undefined> {
    this.send(PacketType.GRAB_JOB_ALL);
    return await this.#assigned();
  }

  /** What comes of the first grab that is not answered yet. */
  async #assigned(): Promise<Assigned | undefined> {
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

  /** Asks for a job until there is one. */
  async grab(): Promise<Assigned> {
    let assigned: Assigned | undefined;
    await until(async () => (assigned = await this.tryGrab()) !== undefined);
    return assigned!;
  }

  /** Completes so many jobs with what `work` makes of them, asking for many at a time. */
  async serve(count: number, work: (job: Assigned) => string | Uint8Array = (job) => job.workload): Promise<void> {
    for (let done = 0, asked = 0, most = 1; done < count;) {
      for (; asked < Math.min(most, count - done); asked++) this.send(PacketType.GRAB_JOB_ALL);
      const job = await this.#assigned();
      asked--;
      most = job === undefined ? 1 : 50; // of one that has none, many would be a busy loop
      if (job === undefined) continue;
      this.send(PacketType.WORK_COMPLETE, job.handle, work(job));
      done++;
    }
    await this.connection.flush();
  }

  /** Resolves when the server has dealt with everything that was sent; what it sends meanwhile is read over. */
  async served(): Promise<void> {
    this.send(PacketType.ECHO_REQ, "served");
    while ((await this.next()).type !== PacketType.ECHO_RES);
  }

  /** Leaves, after everything it sent has gone out and been read. */
  async close(): Promise<void> {
    try {
      await this.served(); // nothing is lost in the goodbye
    } catch {
      // The server has gone before.
    }
    await this.connection.close();
  }
}
