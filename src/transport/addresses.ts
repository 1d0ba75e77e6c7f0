/** Names of servers, as users write them, to addresses and back. */

import { printable } from "../internal/text.ts";
import type { ServerAddress } from "./transport.ts";

/** Servers as users give them. */
type Servers = string | ServerAddress | readonly (string | ServerAddress)[];

/** The port that is registered for Gearman. */
export const DEFAULT_PORT = 4730;
/** The server that is used if none is named. */
export const DEFAULT_SERVER = "127.0.0.1:4730";

/**
 * Parses servers: a name, several with commas, an address, or a list of these; default {@linkcode DEFAULT_SERVER}.
 * Duplicates are removed.
 *
 * A name is `host`, `host:port`, `[v6]`, `[v6]:port` or `unix:/path`; the path cannot contain a comma.
 *
 * @throws {TypeError} A server is neither a string nor an address.
 * @throws {RangeError} A name has another form, a port is out of range, or the list is empty.
 */
export function parseServers(servers: Servers = DEFAULT_SERVER): ServerAddress[] {
  const addresses = [servers].flat().flatMap(readServer);
  if (addresses.length === 0) throw new RangeError("Cannot read servers: the list is empty");
  return [...new Map(addresses.map((address) => [formatServer(address), address])).values()];
}

function readServer(server: string | ServerAddress): ServerAddress[] {
  if (typeof server === "string") return server.split(",").map((name) => parseServer(name.trim()));
  if (typeof server?.hostname !== "string") {
    throw new TypeError("Cannot read servers: they must be strings or addresses");
  }
  return [server.path ? server : parseServer(formatServer(server))];
}

/** Returns the normal form of a server's name: `host:port`, `[v6]:port` or `unix:/path`. */
export function formatServer(server: ServerAddress): string {
  const { hostname, port, path } = server;
  if (path !== undefined) return `unix:${path}`;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${host}:${port}`;
}

/** Captures the path of a unix socket, or an IPv6 address or host name, and the port. */
const SERVER =
  /^(?:unix:(\/[^\0]*)|(?:\[([\da-fA-F.]*:[\da-fA-F:.]*(?:%[\w.-]+)?)\]|([^\s\p{Cc}:/@?#[\]\\,]+))(?::(\d+))?)$/u;

function parseServer(name: string): ServerAddress {
  const [match, path, v6, host, port = DEFAULT_PORT] = SERVER.exec(name) ?? [];
  if (match === undefined || Number(port) < 1 || Number(port) > 65_535) {
    const expected = '"host", "host:port", "[v6]:port" or "unix:/path", and a port from 1 to 65535';
    throw new RangeError(`Cannot read server "${printable(name)}": expected ${expected}`);
  }
  if (path !== undefined) return { hostname: "", port: 0, path };
  return { hostname: (host ?? v6!).toLowerCase(), port: Number(port) };
}
