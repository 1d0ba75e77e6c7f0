/** Which of several servers: in order, in turn, or by the unique. */

import type { Workload } from "../connection/arguments.ts";
import type { ServerConnection } from "../connection/server_connection.ts";

/** The policies of choosing; see the client's `balance`. */
export const BALANCES = ["failover", "round-robin", "unique"] as const;
export type Balance = typeof BALANCES[number];

/** The servers in the order in which they are to be tried for a job with that unique (`key`). */
export function orderServers<T extends { readonly link: ServerConnection }>(
  servers: readonly T[],
  balance: Balance,
  key: Workload | undefined,
  turn: () => number,
): readonly T[] {
  if (servers.length === 1 || balance === "failover") return servers;
  if (balance === "unique" && key !== undefined) return byUnique(servers, key);
  const first = turn() % servers.length;
  return [...servers.slice(first), ...servers.slice(0, first)];
}

/** Rendezvous hashing: each server has a score for the key, so that a server more or less moves only its own share. */
function byUnique<T extends { readonly link: ServerConnection }>(servers: readonly T[], key: Workload): readonly T[] {
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : key;
  const scores = new Map(servers.map((server) => [server, score(server.link.name, bytes)]));
  return [...servers].sort((a, b) => scores.get(b)! - scores.get(a)!);
}

/** FNV-1a over the name and the key, and the finalizer of MurmurHash3, without which near names score alike. */
function score(name: string, key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
