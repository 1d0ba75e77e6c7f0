import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PacketType as P } from "../../src/codec/mod.ts";
import { ConnectionError, dialTcp, memoryPipe } from "../../src/connection/mod.ts";
import type { ServerAddress } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import type { JobServerOptions } from "../../src/server/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { CA_CERT, CLIENT_CERT, CLIENT_KEY, SERVER_CERT, SERVER_KEY } from "../support/certificates.ts";
import { REQUIRED } from "../support/requirements.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { turns } from "../support/wait.ts";
import { readable, request as r, Wire } from "../conformance/wire.ts";

const HELLO = r(P.ECHO_REQ, "hello");

/** Runs a test with a server, and closes it afterwards. */
async function withServer(use: (server: JobServer) => Promise<void>, options?: JobServerOptions): Promise<void> {
  const server = new JobServer(options);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

async function receive(wire: Wire, end: string): Promise<string> {
  return readable(await wire.until((received) => received.endsWith(end)));
}

test("listen() takes a free port of 127.0.0.1 and returns it", () =>
  withServer(async (server) => {
    const [first, second] = [await server.listen(), await server.listen()];
    for (const address of [first, second]) {
      assert.equal(address.hostname, "127.0.0.1");
      assert.ok(address.port > 0);
      const wire = new Wire(await dialTcp()(address, {}));
      await wire.send(HELLO, "workers\n");
      assert.match(await receive(wire, ".\n"), /^\[ECHO_RES hello\]\d+ 127\.0\.0\.1 - :\\n/);
      await wire.close();
    }
    assert.notEqual(first.port, second.port);
  }));

test("listen() binds a unix socket, and close() removes it", async () => {
  const path = join(tmpdir(), `gearwire-test-${process.pid}.sock`);
  await withServer(async (server) => {
    assert.deepEqual(await server.listen({ path }), { hostname: "", port: 0, path });
    const wire = new Wire(await dialTcp()({ hostname: "", port: 0, path }, {}));
    await wire.send("workers\n");
    assert.equal(await receive(wire, ".\n"), "1 - - :\\n.\\n");
    await wire.close();
  });
  assert.equal(existsSync(path), false);
});

test("listen() serves TLS, and with `ca` requires a certificate of the client", () =>
  withServer(async (server) => {
    const tls = { cert: SERVER_CERT, key: SERVER_KEY };
    const open = await server.listen({ tls });
    const closed = await server.listen({ tls: { ...tls, ca: CA_CERT } });
    const own = { cert: CLIENT_CERT, key: CLIENT_KEY };
    const asked: [ServerAddress, object][] = [[open, {}], [closed, own]];
    for (const [address, certificate] of asked) {
      const wire = new Wire(await dialTcp({ tls: { caCerts: [CA_CERT], ...certificate } })(address, {}));
      await wire.send(HELLO);
      assert.equal(await receive(wire, "hello"), "[ECHO_RES hello]");
      await wire.close();
    }
    const refused = await Promise.resolve(dialTcp({ tls: { caCerts: [CA_CERT] } })(closed, {})).then(
      async (transport) => {
        const wire = new Wire(transport);
        await wire.send(HELLO).catch(() => {});
        return await receive(wire, "hello");
      },
    ).catch(() => "(end)");
    assert.equal(refused, "(end)");
  }));

test("listen() rejects with the reason if it cannot listen", () =>
  withServer(async (server) => {
    const { port } = await server.listen();
    await assert.rejects(server.listen({ port }), (error: Error) => {
      assert.ok(error instanceof ConnectionError && error.cause instanceof Error);
      assert.match(error.message, new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: `));
      return true;
    });
    await assert.rejects(server.listen({ path: "/nowhere/at/all.sock" }), ConnectionError);
    await assert.rejects(server.listen({ port: 65_536 }), RangeError);
    await assert.rejects(server.listen({ port: 1.5 }), RangeError);
    await assert.rejects(server.listen({ path: "/tmp/x", port: 1 }), TypeError);
    await assert.rejects(server.listen({ tls: { cert: "x" } as never }), TypeError);
  }));

test("accept() serves any transport", () =>
  withServer(async (server) => {
    const [here, there] = memoryPipe();
    server.accept(there);
    const wire = new Wire(here);
    await wire.send(HELLO);
    assert.equal(await receive(wire, "hello"), "[ECHO_RES hello]");
    assert.throws(() => server.accept({} as never), TypeError);
  }));

test("dial rejects when its signal is aborted, and when the server is closed", () =>
  withServer(async (server) => {
    const address = { hostname: "anywhere", port: 1 };
    await assert.rejects(async () => await server.dial(address, { signal: AbortSignal.abort("why") }), (e) =>
      e === "why");
    await server.close();
    await assert.rejects(async () =>
      await server.dial(address, {}), ConnectionError);
    await assert.rejects(server.listen(), ConnectionError);
    assert.throws(() => server.accept(memoryPipe()[0]), ConnectionError);
  }));

test("a client that ends its side still gets the answers to everything that it sent", () =>
  withServer(async (server) => {
    const { port } = await server.listen();
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const chunks: Uint8Array[] = [];
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    const data = "x".repeat(10_000);
    socket.end(r(P.ECHO_REQ, data).repeat(2_000), "latin1");
    await once(socket, "end");
    assert.equal(chunks.reduce((sum, { length }) => sum + length, 0), 2_000 * 10_012);
    socket.destroy();
  }));

test("a job that is due in a thousand years sets a timer of 24.8 days, the maximum of a timer", () =>
  withServer(async (server) => {
    using timers = fakeTimers(2_147_483_647);
    const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    await wire.send(r(P.SUBMIT_JOB_EPOCH, "f", "", "33333333333", ""));
    await wire.sync();
    assert.deepEqual([timers.set, timers.active], [1, 1]);
    timers.fire();
    assert.deepEqual([timers.set, timers.active], [2, 1]);
  }));

test("a malformed packet closes its own connection only", () =>
  withServer(async (server) => {
    const address = await server.listen();
    const other = new Wire(await dialTcp()(address, {}));
    // Type 0x80000000 ends gearmand. A submission with one argument, or a body of 4 GiB, makes it wait.
    const broken = [
      "\0REQ\x80\0\0\0\0\0\0\0",
      "\0REQ\0\0\0\x07\0\0\0\x01f",
      "\0REQ\0\0\0\x10\xff\xff\xff\xff",
      "\0BAD" + "\0".repeat(8),
      "x".repeat(9_000),
    ];
    for (const bytes of broken) {
      const wire = new Wire(await dialTcp()(address, {}));
      await wire.send(bytes);
      assert.equal(await receive(wire, "never"), "(end)");
    }
    assert.equal(readable(await other.sync()), "");
    await other.close();
  }));

test("a connection over maxConnections is closed at once", () =>
  withServer(async (server) => {
    const address = { hostname: "", port: 0 };
    const wires = [new Wire(await server.dial(address, {})), new Wire(await server.dial(address, {}))];
    assert.equal(await receive(new Wire(await server.dial(address, {})), "never"), "(end)");
    assert.equal(server.inspect().connections, 2);
    for (const wire of wires) assert.equal(readable(await wire.sync()), "");
  }, { maxConnections: 2 }));

test("a job over maxJobs is refused, and a submission may still join", () =>
  withServer(async (server) => {
    const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    const submit = (unique: string) => r(P.SUBMIT_JOB_BG, "f", unique, "");
    await wire.send(submit("a"), submit("b"), submit("c"), submit("b"));
    const full = "[ERROR QUEUE_ERROR|Job queue is full]";
    assert.equal(readable(await wire.sync()), `[JOB_CREATED H:x:1][JOB_CREATED H:x:2]${full}[JOB_CREATED H:x:2]`);
  }, { maxJobs: 2, handlePrefix: "H:x" }));

test("a body over maxPacketSize closes the connection", () =>
  withServer(async (server) => {
    const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    await wire.send(HELLO);
    assert.equal(await receive(wire, "hello"), "[ECHO_RES hello]");
    await wire.send(r(P.ECHO_REQ, "hello!"));
    assert.equal(await receive(wire, "never"), "(end)");
  }, { maxPacketSize: 5 }));

test("inspect() shows connections, functions and jobs, with names as text", () =>
  withServer(async (server) => {
    const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    await wire.send(r(P.CAN_DO, "grün"), r(P.SUBMIT_JOB_HIGH, "grün", "ü", ""), r(P.SUBMIT_JOB_LOW_BG, "grün", "", ""));
    await wire.send(r(P.GRAB_JOB), r(P.SUBMIT_JOB_EPOCH, "grün", "", "99999999999", ""));
    await wire.sync();
    assert.deepEqual(server.inspect(), {
      connections: 1,
      functions: [{ functionName: "grün", high: 0, normal: 1, low: 1, workers: 1 }],
      jobs: [
        { handle: "H:gearwire:1", functionName: "grün", unique: "ü", running: true },
        { handle: "H:gearwire:2", functionName: "grün", unique: "", running: false },
        { handle: "H:gearwire:3", functionName: "grün", unique: "", running: false },
      ],
    });
  }));

test("an option that is undefined has its default", async () => {
  const names = ["version", "handlePrefix", "jobRetries", "exceptions", "roundRobin", "workerWakeup", "maxPacketSize"];
  const all = [...names, "maxJobs", "maxConnections", "fault", "onError"].map((name) => [name, undefined]);
  const options: JobServerOptions = Object.fromEntries(all);
  await withServer(async (server) => {
    const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    await wire.send(r(P.SUBMIT_JOB_BG, "f", "", ""));
    assert.equal(readable(await wire.sync()), "[JOB_CREATED H:gearwire:1]");
  }, options);
});

test("the constructor checks its options", () => {
  const wrong: JobServerOptions[] = [
    { handlePrefix: "" },
    { handlePrefix: "x".repeat(53) },
    { handlePrefix: "a b" },
    { handlePrefix: "ü" },
    { version: "3.0" as never },
    { jobRetries: -1 },
    { jobRetries: NaN },
    { workerWakeup: 0.5 },
    { maxPacketSize: 2 ** 32 },
    { maxJobs: 0 },
    { maxConnections: 0 },
  ];
  for (const options of wrong) assert.throws(() => new JobServer(options), RangeError, JSON.stringify(options));
  for (const options of [{ exceptions: 1 }, { roundRobin: "yes" }, { fault: true }]) {
    assert.throws(() => new JobServer(options as never), TypeError);
  }
});

test(
  "a connection that does not speak TLS is closed, and a silent one is closed after 10 s",
  { timeout: 60_000 },
  () =>
    withServer(async (server) => {
      const { port } = await server.listen({ tls: { cert: SERVER_CERT, key: SERVER_KEY } });
      // Only CI waits for the ten seconds.
      await Promise.all(["SPDY/1\r\n\r\n", ...REQUIRED ? [""] : []].map(async (words) => {
        const socket = connect({ port, host: "127.0.0.1" });
        socket.on("error", () => {}); // the server may reset the connection
        socket.write(words);
        socket.resume();
        await once(socket, "close");
      }));
      assert.equal(server.inspect().connections, 0);
    }),
);

test("close() ends all connections, and may be called again", async () => {
  const server = new JobServer();
  const address = await server.listen();
  const wires = [new Wire(await dialTcp()(address, {})), new Wire(await server.dial(address, {}))];
  for (const wire of wires) await wire.sync();
  await Promise.all([server.close(), server.close(), server[Symbol.asyncDispose]()]);
  for (const wire of wires) assert.equal(await receive(wire, "never"), "(end)");
  await assert.rejects(async () => await dialTcp()(address, {}));
});

test("a connection counts until its transport has closed, and close() waits for that", async () => {
  const server = new JobServer();
  const [here, there] = memoryPipe();
  const closed = deferred<void>();
  server.accept({
    write: (bytes) => there.write(bytes),
    close: () => closed.promise,
    [Symbol.asyncIterator]: () => there[Symbol.asyncIterator](),
  });
  here.close();
  await turns();
  assert.equal(server.inspect().connections, 1);
  let isClosed = false;
  const closing = server.close().then(() => isClosed = true);
  await turns();
  assert.equal(isClosed, false);
  closed.resolve();
  await closing;
  assert.equal(server.inspect().connections, 0);
});

test("nothing keeps the process alive after close()", { timeout: 60_000 }, async () => {
  const program = fileURLToPath(new URL(`../programs/idle_server.${import.meta.url.slice(-2)}`, import.meta.url));
  const child = spawn(process.execPath, [..."Deno" in globalThis ? ["run", "-A"] : [], program], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});

test("`version` answers with the version that the server answers as", async () => {
  const answers = [[undefined, "OK 2.0.0\\n"], ["2.0", "OK 2.0.0\\n"], ["1.1", "OK 1.1.20\\n"]] as const;
  for (const [version, answer] of answers) {
    await withServer(async (server) => {
      const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
      await wire.send("version\n");
      assert.equal(await receive(wire, "\n"), answer);
    }, { version });
  }
});

test("a worker gets the highest priority over its functions, then its functions in turn; as 1.1, the newest function", async () => {
  const submissions = [
    r(P.SUBMIT_JOB_LOW_BG, "f", "", "f low"),
    r(P.SUBMIT_JOB_BG, "f", "", "f 1"),
    r(P.SUBMIT_JOB_BG, "f", "", "f 2"),
    r(P.SUBMIT_JOB_HIGH_BG, "f", "", "f high"),
    r(P.SUBMIT_JOB_LOW_BG, "g", "", "g low"),
    r(P.SUBMIT_JOB_BG, "g", "", "g 1"),
    r(P.SUBMIT_JOB_BG, "g", "", "g 2"),
  ];
  const orders: [JobServerOptions, string][] = [
    [{}, "f high, g 1, f 1, g 2, f 2, g low, f low"],
    [{ roundRobin: false }, "f high, g 1, f 1, g 2, f 2, g low, f low"],
    [{ version: "1.1" }, "g 1, g 2, g low, f high, f 1, f 2, f low"],
    [{ version: "1.1", roundRobin: true }, "g 1, f high, g 2, f 1, g low, f 2, f low"],
  ];
  for (const [options, order] of orders) {
    await withServer(async (server) => {
      const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
      await wire.send(...submissions, r(P.CAN_DO, "f"), r(P.CAN_DO, "g"));
      await wire.sync();
      await wire.send(r(P.GRAB_JOB).repeat(7));
      const assigned = Array.from((await wire.sync()).matchAll(/\0([fg] \w+)/g), ([, workload]) => workload);
      assert.equal(assigned.join(", "), order, JSON.stringify(options));
    }, options);
  }
});

test("when a client leaves, its jobs in the background stay, and the others are ignored", () =>
  withServer(async (server) => {
    const submissions = {
      background: [
        ...[P.SUBMIT_JOB_BG, P.SUBMIT_JOB_HIGH_BG, P.SUBMIT_JOB_LOW_BG].map((type) => r(type, "f", "", "")),
        r(P.SUBMIT_JOB_EPOCH, "f", "", "0", ""),
        r(P.SUBMIT_REDUCE_JOB_BACKGROUND, "f", "", "r", "", ""),
      ],
      foreground: [
        ...[P.SUBMIT_JOB, P.SUBMIT_JOB_HIGH, P.SUBMIT_JOB_LOW].map((type) => r(type, "f", "", "")),
        r(P.SUBMIT_REDUCE_JOB, "f", "", "r", "", ""),
      ],
    };
    const client = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    await client.send(...submissions.background, ...submissions.foreground);
    await client.sync();
    await client.close();
    await turns();
    const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    await wire.send("show jobs\n");
    const shown = await receive(wire, ".\n");
    const flags = Array.from(
      shown.matchAll(/H:\S+?\\t0\\t(\d)\\t(\d)/g),
      ([, ignored, background]) => `${ignored}${background}`,
    );
    assert.deepEqual(flags.sort(), [...Array(5).fill("01"), ...Array(4).fill("10")], shown);
    await wire.close();
  }));

test("with two numbers, maxqueue limits the high and the normal priority, and not the low one", () =>
  withServer(async (server) => {
    const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
    await wire.send("create function f\n", "maxqueue f 1 1\n");
    await wire.send(r(P.SUBMIT_JOB_BG, "f", "", ""), ...Array<string>(2).fill(r(P.SUBMIT_JOB_LOW_BG, "f", "", "")));
    await wire.send(r(P.SUBMIT_JOB_BG, "f", "", ""));
    const answers = readable(await wire.sync());
    assert.equal(answers.match(/JOB_CREATED|QUEUE_ERROR/g)?.join(), "JOB_CREATED,JOB_CREATED,JOB_CREATED,QUEUE_ERROR");
    await wire.close();
  }));

test("options that are not an object are refused in words", () => {
  assert.throws(() => new JobServer(null as never), /^TypeError: Cannot use the options: expected an object$/);
});
