/** The client's side of one server: requests to send, replies to wait for, and the jobs that run there. */

import { GearmanError, ProtocolError, ServerError } from "../errors.ts";
import { Fifo } from "../internal/queue.ts";
import { readText } from "../internal/text.ts";
import { ownedBytes, readHandle, readNumber } from "../codec/arguments.ts";
import { type Packet, packetName, PacketType } from "../codec/packet.ts";
import type { ServerAddress } from "../transport/transport.ts";
import { isUncopied, transferredError } from "../connection/arguments.ts";
import type { Connection } from "../connection/connection.ts";
import type { PostUser } from "../connection/dial_fetch.ts";
import type { ConnectionSettings } from "../connection/options.ts";
import { ServerConnection, type ServerConnectionUser } from "../connection/server_connection.ts";
import type { StatusSource } from "./background_job.ts";
import { Probe, type Request, type RequestSession } from "./request.ts";
import { RunningJobs } from "./running_jobs.ts";

/** Largest number of running jobs that are asked about at a time. */
const MAX_PROBED_JOBS = 1_000;

/** Settings of a session. */
export interface SessionSettings extends ConnectionSettings {
  /** Name that the servers show. */
  readonly id: string | undefined;
  /** Is asked for the status of background jobs: the client. */
  readonly statusSource: StatusSource;
}

/** Takes a request that was not sent to another server. */
export type Reroute = (request: Request, cause: GearmanError) => void;

/** One server of a client. */
export class Session implements RequestSession, ServerConnectionUser, PostUser {
  readonly server: ServerConnection;
  readonly statusSource: StatusSource;
  readonly #settings: SessionSettings;
  readonly #reroute: Reroute;
  /**
   * Requests that are not encoded yet, in order: the connection is not confirmed, some were recalled, or one is large and
   * waits until it is the next to be written.
   */
  readonly held: Fifo<Request> = new Fifo();
  /** Requests that were encoded, in the order of their replies; the connection may still have the last of them. */
  readonly awaiting: Fifo<Request> = new Fifo();
  readonly jobs: RunningJobs = new RunningJobs();
  /** The last question about a job; while it has no answer, no further ones are sent. */
  #lastJobProbe: Probe | undefined;
  onLeft: (() => void) | undefined;
  /** Number of requests and jobs that a caller waits for. */
  #live = 0;
  /** Number of those that are jobs with a lagging consumer. */
  #lagging = 0;
  /** Ends the pause of reading, if there is one. */
  #resume: (() => void) | undefined;

  constructor(server: ServerAddress, settings: SessionSettings, reroute: Reroute) {
    this.#settings = settings;
    this.statusSource = settings.statusSource;
    this.server = new ServerConnection(server, settings, this);
    this.#reroute = reroute;
  }

  get name(): string {
    return this.server.name;
  }

  /** Sends a request over the open connection, with all others of this tick. */
  send(request: Request): void {
    this.#watch(request);
    const { ready } = this.server; // not earlier: if the server was silent for long, it is asked whether it is alive
    if (ready !== undefined && this.held.length === 0 && !request.isLarge) return this.#encode(ready, request);
    request.copyArguments();
    this.held.push(request);
    this.#sendHeldSoon();
  }

  release(request: Request): void {
    request.session = undefined;
    this.#live -= 1;
    if (this.#live === this.#lagging) this.#updateWaiting();
  }

  recall(): void {
    const { connection } = this.server;
    if (connection === undefined) return; // it is closing
    this.#holdUnsent(connection);
    this.#sendHeldSoon();
    this.onLeft?.();
  }

  setLagging(lagging: boolean): void {
    this.#lagging += lagging ? 1 : -1;
    this.#updateWaiting();
  }

  /** Sends everything that is queued, closes the connection, and ends all that still waits. */
  async close(): Promise<void> {
    const { ready } = this.server;
    if (ready !== undefined) { for (const request of this.held.drain()) this.#encode(ready, request); }
    await this.server.close();
  }

  // ---- what the server connection reports

  onPacket(packet: Packet): void | Promise<void> {
    if (packet.magic !== "RES") throw new ProtocolError("The server sent a request");
    if (packet.oversized !== undefined) return this.#onOversized(packet);
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
      case PacketType.ERROR:
        return this.#takeAwaiting(packet.type).fail(
          new ServerError(readText(packet.args[0]), readText(packet.args[1])),
        );
      default:
        return this.#takeAwaiting(packet.type).onReply(packet, this);
    }
  }

  onOpen(): void {
    const { id } = this.#settings;
    const connection = this.server.connection!;
    // It has no reply, but a server that does not know it may answer ERROR.
    if (id !== undefined) this.#encode(connection, new Probe(PacketType.SET_CLIENT_ID, id, PacketType.SET_CLIENT_ID));
    this.#encode(connection, new Probe(PacketType.OPTION_REQ, "exceptions", PacketType.OPTION_RES));
    // The connection is watched until the answer: callers that wait less than connectTimeout, one after the other, would
    // never find out that the server does not answer.
    this.#ask(echoProbe());
  }

  onConfirmed(): void {
    this.#sendHeldSoon();
  }

  onTick({ silent }: { readonly silent: boolean }): void {
    const handles = this.#lastJobProbe?.settled === false ? [] : this.jobs.nextHandles(MAX_PROBED_JOBS);
    for (const handle of handles) {
      this.#lastJobProbe = this.#jobProbe(handle);
      this.#ask(this.#lastJobProbe);
    }
    if (silent && handles.length === 0) this.#ask(echoProbe());
  }

