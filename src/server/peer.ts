/** A connection of the job server: its requests and answers, the answers that it does not read, and its faults. */

import { ConnectionError, GearmanError } from "../errors.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { encodeLine, MixedDecoder, type Packet, type PacketInput, PacketType, type TextLine } from "../codec/mod.ts";
import { Connection } from "../connection/connection.ts";
import type { Transport } from "../transport/transport.ts";
import { type Fault, SplittableTransport } from "./faults.ts";
import { Participant } from "./model.ts";
import { toWire } from "./names.ts";

/** A request as it was received: a packet, or a line of the text protocol. */
export type Incoming = Packet | TextLine;

/** Unread answers, in bytes, above which a peer's next request is not served: it must read first. */
const PAUSE_ABOVE = 1_048_576;
/** Unread answers, in bytes, above which a peer that has stopped reading is disconnected. */
const MAX_UNREAD_STALLED = 67_108_864;
/** Unread answers, in bytes, above which any peer is disconnected. */
const MAX_UNREAD = 16 * MAX_UNREAD_STALLED;
/** Time without reading a byte after which a peer has stopped reading, in milliseconds. */
const STALL_TIMEOUT = 5_000;

/** What a peer needs of its server. */
export interface PeerSettings {
  readonly maxPacketSize: number;
  readonly exceptions: boolean;
  readonly fault: ((request: Incoming) => Fault | undefined) | undefined;
  /** Serves a request. When it returns, all of its answers are sent. */
  serve(peer: Peer, request: Incoming): void;
  /** Reports an error that is not the peer's: one of `fault`, or a defect of this server. It must not throw. */
  onError(error: unknown): void;
}

/**
 * The phases of a peer:
 *
 * - `serving`: requests are served and packets are sent.
 * - `stalled`: by a fault, neither happens any more. The connection stays open until the peer ends it.
 * - `draining`: the peer has ended its side, or broke the protocol. It still gets what was sent before.
 * - `closed`: the connection is closed here. What was sent before may still go out, for at most two seconds.
 */
type PeerPhase = "serving" | "stalled" | "draining" | "closed";

/** A connection of a client, a worker or an administrator; it may be all of them. */
export class Peer extends Participant {
  /** Number of the connection, counted from 1: the `workers` command shows it in place of a file descriptor. */
  readonly number: number;
  /** IP address of the peer, or "-" if it has none. */
  readonly address: string;
  readonly #settings: PeerSettings;
  readonly #transport: SplittableTransport;
  readonly #connection: Connection<Incoming>;
  readonly #reading = new ReadingProgress();
  #phase: PeerPhase = "serving";

  constructor(number: number, address: string, transport: Transport, settings: PeerSettings) {
    super();
    this.number = number;
    this.address = address;
    this.exceptions = settings.exceptions;
    this.#settings = settings;
    const { maxPacketSize } = settings;
    this.#transport = new SplittableTransport(transport);
    this.#connection = new Connection(this.#transport, { magic: "RES", decoder: new MixedDecoder({ maxPacketSize }) });
  }

  override send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    const before = this.#connection.queued;
    if (!this.#canSend(before)) return;
    try {
      this.#connection.sendPacket({ type, args });
    } catch (error) {
      this.#failToSend(error);
    }
    this.#reading.addSent(this.#connection.queued - before);
  }

  /**
   * Sends a line of a text answer, or the beginning of one if the terminator is empty. Like a name, it has one character
   * for each byte.
   */
  sendLine(line: string, terminator: "" | "\n" | "\r\n"): void {
    const before = this.#connection.queued;
    if (!this.#canAnswer(before)) return;
    try {
      this.#connection.sendBytes(encodeLine(toWire(line), terminator));
    } catch (error) {
      this.#failToSend(error);
    }
    this.#reading.addSent(this.#connection.queued - before);
  }

  /** Ends the connection, and no other: the packet may be for another peer than the one that is served. */
  #failToSend(error: unknown): void {
    // A lost connection is noticed where it is read.
    if (error instanceof ConnectionError) return;
    this.#settings.onError(error);
    this.#destroy();
  }

