/** Tests of a client over TLS: with gearmand behind a terminator, and with JobServer's own TLS. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ConnectionError, GearmanClient, GearmanWorker } from "../../mod.ts";
import type { ClientOptions, GearmanEvent, TlsOptions } from "../../mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { withSocketServer } from "../support/socket_server.ts";
import {
  CA_CERT,
  CLIENT_CERT,
  CLIENT_KEY,
  EXPIRED_CERT,
  EXPIRED_KEY,
  OTHER_CA_CERT,
  SERVER_CERT,
  SERVER_KEY,
  STRANGER_CERT,
  STRANGER_KEY,
} from "../support/certificates.ts";
import { countJobs } from "../support/server_commands.ts";
import { runProgram } from "../support/programs.ts";
import { onEveryServer, type TestServer } from "../support/servers.ts";

const timeout = 30_000;

interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}
const plain: ServerTls = { cert: SERVER_CERT, key: SERVER_KEY };
const mutual: ServerTls = { ...plain, ca: CA_CERT };
const trusting: TlsOptions = { caCerts: [CA_CERT] };
const known: TlsOptions = { ...trusting, cert: CLIENT_CERT, key: CLIENT_KEY };

/** Runs with a job server on a port with TLS; `inside` reaches it without TLS. */
type Secured = (tls: ServerTls, use: (port: number, inside: TestServer) => Promise<void>) => Promise<void>;

/** A terminator in front of a server without TLS. */
function terminated(inside: TestServer): Secured {
  return (tls, use) =>
    withSocketServer(
      (socket) => {
        const inner = net.connect({ host: "127.0.0.1", port: inside.port });
        inner.on("error", () => socket.destroy());
        socket.on("close", () => inner.destroy());
        socket.pipe(inner).pipe(socket);
      },
      ({ port }) => use(port, inside),
      { tls: { ...tls, requestCert: tls.ca !== undefined } },
    );
}

const ownTls: Secured = async (tls, use) => {
  await using server = new JobServer();
  const { port } = await server.listen({ tls });
  await use(port, { connect: { dial: server.dial }, port, stop: () => server.close() });
};

/** Returns "done", or the delivery or the name of the error that ends a call. */
function outcomeOf(call: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(call).then(() => "done", (error) => {
    assert.ok(error instanceof ConnectionError, String(error));
    return error.delivery ?? error.name;
  });
}

/** Makes one call of each kind with these settings, and returns their outcomes. */
async function callsWith(port: number, tls: true | TlsOptions, options: ClientOptions = {}): Promise<unknown[]> {
  await using client = new GearmanClient({
    ...{ servers: `127.0.0.1:${port}`, tls, minBackoff: 1, maxBackoff: 1 },
    ...options,
  });
  return await Promise.all([
    outcomeOf(client.do("refused").created()),
    outcomeOf(client.doBackground("refused", "x")),
    outcomeOf(client.doBackgroundAll("refused", ["a", "b"]).next()),
    outcomeOf(client.jobStatus("H:x:1")),
    outcomeOf(client.jobStatusByUnique("u")),
    outcomeOf(client.watch("H:x:1").next()),
    outcomeOf(client.echo("x")),
  ]);
}
const REFUSED = [...Array(3).fill("not-sent"), ...Array(4).fill("ConnectionError")];

