// Records the packets that a client writes and reads, so that a test can compare them with its errors.

import { type Packet, PacketDecoder } from "../../src/codec/mod.ts";
import type { Dial, Transport } from "../../src/connection/mod.ts";

/** The bytes of one connection. */
interface Recording {
  readonly written: Uint8Array[];
  readonly read: Uint8Array[];
}

/** Records the packets of all connections that are dialed through it. */
export class PacketRecorder {
  readonly #recordings: Recording[] = [];
  readonly #dial: Dial;

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  readonly dial: Dial = async (server, options) => {
    const transport = await this.#dial(server, options);
    const recording: Recording = { written: [], read: [] };
    this.#recordings.push(recording);
    return new RecordedTransport(transport, recording);
  };

  /** The requests that were written, on all connections. */
  get requests(): Packet[] {
    return this.#recordings.flatMap(({ written }) => packetsOf(written));
  }

  /** The answers that were read, on all connections, up to the first malformed one. */
  get answers(): Packet[] {
    return this.#recordings.flatMap(({ read }) => packetsOf(read));
  }
}

class RecordedTransport implements Transport {
  readonly #inner: Transport;
  readonly #recording: Recording;

  constructor(inner: Transport, recording: Recording) {
    this.#inner = inner;
    this.#recording = recording;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    this.#recording.written.push(bytes.slice());
    return this.#inner.write(bytes);
  }

  close(): void | Promise<void> {
    return this.#inner.close();
  }

  ref(): void {
    this.#inner.ref?.();
  }

  unref(): void {
    this.#inner.unref?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for await (const chunk of this.#inner) {
      this.#recording.read.push(chunk.slice());
      yield chunk;
    }
  }
}

function packetsOf(chunks: readonly Uint8Array[]): Packet[] {
  const decoder = new PacketDecoder();
  const packets: Packet[] = [];
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      for (const packet of decoder) packets.push(packet);
    }
  } catch {
    // The client has not understood anything after it either.
  }
  return packets;
}
