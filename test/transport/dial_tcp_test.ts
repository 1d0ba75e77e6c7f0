/** Tests of dialTcp() without TLS: TCP and unix sockets, failures, closing, and aborting. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type net from "node:net";
import { encodeRequest, encodeResponse, PacketType } from "../../src/codec/mod.ts";
import {
  Connection,
  ConnectionError,
  dialTcp,
  GearmanError,
  ProtocolError,
  type ServerAddress,
  type Transport,
} from "../../src/connection/mod.ts";
import { GearmanClient } from "../../mod.ts";
import { ServerConnection } from "../../src/connection/server_connection.ts";
import { readConnectOptions } from "../../src/connection/options.ts";
import { join, pattern, text, utf8 } from "../support/bytes.ts";
import { echoBack, unusedAddress, withSocketServer } from "../support/socket_server.ts";
import { deferred } from "../../src/internal/promises.ts";
import { holdTimers } from "../support/fake_timers.ts";
import { turns, until } from "../support/wait.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";

const timeout = 20_000;
const dial = dialTcp();

/** Connects to the address. */
async function connect(address: ServerAddress): Promise<Connection> {
  return new Connection(await dial(address, {}));
}

/** Sends packets to a peer that sends them back, and compares. */
async function assertEchoes(connection: Connection, sizes = [5, 0, 100_000]): Promise<void> {
  for (const size of sizes) connection.send(PacketType.ECHO_REQ, pattern(size));
  let at = 0;
  for await (const packet of connection) {
    assert.ok(text(packet.args[0]!) === text(pattern(sizes[at]!)), `${sizes[at]} bytes`);
    at++;
    if (at === sizes.length) break;
  }
  await connection.close();
}

/** Resolves with the error that ends a connection. */
function failure(connection: Connection): Promise<unknown> {
  return connection.pump(() => {}).then(() => assert.fail("it ended well"), (error: unknown) => error);
}

/** Returns the code of the runtime's error, which is the same on all runtimes. */
function code(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

test("packets go to a TCP server and back", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    await assertEchoes(await connect(address));
    await assertEchoes(new Connection(await dialTcp({ keepAlive: false, tls: false })(address, {})));
    await assertEchoes(await connect({ hostname: "localhost", port: address.port }));
  });
});

test("packets go to a unix socket and back", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => await assertEchoes(await connect(address)), { unix: true });
});

test("8 MiB are sent and received, though a socket may take only a part of a write", { timeout }, async () => {
  await withSocketServer(
    echoBack,
    async (address) => await assertEchoes(await connect(address), [8_388_608, 1, 1_000_000]),
  );
});

test("received bytes are never overwritten, and a slow reader loses nothing", { timeout }, async () => {
  const sent = pattern(3_000_000);
  await withSocketServer((socket) => void socket.end(sent), async (address) => {
    const transport = await dial(address, {});
    const found: Uint8Array[] = [];
    for await (const chunk of transport) {
      found.push(chunk);
      if (found.length % 4 === 0) await turns(1);
    }
    await transport.close();
    assert.ok(found.length > 1);
    assert.ok(text(join(found)) === text(sent));
  });
});

/** Milliseconds until TCP asks a silent peer, as the system shows them; `undefined` if it does not. */
function keepAliveDelay(port: number): number | undefined {
  const remote = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").map((row) => row.trim().split(/\s+/));
  const timer = rows.find((row) => row[2]?.endsWith(`:${remote}`) && row[3] === "01")?.[5];
  const [kind, ticks] = timer?.split(":") ?? [];
  return kind === "02" ? parseInt(ticks!, 16) * 10 : undefined;
}

test("TCP asks a silent peer after 30 seconds, unless keepAlive is false", {
  timeout,
  skip: existsSync("/proc/net/tcp") ? false : "the system does not show its timers",
}, async () => {
  await withSocketServer(() => {}, async (address) => {
    const transport = await dial(address, {});
    const delay = keepAliveDelay(address.port)!;
    assert.ok(delay > 20_000 && delay <= 30_000, `${delay} ms`);
    await transport.close();
    const without = await dialTcp({ keepAlive: false })(address, {});
    await until(() => keepAliveDelay(address.port) === undefined);
    await without.close();
  });
});

test("a refused connection rejects with the runtime's error", { timeout }, async () => {
  const address = await unusedAddress();
  await assert.rejects(connect(address), (error) => error instanceof Error && code(error) === "ECONNREFUSED");
});

test("a missing unix socket rejects with the runtime's error", { timeout }, async () => {
  await assert.rejects(
    connect({ hostname: "", port: 0, path: "/nonexistent/gearwire.sock" }),
    (error) => error instanceof Error && code(error) === "ENOENT",
  );
});

test("an unknown host rejects with the runtime's error", { timeout }, async () => {
  await assert.rejects(
    connect({ hostname: "nonexistent.invalid", port: 4730 }),
    (error) =>
      error instanceof Error && !(error instanceof GearmanError) && /ENOTFOUND|EAI_AGAIN|lookup/.test(error.message),
  );
});

