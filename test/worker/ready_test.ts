/** Tests of waiting until a server has taken the functions of a worker. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GearmanClient, GearmanError, GearmanWorker } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { FakeServer } from "../support/fake_server.ts";
import { functionStatus } from "../support/server_commands.ts";
import { onEveryServer } from "../support/servers.ts";
import { countedSignal } from "../support/signals.ts";
import { turns, until } from "../support/wait.ts";
import { countPackets, describePacket, heldHandler, makeWorker, startWorker, untilSent } from "../support/workers.ts";

const timeout = 30_000;

/** Returns a function that tells whether a promise has resolved. */
function watch(promise: Promise<void>): () => boolean {
  let resolved = false;
  promise.then(() => resolved = true, () => {});
  return () => resolved;
}

onEveryServer("ready()", (kind) => {
  test("resolves when the server has the functions, also before run(), and again for a later one", {
    timeout,
  }, async () => {
    const server = await kind.start();
    const worker = makeWorker(server.connect, { a: () => {}, b: () => {} });
    const ready = worker.ready();
    worker.run();
    await ready;
    for (const name of ["a", "b"]) assert.deepEqual(await functionStatus(server, name), [0, 0, 1]);
    worker.addFunction("c", () => {});
    await worker.ready({ signal: AbortSignal.timeout(timeout) });
    assert.deepEqual(await functionStatus(server, "c"), [0, 0, 1]);
    await worker.close();
    await server.stop();
  });

  test("resolves while all slots are in use, and without functions", { timeout }, async () => {
    const server = await kind.start();
    const worker = startWorker(server.connect, {});
    await worker.ready();
    const { handler, started, release } = heldHandler();
    worker.addFunction("held", handler);
    await using client = new GearmanClient(server.connect);
    await client.doBackground("held", "x");
    await started.promise;
    worker.addFunction("late", () => {});
    await worker.ready();
    assert.deepEqual(await functionStatus(server, "late"), [0, 0, 1]);
    release.resolve("");
    await worker.close();
    await server.stop();
  });
});

describe("ready()", () => {
  test("waits for an answer behind the functions, on the first server that has one", { timeout }, async () => {
    const servers = [new FakeServer(), new FakeServer()];
    await using worker = makeWorker({
      servers: "a:1,b:2",
      dial: (address, options) => servers[address.port - 1]!.dial(address, options),
      drainTimeout: 0,
    }, { f: () => {} });
    const isReady = watch(worker.ready());
    worker.run();
    for (const server of servers) await untilSent(server, "ECHO_REQ ");
    assert.deepEqual(servers[1]!.peer.requests.map(describePacket).slice(0, 2), ["CAN_DO f", "ECHO_REQ "]);
    for (const server of servers) server.peer.answer(PacketType.NOOP);
    await turns();
    assert.equal(isReady(), false);
    servers[1]!.peer.answer(PacketType.ECHO_RES, "");
    await until(isReady);
  });

  test("is answered by a grab too, at a server that does not answer ECHO_REQ", { timeout }, async () => {
    const server = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.NO_JOB);
    });
    await using worker = makeWorker({ dial: server.dial }, { f: () => {} });
    const ready = worker.ready();
    worker.run();
    await ready;
  });

  test("sends no ECHO_REQ while nothing waits", { timeout }, async () => {
    const server = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.NO_JOB);
    });
    await using worker = makeWorker({ dial: server.dial }, { f: () => {} });
    await assert.rejects(worker.ready({ signal: AbortSignal.abort("enough") }), (error) => error === "enough");
    worker.run();
    await untilSent(server, "PRE_SLEEP");
    assert.equal(countPackets(server, PacketType.ECHO_REQ), 0);
  });

  test("ends by its signal, and leaves no listener there", { timeout }, async () => {
    await using worker = makeWorker({ dial: () => Promise.reject(new Error("down")) }, { f: () => {} });
    worker.run();
    const { signal, listeners, abort } = countedSignal();
    const ready = worker.ready({ signal });
    assert.equal(listeners(), 1);
    abort("enough");
    await assert.rejects(ready, (error) => error === "enough");
    assert.equal(listeners(), 0);
    await using server = new JobServer();
    await using other = startWorker({ dial: server.dial }, { f: () => {} });
    const counted = countedSignal();
    await other.ready({ signal: counted.signal });
    assert.equal(counted.listeners(), 0);
  });

  test("rejects when the worker is closed first, and after that", { timeout }, async () => {
    const isClosed = (error: unknown) => error instanceof GearmanError && /^Cannot wait .* closed$/.test(error.message);
    for (const end of ["close", "destroy"] as const) {
      const worker = makeWorker({ dial: () => Promise.reject(new Error("down")) }, {});
      const ready = worker.ready();
      worker.run();
      const ended = worker[end]();
      await assert.rejects(ready, isClosed);
      await assert.rejects(worker.ready(), isClosed);
      await ended;
      await assert.rejects(worker.ready(), isClosed);
    }
  });

  test("rejects for wrong options", { timeout }, async () => {
    await using worker = makeWorker({ dial: () => Promise.reject(new Error("down")) }, {});
    for (const options of [5, null, { signal: "x" }]) await assert.rejects(worker.ready(options as never), TypeError);
  });
});

test("run() refuses options that are not an object in words, and may be called again", { timeout }, async () => {
  const worker = new GearmanWorker({ dial: () => Promise.reject(new Error("down")), onEvent: () => {} });
  await assert.rejects(worker.run(null as never), /^TypeError: Cannot use the options: expected an object$/);
  await worker.run({ signal: AbortSignal.abort() });
});
