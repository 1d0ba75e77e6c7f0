/** One WebSocket of a gateway, from its opening to its end. */

import { ProtocolError } from "../errors.ts";
import { deferred } from "../internal/promises.ts";
import { PacketDecoder } from "../codec/decoder.ts";
import { dialServer, type DialSettings } from "../connection/dial_server.ts";
import { CLOSE_BAD_REQUEST, type WebSocketTransport } from "../transport/from_web_socket.ts";
import type { Transport } from "../transport/transport.ts";
import { MAX_NAMES } from "./client_request.ts";
import { Exchange, type ExchangeSettings } from "./exchange.ts";

/** How a WebSocket has ended: code and reason as the client sees them, and the error for the log. */
export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
  readonly error?: unknown;
}

/** The ways in which a WebSocket ends. The reasons name nothing of the inside. */
const LEFT: SocketEnd = { code: 1000, reason: "" };
const BAD_REQUEST: SocketEnd = { code: CLOSE_BAD_REQUEST, reason: "A client does not send this" };
const IDLE: SocketEnd = { code: 4408, reason: "Nothing has happened for too long" };
const UNREACHABLE: SocketEnd = { code: 4502, reason: "The job server cannot be reached" };
const LOST: SocketEnd = { code: 4502, reason: "The connection to the job server was lost" };
export const TOO_MANY: SocketEnd = { code: 4503, reason: "There are too many connections" };
export const GATEWAY_CLOSED: SocketEnd = { code: 4503, reason: "The gateway is closed" };

/** What a gateway's sockets need to know. */
export interface SocketSettings extends ExchangeSettings, DialSettings {
  /** Milliseconds without a byte, in which nothing is pending, after which a socket is closed. */
  readonly idleTimeout: number;
  /** Is called when the job server is connected. */
  readonly onOpened: () => void;
}

/** Serves one WebSocket. */
export class ServedSocket {
  readonly #settings: SocketSettings;
  readonly #request: Request;
  readonly #transport: WebSocketTransport;
  /** How the gateway ends it, once it does. */
  #stop: SocketEnd | undefined;
  readonly #stopped = deferred<SocketEnd>();
  readonly #ended = deferred<void>();
  /** Aborts the attempt to reach the job server. */
  readonly #dialing = new AbortController();
  #exchange: Exchange | undefined;
  /** Time of the last bytes of the client, in ms. */
  #lastReceived = performance.now();
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(settings: SocketSettings, request: Request, transport: WebSocketTransport) {
    this.#settings = settings;
    this.#request = request;
    this.#transport = transport;
  }

  /** Ends the socket, as soon as it is open; resolves when it has ended. */
  stop(end: SocketEnd): Promise<void> {
    this.#stop ??= end;
    this.#stopped.resolve(end);
    return this.#ended.promise;
  }

  /** The client has left. It may go unnoticed where the socket is read: that waits for room at the job server. */
  onLeft(): void {
    this.#exchange?.leave();
  }

  /** Serves the socket to its end. */
  async serve(): Promise<SocketEnd> {
    this.#watchIdleness(this.#settings.idleTimeout);
    const end = await this.#waitForEnd();
    clearTimeout(this.#idleTimer);
    this.#dialing.abort();
    this.#exchange?.destroy();
    this.#transport.close(end.code, end.reason);
    this.#ended.resolve();
    return end;
  }

  async #waitForEnd(): Promise<SocketEnd> {
    try {
      await this.#transport.opened;
    } catch (error) {
      return { ...LEFT, error };
    }
    if (this.#stop !== undefined) return this.#stop;
    return Promise.race([this.#stopped.promise, this.#exchangeAll()]);
  }

  async #exchangeAll(): Promise<SocketEnd> {
    let server: Transport;
    try {
      server = await dialServer(this.#settings, this.#dialing, (transport) => transport);
    } catch (error) {
      return { ...UNREACHABLE, error };
    }
    const client = { request: this.#request, write: (bytes: Uint8Array) => this.#transport.write(bytes) };
    const exchange = new Exchange(this.#settings, client, server);
    this.#exchange = exchange;
    if (this.#stop !== undefined) exchange.destroy();
    this.#settings.onOpened();
    const end = await Promise.race([this.#readRequests(exchange), this.#passAnswers(exchange)]);
    if (end.code === LEFT.code) await exchange.finish();
    return end;
  }

  async #readRequests(exchange: Exchange): Promise<SocketEnd> {
    const maxPacketSize = this.#settings.maxWorkload + MAX_NAMES;
    const decoder = new PacketDecoder({ maxPacketSize, skipOversized: true });
    try {
      for await (const chunk of this.#transport) {
        this.#lastReceived = performance.now();
        decoder.push(chunk);
        for (const packet of decoder) {
          const room = exchange.receive(packet);
          if (room !== undefined) await room;
        }
      }
    } catch (error) {
      return error instanceof ProtocolError ? { ...BAD_REQUEST, error } : { ...LEFT, error };
    }
    return LEFT;
  }

  async #passAnswers(exchange: Exchange): Promise<SocketEnd> {
    try {
      await exchange.passAnswers();
    } catch (error) {
      return { ...LOST, error };
    }
    return LOST;
  }

  /** Looks after `ms` whether the socket is idle: nothing is pending, or the client does not take its answers. */
  #watchIdleness(ms: number): void {
    this.#idleTimer = setTimeout(() => this.#checkIdleness(), ms);
  }

  #checkIdleness(): void {
    const { idleTimeout } = this.#settings;
    const exchange = this.#exchange;
    const waitsForServer = exchange !== undefined && exchange.busy && !exchange.stalled;
    const lastActivity = Math.max(this.#lastReceived, exchange?.lastTaken ?? 0);
    const rest = waitsForServer ? idleTimeout : lastActivity + idleTimeout - performance.now();
    if (rest > 0) return this.#watchIdleness(Math.ceil(rest));
    this.stop(IDLE);
    if (exchange === undefined) this.#transport.close(IDLE.code, IDLE.reason); // it may never open
  }
}
