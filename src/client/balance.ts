/** Balancing: the order in which the servers of a client are tried for a job. Each policy is a function here. */

import { utf8Encoder } from "../internal/text.ts";
import type { Workload } from "../connection/arguments.ts";

/** A server, as far as a policy looks at it. */
interface Named {
  readonly name: string;
}

/** Orders servers for a job with that unique, if it has one; `turn` is one more at each call. */
type Policy = <T extends Named>(
  servers: readonly T[],
  unique: Workload | undefined,
  turn: () => number,
) => readonly T[];

/**
 * A policy by which a client chooses the server of a job.
 *
 * - "failover": the first server that is up, in the order of the list.
 * - "round-robin": each server in turn.
 * - "unique": the server that the job's unique stands for, so that equal jobs of all clients coalesce. Jobs without a
 *   unique take turns.
 */
export type Balance = "failover" | "round-robin" | "unique";

const POLICIES: Readonly<Record<Balance, Policy>> = {
  "failover": (servers) => servers,
  "round-robin": (servers, _unique, turn) => rotate(servers, turn() % servers.length),
  "unique": (servers, unique, turn) =>
    unique === undefined ? rotate(servers, turn() % servers.length) : byScore(servers, unique),
};

/** The names of all policies. */
export const BALANCES: readonly string[] = /* @__PURE__ */ Object.keys(POLICIES);

/** Returns the servers in the order in which they are to be tried. */
export function orderServers<T extends Named>(
  servers: readonly T[],
  balance: Balance,
  unique: Workload | undefined,
  turn: () => number,
): readonly T[] {
  return POLICIES[balance](servers, unique, turn);
}

function rotate<T>(servers: readonly T[], first: number): readonly T[] {
  return [...servers.slice(first), ...servers.slice(0, first)];
}

/** Rendezvous hashing: each server has a score for the unique, so that adding or removing a server moves its share only. */
function byScore<T extends Named>(servers: readonly T[], unique: Workload): readonly T[] {
  const bytes = typeof unique === "string" ? utf8Encoder.encode(unique) : unique;
  const scores = new Map(servers.map((server) => [server, score(server.name, bytes)]));
  return [...servers].sort((a, b) => scores.get(b)! - scores.get(a)!);
}

/** FNV-1a over name and unique, then the finalizer of MurmurHash3; without it similar names have similar scores. */
function score(name: string, unique: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  for (let i = 0; i < unique.length; i++) hash = Math.imul(hash ^ unique[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
