/** Tests of AbortSignal.timeout() on every call, at every stage: while dialing, unanswered, and while the job runs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanClient } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { FakeServer, isSubmission } from "../support/fake_server.ts";
import { until } from "../support/peers.ts";

const timeout = 20_000;

type Call = (client: GearmanClient, signal: AbortSignal) => Promise<unknown>;

const CALLS: Record<string, Call> = {
  "await": async (client, signal) => await client.do("f", "", { signal }),
  "text()": (client, signal) => client.do("f", "", { signal }).text(),
  "iteration": async (client, signal) => {
    for await (const event of client.do("f", "", { signal })) assert.equal(event.type, "created");
  },
  "stream()": (client, signal) => new Response(client.do("f", "", { signal }).stream()).text(),
  "created()": (client, signal) => client.do("f", "", { signal }).created(),
  "doBackground()": (client, signal) => client.doBackground("f", "", { signal }),
  "doBackgroundAll()": (client, signal) => client.doBackgroundAll("f", ["a", "b"], { signal }).next(),
  "jobStatus()": (client, signal) => client.jobStatus("H:1", { signal }),
  "jobStatusByUnique()": (client, signal) => client.jobStatusByUnique("u", { signal }),
  "watch()": async (client, signal) => {
    for await (const _ of client.watch("H:1", { signal, interval: 1 }));
  },
  "echo()": (client, signal) => client.echo("x", { signal }),
};

/** Makes the calls, each of which has to end with the very reason of its signal. */
async function assertTimedOut(client: GearmanClient, names: string[] = Object.keys(CALLS)): Promise<void> {
  await Promise.all(names.map(async (name) => {
    const signal = AbortSignal.timeout(30);
    await assert.rejects(CALLS[name]!(client, signal), (error) => {
      assert.ok(error === signal.reason && (error as Error).name === "TimeoutError", `${name}: ${error}`);
      return true;
    });
  }));
  await client.close();
}

test("a call times out while it waits for a connection, and the dial is given up", { timeout }, async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const client = new GearmanClient({ dial: (_, { signal }) => (signals.push(signal), new Promise<never>(() => {})) });
  await assertTimedOut(client);
  assert.ok(signals.length > 0 && signals.every((signal) => signal?.aborted));
});

test("a call times out while it waits for its answer, and another one does not", { timeout }, async () => {
  const server = new FakeServer();
  const client = new GearmanClient({ dial: server.dial });
  const patient = client.echo("patient");
  await until(() => server.peers[0]?.requests.length === 1);
  const timedOut = assertTimedOut(client);
  const answered = until(() => server.peer.requests.length > 11).then(() =>
    server.peer.answer(PacketType.ECHO_RES, "patient")
  );
  assert.equal(new TextDecoder().decode(await patient), "patient");
  await Promise.all([timedOut, answered]);
});

test("a call times out while its job runs", { timeout }, async () => {
  const server = new FakeServer((packet, peer) => {
    if (isSubmission(packet)) peer.answer(PacketType.JOB_CREATED, "H:1");
    else peer.answer(PacketType.STATUS_RES, "H:1", "1", "1", "0", "0");
  });
  await assertTimedOut(new GearmanClient({ dial: server.dial }), [
    "await",
    "text()",
    "iteration",
    "stream()",
    "watch()",
  ]);
});
