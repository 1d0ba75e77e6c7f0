/** The client's side of one server: requests to send, replies to wait for, and the jobs that run there. */

import { GearmanError, ProtocolError, ServerError } from "../errors.ts";
import { Fifo } from "../internal/queue.ts";
import { readText } from "../internal/text.ts";
import { ownedBytes, readHandle, readNumber } from "../codec/arguments.ts";
import { type Packet, type PacketInput, packetName, PacketType } from "../codec/packet.ts";
import type { ServerAddress } from "../transport/transport.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionSettings } from "../connection/options.ts";
import { ServerConnection, type ServerConnectionUser } from "../connection/server_connection.ts";
import { type Outgoing, Probe, type Request, type RequestSession } from "./request.ts";
import { RunningJobs } from "./running_jobs.ts";

/** Batch size in bytes; requests beyond it can still be aborted before they are sent. */
const BATCH_SIZE = 65_536;
/** Size in bytes that a request counts besides its last argument: a header, a function name and a unique. */
const REQUEST_OVERHEAD = 64;
/** Largest number of running jobs that are asked about at a time. */
const MAX_PROBED_JOBS = 1_000;

/** Takes a request that was not sent to another server. */
export type Reroute = (request: Request, cause: GearmanError) => void;

/** What belongs to one connection, and is replaced with it. */
class Exchange {
  /** True once the first request of the connection was sent; its reply shows that the server is well. */
  exceptionsRequested = false;
  /** Requests that were sent, in the order of their replies. */
  readonly awaiting = new Fifo<Request>();
  readonly jobs = new RunningJobs();
  /** The last question about a job; while it has no answer, no further ones are sent. */
  lastJobProbe: Probe | undefined;
}

/** One server of a client. */
export class Session implements RequestSession, ServerConnectionUser {
  readonly server: ServerConnection;
  readonly #reroute: Reroute;
  /** Requests that were not handed to the connection yet. */
  readonly #outbox = new Fifo<Request>();
  #flushing = false;
  #exchange = new Exchange();
  /** Number of requests and jobs that a caller waits for. */
  #live = 0;
  /** Number of those that are jobs with a lagging consumer. */
  #lagging = 0;
  /** Ends the pause of reading, if there is one. */
  #resume: (() => void) | undefined;

  constructor(server: ServerAddress, settings: ConnectionSettings, reroute: Reroute) {
    this.server = new ServerConnection(server, settings, this);
    this.#reroute = reroute;
  }

  get name(): string {
    return this.server.name;
  }

  get jobs(): RunningJobs {
    return this.#exchange.jobs;
  }

  /** Number of requests, expected replies and jobs that it holds, including abandoned ones. */
  get size(): number {
    return this.#outbox.length + this.#exchange.awaiting.length + this.jobs.size;
  }

