/** What goes wrong on request: the faults of a connection, and a transport that cuts what it writes. */

import type { Transport } from "../transport/transport.ts";

/**
 * What can go wrong with a request:
 *
 * - `"drop-before"` closes the connection instead of serving the request.
 * - `"drop-after"` closes the connection when the answer has been sent.
 * - `"stall"` leaves the connection open, and neither serves nor sends anything on it any more.
 * - `"split"` serves the request, and sends what that causes on this connection in writes of 1 to 7 bytes.
 * - `{ error: [code, text] }` answers with ERROR instead of serving (with `ERR` to a line of the text protocol).
 */
export type Fault = "drop-before" | "drop-after" | "stall" | "split" | { readonly error: [code: string, text: string] };

/** Maximum size of a piece that a transport writes while it splits, in bytes. */
const MAX_PIECE = 7;

/** A transport that can write in pieces of 1 to 7 bytes. */
export class SplittableTransport implements Transport {
  readonly #transport: Transport;
  /** How the next writes are done: each in one piece, or in many small ones. */
  writes: "whole" | "split" = "whole";

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.writes === "whole" ? this.#transport.write(bytes) : this.#writeInPieces(bytes);
  }

  close(): void | Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#transport[Symbol.asyncIterator]();
  }

  async #writeInPieces(bytes: Uint8Array): Promise<void> {
    let begin = 0;
    let size = 1;
    while (begin < bytes.length) {
      await this.#transport.write(bytes.subarray(begin, begin + size));
      begin += size;
      size = size === MAX_PIECE ? 1 : size + 1;
    }
  }
}
