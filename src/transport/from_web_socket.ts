/** A transport over a WebSocket of any runtime, with flow control where both sides speak the subprotocol `gearman`. */

import { ProtocolError } from "../errors.ts";
import type { Bytes } from "../internal/bytes.ts";
import { type Deferred, deferred, ignoreErrors, markHandled } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { printable } from "../internal/text.ts";
import { ChunkQueue } from "./chunk_queue.ts";
import type { Transport } from "./transport.ts";

/** The subprotocol in which both sides acknowledge the bytes that they have read. */
export const SUBPROTOCOL = "gearman";
/** The close code for a peer that broke the protocol. */
export const CLOSE_BAD_REQUEST = 4400;

/** Bytes that may be sent and not acknowledged, or buffered in the socket. */
const WINDOW = 1_048_576;
/** Largest frame, and the bytes after which a reader acknowledges: the sender need not stop. */
const MAX_FRAME = 262_144;
/** A shorter frame that has to wait is copied: a million frames must not become a million objects. */
const MAX_COPIED = 4_096;
/** Size in bytes of the memory for copies. */
const COPY_SIZE = 65_536;
/** Unread bytes that end a connection without acknowledgements: its peer cannot be paused. */
const MAX_UNREAD = 67_108_864;
/** Milliseconds between two looks at the buffer of a socket without acknowledgements: it has no event. */
const POLL_INTERVAL = 10;

/** Close codes of a peer that has ended: normal, going away, and none. */
const NORMAL_CODES = [1000, 1001, 1005];
/** The `readyState` of an open socket; it is lower before, and higher afterwards. */
const OPEN = 1;

/**
 * The argument of {@linkcode fromWebSocket}: the part of a standard WebSocket that is used. Browsers, Deno, Bun, Node 22,
 * Cloudflare Workers and the package `ws` have such sockets.
 */
export interface WebSocketLike {
  /** Is set to "arraybuffer". */
  binaryType?: string | undefined;
  /** 0 while it is connecting, 1 while it is open. */
  readonly readyState: number;
  /** The subprotocol that the server has selected. */
  readonly protocol?: string | null | undefined;
  /** Bytes that were sent and are still in memory; absent on Cloudflare Workers. */
  readonly bufferedAmount?: number | undefined;
  /** Sends one message. */
  send(data: string | Bytes): unknown;
  /** Closes the connection after what was sent before. */
  close(code?: number, reason?: string): unknown;
  /** Adds a listener; used for `open`, `message`, `error` and `close`. */
  // deno-lint-ignore no-explicit-any -- the types of its events have nothing in common across runtimes
  addEventListener(type: "open" | "message" | "error" | "close", listener: (event: any) => void): unknown;
  /** Closes the connection at once, if there is such a method. */
  terminate?: (() => unknown) | undefined;
  /** Lets the open socket keep the process alive, if there is such a method. */
  ref?: (() => unknown) | undefined;
  /** Lets the process end while the socket is open, if there is such a method. */
  unref?: (() => unknown) | undefined;
}

/** Options of {@linkcode fromWebSocket}. */
export interface FromWebSocketOptions {
  /**
   * True if both sides acknowledge what they have read. Default: whether the server has selected the subprotocol
   * `gearman`. The server's own side of a WebSocket may not tell its protocol, and needs this option.
   */
  acknowledge?: boolean | undefined;
}

/** The parts of the events that are used. */
interface MessageLike {
  readonly data: unknown;
}
interface ErrorLike {
  readonly message?: string;
}
interface CloseLike {
  readonly code: number;
  readonly reason: string;
}

