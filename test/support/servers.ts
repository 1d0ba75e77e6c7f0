// The job servers that the same tests run against: gearmand, and JobServer over TCP and in memory.

import { after, before, describe } from "node:test";
import { type ConnectOptions, GearmanClient } from "../../mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { needs, startGearmand } from "./gearmand.ts";

/** A running job server, whatever it is. */
export interface TestServer {
  /** Options that a client or a worker reaches it with. */
  readonly connect: ConnectOptions;
  /** Its TCP port, or 0 if it has none. */
  readonly port: number;
  /** Ends it and all of its connections at once. */
  stop(): Promise<void>;
}

/** A kind of job server. */
export interface ServerKind {
  readonly name: "gearmand" | "JobServer over TCP" | "JobServer in memory";
  /** Starts one; on a free port, if it has any, unless told which. */
  start(port?: number): Promise<TestServer>;
}

const KINDS: readonly ServerKind[] = [
  { name: "gearmand", start: startRealServer },
  { name: "JobServer over TCP", start: (port) => startJobServer(true, port) },
  { name: "JobServer in memory", start: () => startJobServer(false) },
];

/**
 * Describes the same tests for every kind of job server, or for those that have a port; those on gearmand are skipped
 * where there is none.
 */
export function onEveryServer(name: string, tests: (kind: ServerKind) => void, options: { port?: boolean } = {}): void {
  for (const kind of KINDS) {
    if (options.port === true && kind.name === "JobServer in memory") continue;
    const skip = kind.name === "gearmand" ? needs("gearmand") : false;
    // Deno does not print why something is skipped, but it prints its name.
    const why = skip === false ? "" : ` (skipped: ${skip})`;
    describe(`${name}, on ${kind.name}${why}`, { skip }, () => tests(kind));
  }
}

/** Starts a server of the kind and a client of it before the tests beside it, gives them out, and ends both after the tests. */
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
