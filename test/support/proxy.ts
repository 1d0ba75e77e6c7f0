// A TCP proxy in front of a job server with faults on demand: it splits, delays, stalls, ends and resets connections.

import net from "node:net";

/** The faults of one connection; none by default. */
export interface Faults {
  /** Forwards bytes in pieces of 1 to 7 bytes. */
  readonly split?: boolean;
  /** Milliseconds by which each piece is delayed. */
  readonly delay?: number;
  /** Resets both sides after this number of bytes to the client. */
  readonly resetAfter?: number;
  /** Ends the direction to the client after this number of bytes; the other direction stays open. */
  readonly endAfter?: number;
  /** Stops forwarding in both directions after this number of bytes to the client, without closing anything. */
  readonly stallAfter?: number;
}

/** One connection through the proxy. */
class ProxiedConnection {
  readonly #client: net.Socket;
  readonly #server: net.Socket;
  readonly #faults: Faults;
  stalled = false;
  /** Number of bytes that were forwarded to the client. */
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
        from.pause(); // one chunk at a time, so that a slow reader slows down the sender
        chain = chain.then(async () => {
          await this.#pass(chunk, to);
          if (!this.stalled) from.resume();
        });
      });
      from.on("end", () => {
        chain.then(() => {
          if (!this.stalled) to.end();
        });
      });
      from.on("error", () => this.reset());
      from.on("close", () => {
        if (!this.stalled && from.errored) to.destroy();
        open--;
        if (open === 0) onClose();
      });
    }
  }

  async #pass(chunk: Uint8Array, to: net.Socket): Promise<void> {
    const { split, delay, resetAfter = Infinity, endAfter = Infinity, stallAfter = Infinity } = this.#faults;
    let size = 0;
    for (let at = 0; at < chunk.length; at += size) {
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
      if (this.#passed >= endAfter) {
        to.end();
        return;
      }
    }
  }

  stall(): void {
    this.stalled = true;
    this.#client.pause();
    this.#server.pause();
  }

  reset(): void {
    for (const socket of [this.#client, this.#server]) {
      // Node loops forever on a socket that is reset after it was ended.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  end(): void {
    this.#client.end();
    this.#server.end();
  }
}

/** A proxy on an unused port. */
export class Proxy implements AsyncDisposable {
  /** The port of 127.0.0.1 that the proxy listens on. */
  readonly port: number;
  /** The port of 127.0.0.1 that new connections are forwarded to. */
  target: number;
  /** Chooses the faults of a new connection by its index, which begins with 0. */
  faults: (index: number) => Faults = () => ({});
  readonly #server: net.Server;
  readonly #connections = new Set<ProxiedConnection>();
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

  /** Number of connections that were accepted. */
  get accepted(): number {
    return this.#count;
  }

  /** Number of connections that are open on a side. */
  get open(): number {
    return this.#connections.size;
  }

  /** Stops forwarding on all connections, without closing them. */
  stall(): void {
    for (const connection of this.#connections) connection.stall();
  }

  /** Resets all connections. */
  resetAll(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Resets the connections that are stalled, so that the server notices too. */
  resetStalled(): void {
    for (const connection of this.#connections) if (connection.stalled) connection.reset();
  }

  /** Ends all connections, as a server does when it stops. */
  endAll(): void {
    for (const connection of this.#connections) connection.end();
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
    const faults = this.faults(this.#count);
    this.#count++;
    const server = net.connect({ host: "127.0.0.1", port: this.target, allowHalfOpen: true });
    const connection: ProxiedConnection = new ProxiedConnection(
      client,
      server,
      faults,
      () => this.#connections.delete(connection),
    );
    this.#connections.add(connection);
  }
}