/**
 * Makes a transport from a WebSocket that is open or connecting. Messages are the bytes of the Gearman protocol, in
 * frames of any length. At the other end there must be something that passes them to a job server: the class `Gateway`
 * of `@gearwire/gearman/gateway` does it.
 *
 * **Flow control.** A WebSocket cannot be told to stop receiving. If the server selects the subprotocol `gearman`, each
 * side sends a text message with the decimal number of bytes that it has read since the start, and leaves at most 1 MiB
 * unacknowledged; a peer that does not wait breaks the connection. Without the subprotocol, the connection fails when 64
 * MiB are unread, and writing waits while the socket buffers more than 1 MiB, as far as the runtime tells.
 *
 * **The end.** A peer that closes with code 1000, 1001 or none ends the stream; any other code breaks it. It is closed with
 * 1000 here, and with 4400 if the peer broke the rules above.
 *
 * **The process.** The standard has no `unref`: on Deno, Bun and Node an open WebSocket keeps the process alive until the
 * client is closed. If the socket has methods `ref` and `unref`, they are used. For `ws` they can be added:
 * `Object.assign(socket, { ref: () => socket._socket?.ref(), unref: () => socket._socket?.unref() })`.
 *
 * Make the transport in the same tick as the socket, so that no event is missed. On Cloudflare Workers call
 * `socket.accept()` first.
 *
 * @example A client in a browser
 * ```ts
 * import { fromWebSocket, GearmanClient } from "@gearwire/gearman";
 *
 * // The name of the server is only a label: it stands in errors, and in the tokens of background jobs.
 * const client = new GearmanClient({
 *   servers: "jobs",
 *   dial: () => fromWebSocket(new WebSocket("wss://www.example/gearman", "gearman")),
 * });
 * await client.close();
 * ```
 *
 * @throws {TypeError} It must be a WebSocket, with `addEventListener`.
 */
export function fromWebSocket(socket: WebSocketLike, options: FromWebSocketOptions = {}): Transport {
  return new WebSocketTransport(socket, options);
}