test("a peer that takes no connections any more is given up in time, with a TimeoutError as cause", {
  skip: needs("gearmand"),
  timeout,
}, async () => {
  const { port, freeze, stop } = await startGearmand({ args: ["--backlog", "1"] });
  const links: ServerConnection[] = [];
  try {
    await freeze();
    const { servers, settings } = readConnectOptions({ servers: `127.0.0.1:${port}`, connectTimeout: 200 });
    const user = { onPacket: () => {}, onLost: () => {} };
    let error: unknown;
    // The kernel takes some for it; when its queue is full, it answers nothing at all.
    while (error === undefined) {
      links.push(new ServerConnection(servers[0]!, settings, user));
      await links.at(-1)!.open().catch((cause) => error = cause);
    }
    assert.ok(error instanceof ConnectionError);
    assert.deepEqual([error.server, error.delivery], [`127.0.0.1:${port}`, undefined]);
    assert.ok(error.cause instanceof DOMException);
    assert.deepEqual([error.cause.name, error.cause.message], ["TimeoutError", "no connection within 200 ms"]);
    await using client = new GearmanClient({ servers: `127.0.0.1:${port}`, connectTimeout: 200 });
    await assert.rejects(client.doBackground("f", "x", { unique: "u" }), (error) => {
      assert.ok(error instanceof ConnectionError && error.cause instanceof ConnectionError);
      assert.deepEqual([error.delivery, error.unique, error.cause.server], ["not-sent", "u", `127.0.0.1:${port}`]);
      assert.ok(error.cause.cause instanceof DOMException && error.cause.cause.name === "TimeoutError");
      return true;
    });
  } finally {
    await Promise.all(links.map((link) => link.close()));
    await stop();
  }
});

test("a reset is a ConnectionError whose cause is the runtime's error", { timeout }, async () => {
  const reset = (socket: net.Socket) => void socket.once("data", () => socket.resetAndDestroy());
  await withSocketServer(reset, async (address) => {
    const connection = await connect(address);
    connection.send(PacketType.PRE_SLEEP);
    const error = await failure(connection);
    assert.ok(error instanceof ConnectionError);
    assert.equal(code(error.cause), "ECONNRESET");
    assert.throws(() => connection.send(PacketType.PRE_SLEEP), (thrown) => thrown === error);
    await connection.close();
  });
});

test("writing to a connection that was reset fails, also without a reader", { timeout }, async () => {
  const reset = (socket: net.Socket) => void socket.once("data", () => socket.resetAndDestroy());
  await withSocketServer(reset, async (address) => {
    const connection = await connect(address);
    await assert.rejects(async () => {
      for (;;) {
        connection.send(PacketType.PRE_SLEEP);
        await connection.flush();
        await turns(1);
      }
    }, (error) => error instanceof ConnectionError && error.cause instanceof Error);
    await connection.close();
  });
});

test(
  "an end inside a packet is a ConnectionError, and between packets the end of the iteration",
  { timeout },
  async () => {
    const packet = encodeResponse(PacketType.ECHO_RES, "hello");
    await withSocketServer((socket) => void socket.end(packet.subarray(0, 14)), async (address) => {
      const error = await failure(await connect(address));
      assert.ok(error instanceof ConnectionError && error.cause instanceof ProtocolError);
    });
    await withSocketServer((socket) => void socket.end(packet), async (address) => {
      const connection = await connect(address);
      let found = 0;
      for await (const _ of connection) found++;
      assert.equal(found, 1);
      await connection.close();
    });
  },
);

test("bytes of another protocol are a ProtocolError, and the socket is closed", { timeout }, async () => {
  const gone = deferred<void>();
  const serve = (socket: net.Socket) => {
    socket.on("close", () => gone.resolve());
    socket.resume().write("HTTP/1.1 400 Bad Request\r\n\r\n");
  };
  await withSocketServer(serve, async (address) => {
    assert.ok(await failure(await connect(address)) instanceof ProtocolError);
    await gone.promise;
  });
});

test("a peer that has ended its own direction still receives packets", { timeout }, async () => {
  const received = deferred<string>();
  const serve = (socket: net.Socket) => {
    let all = "";
    socket.on("data", (chunk) => all += chunk);
    socket.on("end", () => received.resolve(all));
    socket.write(encodeResponse(PacketType.NOOP));
    socket.once("data", () => socket.end());
  };
  await withSocketServer(serve, async (address) => {
    const connection = await connect(address);
    for await (const _ of connection) {
      connection.send(PacketType.PRE_SLEEP);
      break;
    }
    await connection.flush();
    for await (const _ of connection) assert.fail("a second packet");
    await connection.close();
    assert.equal(await received.promise, text(encodeRequest(PacketType.PRE_SLEEP)));
  }, { allowHalfOpen: true });
});

