/** Tests of dialTcp() with TLS: trusted authorities, server names, client certificates, failures, and aborting. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type net from "node:net";
import type tls from "node:tls";
import { PacketType } from "../../src/codec/mod.ts";
import { Connection, ConnectionError, dialTcp } from "../../src/connection/mod.ts";
import type { ServerAddress, TlsOptions } from "../../src/connection/mod.ts";
import { pattern, text } from "../support/bytes.ts";
import { echoBack, type SocketServerOptions, withSocketServer } from "../support/socket_server.ts";
import { CA_CERT, CLIENT_CERT, CLIENT_KEY, SERVER_CERT, SERVER_KEY } from "../support/certificates.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns } from "../support/wait.ts";

const timeout = 20_000;
const plain: SocketServerOptions = { tls: { cert: SERVER_CERT, key: SERVER_KEY } };
const mutual: SocketServerOptions = { tls: { ...plain.tls, ca: CA_CERT, requestCert: true, rejectUnauthorized: true } };
const trusting: TlsOptions = { caCerts: [CA_CERT] };

/** Dials with these settings, sends packets to an echoing peer, and compares the replies. */
async function assertEchoes(address: ServerAddress, options: TlsOptions): Promise<void> {
  const connection = new Connection(await dialTcp({ tls: options })(address, {}));
  const sizes = [5, 0, 300_000];
  for (const size of sizes) connection.send(PacketType.ECHO_REQ, pattern(size));
  for await (const packet of connection) {
    assert.ok(text(packet.args[0]!) === text(pattern(sizes.shift()!)));
    if (sizes.length === 0) break;
  }
  await connection.close();
}

/** Asserts that dialing fails with the runtime's error about the certificate. */
async function assertRefused(address: ServerAddress, options: true | TlsOptions): Promise<void> {
  await assert.rejects(async () => await dialTcp({ tls: options })(address, {}), (error) => {
    assert.ok(error instanceof Error);
    assert.match(String((error as { code?: unknown }).code), /CERT|SIGNATURE|ISSUER/);
    return true;
  });
}

test("a server of a given authority is trusted, by its name and by its address", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    await assertEchoes(address, trusting);
    await assertEchoes({ hostname: "localhost", port: address.port }, trusting);
  }, plain);
});

test("a server of an unknown authority is refused", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    await assertRefused(address, true);
    await assertRefused(address, {});
    await assertRefused(address, { caCerts: [CLIENT_CERT] });
  }, plain);
});

test("serverName is sent as SNI and checked, whatever host was dialed", { timeout }, async () => {
  const names: unknown[] = [];
  const serve = (socket: net.Socket) => {
    names.push((socket as tls.TLSSocket).servername);
    echoBack(socket);
  };
  await withSocketServer(serve, async (address) => {
    await assertEchoes(address, { ...trusting, serverName: "jobs.test" });
    assert.deepEqual(names, ["jobs.test"]);
    await assertRefused(address, { ...trusting, serverName: "other.test" });
    await assertRefused({ hostname: "localhost", port: address.port }, { ...trusting, serverName: "client.test" });
  }, plain);
});

test("serverName can be an address, which is checked too", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    await assertEchoes({ hostname: "localhost", port: address.port }, { ...trusting, serverName: "127.0.0.1" });
    await assertRefused(address, { ...trusting, serverName: "10.9.9.9" });
    await assertRefused(address, { ...trusting, serverName: "::1" });
  }, plain);
});

test("a server that asks for a certificate receives the client's", { timeout }, async () => {
  const names: unknown[] = [];
  const serve = (socket: net.Socket) => {
    names.push((socket as tls.TLSSocket).getPeerCertificate().subject?.CN);
    echoBack(socket);
  };
  await withSocketServer(serve, async (address) => {
    await assertEchoes(address, { ...trusting, cert: CLIENT_CERT, key: CLIENT_KEY });
  }, mutual);
  assert.deepEqual(names, ["gearwire test client"]);
});

test("a client without a certificate is refused by a server that asks for one", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    let connection: Connection;
    try {
      connection = new Connection(await dialTcp({ tls: trusting })(address, {}));
    } catch (error) {
      assert.ok(error instanceof Error);
      return;
    }
    // With TLS 1.3 the refusal comes after the handshake, with the first read.
    connection.send(PacketType.PRE_SLEEP);
    const ended = connection.pump(() => assert.fail("a packet from a server that refused")).catch((error: unknown) =>
      error
    );
    const error = await ended;
    assert.ok(error === undefined || error instanceof ConnectionError, String(error));
    await connection.close();
  }, mutual);
});

test("TLS over a unix socket checks serverName", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    await assertEchoes(address, { ...trusting, serverName: "jobs.test" });
    await assertRefused(address, { ...trusting, serverName: "other.test" });
  }, { ...plain, unix: true });
});

test("a server without TLS is refused", { timeout }, async () => {
  await withSocketServer((socket) => void socket.end("OK 1.1.20\n"), async (address) => {
    await assert.rejects(async () => await dialTcp({ tls: trusting })(address, {}), Error);
  });
});

test("a server that closes before the handshake is an error at once", { timeout }, async () => {
  await withSocketServer((socket) => void socket.end(), async (address) => {
    await assert.rejects(async () => await dialTcp({ tls: trusting })(address, {}), Error);
  });
});

test(
  "an abort during the handshake rejects with the reason and destroys the socket",
  { timeout },
  async () => {
    const gone = deferred<void>();
    const begun = deferred<void>();
    const serve = (socket: net.Socket) => {
      socket.once("data", () => begun.resolve());
      socket.on("close", () => gone.resolve());
    };
    await withSocketServer(serve, async (address) => {
      const controller = new AbortController();
      const reason = new Error("gave up");
      const dialing = Promise.resolve(dialTcp({ tls: trusting })(address, { signal: controller.signal }));
      const refused = assert.rejects(dialing, (error) => error === reason);
      await begun.promise; // the first bytes of the handshake, which get no answer
      controller.abort(reason);
      await refused;
      await gone.promise;
    });
  },
);

test("an abort at once, and an aborted signal, reject with the reason", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    const reason = new Error("gave up");
    const controller = new AbortController();
    const dialing = Promise.resolve(dialTcp({ tls: trusting })(address, { signal: controller.signal }));
    controller.abort(reason);
    await assert.rejects(dialing, (error) => error === reason);
    await assert.rejects(
      async () => await dialTcp({ tls: trusting })(address, { signal: controller.signal }),
      (error) => error === reason,
    );
    await turns();
  }, plain);
});

test("cert and key must be given together", () => {
  assert.throws(() => dialTcp({ tls: { cert: CLIENT_CERT } }), TypeError);
  assert.throws(() => dialTcp({ tls: { key: CLIENT_KEY } }), TypeError);
});

test("settings are not changed", () => {
  const options = Object.freeze({ tls: Object.freeze({ ...trusting, serverName: "jobs.test" }), keepAlive: false });
  assert.equal(typeof dialTcp(options), "function");
});
