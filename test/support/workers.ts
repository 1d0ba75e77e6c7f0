// Our worker with a server that the test plays, and what the two say to each other.

import { dialTcp, GearmanWorker } from "../../mod.ts";
import type { AssignedJob, Dial, JobHandler, WorkerOptions } from "../../mod.ts";
import { type Packet, PacketType } from "../../src/codec/mod.ts";
import { packetName } from "../../src/codec/packet.ts";
import { text } from "./bytes.ts";
import { parseServers } from "../../src/transport/addresses.ts";
import { type Deferred, deferred } from "./transports.ts";
import { type FakePeer, FakeServer } from "./fake_server.ts";
import { command, until } from "./peers.ts";
import type { TestServer } from "./servers.ts";

export type Functions = Record<string, JobHandler>;

/** A worker that connects again at once, and does not wait for ever for what it holds. */
export function makeWorker(options: WorkerOptions, functions: Functions): GearmanWorker {
  const worker = new GearmanWorker({ minBackoff: 1, maxBackoff: 1, drainTimeout: 2_000, ...options });
  for (const [name, handler] of Object.entries(functions)) worker.addFunction(name, handler);
  return worker;
}

/** One that runs. */
export function startWorker(options: WorkerOptions, functions: Functions): GearmanWorker {
  const worker = makeWorker(options, functions);
  worker.run();
  return worker;
}

/** A handler that holds its job until the test lets it go. */
export function holder(): { handler: JobHandler; started: Deferred<AssignedJob>; release: Deferred<string> } {
  const started = deferred<AssignedJob>();
  const release = deferred<string>();
  return { handler: (job) => (started.resolve(job), release.promise), started, release };
}

/** A server that assigns jobs of these handles and functions, and has nothing after them. */
export function serverOf(...jobs: [handle: string, functionName: string][]): FakeServer {
  return new FakeServer(({ type }, peer) => {
    if (type !== PacketType.GRAB_JOB_ALL) return;
    const job = jobs.shift();
    if (job === undefined) peer.answer(PacketType.NO_JOB);
    else peer.answer(PacketType.JOB_ASSIGN_UNIQ, ...job, "", "");
  });
}

/** A packet in words: its name and arguments. */
export function show({ type, args }: Packet): string {
  return [packetName(type), ...(args as readonly Uint8Array[]).map(text)].join(" ");
}

/** What a connection was sent, without grabs and sleep. */
export function said(peer: FakePeer): string[] {
  return peer.requests.map(show).filter((line) => line !== "GRAB_JOB_ALL" && line !== "PRE_SLEEP");
}

/** How many packets of a type came on the last connection. */
export function count({ peers }: FakeServer, type: PacketType): number {
  return peers.at(-1)?.requests.filter((packet) => packet.type === type).length ?? 0;
}

/** Waits until the worker has sent something that reads so. */
export async function heard(server: FakeServer, line: string): Promise<void> {
  await until(() => server.peers.some(({ requests }) => requests.map(show).includes(line)));
}

/** Connects to the first of these servers with port 1, to the second with port 2, and so on. */
export function dialTo(servers: readonly TestServer[]): Dial {
  return ({ port }, options) => {
    const { dial = dialTcp(), servers: address = "" } = servers[port - 1]!.connect;
    return dial(parseServers(address === "" ? "memory" : address)[0]!, options);
  };
}

/** A line of a server's `status`, as numbers: jobs, running ones, and registered workers. */
export async function statusOf(server: TestServer, functionName: string): Promise<[number, number, number]> {
  const lines = await command(server, "status", true);
  const line = lines.find((line) => line.startsWith(`${functionName}\t`));
  const [, jobs = "0", running = "0", workers = "0"] = line?.split("\t") ?? [];
  return [Number(jobs), Number(running), Number(workers)];
}