test("bytes sent before close() arrive, also while many received bytes are unread", { timeout }, async () => {
  const received = deferred<number>();
  const serve = (socket: net.Socket) => {
    let size = 0;
    socket.write(encodeResponse(PacketType.NOOP));
    socket.write(encodeResponse(PacketType.ECHO_RES, new Uint8Array(67_108_864))); // more than all buffers hold
    socket.on("data", (chunk) => size += chunk.length);
    // On a slow machine the socket is destroyed before all of the large answer is taken: that is not what this proves.
    socket.on("error", () => {});
    socket.on("close", () => received.resolve(size));
  };
  await withSocketServer(serve, async (address) => {
    const connection = await connect(address);
    for await (const _ of connection) break;
    for (let i = 0; i < 3; i++) connection.send(PacketType.ECHO_REQ, pattern(200_000));
    await connection.flush();
    let closing: Promise<void> | undefined;
    holdTimers(() => closing = connection.close());
    await closing;
    assert.equal(await received.promise, 3 * 200_012);
  });
});

test("a peer that keeps sending is not read faster than its packets are consumed", { timeout }, async () => {
  const size = 67_108_864; // more than the buffers of both kernels' ends hold
  let sent = false;
  const serve = (socket: net.Socket) => void socket.end(new Uint8Array(size), () => sent = true);
  await withSocketServer(serve, async (address) => {
    const transport = await dial(address, {});
    let received = 0;
    for await (const chunk of transport) {
      if (received === 0) await turns(100);
      if (received === 0) assert.equal(sent, false, "everything was taken before it was asked for");
      received += chunk.length;
    }
    assert.equal(received, size);
    await transport.close();
  });
});

test("flush() waits for a peer that does not read, and destroy() ends it at once", { timeout }, async () => {
  await withSocketServer(() => {}, async (address) => {
    const connection = await connect(address);
    const pumping = connection.pump(() => {}).catch((error: unknown) => error);
    for (let i = 0; i < 64; i++) connection.send(PacketType.ECHO_REQ, new Uint8Array(1_048_576));
    let flushed = false;
    const flushing = connection.flush().then(() => flushed = true, (error: unknown) => error);
    await turns(20);
    assert.equal(flushed, false);
    let closing: Promise<void[]> | undefined;
    holdTimers(() => closing = Promise.all([connection.close(), connection.destroy()]));
    await closing;
    assert.ok(await flushing instanceof ConnectionError);
    assert.equal(await pumping, await flushing);
  }, { pauseOnConnect: true });
});

test("close() ends a waiting read, and a second close() has no effect", { timeout }, async () => {
  await withSocketServer((socket) => void socket.resume(), async (address) => {
    const transport: Transport = await dial(address, {});
    const reading = transport[Symbol.asyncIterator]().next();
    await turns(2);
    holdTimers(() => transport.close());
    await transport.close();
    assert.deepEqual(await reading, { done: true, value: undefined });
    assert.deepEqual(await transport[Symbol.asyncIterator]().next(), { done: true, value: undefined });
    await assert.rejects(async () => await transport.write(utf8("x")), Error);
  }, { allowHalfOpen: true }); // the peer does not end its side
});

test("an aborted signal prevents dialing", { timeout }, async () => {
  let connections = 0;
  await withSocketServer(() => connections++, async (address) => {
    const reason = new Error("too late");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(async () => await dial(address, { signal }), (error) => error === reason);
    await turns();
  });
  assert.equal(connections, 0);
});

test(
  "an abort while dialing rejects with the signal's reason, and leaves no connection behind",
  { timeout },
  async () => {
    for (const unix of [false, true]) {
      const gone: Promise<void>[] = [];
      const serve = (socket: net.Socket) => {
        gone.push(new Promise((resolve) => socket.on("close", () => resolve())));
        echoBack(socket);
      };
      await withSocketServer(serve, async (address) => {
        for (const reason of [new Error("gave up"), "a string", undefined]) {
          const controller = new AbortController();
          const dialing = dial(address, { signal: controller.signal });
          controller.abort(reason);
          await assert.rejects(async () => await dialing, (error) => error === controller.signal.reason);
        }
        await assertEchoes(await connect(address)); // earlier connections have been accepted now
        await Promise.all(gone);
      }, { unix });
    }
  },
);

test("an abort after dialing has no effect", { timeout }, async () => {
  await withSocketServer(echoBack, async (address) => {
    const controller = new AbortController();
    const connection = new Connection(await dial(address, { signal: controller.signal }));
    controller.abort();
    await turns();
    await assertEchoes(connection);
  });
});

test("on a runtime without sockets, the error asks for a dial function", { timeout }, async () => {
  const hidden = ["Deno", "process"].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  let dialing: Promise<unknown>;
  try {
    for (const [name] of hidden) Object.defineProperty(globalThis, name, { value: undefined, configurable: true });
    dialing = Promise.resolve(dial({ hostname: "127.0.0.1", port: 1 }, {}));
  } finally {
    for (const [name, descriptor] of hidden) {
      if (descriptor === undefined) delete (globalThis as Record<string, unknown>)[name];
      else Object.defineProperty(globalThis, name, descriptor);
    }
  }
  await assert.rejects(
    dialing,
    (error) => error instanceof GearmanError && /pass a dial function$/.test(error.message),
  );
});
