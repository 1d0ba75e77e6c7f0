/** A connection: packets and lines over a transport, written a tick at a time, read one by one or pumped. */

import { ConnectionError, GearmanError } from "../errors.ts";
import { type Deferred, deferred, ignoreErrors } from "../internal/promises.ts";
import { messageOf } from "../internal/text.ts";
import { type Decoded, type DecoderOptions, PacketDecoder } from "../codec/decoder.ts";
import { PacketEncoder } from "../codec/encoder.ts";
import type { PacketInput, PacketType } from "../codec/packet.ts";
import type { Transport } from "../transport/transport.ts";

/** How long `close` waits for pending writes to a peer that does not read, in ms. */
const LINGER = 2_000;
/** The most bytes that are written at once: that a long packet makes its way should show. */
const WRITE_SIZE = 262_144;

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
export class Connection<Text extends boolean = false> implements AsyncIterable<Decoded<Text>>, AsyncDisposable {
  readonly #transport: Transport;
  readonly #encoder: PacketEncoder;
  readonly #decoder: PacketDecoder<Text>;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #reading: Promise<boolean> | undefined;
  #writing: Deferred<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Closed with writes pending, which the transport may or may not have taken. */
  #cutOff = false;
  #error: GearmanError | undefined;
  #transferred = 0;
  /** Bytes of the pieces that are being written. */
  #unwritten = 0;

  /**
   * Makes a connection that sends requests, or responses with `magic: "RES"`.
   *
   * @throws {TypeError} `magic` is neither "REQ" nor "RES".
   * @throws {RangeError} `maxPacketSize` is not a whole number from 0 to 4,294,967,295.
   */
  constructor(transport: Transport, options: DecoderOptions<Text> & { magic?: "REQ" | "RES" } = {}) {
    this.#transport = transport;
    this.#encoder = new PacketEncoder(options.magic ?? "REQ");
    this.#decoder = new PacketDecoder<Text>(options);
  }

  /** Bytes that have come so far, whole packets or not, and those of long packets that have gone: signs of life. */
  get transferred(): number {
    return this.#transferred;
  }

  /** Bytes that were sent here and that the transport has not taken yet. */
  get queued(): number {
    return this.#encoder.size + this.#unwritten;
  }

