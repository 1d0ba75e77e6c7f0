/** Tests of aborts that only several servers, or a second connection, can bring about; and of names as they are. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanClient, GearmanWorker, type Transport } from "../../mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { JobServer } from "../../src/server/mod.ts";

const timeout = 30_000;

test("an abort is told as such, though one of the servers has not known the job", { timeout }, async () => {
  const server = new JobServer();
  const client = new GearmanClient({
    servers: ["known:1", "mute:1"],
    dial: (address, options) => address.hostname === "known" ? server.dial(address, options) : new Promise(() => {}),
  });
  await client.echo("x");
  const controller = new AbortController();
  const reason = new Error("enough");
  const status = client.jobStatus("H:nowhere:1", { signal: controller.signal });
  await client.echo("the known server has answered");
  controller.abort(reason);
  await assert.rejects(status, (error) => error === reason);
  await client.close();
  await server.close();
});

test("an abort while a question is asked again ends the dialing for it", { timeout }, async () => {
  const ended = deferred<void>();
  const dialed = deferred<AbortSignal>();
  // The first connection is lost as soon as something was sent; the second is never made.
  const transport: Transport = {
    write: () => ended.resolve(),
    close: () => ended.resolve(),
    // deno-lint-ignore require-yield -- it has nothing to say
    async *[Symbol.asyncIterator]() {
      await ended.promise;
    },
  };
  let dials = 0;
  const client = new GearmanClient({
    dial: (_, { signal }) => {
      if (dials++ === 0) return transport;
      dialed.resolve(signal!);
      return new Promise(() => {});
    },
  });
  const controller = new AbortController();
  const reason = new Error("enough");
  const echo = client.echo("x", { signal: controller.signal });
  const signal = await dialed.promise;
  const given = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  controller.abort(reason);
  await assert.rejects(echo, (error) => error === reason);
  await given;
  await client.close();
});

test("a name that begins with a byte order mark is that name", { timeout }, async () => {
  const server = new JobServer();
  const worker = new GearmanWorker({ dial: server.dial });
  worker.addFunction("\ufeffname", (job) => `${job.functionName.length} ${job.unique.length}`);
  const running = worker.run();
  const client = new GearmanClient({ dial: server.dial });
  assert.equal(await client.do("\ufeffname", "", { unique: "\ufeffu" }).text(), "5 2");
  await client.close();
  await worker.close();
  await running;
  await server.close();
});