onEveryServer("over TLS", (kind) => {
  let inside: TestServer;
  let secured: Secured;
  before(async () => {
    inside = await kind.start();
    secured = kind.name === "gearmand" ? terminated(inside) : ownTls;
  });
  after(() => inside.stop());

  test("many jobs and large ones go both ways", { timeout }, async () => {
    await secured(mutual, async (port) => {
      const connect = { servers: `localhost:${port}`, tls: known };
      await using worker = new GearmanWorker({ ...connect, concurrency: 5 });
      worker.addFunction("echo", (job) => job.workload);
      worker.run();
      await using client = new GearmanClient(connect);
      const large = "x".repeat(1_000_000);
      const jobs = [large, ...Array.from({ length: 200 }, (_, i) => `${i}`)].map((sent) =>
        client.do("echo", sent).text()
      );
      assert.deepEqual((await Promise.all(jobs)).map((got) => got.length), [
        1_000_000,
        ...Array.from({ length: 200 }, (_, i) => `${i}`.length),
      ]);
      assert.equal((await client.doBackground("echo", "x")).server, `localhost:${port}`);
    });
  });

  const servers: [string, ServerTls, true | TlsOptions, RegExp][] = [
    ["from an authority that the runtime does not know", plain, true, /CERT|ISSUER|SIGNATURE/],
    ["from an authority other than the given one", plain, { caCerts: [OTHER_CA_CERT] }, /CERT|ISSUER|SIGNATURE/],
    ["for another host", plain, { ...trusting, serverName: "other.test" }, /CERT|ALTNAME/],
    // Deno has one message for all of them.
    ["that has expired", { cert: EXPIRED_CERT, key: EXPIRED_KEY }, { caCerts: [OTHER_CA_CERT] }, /EXPIRED|SIGNATURE/],
  ];
  for (const [name, tls, options, code] of servers) {
    test(`a server's certificate ${name} ends the dial, and no call is sent`, { timeout }, async () => {
      await secured(tls, async (port, inside) => {
        const events: GearmanEvent[] = [];
        assert.deepEqual(await callsWith(port, options, { onEvent: (event) => events.push(event) }), REFUSED);
        const [first] = events;
        assert.ok(first?.type === "error", first?.type);
        assert.match(first.error.message, /^Cannot connect to 127.0.0.1:\d+: /);
        const { cause } = first.error as { cause?: { code?: unknown; message?: unknown } };
        assert.match(`${cause?.code} ${cause?.message}`, code);
        assert.equal(events.some(({ type }) => type === "connected"), false);
        assert.equal(await countJobs(inside, "refused"), 0);
      });
    });
  }

  const clients: [string, TlsOptions][] = [
    ["from another authority", { ...trusting, cert: STRANGER_CERT, key: STRANGER_KEY }],
    ["that is missing", trusting],
  ];
  for (const [name, options] of clients) {
    test(`a client's certificate ${name} is refused, and no call is sent`, { timeout }, async () => {
      await secured(mutual, async (port, inside) => {
        assert.deepEqual(await callsWith(port, options), REFUSED);
        assert.equal(await countJobs(inside, "refused"), 0);
      });
    });
  }

  test(
    "a server that refuses the client's certificate is skipped, and no job is submitted twice",
    { timeout },
    async () => {
      await secured(mutual, (refusing, first) =>
        secured(plain, async (port, second) => {
          const client = new GearmanClient({ servers: [`127.0.0.1:${refusing}`, `127.0.0.1:${port}`], tls: trusting });
          const jobs = await Promise.all(Array.from({ length: 20 }, () => client.doBackground("skipped", "x")));
          assert.deepEqual(new Set(jobs.map(({ server }) => server)), new Set([`127.0.0.1:${port}`]));
          assert.equal(new Set(jobs.map(({ handle }) => handle)).size, 20);
          assert.equal(await countJobs(second, "skipped"), 20);
          if (first !== second) assert.equal(await countJobs(first, "skipped"), 0);
          await client.close();
        }));
    },
  );
}, { port: true });

test("a server needs no caCerts if the runtime trusts its authority", { timeout }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "gearwire-"));
  const ca = join(directory, "ca.pem");
  await writeFile(ca, CA_CERT);
  try {
    await ownTls(plain, async (port) => {
      const server = `127.0.0.1:${port}`;
      assert.equal(await runProgram("tls_client", [server], { DENO_CERT: ca, NODE_EXTRA_CA_CERTS: ca }), "trusted");
      assert.equal(await runProgram("tls_client", [server]), "ConnectionError");
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
