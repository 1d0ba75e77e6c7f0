/** A client's business with one server: what is to be sent, what waits for a reply, and the jobs that are running. */

import { GearmanError, ProtocolError, ServerError } from "../errors.ts";
import { markHandled } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { readText } from "../internal/text.ts";
import { ownedBytes, readHandle, readNumber } from "../codec/arguments.ts";
import { type Packet, packetName, PacketType } from "../codec/packet.ts";
import type { ServerAddress } from "../transport/transport.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionSettings } from "../connection/options.ts";
import { ServerConnection, type ServerConnectionUser } from "../connection/server_connection.ts";
import type { ForegroundJob } from "./foreground_job.ts";
import { type Outgoing, Query, type Request } from "./request.ts";

/** So many bytes are handed to the connection at once; what comes after can still be called back. */
const BATCH_SIZE = 65_536;
/** Running jobs that are asked after at a time. */
const PROBED_JOBS = 1_000;

/** Those who hear of a handle; `null` is one who has gone, but whose copy of each packet still comes. */
type Subscriber = ForegroundJob | null;

/** One server of a client. */
export class Session implements ServerConnectionUser {
  readonly link: ServerConnection;
  readonly #reroute: (request: Request, cause: GearmanError) => void;
  /** Not yet handed to the connection. */
  readonly #outbox = new Fifo<Request>();
  #flushing = false;
  #greeted = false;
  /** The last question about a job: while it has no answer, the next ones wait. */
  #asked: Query<void> | undefined;
  /** Waiting for their replies, which come in order. */
  readonly #awaiting = new Fifo<Request>();
  /** Foreground jobs by handle; several where one unique was submitted more than once. */
  readonly #jobs = new Map<string, Subscriber[]>();
  /** How many of all these somebody waits for. */
  #live = 0;
  /** How many of those are jobs whose consumer lags. */
  #lagging = 0;
  #resume: (() => void) | undefined;

  constructor(
    server: ServerAddress,
    settings: ConnectionSettings,
    reroute: (request: Request, cause: GearmanError) => void,
  ) {
    this.link = new ServerConnection(server, settings, this);
    this.#reroute = reroute;
  }

  /** Whether it is connected, and not failing. */
  get ready(): boolean {
    return this.link.connection !== undefined && !this.link.failing;
  }

  /** Everything that it keeps: requests, replies that are to come, and jobs, those nobody wants any more included. */
  get size(): number {
    return this.#outbox.length + this.#awaiting.length + this.#jobs.size;
  }

