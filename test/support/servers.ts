// The job servers that the same tests run on: gearmand, JobServer over TCP, and JobServer in memory.

import { after, before, describe } from "node:test";
import { type ConnectOptions, GearmanClient } from "../../mod.ts";
import { Connection, type ConnectionOptions, dialTcp } from "../../src/connection/mod.ts";
import type { Packet, ServerAddress } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { parseServers } from "../../src/transport/addresses.ts";
import { needs } from "./requirements.ts";
import { startGearmand } from "./gearmand.ts";

/** A running job server of any kind. */
export interface TestServer {
  /** The options with which a client or a worker connects to it. */
  readonly connect: ConnectOptions;
  /** Its TCP port, or 0 if it has none. */
  readonly port: number;
  /** Stops it, and closes all of its connections. */
  stop(): Promise<void>;
}

/** A kind of job server. */
export interface ServerKind {
  readonly name: "gearmand" | "JobServer over TCP" | "JobServer in memory";
  /** Starts a server, on the port if one is given, otherwise on an unused one. */
  start(port?: number): Promise<TestServer>;
}

const KINDS: readonly ServerKind[] = [
  { name: "gearmand", start: startRealServer },
  { name: "JobServer over TCP", start: (port) => startJobServer(true, port) },
  { name: "JobServer in memory", start: () => startJobServer(false) },
];

/**
 * Describes the same tests for every kind of job server; with `port`, only for those that have a port. Tests on
 * gearmand are skipped if it is not installed.
 */
export function onEveryServer(name: string, tests: (kind: ServerKind) => void, options: { port?: boolean } = {}): void {
  for (const kind of KINDS) {
    if (options.port === true && kind.name === "JobServer in memory") continue;
    const skip = kind.name === "gearmand" ? needs("gearmand") : false;
    // Deno does not print the reason for a skip, so the name contains it.
    const why = skip === false ? "" : ` (skipped: ${skip})`;
    describe(`${name}, on ${kind.name}${why}`, { skip }, () => tests(kind));
  }
}

/** Opens a connection to a server. */
export async function openConnection<Item = Packet>(
  server: TestServer,
  options: ConnectionOptions<Item> = {},
): Promise<Connection<Item>> {
  const dial = server.connect.dial ?? dialTcp();
  const address: ServerAddress = parseServers(server.connect.servers ?? "127.0.0.1:1")[0]!;
  return new Connection(await dial(address, {}), options);
}

/** Starts a server and a client before the tests of a suite, passes them to `use`, and stops both after the tests. */
export function withClient(
  kind: Pick<ServerKind, "start">,
  use: (server: TestServer, client: GearmanClient) => void,
): void {
  let server: TestServer;
  let client: GearmanClient;
  before(async () => {
    server = await kind.start();
    client = new GearmanClient(server.connect);
    use(server, client);
  });
  after(async () => {
    await client.close();
    await server.stop();
  });
}

async function startRealServer(wanted?: number): Promise<TestServer> {
  const { port, stop } = await startGearmand(wanted === undefined ? {} : { port: wanted });
  return { connect: { servers: `127.0.0.1:${port}` }, port, stop };
}

async function startJobServer(tcp: boolean, wanted = 0): Promise<TestServer> {
  const server = new JobServer();
  const stop = () => server.close();
  if (!tcp) return { connect: { dial: server.dial }, port: 0, stop };
  const { port } = await server.listen({ port: wanted });
  return { connect: { servers: `127.0.0.1:${port}` }, port, stop };
}
