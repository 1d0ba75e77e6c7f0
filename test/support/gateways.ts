/** Gateways behind real WebSockets, and clients of them that send packets, or anything else. */

import { fromWebSocket, GearmanClient } from "../../mod.ts";
import type { ClientOptions, Dial } from "../../mod.ts";
import { type Packet, PacketDecoder, type PacketType } from "../../src/codec/mod.ts";
import { Gateway, type GatewayEvent, type GatewayOptions } from "../../src/gateway/mod.ts";
import { encode, text } from "./bytes.ts";
import { FakeWebSocket, type FakeWebSocketOptions } from "./fake_web_socket.ts";
import { until } from "./wait.ts";
import { ClientWebSocket, startWebSocketServer, type TestWebSocketServer } from "./web_sockets.ts";

/** A client of a gateway over a socket in memory: the test sends packets, and looks at the answers. */
export class FakeClient {
  readonly socket: FakeWebSocket;
  /** Resolves when the gateway has ended the socket. */
  readonly ended: Promise<void>;
  readonly #decoder = new PacketDecoder();
  readonly #packets: Packet[] = [];
  #decoded = 0;

  constructor(gateway: Gateway, options: FakeWebSocketOptions & { readonly url?: string } = {}) {
    this.socket = new FakeWebSocket(options);
    this.ended = gateway.accept(this.socket, {
      request: new Request(options.url ?? "http://gateway.example/"),
      acknowledge: options.protocol === "gearman",
    });
  }

  /** Sends one packet. */
  send(type: PacketType, ...args: (string | Uint8Array)[]): void {
    this.socket.receive(encode("REQ", type, args));
  }

  /** The answers so far, as the number of their type and their arguments. */
  get answers(): string[] {
    for (; this.#decoded < this.socket.sent.length; this.#decoded++) {
      const message = this.socket.sent[this.#decoded]!;
      if (typeof message !== "string") this.#decoder.push(message);
    }
    for (const packet of this.#decoder) this.#packets.push(packet);
    return this.#packets.map(({ type, args }) => [type, ...(args as readonly Uint8Array[]).map(text)].join(" "));
  }

  /** Waits for this number of answers. */
  async untilAnswers(count: number): Promise<string[]> {
    await until(() => this.answers.length >= count);
    return this.answers;
  }

  /** The code and the reason with which the gateway has closed the socket. */
  async untilClosed(): Promise<[code?: number, reason?: string] | "terminate"> {
    await this.ended;
    return this.socket.closes[0]!;
  }
}

/** A gateway behind a server of real WebSockets. */
export interface TestGateway {
  readonly gateway: Gateway;
  readonly events: GatewayEvent[];
  readonly url: string;
  readonly server: TestWebSocketServer;
  /** Connects as a client does; `dial` is for the option of that name. */
  readonly dial: Dial;
  /** Makes a client. */
  client(options?: ClientOptions): GearmanClient;
  stop(): Promise<void>;
}

/** Starts a gateway that allows everything, unless `allow` is given. */
export async function startGateway(
  options: Partial<GatewayOptions>,
  { protocol = "gearman" }: { readonly protocol?: string | null } = {},
): Promise<TestGateway> {
  const events: GatewayEvent[] = [];
  const gateway = new Gateway({ allow: () => true, onEvent: (event) => void events.push(event), ...options });
  const server = await startWebSocketServer((socket, request) => {
    gateway.accept(socket, { request });
  });
  const dial: Dial = () => fromWebSocket(new ClientWebSocket(server.url, protocol ?? undefined));
  return {
    gateway,
    events,
    url: server.url,
    server,
    dial,
    client: (options) => new GearmanClient({ dial, ...options }),
    stop: async () => {
      await gateway.close();
      await server.stop();
    },
  };
}
