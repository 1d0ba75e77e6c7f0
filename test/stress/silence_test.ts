/** Tests of servers that hang instead of failing: a client stops using them too, and its calls go on elsewhere. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, fromStreams, GearmanClient } from "../../mod.ts";
import type { Dial } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { FakeTransport, GreetedTransport } from "../support/fake_transport.ts";
import { answerEverything, FakeServer } from "../support/fake_server.ts";
import { until } from "../support/wait.ts";

const timeout = 20_000;
const servers = ["silent:1", "well:2"];

/** Dials the first of two servers with one function, the second with another. */
function two(first: Dial, second: Dial): { dial: Dial; dials: string[] } {
  const dials: string[] = [];
  const dial: Dial = (server, options) => {
    dials.push(server.hostname);
    return (server.hostname === "silent" ? first : second)(server, options);
  };
  return { dial, dials };
}

/** Echoes, and then waits 1 ms: calls in memory never wait, so that no timer would fire between them. */
async function echo(client: GearmanClient): Promise<void> {
  await client.echo("x");
  await new Promise((resolve) => setTimeout(resolve, 1));
}

test("a server that stops answering fails the calls that it had, and no other", { timeout }, async () => {
  const silent: FakeTransport[] = [];
  await using well = new JobServer();
  const connect = () => {
    const transport = silent.length === 0 ? new GreetedTransport() : new FakeTransport();
    silent.push(transport);
    return transport;
  };
  const { dial, dials } = two(connect, well.dial);
  const options = { probeInterval: 20, connectTimeout: 20, minBackoff: 1_000_000 };
  await using client = new GearmanClient({ servers, dial, ...options });
  await assert.rejects(client.doBackground("f", "x"), { name: "ConnectionError", delivery: "unknown" });
  for (let i = 0; i < 10; i++) assert.equal((await client.doBackground("f", "x")).server, "well:2");
  await client.echo("x");
  assert.deepEqual(dials, ["silent", "silent", "well"]);
  assert.equal(silent[1]!.writes.length, 1, "only the greeting is sent");
});

test(
  "a server that accepts connections and never answers fails no call, and is not dialed forever",
  { timeout },
  async () => {
    await using well = new JobServer();
    const hanging: Dial = () => new FakeTransport();
    const { dial, dials } = two(hanging, well.dial);
    const options = { probeInterval: 20, connectTimeout: 20, minBackoff: 0, maxBackoff: 0 };
    await using client = new GearmanClient({ servers, dial, ...options });
    assert.equal((await client.doBackground("f", "x")).server, "well:2");
    assert.deepEqual(dials.splice(0), ["silent", "silent", "well"]);

    await using alone = new GearmanClient({ servers: "silent:1", dial, ...options });
    await assert.rejects(alone.doBackground("f", "x"), { name: "ConnectionError", delivery: "not-sent" });
    assert.deepEqual(dials, ["silent", "silent", "silent"]);
  },
);

test("dials that hang for longer than connectTimeout in total count as failed, even if each caller aborts sooner", {
  timeout,
}, async () => {
  await using well = new JobServer();
  const hanging: Dial = (_, { signal }) =>
    new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  const { dial } = two(hanging, well.dial);
  await using client = new GearmanClient({ servers, dial, connectTimeout: 200, minBackoff: 1_000_000 });
  const outcomes: string[] = [];
  while (outcomes.at(-1) !== "well:2") {
    const call = client.doBackground("f", "x", { signal: AbortSignal.timeout(30) });
    outcomes.push(await call.then(({ server }) => server, (error) => error.name));
  }
  assert.ok(outcomes.length < 20, outcomes.join());
});

test("a stream with a write that never settles does not block the next connection", { timeout }, async () => {
  await using well = new JobServer();
  let dials = 0;
  const dial: Dial = (server, options) => {
    if (dials++ > 0) return well.dial(server, options);
    const writable = new WritableStream<Uint8Array>({ write: () => new Promise(() => {}) });
    return fromStreams({ readable: new ReadableStream(), writable });
  };
  await using client = new GearmanClient({ dial, probeInterval: 20, connectTimeout: 20 });
  await client.doBackground("f", "x".repeat(100_000));
  assert.equal(dials, 2);
});

test("JobServer closes a transport with a write that never settles", { timeout }, async () => {
  const server = new JobServer();
  const line = new TextEncoder().encode("version\n");
  const readable = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(line) });
  server.accept(fromStreams({ readable, writable: new WritableStream({ write: () => new Promise(() => {}) }) }));
  await until(() => server.inspect().connections === 1);
  await server.close();
  assert.deepEqual(server.inspect(), { connections: 0, functions: [], jobs: [] });
});

test("a lost job is noticed while other calls are answered", { timeout }, async () => {
  const server = new FakeServer(answerEverything()); // knows no job
  await using client = new GearmanClient({ dial: server.dial, probeInterval: 20 });
  let error: unknown;
  const job = client.do("f");
  job.text().catch((reason) => error = reason);
  while (error === undefined) await echo(client);
  assert.ok(error instanceof ConnectionError);
  assert.equal(error.delivery, "accepted");
});

test("a lost job is noticed although the first status request is refused", { timeout }, async () => {
  let asked = 0;
  const answer = answerEverything();
  const server = new FakeServer((packet, peer) => {
    if (packet.type === PacketType.GET_STATUS && asked++ === 0) peer.answer(PacketType.ERROR, "BUSY", "ask again");
    else answer(packet, peer);
  });
  await using client = new GearmanClient({ dial: server.dial, probeInterval: 20 });
  await assert.rejects(client.do("f").text(), { name: "ConnectionError", delivery: "accepted" });
});
