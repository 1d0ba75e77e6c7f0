// A job server that a test plays: it is dialed in memory, keeps what it is sent, and answers what the test says.

import { PacketType } from "../../src/codec/mod.ts";
import type { Packet, PacketInput } from "../../src/codec/mod.ts";
import { Connection, memoryPipe } from "../../src/connection/mod.ts";
import type { Dial, ServerAddress, Transport } from "../../src/connection/mod.ts";

/** One connection to it. */
export class FakePeer {
  /** Everything it was sent, without the requests for options. */
  readonly requests: Packet[] = [];
  /** The options it was asked for. */
  readonly options: string[] = [];
  /** The transport itself, for bytes that are no packets. */
  readonly transport: Transport;
  readonly #connection: Connection;
  /** Resolves when the client has ended it. */
  readonly ended: Promise<void>;

  constructor(transport: Transport, onRequest: (packet: Packet, peer: FakePeer) => void) {
    this.transport = transport;
    this.#connection = new Connection(transport, { magic: "RES" });
    this.ended = this.#connection.pump((packet) => {
      if (packet.type === PacketType.OPTION_REQ) {
        const option = new TextDecoder().decode(packet.args[0]);
        this.options.push(option);
        return this.answer(PacketType.OPTION_RES, option);
      }
      this.requests.push(packet);
      onRequest(packet, this);
    }).catch(() => {});
  }

  answer<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.#connection.send(type, ...args);
  }

  /** Resolves when the client's side can take more. */
  flush(): Promise<void> {
    return this.#connection.flush();
  }

  /** Ends the connection, after what was answered. */
  async end(): Promise<void> {
    await this.#connection.close();
  }
}

/** What a dial does instead of connecting, if anything. */
export type Refusal = (server: ServerAddress, signal: AbortSignal | undefined) => Promise<void> | undefined;

/** A server of packets that a test writes itself. */
export class FakeServer {
  /** Its connections, in the order in which they were made. */
  readonly peers: FakePeer[] = [];
  /** The servers that were dialed, by `host:port`, in order. */
  readonly dials: string[] = [];
  /** Makes dials fail, hang, or take their time. */
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

  /** The connection made last. */
  get peer(): FakePeer {
    return this.peers.at(-1)!;
  }
}

/** Whether a packet submits a job. */
export function isSubmission({ type }: Packet): boolean {
  return [7, 18, 21, 32, 33, 34, 36, 37, 38].includes(type);
}

/** An answer to each kind of request: every job is created as `H:n`, unknown to status, and echoes come back. */
export function polite(): (packet: Packet, peer: FakePeer) => void {
  let jobs = 0;
  return (packet, peer) => {
    const last = packet.args.at(-1) ?? "";
    if (isSubmission(packet)) peer.answer(PacketType.JOB_CREATED, `H:${++jobs}`);
    else if (packet.type === PacketType.ECHO_REQ) peer.answer(PacketType.ECHO_RES, last);
    else if (packet.type === PacketType.GET_STATUS) peer.answer(PacketType.STATUS_RES, last, "0", "0", "0", "0");
    else if (packet.type === PacketType.GET_STATUS_UNIQUE) {
      peer.answer(PacketType.STATUS_RES_UNIQUE, last, "0", "0", "0", "0", "0");
    }
  };
}
