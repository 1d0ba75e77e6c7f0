/** Two transports joined in memory, for tests and for a client and a server in one process. */

import { ChunkQueue } from "./chunk_queue.ts";
import type { Transport } from "./transport.ts";

/** From this many unread bytes on, `write` asks its caller to wait, as a socket with full buffers does. */
const PIPE_CAPACITY = 65_536;

/**
 * Makes two transports, each reading what the other wrote.
 *
 * Closing one end ends the iteration of both; the other end first reads what was written before. `write` asks its caller
 * to wait while 64 KiB or more are unread.
 *
 * @example Both ends of a connection
 * ```ts
 * import { Connection, memoryPipe } from "@gearwire/gearman/connection";
 * import { PacketType } from "@gearwire/gearman/codec";
 *
 * const [here, there] = memoryPipe();
 * const client = new Connection(here);
 * const server = new Connection(there, { magic: "RES" });
 * client.send(PacketType.ECHO_REQ, "hello");
 * for await (const packet of server) {
 *   console.log(packet.type); // 16
 *   break;
 * }
 * await client.close();
 * ```
 */
export function memoryPipe(): [Transport, Transport] {
  const there = new PipeDirection();
  const back = new PipeDirection();
  return [pipeEnd(back, there), pipeEnd(there, back)];
}

/** One direction of a pipe: the bytes that were written and have not been read. */
class PipeDirection {
  readonly unread = new ChunkQueue(() => this.#onRead());
  #waitingWriters: (() => void)[] = [];

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.unread.ended) throw new Error("the pipe is closed");
    // A socket copies too: the memory belongs to the writer again when its call has settled.
    if (bytes.length > 0) this.unread.push(bytes.slice());
    if (this.unread.size >= PIPE_CAPACITY) return new Promise((resolve) => this.#waitingWriters.push(resolve));
  }

  /** Ends writing; what is unread can still be read. */
  endWriting(): void {
    this.unread.end();
    this.#resumeWriters();
  }

  /** Ends writing and reading; what is unread is discarded. */
  endReading(): void {
    this.unread.close();
    this.#resumeWriters();
  }

  #onRead(): void {
    if (this.unread.size < PIPE_CAPACITY) this.#resumeWriters();
  }

  #resumeWriters(): void {
    for (const resume of this.#waitingWriters.splice(0)) resume();
  }
}

function pipeEnd(incoming: PipeDirection, outgoing: PipeDirection): Transport {
  return {
    write: (bytes) => outgoing.write(bytes),
    close: () => {
      incoming.endReading();
      outgoing.endWriting();
    },
    [Symbol.asyncIterator]: () => incoming.unread,
  };
}
