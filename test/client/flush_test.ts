/** Tests of what a session does with what is still to be sent when its connection goes away under it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, GearmanClient, type Transport } from "../../mod.ts";
import { encodeResponse, PacketType } from "../../src/codec/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns } from "../support/transports.ts";
import { until } from "../support/peers.ts";
import { watchTimers } from "../support/timers.ts";

const timeout = 30_000;

test("a probe that falls due while a close() lingers neither goes out nor stops the world", { timeout }, async () => {
  using probe = watchTimers(100);
  using linger = watchTimers(2_000);
  const sent = deferred<void>();
  const closed = deferred<void>();
  let writes = 0;
  // It answers the first call, and takes nothing more.
  const transport: Transport = {
    write: () => writes++ === 0 ? sent.resolve() : new Promise<void>(() => {}),
    close: () => closed.resolve(),
    async *[Symbol.asyncIterator]() {
      await sent.promise;
      yield encodeResponse(PacketType.OPTION_RES, "exceptions");
      yield encodeResponse(PacketType.ECHO_RES, "");
      await closed.promise;
    },
  };
  const client = new GearmanClient({ dial: () => transport, probeInterval: 100 });
  await client.echo("");
  const job = client.doBackground("f", "x");
  assert.equal(probe.active, 1);
  const closing = client.close();
  await until(() => linger.active > 0);
  for (let i = 0; i < 3; i++) {
    if (probe.active > 0) probe.fire();
    await turns();
  }
  assert.equal(writes, 2);
  linger.fire();
  await assert.rejects(job, (error) => error instanceof ConnectionError && error.delivery === "unknown");
  await closing;
});

test("calls end where a write fails before the transport's iteration does", { timeout }, async () => {
  const ended = deferred<void>();
  let writes = 0;
  const transport: Transport = {
    write: () => ++writes > 1 ? Promise.reject(new Error("broken pipe")) : Promise.resolve(),
    close: () => void setTimeout(() => ended.resolve(), 1),
    // deno-lint-ignore require-yield -- it has nothing to say
    async *[Symbol.asyncIterator]() {
      await ended.promise;
    },
  };
  const client = new GearmanClient({ dial: () => transport });
  const workload = new Uint8Array(100_000);
  const calls = [1, 2, 3, 4].map(() => client.doBackground("f", workload));
  for (const outcome of await Promise.allSettled(calls)) {
    assert.equal(outcome.status, "rejected");
    assert.ok((outcome as PromiseRejectedResult).reason instanceof ConnectionError);
  }
  await client.close();
});