  /** Serves requests until the connection ends, the peer breaks the protocol, or serving it fails. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.#connection.pump((request) => this.#receive(request));
    } catch (error) {
      if (!(error instanceof GearmanError)) this.#settings.onError(error);
    }
  }

  /** Sends the answers that wait, for as long as the peer reads, and closes. A peer may end only its own side. */
  async end(): Promise<void> {
    if (this.#phase !== "closed") this.#phase = "draining";
    const timer = setInterval(() => {
      if (this.#hasStoppedReading()) this.#destroy();
    }, STALL_TIMEOUT);
    await ignoreErrors(() => this.#connection.flush());
    clearInterval(timer);
    this.#phase = "closed";
    await this.#connection.close();
  }

  /** Closes the connection; what was sent before may still go out, for at most two seconds. */
  close(): Promise<void> {
    this.#phase = "closed";
    return this.#connection.close();
  }

  /** Closes the connection at once: a peer that does not read would never take what waits for it. */
  #destroy(): void {
    this.#phase = "closed";
    this.#connection.destroy();
  }

  /** True if packets are sent in this phase. A peer with too many unread answers is disconnected instead. */
  #canSend(unread: number): boolean {
    if (this.#phase !== "serving") return false;
    if (unread <= MAX_UNREAD_STALLED) return true;
    if (unread <= MAX_UNREAD && !this.#hasStoppedReading()) return true;
    this.#destroy();
    return false;
  }

  /**
   * True if a line of an answer is sent. It is no sign that the peer has stopped reading if much waits for it: a request is
   * served only when little does, and the peer cannot read while its answer is being written.
   */
  #canAnswer(unread: number): boolean {
    if (this.#phase !== "serving") return false;
    if (unread <= MAX_UNREAD) return true;
    this.#destroy();
    return false;
  }

  #hasStoppedReading(): boolean {
    return this.#reading.hasStopped(this.#connection.queued, performance.now());
  }

  #receive(request: Incoming): void | Promise<void> {
    if (this.#phase !== "serving") return;
    const fault = this.#faultOf(request);
    if (fault !== undefined) return this.#misbehave(request, fault);
    this.#settings.serve(this, request);
    if (this.#connection.queued > PAUSE_ABOVE) return this.#connection.flush();
  }

  /** Asks `fault`. An error of the caller's function is reported as it is, and ends the connection. */
  #faultOf(request: Incoming): Fault | undefined {
    try {
      return this.#settings.fault?.(request);
    } catch (error) {
      this.#settings.onError(error);
      return "drop-before";
    }
  }

  #misbehave(request: Incoming, fault: Fault): void | Promise<void> {
    switch (fault) {
      case "drop-before":
        this.close();
        return;
      case "drop-after":
        this.#settings.serve(this, request);
        this.close();
        return;
      case "stall":
        this.#phase = "stalled";
        return;
      case "split":
        return this.#serveInPieces(request);
      default:
        this.#refuse(request, fault);
    }
  }

  #refuse(request: Incoming, { error: [code, text] }: Exclude<Fault, string>): void {
    if (request.magic === "TEXT") this.sendLine(`ERR ${code} ${text.replaceAll(" ", "+")}`, "\r\n");
    else this.send(PacketType.ERROR, code, text);
  }

  /** Serves a request with split writes. Reading pauses until they are done, so that no other answer is split. */
  async #serveInPieces(request: Incoming): Promise<void> {
    await this.#connection.flush();
    this.#transport.writes = "split";
    this.#settings.serve(this, request);
    await this.#connection.flush();
    this.#transport.writes = "whole";
  }
}

/** Notices when a peer has stopped reading, from the bytes that its transport has taken. */
class ReadingProgress {
  #sent = 0;
  /** Bytes that the peer had taken when this was last looked at; -1 before the first look. */
  #taken = -1;
  /** Time of the first look that found this number, in milliseconds. */
  #takenSince = 0;

  addSent(bytes: number): void {
    this.#sent += bytes;
  }

  /** True if the peer has taken nothing since an earlier look, more than STALL_TIMEOUT ago. */
  hasStopped(unread: number, now: number): boolean {
    const taken = this.#sent - unread;
    if (taken === this.#taken) return now - this.#takenSince > STALL_TIMEOUT;
    this.#taken = taken;
    this.#takenSince = now;
    return false;
  }
}