  /** Sends a request over the open connection, with all others of this tick. */
  send(request: Request): void {
    request.session = this;
    this.#live++;
    this.#outbox.push(request);
    this.#updateWaiting();
    if (!this.#flushing) this.#flush();
  }

  /** Sends the first request of a connection, whose reply shows that the server is well. */
  greet(): void {
    if (this.#greeted || this.link.connection === undefined) return;
    this.link.connection.send(PacketType.OPTION_REQ, "exceptions");
    this.#greeted = true;
    this.#awaiting.push(this.#probe({ type: PacketType.OPTION_REQ, args: [] }, PacketType.OPTION_RES));
  }

  /** Nobody waits for the request any more; what the server still sends for it is read over. */
  leave(request: Request): void {
    request.session = undefined;
    this.#live--;
    this.#updateWaiting();
  }

  /** A job's consumer fell behind, or caught up. */
  lag(lagging: boolean): void {
    this.#lagging += lagging ? 1 : -1;
    this.#updateWaiting();
  }

  /** Hears of a job from now on. */
  subscribe(handle: string, subscriber: Subscriber): void {
    const present = this.#jobs.get(handle);
    if (present === undefined) this.#jobs.set(handle, [subscriber]);
    else present.push(subscriber);
  }

  /** Hears no more of it, while the server goes on to send it its copies. */
  unsubscribe(handle: string, subscriber: ForegroundJob): void {
    const present = this.#jobs.get(handle);
    if (present?.includes(subscriber) === true) present[present.indexOf(subscriber)] = null;
  }

  /** Sends what is still to be sent, closes, and ends what still waits. */
  async close(): Promise<void> {
    const connection = this.link.connection;
    try {
      if (connection !== undefined) this.#encode(connection, Infinity);
    } catch {
      // It is lost already, and onLost sees to everything.
    }
    await this.link.close();
  }

  onPacket(packet: Packet): void | Promise<void> {
    if (packet.magic !== "RES") throw new ProtocolError("The server sent a request");
    switch (packet.type) {
      case PacketType.WORK_DATA:
        return this.#deliver(packet.args, "data");
      case PacketType.WORK_WARNING:
        return this.#deliver(packet.args, "warning");
      case PacketType.WORK_COMPLETE:
        return this.#deliver(packet.args, "complete");
      case PacketType.WORK_STATUS: {
        const [handle, numerator, denominator] = packet.args;
        const job = this.#turn(readText(handle), false);
        job?.onEvent({ type: "status", numerator: readNumber(numerator), denominator: readNumber(denominator) });
        return;
      }
      case PacketType.WORK_FAIL:
      case PacketType.WORK_EXCEPTION: {
        const exception = packet.type === PacketType.WORK_FAIL ? undefined : ownedBytes(packet.args);
        return this.#turn(readHandle(packet.args[0]), true)?.onFailed(exception);
      }
      default:
        return this.#answer(packet);
    }
  }

  onTick({ silent }: { readonly silent: boolean }): void {
    const wanted: [handle: string, subscribers: Subscriber[]][] = [];
    // Only when it has told of those that it was asked about before.
    for (const job of this.#asked?.settled === false ? [] : this.#jobs) {
      if (job[1].some(Boolean) && wanted.push(job) === PROBED_JOBS) break;
    }
    for (const [handle, subscribers] of wanted) {
      // To the end of the line, so that the next probe asks after others.
      this.#jobs.delete(handle);
      this.#jobs.set(handle, subscribers);
      const packet = { type: PacketType.GET_STATUS, args: [handle] };
      this.#asked = this.#probe(packet, PacketType.STATUS_RES, ([, known]) => {
        if (readText(known!) !== "0") return;
        const vanished = this.#jobs.get(handle);
        this.#jobs.delete(handle);
        const error = new GearmanError("the server does not know it any more");
        for (const job of vanished ?? []) job?.onGone(error, this.link.name);
      });
      this.send(this.#asked);
    }
    if (silent && wanted.length === 0) {
      this.send(this.#probe({ type: PacketType.ECHO_REQ, args: [""] }, PacketType.ECHO_RES));
    }
  }

  onLost(error: GearmanError): void {
    const unsent = this.#outbox.drain();
    const awaiting = this.#awaiting.drain();
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    this.#greeted = false;

    for (const job of jobs.flat()) job?.onGone(error, this.link.name);
    const again = awaiting.filter((request) => !request.settled && request.onLost(error, this));
    for (const request of again.concat(unsent)) {
      if (request.settled) continue;
      this.leave(request);
      this.#reroute(request, error);
    }
    this.#resume?.();
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    await undefined; // to the end of the tick; what is aborted until then was never sent
    const { connection } = this.link;
    try {
      while (connection !== undefined && connection === this.link.connection && this.#encode(connection, BATCH_SIZE)) {
        await connection.flush();
      }
    } catch (error) {
      // Mostly it is known already. A read of an earlier request of an edge, however, never hears of it.
      if (connection === this.link.connection) this.link.drop(error as GearmanError);
    }
    this.#flushing = false;
    // What came for a new connection, while this one was found dead.
    if (this.#outbox.length > 0 && this.link.connection !== connection) this.#flush();
  }

  /** Hands over so many bytes; false if there is nothing that may be sent now. */
  #encode(connection: Connection, most: number): boolean {
    if (this.#outbox.length > 0) this.greet();
    if (this.#outbox.length === 0 || this.link.unconfirmed) return false;
    for (let size = 0; this.#outbox.length > 0 && size < most; this.#outbox.shift()) {
      const request = this.#outbox.first!;
      if (request.settled) continue;
      try {
        connection.send(request.type, ...request.args as never);
      } catch (error) {
        if (error instanceof GearmanError) throw error;
        request.fail(error);
        continue;
      }
      size += 64 + request.args[request.args.length - 1]!.length;
      this.#awaiting.push(request);
      request.onSent();
    }
    return true;
  }

  #answer(packet: Packet): void {
    const request = this.#awaiting.first;
    const { type } = packet;
    if (request === undefined || type !== PacketType.ERROR && type !== request.expects) {
      throw new ProtocolError(`The server sent ${packetName(type)}, which nothing asked for`);
    }
    this.#awaiting.shift();
    if (this.#outbox.length > 0 && !this.#flushing) this.#flush(); // held back until this, the first reply
    if (type !== PacketType.ERROR) request.onReply(packet.args, this);
    else request.fail(new ServerError(readText(packet.args[0]), readText(packet.args[1])));
  }

  #deliver(args: Packet<28>["args"], type: "data" | "warning" | "complete"): void | Promise<void> {
    this.#turn(readText(args[0]), type === "complete")?.onEvent({ type, data: ownedBytes(args) });
    return this.#pause();
  }

  /**
   * Whose copy of a packet this is. Each submission of a unique gets one, all in a row: they take turns, and the one
   * that got its last packet has none any more.
   */
  #turn(handle: string, final: boolean): Subscriber | undefined {
    const subscribers = this.#jobs.get(handle);
    const subscriber = subscribers?.shift();
    if (!final && subscriber !== undefined) subscribers!.push(subscriber);
    if (subscribers?.length === 0) this.#jobs.delete(handle);
    return subscriber;
  }

  /** A question of the session's own, which is not worth a new connection. */
  #probe(packet: Outgoing, expects: PacketType, read = (_: readonly Uint8Array[]): void => {}): Query<void> {
    const query = new Query(packet, expects, read, this);
    query.repeated = true;
    query.returns = Infinity;
    markHandled(query.answer); // nobody waits for it
    return query;
  }

  /** Reading may pause while all that anybody waits for is jobs whose consumers lag. */
  #pause(): void | Promise<void> {
    if (this.#lagging > 0 && this.#lagging === this.#live) return new Promise((resolve) => this.#resume = resolve);
  }

  #updateWaiting(): void {
    const waiting = this.#live > this.#lagging;
    this.link.setWaiting(waiting);
    if (waiting || this.#live === 0) this.#resume?.();
  }
}
