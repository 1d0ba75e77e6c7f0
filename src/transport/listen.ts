/** Listening on TCP and unix sockets, with `node:net` and `node:tls` on all runtimes that have them. */

import { ConnectionError, GearmanError } from "../errors.ts";
import { wholeNumber } from "../internal/checks.ts";
import { messageOf } from "../internal/text.ts";
import { formatServer } from "./addresses.ts";
import { type NodeSocket, NodeTransport, socketModule } from "./node_transport.ts";
import type { ServerAddress, Transport } from "./transport.ts";

/** Where {@linkcode JobServer.prototype.listen | JobServer.listen} listens. */
export interface ListenOptions {
  /** Host name or address to bind; default 127.0.0.1, since a job server asks nobody who he is. */
  hostname?: string;
  /** TCP port; default 0, a free one. */
  port?: number;
  /** Path of a unix socket, instead of `hostname` and `port`. */
  path?: string;
  /** Speak TLS from the first byte: certificate and key as PEM. With `ca`, clients must show a certificate of it. */
  tls?: { cert: string; key: string; ca?: string };
}

/** An open listener. */
export interface Listener {
  readonly address: ServerAddress;
  close(): void;
}

/** Takes a new connection; `address` is the peer's IP address, or "-" where it has none. */
export type OnConnection = (transport: Transport, address: string) => void;

/** For a client that has connected and does not speak TLS, in ms. */
const HANDSHAKE_TIMEOUT = 10_000;

/**
 * Opens a listener.
 *
 * @throws {TypeError} `path` is given together with `hostname` or `port`, or `tls` lacks its certificate or key.
 * @throws {RangeError} The port is not a whole number from 0 to 65,535.
 * @throws {ConnectionError} It cannot listen there; `cause` says why.
 * @throws {GearmanError} This runtime has no listening sockets.
 */
export async function listen(options: ListenOptions, onConnection: OnConnection): Promise<Listener> {
  const { path, tls, hostname, port = 0 } = options;
  if (path !== undefined && (options.hostname !== undefined || options.port !== undefined)) {
    throw new TypeError("Cannot listen: a path goes without hostname and port");
  }
  if (tls !== undefined && (typeof tls.cert !== "string" || typeof tls.key !== "string")) {
    throw new TypeError("Cannot listen: tls takes a certificate and its key, as PEM");
  }
  const address = path === undefined
    ? { hostname: hostname || "127.0.0.1", port: wholeNumber({ port }, "port", 0, 0, 65_535) }
    : { hostname: "", port: 0, path };
  try {
    const module = socketModule<NodeNet>(tls !== undefined);
    if (module !== undefined) return await listenNode(module, address, options, onConnection);
  } catch (cause) {
    const server = formatServer(address);
    throw new ConnectionError(`Cannot listen on ${server}: ${messageOf(cause)}`, { cause, server });
  }
  throw new GearmanError("Cannot listen: this runtime has no listening sockets, use dial or accept");
}

/** What is used of `node:net` and `node:tls`. */
interface NodeNet {
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

function listenNode(module: NodeNet, address: ServerAddress, { tls }: ListenOptions, onConnection: OnConnection) {
  return new Promise<Listener>((resolve, reject) => {
    const { path, hostname: host, port } = address;
    // Without allowHalfOpen, a client that has ended its side would not get its answers.
    const options = { allowHalfOpen: true, noDelay: true, handshakeTimeout: HANDSHAKE_TIMEOUT };
    const server = module.createServer({ ...options, ...tls, requestCert: tls?.ca !== undefined });
    // Connected, and their handshake not done: nobody else knows them, to close them.
    const unsecured = new Map<string, NodeSocket>();
    if (tls !== undefined) {
      server.on("connection", (socket) => {
        if (path !== undefined) return void socket.unref(); // they have no names, and their time is bounded
        const name = nameOf(socket);
        unsecured.set(name, socket);
        socket.once("close", () => unsecured.delete(name));
      });
    }
    server.on(tls === undefined ? "connection" : "secureConnection", (socket) => {
      unsecured.delete(nameOf(socket));
      onConnection(new NodeTransport(socket), socket.remoteAddress ?? "-");
    });
    server.on("tlsClientError", (_, socket) => socket.destroy()); // it took too long, or does not speak TLS
    // It stays: an error without a listener would end the process.
    server.on("error", reject);
    server.listen(path === undefined ? { host, port } : { path }, () => {
      const bound = server.address();
      resolve({
        address: typeof bound === "object" && bound !== null ? { hostname: bound.address, port: bound.port } : address,
        close(): void {
          server.close();
          for (const socket of unsecured.values()) socket.destroy();
        },
      });
    });
  });
}

const nameOf = ({ remoteAddress, remotePort }: RemoteSocket) => `${remoteAddress} ${remotePort}`;
