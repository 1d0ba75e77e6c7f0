/** Listening on TCP and unix sockets, with `node:net` and `node:tls` on all runtimes that have them. */

import { ConnectionError, GearmanError } from "../errors.ts";
import { wholeNumber } from "../internal/checks.ts";
import { messageOf } from "../internal/text.ts";
import { formatServer } from "./addresses.ts";
import { type NodeSocket, NodeTransport, socketModule } from "./node_transport.ts";
import type { ServerAddress, Transport } from "./transport.ts";

/** TLS settings of a listener, as PEM. */
export interface ListenTlsOptions {
  /** The server's certificate. */
  cert: string;
  /** The private key of `cert`. */
  key: string;
  /** Certificates of authorities: clients must present a certificate of one of them. Default: no client certificate. */
  ca?: string | undefined;
}

/** Options of `JobServer.listen()`: the address to listen on. */
export interface ListenOptions {
  /** Host name or address to bind; default 127.0.0.1, since a job server has no authentication. */
  hostname?: string | undefined;
  /** TCP port; default 0, which picks a free one. */
  port?: number | undefined;
  /** Path of a unix socket, instead of `hostname` and `port`. */
  path?: string | undefined;
  /** Speaks TLS from the first byte; default plain TCP. */
  tls?: ListenTlsOptions | undefined;
}

/** An open listener. */
export interface Listener {
  readonly address: ServerAddress;
  close(): void;
}

/** Receives each new connection; `address` is the peer's IP address, or "-" if it has none. */
export type OnConnection = (transport: Transport, address: string) => void;

/** Milliseconds that a client has for its TLS handshake. */
const HANDSHAKE_TIMEOUT = 10_000;

/**
 * Opens a listener.
 *
 * @throws {TypeError} `path` is given together with `hostname` or `port`, or `tls` lacks its certificate or key.
 * @throws {RangeError} The port is not a whole number from 0 to 65,535.
 * @throws {ConnectionError} The address cannot be bound; `cause` says why.
 * @throws {GearmanError} This runtime has no listening sockets.
 */
export async function listen(options: ListenOptions, onConnection: OnConnection): Promise<Listener> {
  const { tls } = options;
  const address = readAddress(options);
  if (tls !== undefined && (typeof tls.cert !== "string" || typeof tls.key !== "string")) {
    throw new TypeError("Cannot listen: tls must have a certificate and its key, as PEM");
  }
  try {
    const module = socketModule<ServerModule>(tls === undefined ? "node:net" : "node:tls");
    if (module !== undefined) return await openListener(module, address, tls, onConnection);
  } catch (cause) {
    const server = formatServer(address);
    throw new ConnectionError(`Cannot listen on ${server}: ${messageOf(cause)}`, { cause, server });
  }
  throw new GearmanError("Cannot listen: this runtime has no listening sockets, use dial or accept");
}

function readAddress({ hostname, port, path }: ListenOptions): ServerAddress {
  if (path === undefined) {
    return { hostname: hostname || "127.0.0.1", port: wholeNumber({ port }, "port", 0, 0, 65_535) };
  }
  if (hostname !== undefined || port !== undefined) {
    throw new TypeError("Cannot listen: a path must be given without hostname and port");
  }
  return { hostname: "", port: 0, path };
}

/** The part of `node:net` and `node:tls` that is used here. */
interface ServerModule {
  createServer(options: Record<string, unknown>): NodeServer;
}
interface NodeServer {
  on(event: "connection" | "secureConnection", listener: (socket: RemoteSocket) => void): unknown;
  on(event: "error" | "tlsClientError", listener: (error: Error, socket: NodeSocket) => void): unknown;
  listen(options: Record<string, unknown>, done: () => void): unknown;
  address(): { readonly address: string; readonly port: number } | string | null;
  close(): unknown;
}
type RemoteSocket = NodeSocket & { readonly remoteAddress?: string; readonly remotePort?: number };

async function openListener(
  module: ServerModule,
  address: ServerAddress,
  tls: ListenOptions["tls"],
  onConnection: OnConnection,
): Promise<Listener> {
  // Without allowHalfOpen, a client that has ended its side would not get its replies.
  const options = { allowHalfOpen: true, noDelay: true, handshakeTimeout: HANDSHAKE_TIMEOUT };
  const server = module.createServer({ ...options, ...tls, requestCert: tls?.ca !== undefined });
  const handshakes = new Handshakes();
  if (tls !== undefined) {
    server.on("connection", (socket) => {
      if (address.path === undefined) handshakes.add(socket);
      // Peers on a unix socket cannot be told apart; unreferenced, they do not keep the process alive until the timeout.
      else socket.unref();
    });
    // The handshake took too long, or the client does not speak TLS.
    server.on("tlsClientError", (_, socket) => socket.destroy());
  }
  server.on(tls === undefined ? "connection" : "secureConnection", (socket) => {
    handshakes.delete(socket);
    onConnection(new NodeTransport(socket), socket.remoteAddress ?? "-");
  });
  await bind(server, address);
  return {
    address: boundAddress(server) ?? address,
    close(): void {
      server.close();
      handshakes.destroyAll();
    },
  };
}

function bind(server: NodeServer, { hostname: host, port, path }: ServerAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    // The listener stays: an error without a listener would end the process.
    server.on("error", reject);
    server.listen(path === undefined ? { host, port } : { path }, resolve);
  });
}

/** Returns the address with the port that was picked; `undefined` for a unix socket. */
function boundAddress(server: NodeServer): ServerAddress | undefined {
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? { hostname: bound.address, port: bound.port } : undefined;
}

/**
 * Sockets during their TLS handshake. The listener has to destroy them, since they are not connections yet.
 *
 * The event after the handshake comes with another socket object: the peer's address and port identify a socket.
 */
class Handshakes {
  readonly #sockets = new Map<string, NodeSocket>();

  add(socket: RemoteSocket): void {
    const peer = peerOf(socket);
    this.#sockets.set(peer, socket);
    socket.once("close", () => this.#sockets.delete(peer));
  }

  delete(socket: RemoteSocket): void {
    this.#sockets.delete(peerOf(socket));
  }

  destroyAll(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

function peerOf({ remoteAddress, remotePort }: RemoteSocket): string {
  return `${remoteAddress} ${remotePort}`;
}
