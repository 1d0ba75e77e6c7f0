// A TCP proxy in front of a job server, which goes wrong on demand: it splits, delays, stalls, ends and resets.

import net from "node:net";

/** What goes wrong with one connection; nothing, where nothing is said. */
export interface Faults {
  /** What passes is written in pieces of 1 to 7 bytes. */
  readonly split?: boolean;
  /** Each piece is held back for so many ms. */
  readonly delay?: number;
  /** After so many bytes to the client both sides are reset. */
  readonly resetAfter?: number;
  /** After so many bytes to the client the server's side is ended towards it; what it sends still passes. */
  readonly endAfter?: number;
  /** After so many bytes to the client nothing passes any more, in either direction, and nothing is closed. */
  readonly stallAfter?: number;
}

/** One connection through the proxy. */
class Passage {
  readonly #client: net.Socket;
  readonly #server: net.Socket;
  readonly #faults: Faults;
  stalled = false;
  /** Bytes that have passed to the client. */
  #passed = 0;

  constructor(client: net.Socket, server: net.Socket, faults: Faults, onClose: () => void) {
    this.#client = client;
    this.#server = server;
    this.#faults = faults;
    let open = 2;
    for (const [from, to] of [[client, server], [server, client]] as const) {
      from.setNoDelay(true);
      let chain = Promise.resolve();
      from.on("data", (chunk: Uint8Array) => {
        from.pause(); // one chunk at a time: a reader that lags is felt on the other side
        chain = chain.then(() => this.#pass(chunk, to)).then(() => void (this.stalled || from.resume()));
      });
      from.on("end", () => void chain.then(() => this.stalled || to.end()));
      from.on("error", () => this.reset());
      from.on("close", () => {
        if (!this.stalled && from.errored) to.destroy();
        if (--open === 0) onClose();
      });
    }
  }

  async #pass(chunk: Uint8Array, to: net.Socket): Promise<void> {
    const { split, delay, resetAfter = Infinity, endAfter = Infinity, stallAfter = Infinity } = this.#faults;
    for (let at = 0, size = 0; at < chunk.length; at += size) {
      if (this.stalled || to.destroyed) return;
      if (delay !== undefined) await new Promise((resolve) => setTimeout(resolve, delay));
      size = split === true ? 1 + Math.floor(Math.random() * 7) : chunk.length;
      const toClient = to === this.#client;
      let piece = chunk.subarray(at, at + size);
      if (toClient) {
        piece = piece.subarray(0, Math.max(0, Math.min(resetAfter, endAfter, stallAfter) - this.#passed));
        this.#passed += piece.length;
      }
      if (piece.length > 0) await new Promise<void>((resolve) => to.write(piece, () => resolve()));
      if (!toClient) continue;
      if (this.#passed >= resetAfter) return this.reset();
      if (this.#passed >= stallAfter) return this.stall();
      if (this.#passed >= endAfter) return void to.end();
    }
  }

  stall(): void {
    this.stalled = true;
    this.#client.pause();
    this.#server.pause();
  }

  reset(): void {
    for (const socket of [this.#client, this.#server]) {
      // Node spins for ever on a socket that is reset after it was ended.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  end(): void {
    this.#client.end();
    this.#server.end();
  }
}

/** A proxy that listens on a port of its own. */
export class Proxy implements AsyncDisposable {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Where it leads to, on 127.0.0.1: connections made from now on. */
  target: number;
  /** What goes wrong with the connections made from now on; they are counted from 0. */
  faults: (index: number) => Faults = () => ({});
  readonly #server: net.Server;
  readonly #passages = new Set<Passage>();
  #count = 0;

  private constructor(server: net.Server, target: number) {
    this.#server = server;
    this.target = target;
    this.port = (server.address() as net.AddressInfo).port;
    server.on("connection", (client: net.Socket) => this.#accept(client));
  }

  static async start(target: number, hostname = "127.0.0.1", port = 0): Promise<Proxy> {
    const server = net.createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, hostname, resolve);
    });
    return new Proxy(server, target);
  }

  /** Connections that were made through it so far. */
  get accepted(): number {
    return this.#count;
  }

  /** Connections that are open on either side. */
  get open(): number {
    return this.#passages.size;
  }

  /** From now on nothing passes on the connections that there are, and they stay open. */
  stall(): void {
    for (const passage of this.#passages) passage.stall();
  }

  /** Resets all connections. */
  resetAll(): void {
    for (const passage of this.#passages) passage.reset();
  }

  /** Resets the connections that are stalled: now the server knows as well. */
  resetStalled(): void {
    for (const passage of this.#passages) if (passage.stalled) passage.reset();
  }

  /** Ends all connections, as a server does that stops. */
  endAll(): void {
    for (const passage of this.#passages) passage.end();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.resetAll();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(client: net.Socket): void {
    const faults = this.faults(this.#count++);
    const server = net.connect({ host: "127.0.0.1", port: this.target, allowHalfOpen: true });
    const passage: Passage = new Passage(client, server, faults, () => this.#passages.delete(passage));
    this.#passages.add(passage);
  }
}
