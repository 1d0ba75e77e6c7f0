/** A transport over a connection of Deno's own, which is the cheapest there; web streams would cost twice. */

import { Inbox } from "./inbox.ts";
import type { Transport } from "./transport.ts";

/** What is used of `Deno.Conn`. */
export interface DenoConn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite?(): Promise<void>;
  close(): void;
  ref?(): void;
  unref?(): void;
  setNoDelay?(on: boolean): void;
  setKeepAlive?(on: boolean): void;
}

const FIRST_SLAB = 4_096;
const LAST_SLAB = 262_144;
/** How long a closed connection may take to say goodbye before it is torn down, in ms. */
const GOODBYE = 1_000;

/** A transport over an open connection. */
export class DenoTransport implements Transport {
  readonly #conn: DenoConn;
  readonly #inbox = new Inbox(() => this.#read());
  // Chunks are cut off one after the other, so that none is ever overwritten and none needs memory of its own.
  #slab = new Uint8Array(FIRST_SLAB);
  #used = 0;
  #reading = false;
  #writing = 0;
  #broken = false;
  #closed = false;
  #goodbye: ReturnType<typeof setTimeout> | undefined;

  constructor(conn: DenoConn) {
    this.#conn = conn;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) throw new Error("the connection is closed");
    this.#writing++;
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(at === 0 ? bytes : bytes.subarray(at));
    } finally {
      this.#writing--;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.close();
    // A peer that does not read would never let the rest go out.
    if (this.#broken || this.#writing > 0 || this.#conn.closeWrite === undefined) return this.#conn.close();
    // What is still coming is read and dropped: closed with unread bytes, a socket ends in a reset, not in a goodbye, and
    // the reset overtakes what was sent last.
    this.#goodbye = setTimeout(() => this.#tearDown(), GOODBYE);
    (this.#goodbye as { unref?(): void }).unref?.();
    this.#conn.unref?.();
    this.#conn.closeWrite().catch(() => this.#tearDown());
    this.#read();
  }

  ref(): void {
    this.#conn.ref?.();
  }

  unref(): void {
    this.#conn.unref?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#inbox;
  }

  /** One read, if none is under way; after closing, all that are left. */
  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      let size: number | null;
      do {
        if (this.#used === this.#slab.length) {
          this.#slab = new Uint8Array(Math.min(this.#slab.length * 4, LAST_SLAB));
          this.#used = 0;
        }
        size = await this.#conn.read(this.#slab.subarray(this.#used));
        if (size === null) this.#inbox.end();
        else this.#inbox.push(this.#slab.subarray(this.#used, this.#used += size));
      } while (size !== null && this.#closed);
    } catch (error) {
      this.#broken = true;
      this.#inbox.end(error);
    }
    this.#reading = false;
    this.#tearDown();
  }

  #tearDown(): void {
    if (this.#goodbye === undefined) return;
    clearTimeout(this.#goodbye);
    this.#goodbye = undefined;
    this.#conn.close();
  }
}
