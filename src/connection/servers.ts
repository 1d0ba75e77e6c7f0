/** Server lists: the words in which people name servers, to addresses and back, and job tokens that carry one. */

import type { ServerAddress } from "./transport.ts";
import { printable } from "../errors.ts";

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

function parseServer(name: string): ServerAddress {
  const refuse = (why: string) => new RangeError(`Cannot read server "${printable(name)}": ${why}`);
  if (name.startsWith("unix:")) {
    const path = name.slice(5);
    if (!path.startsWith("/") || path.includes("\0")) throw refuse("a unix socket is written unix:/path");
    return { hostname: "", port: 0, path };
  }
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/@?#[\]\\]+))(?::(\d+))?$/.exec(name);
  if (match === null) throw refuse('expected "host", "host:port", "[v6]:port" or "unix:/path"');
  const hostname = (match[1] ?? match[2]!).toLowerCase();
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(hostname)) throw refuse("the host name holds a control character");
  if (match[1] !== undefined && !match[1].includes(":")) throw refuse("brackets are for IPv6 addresses");
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > 65_535) throw refuse("a port is a number from 1 to 65535");
  return { hostname, port };
}
