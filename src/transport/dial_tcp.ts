/** Dialing over TCP, TLS and unix sockets, with `node:net` and `node:tls` on all runtimes that have them. */

import { GearmanError } from "../errors.ts";
import { orAbort } from "../internal/signals.ts";
import { type NodeSocket, NodeTransport, socketModule } from "./node_transport.ts";
import type { Dial } from "./transport.ts";

/** How to speak TLS with a server. */
export interface TlsOptions {
  /** Certificates of authorities to trust, as PEM; default those of the system or runtime. */
  caCerts?: string[];
  /** The client's own certificate, as PEM; together with `key`. */
  cert?: string;
  /** The private key of `cert`, as PEM. */
  key?: string;
  /** The name that the server's certificate must bear; default the host name that is dialed. */
  serverName?: string;
}

/** Options of {@linkcode dialTcp}. */
export interface DialTcpOptions {
  /** Speak TLS from the first byte; default false. */
  tls?: boolean | TlsOptions;
  /** Let TCP notice a peer that is gone (SO_KEEPALIVE); default true. */
  keepAlive?: boolean;
}

/**
 * Makes a dialer of TCP and unix sockets, for Deno, Node and Bun, with TLS if asked; it is what clients and workers use
 * where they are given no other.
 *
 * @example A client without keepalive
 * ```ts
 * import { dialTcp, GearmanClient } from "@gearwire/gearman";
 *
 * const client = new GearmanClient({ servers: "jobs.example:4730", dial: dialTcp({ keepAlive: false }) });
 * await client.close();
 * ```
 *
 * @throws {TypeError} `tls` is neither a boolean nor an object, or of `cert` and `key` only one is given.
 */
export function dialTcp(options: DialTcpOptions = {}): Dial {
  const { tls = false, keepAlive = true } = options;
  const secure: TlsOptions | undefined = tls === true ? {} : tls || undefined;
  if (Object(tls) !== tls && typeof tls !== "boolean") {
    throw new TypeError("Cannot use tls: expected a boolean or an object");
  }
  if ((secure?.cert === undefined) !== (secure?.key === undefined)) {
    throw new TypeError("Cannot use tls: cert and key go together");
  }
  return async (server, { signal }) => {
    signal?.throwIfAborted();
    const module = socketModule<NodeConnect>(secure !== undefined);
    if (module === undefined) throw new GearmanError("Cannot dial: this runtime has no sockets, pass a dial function");
    const { hostname: host, port, path } = server;
    const settings = { host, port, path, noDelay: true, keepAlive, ...(secure && tlsSettings(module, host, secure)) };
    const socket = await connectNode(module, settings, secure ? "secureConnect" : "connect", signal);
    return new NodeTransport(socket, secure !== undefined);
  };
}

/** What is used of `node:net` and `node:tls`. */
interface NodeConnect {
  connect(options: object): NodeSocket;
  /** Of `node:tls` alone. */
  checkServerIdentity?(hostname: string, certificate: unknown): Error | undefined;
}

async function connectNode(module: NodeConnect, settings: object, event: string, signal?: AbortSignal) {
  const socket = module.connect(settings);
  const connecting = new Promise<void>((resolve, reject) => {
    // They stay: an error without a listener would end the process.
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

function tlsSettings(module: NodeConnect, host: string, tls: TlsOptions): Record<string, unknown> {
  const serverName = tls.serverName ?? host;
  const isAddress = /^[\d.]+$|:/.test(serverName);
  return {
    ca: tls.caCerts,
    cert: tls.cert,
    key: tls.key,
    // A name given is the one to check, whatever is dialed. SNI is for names: an address there is against RFC 6066, so
    // that an address which is to be checked needs words of its own.
    servername: isAddress ? "" : serverName,
    ...(isAddress && tls.serverName !== undefined && {
      checkServerIdentity: (_host: string, cert: unknown) => module.checkServerIdentity!(serverName, cert),
    }),
  };
}
