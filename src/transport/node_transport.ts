/** A transport over a socket of `node:net` or `node:tls`, on Deno, Node and Bun. */

import { ChunkQueue } from "./chunk_queue.ts";
import type { Transport } from "./transport.ts";

/** What is used of `net.Socket`. */
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

/** `node:net`, or `node:tls`, where the runtime has them: not on an edge, unless it is asked to. */
export function socketModule<T>(tls: boolean): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): T | undefined } };
  return process?.getBuiltinModule?.(tls ? "node:tls" : "node:net");
}

/** How long a closed socket may take to say goodbye before it is torn down, in ms. */
const GOODBYE = 1_000;

/** A transport over a connected socket. */
export class NodeTransport implements Transport {
  readonly refusable: boolean;
  readonly #socket: NodeSocket;
  readonly #inbox = new ChunkQueue(() => this.#resume());
  readonly #writers = new Set<(error: Error) => void>();
  #paused = false;
  #closed = false;
  #error: Error | undefined;

  constructor(socket: NodeSocket, refusable = false) {
    this.refusable = refusable;
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    socket.on("end", () => this.#inbox.end());
    socket.on("error", (error: Error) => this.#inbox.end(this.#error = error));
    socket.on("close", () => this.#onClose());
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed || this.#socket.destroyed) return reject(this.#error ?? new Error("the socket is closed"));
      this.#writers.add(reject);
      this.#socket.write(bytes, (error) => {
        this.#writers.delete(reject);
        if (error) reject(this.#error ?? error);
        else resolve();
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.close();
    if (this.#error !== undefined || this.#writers.size > 0) {
      this.#socket.destroy(); // a peer that does not read would never let the rest go out
      return;
    }
    // What is still coming is read and dropped: with unread bytes a socket ends in a reset, not in a goodbye.
    this.#socket.resume();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), GOODBYE);
    this.#socket.once("close", () => clearTimeout(timer));
    this.#socket.unref();
    (timer as { unref?(): void }).unref?.();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#inbox;
  }

  #onData(chunk: Uint8Array): void {
    this.#inbox.push(chunk);
    if (this.#inbox.size === 0) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#inbox.size > 0) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** Bun does not call back for a write that a reset has overtaken. */
  #onClose(): void {
    this.#inbox.end();
    for (const reject of this.#writers) reject(this.#error ?? new Error("the socket was closed"));
    this.#writers.clear();
  }
}
