/** A transport over a socket of `node:net` or `node:tls`, on Deno, Node and Bun. */

import { markExclusive } from "../internal/bytes.ts";
import { ChunkQueue } from "./chunk_queue.ts";
import type { Transport } from "./transport.ts";

/** The part of `net.Socket` that is used here. */
export interface NodeSocket {
  on(event: string, listener: (value: never) => void): unknown;
  once(event: string, listener: () => void): unknown;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown;
  pause(): unknown;
  resume(): unknown;
  end(): unknown;
  destroy(): unknown;
  ref(): unknown;
  unref(): unknown;
  readonly destroyed: boolean;
}

/** Returns `node:net` or `node:tls`; `undefined` on a runtime without it, as edges are unless they are asked for it. */
export function socketModule<T>(name: "node:net" | "node:tls"): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): T | undefined } };
  return process?.getBuiltinModule?.(name);
}

/** Milliseconds that a closed socket has to end its stream and see the peer's end, before it is destroyed. */
const SOCKET_CLOSE_TIMEOUT = 1_000;

/** A chunk of at least this many bytes may be freed by its reader. Shorter ones are not worth being marked. */
const MIN_FREED = 16_384;

/** A transport over a connected socket. */
export class NodeTransport implements Transport {
  readonly #socket: NodeSocket;
  readonly #received = new ChunkQueue(() => this.#resumeReading());
  /** The reject functions of the writes in flight. */
  readonly #writes = new Set<(error: Error) => void>();
  /** `closing`: `close()` was called, and the socket ends its stream. `closed`: the socket is gone. */
  #phase: "open" | "closing" | "closed" = "open";
  #paused = false;
  /** Why the socket failed; it closes next. */
  #error: Error | undefined;

  constructor(socket: NodeSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    socket.on("end", () => this.#received.end());
    socket.on("error", (error: Error) => this.#onError(error));
    socket.on("close", () => this.#onClose());
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#phase !== "open" || this.#socket.destroyed) {
        reject(this.#error ?? new Error("the socket is closed"));
        return;
      }
      this.#writes.add(reject);
      this.#socket.write(bytes, (error) => {
        this.#writes.delete(reject);
        if (error) reject(this.#error ?? error);
        else resolve();
      });
    });
  }

  close(): void {
    this.#received.close();
    if (this.#phase !== "open") return;
    this.#phase = "closing";
    // With a peer that does not read, writes in flight would never end.
    if (this.#error !== undefined || this.#writes.size > 0) this.#socket.destroy();
    else this.#closeGracefully();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#received;
  }

  #closeGracefully(): void {
    // What still arrives is read and discarded: a socket with unread bytes ends in a reset, which may overtake what was
    // written before.
    this.#socket.resume();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), SOCKET_CLOSE_TIMEOUT);
    this.#socket.once("close", () => clearTimeout(timer));
    this.#socket.unref();
    (timer as { unref?(): void }).unref?.();
  }

  #onData(chunk: Uint8Array): void {
    // A socket makes new memory for each chunk.
    if (chunk.length >= MIN_FREED) markExclusive(chunk);
    this.#received.push(chunk);
    if (this.#received.size === 0) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #resumeReading(): void {
    if (!this.#paused || this.#received.size > 0) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #onError(error: Error): void {
    this.#error = error;
    this.#received.fail(error);
  }

  #onClose(): void {
    this.#phase = "closed";
    this.#received.end();
    // Bun does not call back for a write that a reset has overtaken.
    for (const reject of this.#writes) reject(this.#error ?? new Error("the socket was closed"));
    this.#writes.clear();
  }
}
