/** Server lists: the words in which people name servers, to addresses and back, and job tokens that carry one. */

import { printable } from "../internal/text.ts";
import type { ServerAddress } from "./transport.ts";

/** The port that Gearman is registered for. */
export const DEFAULT_PORT = 4730;
/** The server that is meant when none is named. */
export const DEFAULT_SERVER: string = `127.0.0.1:${DEFAULT_PORT}`;

/**
 * Reads server names: `host`, `host:port`, `[v6]`, `[v6]:port` or `unix:/path` (which cannot hold a comma), in a list,
 * with commas, or both; default {@linkcode DEFAULT_SERVER}.
 * Names of the same server are taken once.
 *
 * @throws {TypeError} It is neither a string nor a list of strings.
 * @throws {RangeError} A name makes no sense, its port is out of range, or there is none.
 */
export function parseServers(servers: string | readonly string[] = DEFAULT_SERVER): ServerAddress[] {
  const found = new Map<string, ServerAddress>();
  for (const name of [servers].flat()) {
    if (typeof name !== "string") throw new TypeError("Cannot read servers: expected a string or a list of strings");
    for (const part of name.split(",")) {
      const address = parseServer(part.trim());
      found.set(formatServer(address), address);
    }
  }
  if (found.size === 0) throw new RangeError("Cannot read servers: the list is empty");
  return [...found.values()];
}

/** The name of a server as the parser normalises it: `host:port`, `[v6]:port` or `unix:/path`. */
export function formatServer(server: ServerAddress): string {
  if (server.path !== undefined) return `unix:${server.path}`;
  return `${server.hostname.includes(":") ? `[${server.hostname}]` : server.hostname}:${server.port}`;
}

/** The path of a unix socket; or an IPv6 address or a host, and a port. */
const SERVER =
  /^(?:unix:(\/[^\0]*)|(?:\[([\da-fA-F.]*:[\da-fA-F:.]*(?:%[\w.-]+)?)\]|([^\s\p{Cc}:/@?#[\]\\]+))(?::(\d+))?)$/u;

function parseServer(name: string): ServerAddress {
  const [match, path, v6, host, port = DEFAULT_PORT] = SERVER.exec(name) ?? [];
  if (match === undefined || Number(port) < 1 || Number(port) > 65_535) {
    const expected = '"host", "host:port", "[v6]:port" or "unix:/path", and a port from 1 to 65535';
    throw new RangeError(`Cannot read server "${printable(name)}": expected ${expected}`);
  }
  if (path !== undefined) return { hostname: "", port: 0, path };
  return { hostname: (host ?? v6!).toLowerCase(), port: Number(port) };
}
