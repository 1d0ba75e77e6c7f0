/** Two transports joined in memory, for tests and for a client and a server in one process. */

import { ChunkQueue } from "./chunk_queue.ts";
import type { Transport } from "./transport.ts";

/** Bytes that may wait unread before `write` asks its caller to wait, as a socket's buffers would. */
const HIGH_WATER = 65_536;

/**
 * Makes two transports, each reading what the other wrote.
 *
 * Closing one ends the iteration of both, the other's after what was written before. Writing makes the caller wait when
 * 64 KiB lie unread.
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
  const a = new Lane();
  const b = new Lane();
  return [endOf(a, b), endOf(b, a)];
}

/** One direction: what was written and not yet read. */
class Lane {
  readonly inbox = new ChunkQueue(() => this.#releaseWriters());
  #writers: (() => void)[] = [];

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.inbox.ended) throw new Error("the pipe is closed");
    // A socket would copy too: the writer's memory is its own again when its call has settled.
    if (bytes.length > 0) this.inbox.push(bytes.slice());
    if (this.inbox.size >= HIGH_WATER) return new Promise((resolve) => this.#writers.push(resolve));
  }

  /** No more is written; what lies here is still read unless it is dropped too. */
  end(drop: boolean): void {
    if (drop) this.inbox.close();
    else this.inbox.end();
    for (const release of this.#writers.splice(0)) release();
  }

  #releaseWriters(): void {
    if (this.inbox.size >= HIGH_WATER) return;
    for (const release of this.#writers.splice(0)) release();
  }
}

function endOf(incoming: Lane, outgoing: Lane): Transport {
  return {
    write: (bytes) => outgoing.write(bytes),
    close: () => {
      incoming.end(true);
      outgoing.end(false);
    },
    [Symbol.asyncIterator]: () => incoming.inbox,
  };
}
