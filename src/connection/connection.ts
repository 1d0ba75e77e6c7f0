/** A connection: packets over a transport. One write a tick; packets are read one by one, or pumped. */

import { ConnectionError, GearmanError } from "../errors.ts";
import { ignoreErrors, markHandled, Notifier } from "../internal/promises.ts";
import { messageOf } from "../internal/text.ts";
import { type DecoderOptions, MAX_UINT32, PacketDecoder } from "../codec/decoder.ts";
import { type EncodablePacket, PacketEncoder } from "../codec/encoder.ts";
import type { Packet, PacketInput, PacketType } from "../codec/packet.ts";
import type { Transport } from "../transport/transport.ts";
import { transferredError } from "./arguments.ts";

/** Time in ms that `close` gives pending writes to a peer that does not read. */
const GRACEFUL_CLOSE_TIMEOUT = 2_000;
/** Longest write in bytes. A longer piece is written in parts, so that its progress shows in `transferred`. */
const MAX_WRITE = 262_144;
/**
 * Packets of a chunk that are passed on at a time. Then the callers that wait for them go on: what they send leaves, and
 * the peer works on it while the rest of the chunk is decoded.
 */
const MAX_BURST = 512;

/** Options of a {@linkcode Connection}. */
export interface ConnectionOptions<Item = Packet> extends DecoderOptions {
  /** Sends requests, or responses as a job server does. Default "REQ". */
  magic?: "REQ" | "RES" | undefined;
  /**
   * A decoder of its own, which has its own options: with a {@linkcode MixedDecoder} the connection reads lines of the text
   * protocol too. Default a {@linkcode PacketDecoder} with the options beside this one.
   */
  decoder?: PacketDecoder<Item> | undefined;
  /**
   * Called at once when the connection fails, also where a read never settles: on an edge, one of an earlier request. A
   * pump passes on the packets that have arrived before that.
   */
  onFailed?: ((error: GearmanError) => void) | undefined;
}

/**
 * The phases of a connection; `src/README.md` has the diagram.
 *
 * A connection that failed still delivers the packets of the last chunk that it has read; one that was destroyed delivers
 * nothing more.
 */
type ConnectionState =
  | { readonly phase: "open" | "closing" | "closed" | "cut off" }
  | { readonly phase: "failed"; readonly error: GearmanError }
  | { readonly phase: "destroyed"; readonly error: unknown };

const OPEN: ConnectionState = { phase: "open" };
const CLOSING: ConnectionState = { phase: "closing" };
const CLOSED: ConnectionState = { phase: "closed" };
/** Closed before everything was sent. */
const CUT_OFF: ConnectionState = { phase: "cut off" };

/**
 * Sends and receives packets over a transport.
 *
 * Packets of one tick leave as one write (or several of about 64 KiB), and while a write is under way they keep
 * collecting. Read with `for await` (which may be left and entered again) or, faster, with
 * {@linkcode Connection.prototype.pump | pump}; one of them at a time.
 *
 * @example A conversation with a job server
 * ```ts
 * import { Connection, memoryPipe } from "@gearwire/gearman/connection";
 * import { PacketType } from "@gearwire/gearman/codec";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer();
 * const [here, there] = memoryPipe();
 * server.accept(there);
 *
 * await using connection = new Connection(here);
 * connection.send(PacketType.ECHO_REQ, "hello");
 * for await (const packet of connection) {
 *   if (packet.type === PacketType.ECHO_RES) break;
 * }
 * ```
 */
export class Connection<Item = Packet> implements AsyncIterable<Item>, AsyncDisposable {
  readonly #transport: Transport;
  readonly #encoder: PacketEncoder;
  /** Packets that were taken from the encoder, and that the transport was not given yet. */
  #groups: Uint8Array[][] = [];
  readonly #decoder: PacketDecoder<Item>;
  #state: ConnectionState = OPEN;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  /** The read that is under way; callers at the same time share it. */
  #reading: Promise<boolean> | undefined;
  /** True from the moment that something is queued until everything is written, or a write has failed. */
  #isWriting = false;
  /** Notifies then, and when the transport is closed: its last write may never settle. */
  readonly #written = new Notifier();
  /** Ends what `pump` or iteration waits for, a read or a pause, with an error. */
  #interrupt: ((error: unknown) => void) | undefined;
  /** Takes the packets, while a pump runs. */
  #onPacket: ((packet: Item) => void | Promise<void>) | undefined;
  #closing: Promise<void> | undefined;
  #transportClosed: Promise<void> | undefined;
  #transferred = 0;
  /** When the last byte was received, or the connection was made. */
  #receivedAt = performance.now();
  /** Bytes that were taken from the encoder, and that the transport has not taken yet. */
  #unwritten = 0;
  #onDrained: (() => void) | undefined;
  readonly #onFailed: ((error: GearmanError) => void) | undefined;