/** The transport that {@linkcode fromWebSocket} makes; the gateway also chooses the code that it is closed with. */
export class WebSocketTransport implements Transport {
  readonly #opening = deferred<void>();
  readonly opened: Promise<void> = markHandled(this.#opening.promise);
  readonly #socket: WebSocketLike;
  #acknowledge: boolean | undefined;
  /** Why it has ended; undefined until then. */
  #ended: Error | undefined;

  readonly #unread = new ChunkQueue(() => this.#onRead());
  /** Memory for short frames behind those in the queue, and the length that they fill. */
  #copies = new Uint8Array(0);
  #copied = 0;
  /** Bytes that were received, and how many of them were acknowledged. */
  #received = 0;
  #acknowledged = 0;

  /** The frames that wait to be sent. */
  readonly #unsent = new Fifo<Uint8Array>();
  /** Settles when everything is sent, or never will be. */
  #sending: Deferred<void> | undefined;
  /** Bytes that were sent, and how many of them the peer has acknowledged. */
  #sent = 0;
  #confirmed = 0;
  #poll: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocketLike, { acknowledge }: FromWebSocketOptions = {}) {
    if (typeof socket?.addEventListener !== "function") {
      throw new TypeError("Cannot use the WebSocket: it has no addEventListener");
    }
    this.#socket = socket;
    this.#acknowledge = acknowledge;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#onOpen());
    socket.addEventListener("message", ({ data }: MessageLike) => this.#onMessage(data));
    socket.addEventListener("error", ({ message }: ErrorLike) => this.#end(new Error(message || "unknown error")));
    socket.addEventListener("close", (event: CloseLike) => this.#onClose(event));
    if (this.#isOpen) this.#onOpen();
    if (socket.readyState > OPEN) this.close();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    for (let at = 0; at < bytes.length; at += MAX_FRAME) this.#unsent.push(bytes.subarray(at, at + MAX_FRAME));
    this.#sending ??= deferred();
    const { promise } = this.#sending;
    this.#send();
    if (this.#sending !== undefined) return promise;
  }

  /** Closes the socket; the code must be 1000, or 3000 to 4999. */
  close(code = 1000, reason?: string): void {
    this.#unread.close();
    // A peer that does not read what it was sent does not read the closing handshake either.
    if (this.#sending !== undefined) ignoreErrors(() => this.#socket.terminate?.());
    this.#end(new Error("the WebSocket is closed"), code, reason);
  }

  ref(): void {
    this.#socket.ref?.();
  }

  unref(): void {
    this.#socket.unref?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#unread;
  }

  /** False also from the moment that the peer closes the socket, when Deno and workerd throw at `send`. */
  get #isOpen(): boolean {
    return this.#socket.readyState === OPEN;
  }

  #onOpen(): void {
    this.#acknowledge ??= this.#socket.protocol === SUBPROTOCOL;
    this.#opening.resolve();
    this.#send();
  }

  #onClose({ code, reason }: CloseLike): void {
    this.#queueCopies();
    if (NORMAL_CODES.includes(code)) this.#unread.end();
    this.#end(new Error(printable(`the WebSocket was closed: ${code} ${reason}`)));
  }

  /** Ends both directions, and the socket if it has not ended; what was received before can still be read. */
  #end(error: Error, code?: number, reason?: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#queueCopies();
    this.#unread.fail(error);
    clearTimeout(this.#poll);
    this.#opening.reject(error);
    this.#sending?.reject(error);
    ignoreErrors(() => this.#socket.close(code, reason));
  }

  // ---- receiving

  #onMessage(data: unknown): void {
    if (this.#unread.ended) return;
    if (typeof data === "string") return this.#onAcknowledgement(data);
    const chunk = new Uint8Array(data as ArrayBuffer);
    if (chunk.length !== (data as ArrayBuffer).byteLength) return this.#end(new TypeError("not bytes"));
    this.#received += chunk.length;
    this.#push(chunk);
    this.#acknowledgeRead();
    const maxUnread = this.#acknowledge ? WINDOW : MAX_UNREAD;
    if (this.#unread.size + this.#copied > maxUnread) {
      this.#end(new ProtocolError(`The peer sent more, with ${maxUnread} bytes unread`), CLOSE_BAD_REQUEST);
    }
  }

  /** Queues a frame, or copies a short one behind others that wait. */
  #push(chunk: Uint8Array): void {
    if (this.#unread.size === 0 || chunk.length > MAX_COPIED) {
      this.#queueCopies();
      if (chunk.length > 0) this.#unread.push(chunk);
      return;
    }
    if (this.#copied + chunk.length > this.#copies.length) {
      this.#queueCopies();
      this.#copies = new Uint8Array(COPY_SIZE);
    }
    this.#copies.set(chunk, this.#copied);
    this.#copied += chunk.length;
  }

  /** Moves what was copied together to the end of the queue. */
  #queueCopies(): void {
    if (this.#copied > 0) this.#unread.push(this.#copies.subarray(0, this.#copied));
    this.#copies = this.#copies.subarray(this.#copied);
    this.#copied = 0;
  }

  #onRead(): void {
    if (this.#unread.size === 0) this.#queueCopies();
    this.#acknowledgeRead();
  }

  #acknowledgeRead(): void {
    const read = this.#received - this.#unread.size - this.#copied;
    if (!this.#acknowledge || read - this.#acknowledged < MAX_FRAME || !this.#isOpen) return;
    this.#acknowledged = read;
    this.#socket.send(String(read));
  }

  // ---- sending

  #onAcknowledgement(text: string): void {
    const size = Number(text);
    if (this.#acknowledge && String(size) === text && size >= this.#confirmed && size <= this.#sent) {
      this.#confirmed = size;
      return this.#send();
    }
    this.#end(new ProtocolError(`Cannot use the acknowledgement ${printable(text)}`), CLOSE_BAD_REQUEST);
  }

  /** Sends as much as there is room for. */
  #send(): void {
    clearTimeout(this.#poll);
    while (this.#unsent.length > 0 && this.#isOpen) {
      const frame = this.#unsent.first!;
      const onTheWay = this.#acknowledge ? this.#sent - this.#confirmed : this.#socket.bufferedAmount ?? 0;
      if (onTheWay + frame.length > WINDOW) {
        // The buffer of a socket has no event that tells when there is room.
        if (!this.#acknowledge) this.#poll = setTimeout(() => this.#send(), POLL_INTERVAL);
        return;
      }
      this.#socket.send(frame as Bytes);
      this.#sent += frame.length;
      this.#unsent.shift();
    }
    if (this.#unsent.length === 0) {
      this.#sending?.resolve();
      this.#sending = undefined;
    }
  }
}