  /**
   * Queues one packet, to leave with all others of this tick. Bytes of 64 KiB and more are not copied: do not change
   * them before `flush` has resolved or their answer has come.
   *
   * @throws {TypeError} An argument is neither string nor bytes, or their number is wrong.
   * @throws {RangeError} There is no such packet type, or an argument before the last holds a NUL.
   * @throws {ConnectionError} The connection is closed, or has failed.
   */
  send<T extends PacketType>(type: T, ...args: PacketInput<T>): void {
    this.#assertOpen();
    this.#encoder.write(type, ...args);
    if (this.#writing === undefined) this.#drain();
  }

  /**
   * Queues one line of the text protocol and its terminator, CR LF if none is given.
   *
   * @throws {RangeError} The line holds a line feed, or begins with a NUL.
   * @throws {ConnectionError} The connection is closed, or has failed.
   */
  sendText(line: string | Uint8Array, terminator: "\n" | "\r\n" = "\r\n"): void {
    this.#assertOpen();
    this.#encoder.writeText(line, terminator);
    if (this.#writing === undefined) this.#drain();
  }

  /**
   * Resolves when the transport has taken everything, also what is sent meanwhile.
   *
   * @throws {ConnectionError} The connection failed, or was closed, before.
   */
  async flush(): Promise<void> {
    await this.#writing?.promise;
    if (this.#error !== undefined) throw this.#error;
    if (this.#cutOff) throw new ConnectionError("Cannot flush: the connection was closed before everything was sent");
  }

  /**
   * Reads to the end of the stream and calls `onPacket` for each packet, without a promise for each; one that it returns
   * pauses reading until it settles. Resolves at the end of the stream, and when the connection is closed here.
   *
   * @throws {ConnectionError} The connection broke, or ended inside a packet.
   * @throws {ProtocolError} The peer sent something else than packets; the connection is closed.
   */
  async pump(onPacket: (packet: Decoded<Text>) => void | Promise<void>): Promise<void> {
    do {
      for (let result = this.#decode(); result.done !== true; result = this.#decode()) {
        const pause = onPacket(result.value);
        if (pause !== undefined) await pause;
      }
    } while (await (this.#reading ??= this.#readChunk()));
  }

  /** Packets as they come, ending with the stream; throws what {@linkcode Connection.prototype.pump | pump} throws. */
  [Symbol.asyncIterator](): AsyncIterator<Decoded<Text>, void, undefined> {
    return {
      next: async () => {
        for (;;) {
          const result = this.#decode();
          if (result.done !== true) return result;
          // Calls at the same time share the read.
          if (!(await (this.#reading ??= this.#readChunk()))) return { done: true, value: undefined };
        }
      },
    };
  }

  /**
   * Lets pending writes go out, for at most two seconds with a peer that does not read, then closes the transport. A
   * second call does not wait. Never rejects.
   */
  close(): Promise<void> {
    if (this.#closing !== undefined) this.#closeTransport();
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode Connection.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const writing = this.#writing;
    if (this.#error === undefined && writing !== undefined) {
      const timer = setTimeout(() => {
        this.#cutOff = true;
        writing.resolve();
      }, LINGER);
      await writing.promise;
      clearTimeout(timer);
    }
    await this.#closeTransport();
  }

  #closeTransport(): Promise<void> {
    if (this.#writing !== undefined) this.#cutOff = true;
    this.#writing?.resolve(); // a transport may never settle a write that its peer does not read
    this.#encoder.take();
    return ignoreErrors(() => this.#transport.close());
  }

  #assertOpen(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#closing !== undefined) throw new ConnectionError("Cannot send: the connection is closed");
  }

  async #drain(): Promise<void> {
    const writing = this.#writing = deferred<void>();
    await undefined; // to the end of the tick: whatever is sent until then leaves in the same write
    try {
      while (this.#encoder.size > 0 && this.#error === undefined) {
        this.#unwritten = this.#encoder.size;
        for (const piece of this.#encoder.take()) {
          for (let at = 0; at < piece.length; at += WRITE_SIZE) {
            const part = piece.length <= WRITE_SIZE ? piece : piece.subarray(at, at + WRITE_SIZE);
            const taken = this.#transport.write(part);
            if (taken !== undefined) await taken;
            this.#unwritten -= part.length;
            // A short write succeeds with a dead peer too.
            if (at > 0) this.#transferred += WRITE_SIZE;
          }
        }
      }
    } catch (error) {
      if (this.#closing === undefined) this.#fail(error);
      else this.#cutOff = true;
    }
    this.#writing = undefined;
    writing.resolve();
  }

  #decode(): IteratorResult<Decoded<Text>, undefined> {
    try {
      return this.#decoder.next();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Reads one more chunk; false at the end of the stream. */
  async #readChunk(): Promise<boolean> {
    try {
      if (this.#error !== undefined) throw this.#error;
      this.#iterator ??= this.#transport[Symbol.asyncIterator]();
      const { done, value } = await this.#iterator.next();
      if (this.#error !== undefined) throw this.#error;
      if (done === true) {
        if (this.#closing !== undefined) return false;
        try {
          this.#decoder.end();
        } catch (cause) {
          throw lostBy(cause);
        }
        return false;
      }
      this.#transferred += value.length;
      this.#decoder.push(value);
      return true;
    } catch (error) {
      if (this.#closing !== undefined && this.#error === undefined) return false;
      throw this.#fail(error);
    } finally {
      this.#reading = undefined;
    }
  }

  /** Remembers the first thing that went wrong, as an error of ours, and gives the transport up. */
  #fail(error: unknown): GearmanError {
    if (this.#error === undefined) {
      this.#error = error instanceof GearmanError ? error : lostBy(error);
      this.#closeTransport();
    }
    return this.#error;
  }
}

const lostBy = (cause: unknown) => new ConnectionError(`The connection was lost: ${messageOf(cause)}`, { cause });
