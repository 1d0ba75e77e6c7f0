/** Tests of listening sockets: their addresses, what cannot be bound, TLS handshakes, and closing. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConnectionError, dialTcp, type Transport } from "../../src/connection/mod.ts";
import { listen, type Listener, type ListenOptions } from "../../src/transport/listen.ts";
import { text, utf8 } from "../support/bytes.ts";
import { CA_CERT, SERVER_CERT, SERVER_KEY } from "../support/certificates.ts";
import { turns } from "../support/wait.ts";

const timeout = 20_000;
const tls = { cert: SERVER_CERT, key: SERVER_KEY };

/** A listener, with the addresses of those who have connected; it sends back what they send. */
async function listenAndEcho(options: ListenOptions): Promise<{ listener: Listener; peers: string[] }> {
  const peers: string[] = [];
  const listener = await listen(options, async (transport, address) => {
    peers.push(address);
    for await (const chunk of transport) await transport.write(chunk);
    transport.close();
  });
  return { listener, peers };
}

async function assertEchoes(transport: Transport): Promise<void> {
  await transport.write(utf8("hello"));
  const { value } = await transport[Symbol.asyncIterator]().next();
  assert.equal(text(value), "hello");
}

test("port 0, which is the default, is a free port, and the host is 127.0.0.1", { timeout }, async () => {
  for (const options of [{}, { port: 0 }, { hostname: "" }]) {
    const { listener, peers } = await listenAndEcho(options);
    const { hostname, port } = listener.address;
    assert.equal(hostname, "127.0.0.1");
    assert.ok(port > 0);
    const transport = await dialTcp()(listener.address, {});
    await assertEchoes(transport);
    assert.deepEqual(peers, ["127.0.0.1"]);
    transport.close();
    listener.close();
  }
});

test("a unix socket has its path as the address, and its peers have none", { timeout }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "gearwire-"));
  try {
    for (const options of [{}, { tls }]) {
      const path = join(folder, "socket");
      const { listener, peers } = await listenAndEcho({ path, ...options });
      assert.deepEqual(listener.address, { hostname: "", port: 0, path });
      const secure = "tls" in options ? { tls: { caCerts: [CA_CERT], serverName: "localhost" } } : {};
      const transport = await dialTcp(secure)(listener.address, {});
      await assertEchoes(transport);
      assert.deepEqual(peers, ["-"]);
      transport.close();
      listener.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an address that cannot be bound is a ConnectionError that names it", { timeout }, async () => {
  const { listener } = await listenAndEcho({});
  const { port } = listener.address;
  await assert.rejects(listen({ port }, () => {}), (error: Error) => {
    assert.ok(error instanceof ConnectionError && error.cause instanceof Error);
    assert.equal(error.server, `127.0.0.1:${port}`);
    return error.message.startsWith(`Cannot listen on 127.0.0.1:${port}: `);
  });
  listener.close();
});

test("wrong addresses and incomplete certificates are refused", { timeout }, async () => {
  for (const port of [-1, 65_536, 1.5]) await assert.rejects(listen({ port }, () => {}), RangeError);
  const bad = [
    { path: "/tmp/x", port: 1 },
    { path: "/tmp/x", hostname: "localhost" },
    { tls: { cert: SERVER_CERT } },
    { tls: { key: SERVER_KEY } },
  ];
  for (const options of bad) await assert.rejects(listen(options as ListenOptions, () => {}), TypeError);
});

test("a client that has ended its side still gets what is sent", { timeout }, async () => {
  const { listener } = await listenAndEcho({});
  const socket = net.connect(listener.address.port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk: Uint8Array) => received += text(chunk));
  socket.end("hello");
  await once(socket, "close");
  assert.equal(received, "hello");
  listener.close();
});

test("a client that does not speak TLS is closed", { timeout }, async () => {
  const { listener, peers } = await listenAndEcho({ tls });
  const socket = net.connect(listener.address.port, "127.0.0.1");
  socket.on("error", () => {}); // the listener may reset it
  socket.resume();
  socket.write("SPDY/1\r\n\r\n");
  await once(socket, "close");
  assert.deepEqual(peers, []);
  listener.close();
});

// After ten seconds the listener would end the handshake by itself.
test("closing ends TLS handshakes that are not complete, and no connection", { timeout: 5_000 }, async () => {
  const { listener } = await listenAndEcho({ tls });
  const transport = await dialTcp({ tls: { caCerts: [CA_CERT] } })(listener.address, {});
  await assertEchoes(transport);
  const silent = net.connect(listener.address.port, "127.0.0.1");
  silent.on("error", () => {});
  silent.resume();
  await once(silent, "connect");
  await turns(); // until the listener has accepted it
  const closed = once(silent, "close");
  listener.close();
  await closed;
  await transport.write(utf8("there?"));
  assert.equal(text((await transport[Symbol.asyncIterator]().next()).value), "there?");
  transport.close();
});
