/** Connecting over TCP, TLS and unix sockets, with `node:net` and `node:tls` on all runtimes that have them. */

import { GearmanError } from "../errors.ts";
import { orAbort } from "../internal/signals.ts";
import { type NodeSocket, NodeTransport, socketModule } from "./node_transport.ts";
import type { Dial } from "./transport.ts";

/** TLS settings for the connection to a server. */
export interface TlsOptions {
  /** Certificates of the authorities to trust, as PEM; default those of the system or runtime. */
  caCerts?: string[] | undefined;
  /** The client's certificate, as PEM; requires `key`. */
  cert?: string | undefined;
  /** The private key of `cert`, as PEM; requires `cert`. */
  key?: string | undefined;
  /** Name or address that the server's certificate must be valid for; default the host that is dialed. */
  serverName?: string | undefined;
}

/** Options of {@linkcode dialTcp}. */
export interface DialTcpOptions {
  /** Speaks TLS from the first byte, with these settings if they are given; default false. */
  tls?: boolean | TlsOptions | undefined;
  /** Lets TCP detect a peer that is gone (SO_KEEPALIVE), after 30 s of silence; default true. */
  keepAlive?: boolean | undefined;
}

/** Silence in ms after which TCP asks the peer; the system's default is two hours, longer than middle-boxes remember. */
const KEEP_ALIVE_DELAY = 30_000;

/**
 * Makes a `dial` function for TCP and unix sockets, optionally with TLS, on Deno, Node and Bun. Clients and workers use
 * it by default.
 *
 * @example A client without keepalive
 * ```ts
 * import { dialTcp, GearmanClient } from "@gearwire/gearman";
 *
 * const client = new GearmanClient({ servers: "jobs.example:4730", dial: dialTcp({ keepAlive: false }) });
 * await client.close();
 * ```
 *
 * @throws {TypeError} `tls` is neither a boolean nor an object, or only one of `cert` and `key` is given.
 */
export function dialTcp(options: DialTcpOptions = {}): Dial {
  const { keepAlive = true } = options;
  const tls = readTls(options.tls);
  return async (server, { signal }) => {
    signal?.throwIfAborted();
    const module = socketModule<SocketModule>(tls === undefined ? "node:net" : "node:tls");
    if (module === undefined) throw new GearmanError("Cannot dial: this runtime has no sockets, pass a dial function");
    const { hostname: host, port, path } = server;
    const tcp = { host, port, path, noDelay: true, keepAlive, keepAliveInitialDelay: KEEP_ALIVE_DELAY };
    const settings = { ...tcp, ...(tls && tlsSettings(module, host, tls)) };
    const socket = await connect(module, settings, tls === undefined ? "connect" : "secureConnect", signal);
    return new NodeTransport(socket);
  };
}

/** Reads the option; `undefined` is a connection without TLS. */
function readTls(tls: boolean | TlsOptions = false): TlsOptions | undefined {
  if (tls === false) return undefined;
  if (tls === true) return {};
  if (Object(tls) !== tls) throw new TypeError("Cannot use tls: it must be a boolean or an object");
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError("Cannot use tls: cert and key must be given together");
  }
  return tls;
}

/** The part of `node:net` and `node:tls` that is used here. */
interface SocketModule {
  connect(options: object): NodeSocket;
  /** Only in `node:tls`. */
  checkServerIdentity?(hostname: string, certificate: unknown): Error | undefined;
}

/** Connects a socket; `event` is the one that says that it is connected. */
async function connect(module: SocketModule, settings: object, event: string, signal?: AbortSignal) {
  const socket = module.connect(settings);
  const connecting = new Promise<void>((resolve, reject) => {
    // The listeners stay: an error without a listener would end the process.
    socket.on("error", reject);
    socket.once(event, resolve);
    socket.once("close", () => reject(new Error("the peer closed the connection")));
  });
  try {
    await orAbort(connecting, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function tlsSettings(module: SocketModule, host: string, tls: TlsOptions): Record<string, unknown> {
  const serverName = tls.serverName ?? host;
  const isAddress = /^[\d.]+$|:/.test(serverName);
  return {
    ca: tls.caCerts,
    cert: tls.cert,
    key: tls.key,
    // A given name is the one that is checked, whatever is dialed. SNI is for names only (RFC 6066), so that a given
    // address needs a check of its own.
    servername: isAddress ? "" : serverName,
    ...(isAddress && tls.serverName !== undefined && {
      checkServerIdentity: (_host: string, cert: unknown) => module.checkServerIdentity!(serverName, cert),
    }),
  };
}
