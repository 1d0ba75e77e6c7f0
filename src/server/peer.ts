/** One connection of the server: what is sent to it, how much may wait there, and how it is made to misbehave. */

import { ConnectionError, GearmanError } from "../errors.ts";
import { type Packet, type PacketInput, PacketType, type TextLine } from "../codec/mod.ts";
import { Connection } from "../connection/connection.ts";
import type { Transport } from "../transport/transport.ts";
import { toWire } from "./names.ts";
import { Participant } from "./model.ts";

/** What can go wrong with a request; see {@linkcode JobServerOptions.fault}. */
export type Fault = "drop-before" | "drop-after" | "stall" | "split" | { readonly error: [code: string, text: string] };

/** A request as it was received: a packet, or a line of the text protocol. */
export type Incoming = Packet | TextLine;

/** With so many answers unread, in bytes, a peer that takes none of them for a while is given up, with 16 times as many any. */
export const MAX_UNREAD_STALLED = 67_108_864;

/** How long it may take nothing, in ms. */
const STALL_TIMEOUT = 5_000;

/** With more answers unread, in bytes, no further request of that peer is served: who asks must read. */
const PAUSE_ABOVE = 1_048_576;

/** What a peer needs to know of its server. */
export interface PeerSettings {
  readonly maxPacketSize: number;
  readonly exceptions: boolean;
  readonly fault: ((request: Incoming) => Fault | undefined) | undefined;
  /** Serves a request, and is done when it returns. */
  serve(peer: Peer, request: Incoming): void;
}

/** A client, a worker or an administrator: a connection may be all of them. */
export class Peer extends Participant {
  /** Its number, which stands for a file descriptor in `workers`. */
  readonly number: number;
  /** Its IP address, or "-" where there is none. */
  readonly address: string;
  readonly #settings: PeerSettings;
  readonly #connection: Connection<true>;
  /** Nothing is served or sent any more. */
  #silent = false;
  /** Writes are cut into pieces of 1 to 7 bytes. */
  #splits = false;
  /** Bytes that were ever sent to it. */
  #sent = 0;
  /** How many of them it had taken when that was last looked at, and when it had first taken so many. */
  #taken = -1;
  #takenAt = 0;

  constructor(number: number, address: string, transport: Transport, settings: PeerSettings) {
    super();
    this.number = number;
    this.address = address;
    this.exceptions = settings.exceptions;
    this.#settings = settings;
    const { maxPacketSize } = settings;
    this.#connection = new Connection({
      write: (bytes) => this.#splits ? writeInPieces(transport, bytes) : transport.write(bytes),
      close: () => transport.close(),
      [Symbol.asyncIterator]: () => transport[Symbol.asyncIterator](),
    }, { magic: "RES", text: true, maxPacketSize });
  }

  override send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.#attempt(() => this.#connection.send(type, ...args));
  }

  /** Sends a line of a text answer; like a name it has one character for each byte. */
  sendLine(line: string, terminator: "\n" | "\r\n" = "\r\n"): void {
    this.#attempt(() => this.#connection.sendText(toWire(line), terminator));
  }

  /** Serves requests until the peer ends the connection, or breaks the protocol. */
  async run(): Promise<void> {
    try {
      await this.#connection.pump((request) => this.#receive(request));
    } catch (error) {
      // What a peer does wrong ends its own connection. Anything else is a mistake here, or in the caller's `fault`.
      if (!(error instanceof GearmanError)) throw error;
    }
  }

  /** Lets the answers go out to a peer that has ended its side only, as long as it reads, and closes. */
  async end(): Promise<void> {
    this.#silent = true;
    const timer = setInterval(() => this.#takesNothing() && this.#giveUp(), STALL_TIMEOUT);
    await this.#connection.flush().catch(() => {});
    clearInterval(timer);
    await this.#connection.close();
  }

  /** Serves no more, lets what was sent go out, for two seconds at most, and closes. */
  drop(): Promise<void> {
    this.#silent = true;
    return this.#connection.close();
  }

  #attempt(send: () => void): void {
    if (this.#silent) return;
    const { queued } = this.#connection;
    if (queued > MAX_UNREAD_STALLED && (this.#takesNothing() || queued > 16 * MAX_UNREAD_STALLED)) {
      return this.#giveUp();
    }
    try {
      send();
      this.#sent += this.#connection.queued - queued;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error; // a lost connection is noticed where it is read
    }
  }

  /** Drops what a peer that does not read would never take. */
  #giveUp(): void {
    this.#silent = true;
    this.#connection.destroy();
  }

  /** Whether it has not taken a byte since this was first asked in vain, a while ago. */
  #takesNothing(): boolean {
    const taken = this.#sent - this.#connection.queued;
    if (taken === this.#taken) return performance.now() - this.#takenAt > STALL_TIMEOUT;
    this.#taken = taken;
    this.#takenAt = performance.now();
    return false;
  }

  #receive(request: Incoming): void | Promise<void> {
    if (this.#silent) return;
    const fault = this.#settings.fault?.(request);
    if (fault !== undefined) return this.#misbehave(request, fault);
    this.#settings.serve(this, request);
    if (this.#connection.queued > PAUSE_ABOVE) return this.#connection.flush();
  }

  #misbehave(request: Incoming, fault: Fault): void | Promise<void> {
    switch (fault) {
      case "drop-before":
        return void this.drop();
      case "drop-after":
        this.#settings.serve(this, request);
        return void this.drop();
      case "stall":
        this.#silent = true;
        return;
      case "split":
        return this.#serveInPieces(request);
    }
    const [code, text] = fault.error;
    if (request.magic === "TEXT") this.sendLine(`ERR ${code} ${text.replaceAll(" ", "+")}`);
    else this.send(PacketType.ERROR, code, text);
  }

  /** Reading pauses meanwhile, so that the answer to no other request is cut. */
  async #serveInPieces(request: Incoming): Promise<void> {
    await this.#connection.flush();
    this.#splits = true;
    this.#settings.serve(this, request);
    await this.#connection.flush();
    this.#splits = false;
  }
}

async function writeInPieces(transport: Transport, bytes: Uint8Array): Promise<void> {
  for (let at = 0, size = 1; at < bytes.length; at += size, size = size % 7 + 1) {
    await transport.write(bytes.subarray(at, at + size));
  }
}
