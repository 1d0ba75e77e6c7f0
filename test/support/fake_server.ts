// A job server that a test controls: it is connected in memory, records all requests, and answers as the test says.

import { GearmanClient } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import type { Packet, PacketInput } from "../../src/codec/mod.ts";
import { Connection, memoryPipe } from "../../src/connection/mod.ts";
import type { Dial, ServerAddress, Transport } from "../../src/connection/mod.ts";
import { text } from "./bytes.ts";

/** One connection to a fake server. */
export class FakePeer {
  /** All requests, without those by which a client greets: an option and an echo. */
  readonly requests: Packet[] = [];
  /** The requested options. */
  readonly options: string[] = [];
  /** The transport itself, for bytes that are not packets. */
  readonly transport: Transport;
  readonly #connection: Connection;
  /** Resolves when the other side has closed the connection. */
  readonly ended: Promise<void>;

  constructor(transport: Transport, onRequest: (packet: Packet, peer: FakePeer) => void) {
    this.transport = transport;
    this.#connection = new Connection(transport, { magic: "RES" });
    let greeted = false;
    this.ended = this.#connection.pump((packet) => {
      if (packet.type === PacketType.OPTION_REQ) {
        const option = new TextDecoder().decode(packet.args[0]);
        this.options.push(option);
        return this.answer(PacketType.OPTION_RES, option);
      }
      if (packet.type === PacketType.ECHO_REQ && this.options.length > 0 && this.requests.length === 0 && !greeted) {
        greeted = true; // a client sends an echo behind its option, and no jobs before the answer
        return this.answer(PacketType.ECHO_RES, packet.args[0]);
      }
      this.requests.push(packet);
      onRequest(packet, this);
    }).catch(() => {});
  }

  answer<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.#connection.send(type, ...args);
  }

  /** Resolves when the other side can receive more. */
  flush(): Promise<void> {
    return this.#connection.flush();
  }

  /** Closes the connection after all answers are sent. */
  async end(): Promise<void> {
    await this.#connection.close();
  }
}

/** Runs before a connection is made; if it rejects, the dial fails. */
export type Refusal = (server: ServerAddress, signal: AbortSignal | undefined) => Promise<void> | undefined;

/** A server that answers with the packets that the test chooses. */
export class FakeServer {
  /** All connections, in the order in which they were made. */
  readonly peers: FakePeer[] = [];
  /** The addresses that were dialed, as `host:port`, in order. */
  readonly dials: string[] = [];
  /** Makes dials fail, hang, or wait. */
  refuse: Refusal = () => undefined;
  readonly #onRequest: (packet: Packet, peer: FakePeer, index: number) => void;

  constructor(onRequest: (packet: Packet, peer: FakePeer, index: number) => void = () => {}) {
    this.#onRequest = onRequest;
  }

  readonly dial: Dial = async (server, { signal }) => {
    this.dials.push(`${server.hostname}:${server.port}`);
    await this.refuse(server, signal);
    const [here, there] = memoryPipe();
    const index = this.peers.length;
    this.peers.push(new FakePeer(there, (packet, peer) => this.#onRequest(packet, peer, index)));
    return here;
  };

  /** The last connection. */
  get peer(): FakePeer {
    return this.peers.at(-1)!;
  }
}

/** Returns true if a packet submits a job. */
export function isSubmission({ type }: Packet): boolean {
  return [7, 18, 21, 32, 33, 34, 36, 37, 38].includes(type);
}

/** Makes a function that answers every kind of request: it creates all jobs as `H:n`, and knows no job's status. */
export function answerEverything(): (packet: Packet, peer: FakePeer) => void {
  let jobs = 0;
  return (packet, peer) => {
    const last = packet.args.at(-1) ?? "";
    if (isSubmission(packet)) {
      jobs++;
      peer.answer(PacketType.JOB_CREATED, `H:${jobs}`);
    } else if (packet.type === PacketType.ECHO_REQ) peer.answer(PacketType.ECHO_RES, last);
    else if (packet.type === PacketType.GET_STATUS) peer.answer(PacketType.STATUS_RES, last, "0", "0", "0", "0");
    else if (packet.type === PacketType.GET_STATUS_UNIQUE) {
      peer.answer(PacketType.STATUS_RES_UNIQUE, last, "0", "0", "0", "0", "0");
    }
  };
}

/** Makes a client of the server that reconnects at once. */
export function makeClient(server: FakeServer): GearmanClient {
  return new GearmanClient({ dial: server.dial, minBackoff: 1, maxBackoff: 1 });
}

/** Lists the workloads that the server received. */
export function submittedWorkloads({ peers }: FakeServer): string[] {
  return peers.flatMap(({ requests }) => requests.filter(isSubmission)).map(({ args }) => text(args.at(-1)!));
}