  /** Sends a request over the open connection, with all others of this tick. */
  send(request: Request): void {
    request.session = this;
    this.#live += 1;
    this.#outbox.push(request);
    this.#updateWaiting();
    if (!this.#flushing) this.#flush();
  }

  /** Asks for exceptions: the first request of a connection. */
  requestExceptions(): void {
    const { connection } = this.server;
    if (this.#exchange.exceptionsRequested || connection === undefined) return;
    this.#exchange.exceptionsRequested = true;
    const probe = new Probe({ type: PacketType.OPTION_REQ, args: ["exceptions"] }, PacketType.OPTION_RES);
    sendOutgoing(connection, probe);
    this.#exchange.awaiting.push(probe);
  }

  release(request: Request): void {
    request.session = undefined;
    this.#live -= 1;
    this.#updateWaiting();
  }

  setLagging(lagging: boolean): void {
    this.#lagging += lagging ? 1 : -1;
    this.#updateWaiting();
  }

  /** Sends everything that is queued, closes the connection, and ends all that still waits. */
  async close(): Promise<void> {
    const { connection } = this.server;
    try {
      if (connection !== undefined) this.#handOver(connection, { maxBytes: Infinity });
    } catch {
      // The connection is lost already, and onLost ends everything.
    }
    await this.server.close();
  }

  // ---- what the server connection reports

  onPacket(packet: Packet): void | Promise<void> {
    if (packet.magic !== "RES") throw new ProtocolError("The server sent a request");
    switch (packet.type) {
      case PacketType.WORK_DATA:
        this.jobs.nextReceiver(readText(packet.args[0]))?.onEvent({ type: "data", data: ownedBytes(packet.args) });
        return this.#pauseIfAllLag();
      case PacketType.WORK_WARNING:
        this.jobs.nextReceiver(readText(packet.args[0]))?.onEvent({ type: "warning", data: ownedBytes(packet.args) });
        return this.#pauseIfAllLag();
      case PacketType.WORK_COMPLETE:
        this.jobs.lastReceiver(readText(packet.args[0]))?.onEvent({ type: "complete", data: ownedBytes(packet.args) });
        return this.#pauseIfAllLag();
      case PacketType.WORK_STATUS: {
        const [handle, numerator, denominator] = packet.args;
        const receiver = this.jobs.nextReceiver(readText(handle));
        receiver?.onEvent({ type: "status", numerator: readNumber(numerator), denominator: readNumber(denominator) });
        return;
      }
      case PacketType.WORK_FAIL:
        return this.jobs.lastReceiver(readHandle(packet.args[0]))?.onFailed(undefined);
      case PacketType.WORK_EXCEPTION:
        return this.jobs.lastReceiver(readHandle(packet.args[0]))?.onFailed(ownedBytes(packet.args));
      default:
        return this.#onReply(packet);
    }
  }

  onTick({ silent }: { readonly silent: boolean }): void {
    const handles = this.#exchange.lastJobProbe?.settled === false ? [] : this.jobs.nextHandles(MAX_PROBED_JOBS);
    // A probe is sent as any request: the connection is watched until it is answered, even if all callers leave.
    for (const handle of handles) {
      this.#exchange.lastJobProbe = this.#jobProbe(handle);
      this.send(this.#exchange.lastJobProbe);
    }
    if (silent && handles.length === 0) {
      this.send(new Probe({ type: PacketType.ECHO_REQ, args: [""] }, PacketType.ECHO_RES));
    }
  }

  onLost(error: GearmanError): void {
    const { awaiting, jobs } = this.#exchange;
    this.#exchange = new Exchange();
    const unsent = this.#outbox.drain();
    jobs.vanishAll(error, this.name);
    const retried = awaiting.drain().filter((request) => !request.settled && request.onLost(error, this.name));
    for (const request of [...retried, ...unsent]) {
      if (request instanceof Probe) request.onUnsent();
      if (request.settled) continue;
      this.release(request);
      this.#reroute(request, error);
    }
    this.#resume?.();
  }

  // ---- sending

  /** Hands requests over at the end of the tick, and the next ones each time that the transport has taken a batch. */
  async #flush(): Promise<void> {
    this.#flushing = true;
    await undefined; // to the end of the tick: a request that is aborted in it is never sent
    const { connection } = this.server;
    const isCurrent = () => connection === this.server.connection;
    try {
      while (connection !== undefined && isCurrent()) {
        const handedOver = this.#handOver(connection, { maxBytes: BATCH_SIZE });
        if (!handedOver) break;
        await connection.flush();
      }
    } catch (error) {
      // Usually the pump has reported it. On an edge, a read of an earlier request never settles.
      if (isCurrent()) this.server.disconnect(error as GearmanError);
    }
    this.#flushing = false;
    // Requests may have arrived for a new connection while this one turned out to be dead.
    if (this.#outbox.length > 0 && !isCurrent()) this.#flush();
  }

  /** Hands over queued requests, about `maxBytes` of them; returns false if nothing may be sent now. */
  #handOver(connection: Connection, { maxBytes }: { maxBytes: number }): boolean {
    if (this.#outbox.length > 0) this.requestExceptions();
    if (this.#outbox.length === 0 || this.server.unconfirmed) return false;
    let size = 0;
    while (this.#outbox.length > 0 && size < maxBytes) {
      const request = this.#outbox.first!;
      if (!request.settled) size += this.#encode(connection, request);
      this.#outbox.shift();
    }
    return true;
  }

  /** Encodes one request, or fails it if the codec refuses it; returns its approximate size. */
  #encode(connection: Connection, request: Request): number {
    try {
      sendOutgoing(connection, request);
    } catch (error) {
      if (error instanceof GearmanError) throw error;
      request.fail(error);
      return 0;
    }
    const size = REQUEST_OVERHEAD + request.args[request.args.length - 1]!.length;
    this.#exchange.awaiting.push(request);
    request.onSent();
    return size;
  }

  /** Finds out whether a job has vanished: no final packet will come for it. */
  #jobProbe(handle: string): Probe {
    return new Probe({ type: PacketType.GET_STATUS, args: [handle] }, PacketType.STATUS_RES, ([, known]) => {
      if (readText(known!) !== "0") return;
      this.jobs.vanish(handle, new GearmanError("the server does not know it any more"), this.name);
    });
  }

  // ---- receiving

  #onReply(packet: Packet): void {
    const { awaiting } = this.#exchange;
    const request = awaiting.first;
    const { type } = packet;
    if (request === undefined || (type !== PacketType.ERROR && type !== request.expects)) {
      throw new ProtocolError(`The server sent ${packetName(type)} without a request for it`);
    }
    awaiting.shift();
    if (this.#outbox.length > 0 && !this.#flushing) this.#flush(); // held back until this reply, the first
    if (type !== PacketType.ERROR) request.onReply(packet.args, this);
    else request.fail(new ServerError(readText(packet.args[0]), readText(packet.args[1])));
  }

  /** Pauses reading while callers wait for nothing but lagging jobs. */
  #pauseIfAllLag(): void | Promise<void> {
    if (this.#lagging === 0 || this.#lagging < this.#live) return;
    return new Promise((resolve) => this.#resume = resolve);
  }

  #updateWaiting(): void {
    const waiting = this.#live > this.#lagging;
    this.server.setWaiting(waiting);
    if (waiting || this.#live === 0) this.#resume?.();
  }
}

/** Sends a packet; its arguments were made for its type. */
function sendOutgoing(connection: Connection, { type, args }: Outgoing): void {
  connection.send(type, ...args as PacketInput);
}