  onLost(error: GearmanError, connection: Connection): void {
    this.#holdUnsent(connection);
    const unsent = this.held.drain();
    this.jobs.vanishAll(error, this.name);
    for (const request of this.awaiting.drain()) this.lose(request, error);
    for (const request of unsent) {
      if (request instanceof Probe) request.onUnsent();
      else this.#giveBack(request, error);
    }
    this.#resume?.();
  }

  lose(request: Request, error: GearmanError): void {
    if (!request.settled && request.onLost(error, this.name)) this.#giveBack(request, error);
  }

  #giveBack(request: Request, error: GearmanError): void {
    if (request.settled) return;
    this.release(request);
    this.#reroute(request, error);
  }

  // ---- sending

  /** Counts a request among those that are waited for; `release` counts it no more. */
  #watch(request: Request): void {
    request.session = this;
    this.#live += 1;
    if (this.#live === this.#lagging + 1) this.#updateWaiting();
  }

  /** Sends a question of the session's own; the connection is watched until its answer, even if all callers leave. */
  #ask(probe: Probe): void {
    this.#watch(probe);
    this.#encode(this.server.connection!, probe);
  }

  /** Encodes a request into the memory of the connection, unless it has ended. */
  #encode(connection: Connection, request: Request): void {
    if (request.settled) return;
    try {
      if (request.isLarge && !isUncopied(request.lastArgument)) throw transferredError();
      connection.sendPacket(request.packet);
    } catch (error) {
      // Either the connection has failed, and onLost will take the request elsewhere, or the request is at fault.
      if (error instanceof GearmanError) this.held.push(request);
      else request.fail(error);
      return;
    }
    this.awaiting.push(request);
    request.onEncoded();
  }

  /** Takes back the requests that the connection has not sent: the last ones that were encoded. */
  #holdUnsent(connection: Connection): void {
    const packets = connection.recall();
    const requests = this.awaiting.takeLast(packets.length);
    const unsent: Request[] = [];
    for (const [i, request] of requests.entries()) {
      const { type, args } = packets[i]!;
      request.packet = { type, args: [...args] };
      if (request instanceof Probe) this.#encode(connection, request); // it confirms the connection
      else unsent.push(request);
    }
    if (unsent.length === 0) return; // many aborts in a row take back nothing more, and move nothing
    for (const request of [...unsent, ...this.held.drain()]) this.held.push(request);
  }

  /** Sends what is held once the server has answered, and the transport has taken what it was given before. */
  #sendHeldSoon(): void {
    const { ready } = this.server;
    if (this.held.length > 0) ready?.onceDrained(() => this.#sendHeld(ready));
  }

  /**
   * Encodes what is held. A large request is encoded when all before it is written, so that its first byte is given at once.
   */
  #sendHeld(connection: Connection): void {
    if (this.server.ready !== connection) return; // it is asked again whether it is alive: its answer continues here
    let count = this.held.length; // what fails to be sent is held again
    while (count > 0) {
      const request = this.held.shift()!;
      this.#encode(connection, request);
      count = this.held.first?.isLarge ? 0 : count - 1;
    }
    this.#sendHeldSoon();
  }

  /** Finds out whether a job has vanished: no final packet will come for it. */
  #jobProbe(handle: string): Probe {
    return new Probe(PacketType.GET_STATUS, handle, PacketType.STATUS_RES, ([, known]) => {
      if (readText(known!) !== "0") return;
      this.jobs.vanish(handle, new GearmanError("the server does not know it any more"), this.name);
    });
  }

  // ---- receiving

  /**
   * Takes out the request that a packet of this type is the reply to. A connection begins with requests that a server may
   * leave unanswered; the echo behind them is answered by each.
   */
  #takeAwaiting(type: PacketType): Request {
    const { awaiting } = this;
    while (type !== PacketType.ERROR && type !== awaiting.first?.expects) {
      const expects = awaiting.first?.expects;
      if (expects !== PacketType.OPTION_RES && expects !== PacketType.SET_CLIENT_ID) throwUnexpected(type);
      awaiting.shift();
    }
    return awaiting.shift() ?? throwUnexpected(type);
  }

  /** Ends what a packet over `maxPacketSize` is for, and nothing else. */
  #onOversized({ type, args, oversized }: Packet): void {
    const limit = `a packet of ${oversized} bytes is over maxPacketSize, ${this.#settings.maxPacketSize}`;
    const error = new GearmanError(limit);
    const handle = () => readText(args[0]!);
    switch (type) {
      case PacketType.WORK_DATA:
      case PacketType.WORK_WARNING:
        return this.jobs.nextReceiver(handle())?.onOversized(error);
      case PacketType.WORK_COMPLETE:
      case PacketType.WORK_EXCEPTION:
        return this.jobs.lastReceiver(handle())?.onOversized(error);
      case PacketType.ECHO_RES:
        return this.#takeAwaiting(type).fail(error);
      default:
        throw new ProtocolError(`Cannot receive: ${limit}`);
    }
  }

  /** Pauses reading while callers wait for nothing but lagging jobs. */
  #pauseIfAllLag(): void | Promise<void> {
    if (this.#lagging === 0 || this.#lagging < this.#live) return;
    return new Promise((resolve) => this.#resume = resolve);
  }

  /** Tells the server connection whether callers wait: as the first of them comes, and the last one leaves. */
  #updateWaiting(): void {
    const waiting = this.#live > this.#lagging;
    this.server.setWaiting(waiting);
    if (this.#resume !== undefined && (waiting || this.#live === 0)) this.#resume();
  }
}

function throwUnexpected(type: PacketType): never {
  throw new ProtocolError(`The server sent ${packetName(type)} without a request for it`);
}

function echoProbe(): Probe {
  return new Probe(PacketType.ECHO_REQ, "", PacketType.ECHO_RES);
}