  /**
   * Makes a connection that sends requests, or responses with `magic: "RES"`.
   *
   * @throws {TypeError} `magic` must be "REQ" or "RES".
   * @throws {RangeError} `maxPacketSize` must be a whole number from 0 to 4,294,967,295.
   */
  constructor(transport: Transport, options: ConnectionOptions<Item> = {}) {
    this.#transport = transport;
    this.#onFailed = options.onFailed;
    this.#encoder = new PacketEncoder(options.magic ?? "REQ");
    this.#decoder = options.decoder ?? new PacketDecoder(options);
  }

  /** Bytes received so far, plus bytes of long packets that the transport has taken. If it grows, the peer is alive. */
  get transferred(): number {
    return this.#transferred;
  }

  /** Milliseconds since the last byte was received, or since the connection was made. */
  get silence(): number {
    return performance.now() - this.#receivedAt;
  }

  /** Bytes that were sent here, and that the transport has not taken yet. */
  get queued(): number {
    return this.#encoder.size + this.#unwritten;
  }

  /**
   * Queues one packet; all packets of a tick are written together.
   *
   * Bytes of 64 KiB and more are not copied: do not change them until `flush` has resolved or their answer has arrived.
   *
   * @throws {TypeError} An argument must be a string or a `Uint8Array`, and their number must be right.
   * @throws {RangeError} There is no such packet type, or an argument before the last holds a NUL.
   * @throws {ConnectionError} The connection is closed, or has failed.
   */
  send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.sendPacket({ type, args });
  }

  /**
   * Queues one packet as {@linkcode Connection.prototype.send | send} does, such as one that was decoded or recalled.
   *
   * @throws {TypeError} An argument must be a string or a `Uint8Array`, and their number must be right.
   * @throws {RangeError} There is no such packet type, or an argument before the last holds a NUL.
   * @throws {ConnectionError} The connection is closed, or has failed.
   */
  sendPacket(packet: EncodablePacket): void {
    this.#assertOpen();
    this.#encoder.writePacket(packet);
    this.#writeSoon();
  }

  /**
   * Queues bytes as they are, copied: packets that were encoded before, or a line of the text protocol
   * ({@linkcode encodeLine}).
   *
   * @throws {ConnectionError} The connection is closed, or has failed.
   */
  sendBytes(bytes: Uint8Array): void {
    this.#assertOpen();
    this.#encoder.writeBytes(bytes);
    this.#writeSoon();
  }

  /**
   * Removes the packets that the transport has not been given yet, and returns them in order. They will not be sent. Use it
   * on an open connection to cancel work, and on an ended connection to send the work elsewhere.
   *
   * A packet is given to the transport as a whole: a packet that is not returned may have been sent, at least in part.
   *
   * @throws {ProtocolError} Bytes that are not packets were sent with `sendBytes`; what was not given is dropped.
   */
  recall(): Packet[] {
    for (const piece of this.#groups.flat()) this.#unwritten -= piece.length;
    const decoder = new PacketDecoder({ maxPacketSize: MAX_UINT32 });
    for (const piece of [...this.#groups, ...this.#encoder.takeGroups()].flat()) decoder.push(piece);
    this.#groups = [];
    return [...decoder];
  }

  /**
   * Calls `onDrained` once, when the transport has taken everything that was sent: at the earliest at the end of this tick,
   * and never if the connection ends before. What `onDrained` sends is given to the transport at once. A later call replaces
   * the callback.
   */
  onceDrained(onDrained: () => void): void {
    this.#onDrained = onDrained;
    this.#writeSoon();
  }

  /**
   * Resolves when the transport has taken everything, including what is sent while this waits.
   *
   * @throws {ConnectionError} The connection failed or was closed before. After `destroy(reason)` it throws the reason.
   */
  async flush(): Promise<void> {
    if (this.#isWriting && this.#transportClosed === undefined) await this.#written.wait();
    this.#throwIfBroken();
    if (this.#state === CUT_OFF) {
      throw new ConnectionError("Cannot send everything: the connection is closed");
    }
  }

  /**
   * Reads to the end of the stream and calls `onPacket` for each packet, without a promise for each.
   *
   * A promise that `onPacket` returns pauses reading until it settles; what it throws ends the pump. Resolves at the end
   * of the stream, and when the connection is closed here.
   *
   * @throws {ConnectionError} The connection broke, or ended inside a packet. After `destroy(reason)` it throws the reason.
   * @throws {ProtocolError} The peer sent something that is not a packet; the connection is closed.
   */
  async pump(onPacket: (packet: Item) => void | Promise<void>): Promise<void> {
    this.#onPacket = onPacket;
    try {
      do {
        for (let pause = this.#passOn(); pause !== undefined; pause = this.#passOn()) {
          // With then() this takes three microtasks: a call may be awaited by a function that is awaited itself.
          await this.#unlessDestroyed<unknown>(pause).then();
        }
      } while (await this.#readMore());
    } finally {
      this.#onPacket = undefined;
    }
  }

  /** Yields packets as they arrive, to the end of the stream; throws what {@linkcode Connection.prototype.pump | pump} throws. */
  [Symbol.asyncIterator](): AsyncIterator<Item, void, undefined> {
    return {
      next: async () => {
        let value = this.#decode();
        while (value === undefined && await this.#readMore()) value = this.#decode();
        return { done: value === undefined, value } as IteratorResult<Item, undefined>;
      },
    };
  }

  /**
   * Lets pending writes go out, then closes the transport. A peer that does not read is given two seconds.
   *
   * Never rejects, and may be called again: every call resolves when the connection is closed.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /**
   * Closes the transport at once and stops writing; `pump`, iteration and `flush` then reject with `reason`.
   *
   * Without a reason they reject with a {@linkcode ConnectionError}. Never rejects, and may be called again; it ends a
   * `close` that is under way, and does nothing after one.
   */
  destroy(reason: unknown = new ConnectionError("The connection was destroyed")): Promise<void> {
    if (this.#canWrite) {
      this.#state = { phase: "destroyed", error: reason };
      this.#interrupt?.(reason);
    }
    const transportClosed = this.#closeTransport(); // also ends a close() that waits for writes
    return this.#closing ??= transportClosed;
  }

  /** The same as {@linkcode Connection.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#state === OPEN) {
      this.#state = CLOSING;
      await this.#finishWriting();
      // It may have failed, been cut off or been destroyed while it waited.
      if (this.#state === CLOSING) this.#state = CLOSED;
    }
    await this.#closeTransport();
  }

  /** Resolves when nothing is left to write, or when the peer has had enough time to read it. */
  async #finishWriting(): Promise<void> {
    if (!this.#isWriting) return;
    const timer = setTimeout(() => {
      this.#state = CUT_OFF;
      this.#closeTransport();
    }, GRACEFUL_CLOSE_TIMEOUT);
    await this.#written.wait();
    clearTimeout(timer);
  }

  /** Closes the transport; packets that it was not given stay where `recall` finds them. */
  #closeTransport(): Promise<void> {
    this.#passOnRest();
    this.#written.notify();
    return this.#transportClosed ??= ignoreErrors(() => this.#transport.close());
  }

  get #canWrite(): boolean {
    return this.#state === OPEN || this.#state === CLOSING;
  }

  #assertOpen(): void {
    if (this.#state === OPEN) return;
    this.#throwIfBroken();
    throw new ConnectionError("Cannot send: the connection is closed");
  }

  #throwIfBroken(): void {
    if ("error" in this.#state) throw this.#state.error;
  }

  /** Writes at the end of the tick, so that everything sent in it leaves in one write. */
  #writeSoon(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(this.#write);
  }

  /** Writes until nothing is queued. */
  readonly #write = async (): Promise<void> => {
    try {
      for (let group = this.#nextGroup(); group !== undefined; group = this.#nextGroup()) {
        for (const piece of group) {
          assertNotTransferred(piece);
          for (let at = 0; at < piece.length; at += MAX_WRITE) {
            const part = piece.subarray(at, at + MAX_WRITE);
            const taken = this.#transport.write(part);
            if (taken !== undefined) await taken;
            assertNotTransferred(piece);
            this.#unwritten -= part.length;
            // The first part fits in the buffers of a socket, dead or not: only a later one shows that the peer reads.
            if (at > 0) this.#transferred += part.length;
          }
        }
      }
    } catch (error) {
      if (this.#state === OPEN) this.#fail(error);
      else if (this.#state === CLOSING) this.#state = CUT_OFF;
    }
    this.#unwritten = 0;
    this.#isWriting = false;
    this.#written.notify();
  };

  /** Takes the packets that are to be written next. */
  #nextGroup(): Uint8Array[] | undefined {
    if (!this.#canWrite) return undefined;
    // What is called may ask to be called again, also if it has sent nothing.
    while (this.queued === 0 && this.#onDrained !== undefined) {
      const onDrained = this.#onDrained;
      this.#onDrained = undefined;
      onDrained();
    }
    if (this.#groups.length === 0) {
      this.#unwritten = this.#encoder.size;
      this.#groups = this.#encoder.takeGroups();
    }
    return this.#groups.shift();
  }

  /**
   * Passes a burst of packets on to the pump. Returns what to wait for before the next burst: what `onPacket` has returned,
   * or true for a short pause. Returns `undefined` if no packets are left.
   */
  #passOn(): Promise<void> | true | undefined {
    for (let count = 0; count < MAX_BURST; count++) {
      const packet = this.#onPacket && this.#decode();
      if (packet === undefined) return undefined;
      const pause = this.#onPacket!(packet);
      if (pause !== undefined) return pause;
    }
    return true;
  }

  #decode(): Item | undefined {
    if (this.#state.phase === "destroyed") throw this.#state.error;
    try {
      return this.#decoder.read();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #endDecoding(): void {
    try {
      this.#decoder.end();
    } catch (cause) {
      throw lostBy(cause);
    }
  }

  #readMore(): Promise<boolean> {
    return this.#reading ??= this.#readChunk();
  }

  /** Reads one more chunk; false at the end of the stream. */
  async #readChunk(): Promise<boolean> {
    try {
      this.#throwIfBroken();
      this.#iterator ??= this.#transport[Symbol.asyncIterator]();
      const { done, value } = await this.#unlessDestroyed(this.#iterator.next());
      this.#throwIfBroken();
      if (done === true) {
        this.#endDecoding();
        return false;
      }
      this.#transferred += value.length;
      this.#receivedAt = performance.now();
      this.#decoder.push(value);
      return true;
    } catch (error) {
      if (this.#state === OPEN || "error" in this.#state) throw this.#fail(error);
      return false; // it was closed here
    } finally {
      this.#reading = undefined;
    }
  }

  /** Settles as the promise does, or rejects when the connection is destroyed: a read or a pause may never settle. */
  #unlessDestroyed<T>(promise: T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      Promise.resolve(promise).then(resolve, reject);
    });
  }

  /** Remembers the first fault and closes the transport; returns the error that ended the connection. */
  #fail(fault: unknown): unknown {
    if ("error" in this.#state) return this.#state.error;
    const error = fault instanceof GearmanError ? fault : lostBy(fault);
    this.#state = { phase: "failed", error };
    this.#closeTransport();
    this.#onFailed?.(error);
    return error;
  }

  /** Passes on what was received before the end, unless that is `destroy`: a pump may have paused before it did that. */
  #passOnRest(): void {
    try {
      for (let pause = this.#passOn(); pause !== undefined; pause = this.#passOn()) {
        markHandled(Promise.resolve<unknown>(pause));
      }
    } catch {
      // It was destroyed, or what comes after a packet that is at fault is lost with the connection.
    }
  }
}

/** Bytes in a buffer that was transferred, or shrunk to less than them, have the length 0, and no others are written. */
function assertNotTransferred({ length }: Uint8Array): void {
  if (length === 0) throw transferredError();
}

function lostBy(cause: unknown): ConnectionError {
  return new ConnectionError(`The connection was lost: ${messageOf(cause)}`, { cause });
}
