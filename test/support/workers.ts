// Workers of this package on servers that a test controls, and the packets between them.

import { dialTcp, GearmanWorker } from "../../mod.ts";
import type { AssignedJob, Dial, JobHandler, WorkerOptions } from "../../mod.ts";
import { type Packet, PacketType } from "../../src/codec/mod.ts";
import { packetName } from "../../src/codec/packet.ts";
import { text } from "./bytes.ts";
import { parseServers } from "../../src/transport/addresses.ts";
import { type Deferred, deferred } from "../../src/internal/promises.ts";
import { until } from "./wait.ts";
import { type FakePeer, FakeServer } from "./fake_server.ts";
import type { TestServer } from "./servers.ts";

export type Functions = Record<string, JobHandler>;

/** Makes a worker that reconnects at once, waits at most 2 s for its jobs when it closes, and writes no failures. */
export function makeWorker(options: WorkerOptions, functions: Functions): GearmanWorker {
  const worker = new GearmanWorker({ minBackoff: 1, maxBackoff: 1, drainTimeout: 2_000, onEvent() {}, ...options });
  for (const [name, handler] of Object.entries(functions)) worker.addFunction(name, handler);
  return worker;
}

/** Makes a worker, and runs it. */
export function startWorker(options: WorkerOptions, functions: Functions): GearmanWorker {
  const worker = makeWorker(options, functions);
  worker.run();
  return worker;
}

/** Makes a handler that holds its job until the test releases it. */
export function heldHandler(): { handler: JobHandler; started: Deferred<AssignedJob>; release: Deferred<string> } {
  const started = deferred<AssignedJob>();
  const release = deferred<string>();
  const handler: JobHandler = (job) => {
    started.resolve(job);
    return release.promise;
  };
  return { handler, started, release };
}

/** Makes a server that assigns these jobs, and then has no job. */
export function serverWithJobs(...jobs: [handle: string, functionName: string][]): FakeServer {
  return new FakeServer(({ type }, peer) => {
    if (type !== PacketType.GRAB_JOB_ALL) return;
    const job = jobs.shift();
    if (job === undefined) peer.answer(PacketType.NO_JOB);
    else peer.answer(PacketType.JOB_ASSIGN_UNIQ, ...job, "", "");
  });
}

/** Describes a packet: its name and its arguments. */
export function describePacket({ type, args }: Packet): string {
  return [packetName(type), ...(args as readonly Uint8Array[]).map(text)].join(" ");
}

/** Describes the packets that a connection received, without GRAB_JOB_ALL, PRE_SLEEP and ECHO_REQ. */
export function sentPackets(peer: FakePeer): string[] {
  const ignored = ["GRAB_JOB_ALL", "PRE_SLEEP", "ECHO_REQ "];
  return peer.requests.map(describePacket).filter((line) => !ignored.includes(line));
}

/** Counts the packets of a type that the last connection received. */
export function countPackets({ peers }: FakeServer, type: PacketType): number {
  return peers.at(-1)?.requests.filter((packet) => packet.type === type).length ?? 0;
}

/** Waits until the worker has sent a packet with this description. */
export async function untilSent(server: FakeServer, line: string): Promise<void> {
  await until(() => server.peers.some(({ requests }) => requests.map(describePacket).includes(line)));
}

/** Makes a dial function that connects to the first of these servers at port 1, to the second at port 2, and so on. */
export function dialByPort(servers: readonly TestServer[]): Dial {
  return ({ port }, options) => {
    const { dial = dialTcp(), servers: address = "" } = servers[port - 1]!.connect;
    return dial(parseServers(address === "" ? "memory" : address)[0]!, options);
  };
}
