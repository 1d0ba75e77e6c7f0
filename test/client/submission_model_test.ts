/**
 * A model of submissions: what happens to each job follows from whether it was aborted, and from whether the transport of
 * the first server was given its first byte before that server was lost.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConnectionError, type Dial, GearmanClient } from "../../mod.ts";
import { type Packet, PacketType } from "../../src/codec/mod.ts";
import { join, text } from "../support/bytes.ts";
import { FakeServer, isSubmission } from "../support/fake_server.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { fullOrQuick } from "../support/requirements.ts";
import { turns, until } from "../support/wait.ts";

/** A transport that takes a number of bytes, and whose next write then never settles. */
class StallingTransport extends FakeTransport {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    super();
    this.#limit = limit;
  }

  override write(bytes: Uint8Array): void | Promise<void> {
    this.writes.push(bytes.slice());
    this.#taken += bytes.length;
    return this.#taken > this.#limit ? new Promise(() => {}) : undefined;
  }
}

/** The uniques of the jobs that the written bytes begin with; the last job may be incomplete. */
function uniquesOf(writes: readonly Uint8Array[]): string[] {
  const bytes = join(writes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const uniques: string[] = [];
  let start = 0;
  while (start < bytes.length) {
    if (view.getUint32(start + 4) === PacketType.SUBMIT_JOB_BG) {
      const [, unique] = text(bytes.subarray(start + 12, start + 40)).split("\0");
      uniques.push(unique!);
    }
    start += 12 + view.getUint32(start + 8);
  }
  return uniques;
}

type Outcome = "accepted" | "aborted in the tick" | "aborted later" | "unknown";

/** What is known of one job. */
interface Job {
  readonly unique: string;
  readonly abort: "in the tick" | "later" | "never";
  readonly controller: AbortController;
  outcome: Outcome | undefined;
}

const SIZES = [10, 1_000, 70_000, 300_000];

interface Scenario {
  readonly count: number;
  readonly limit: number;
  readonly abortTick: number;
  readonly seed: number;
}

async function play({ count, limit, abortTick, seed }: Scenario): Promise<void> {
  const first = new StallingTransport(limit);
  let second = 0;
  const accepted: string[] = [];
  const other = new FakeServer((packet: Packet, peer) => {
    if (!isSubmission(packet)) return;
    accepted.push(text(packet.args[1]!));
    second += 1;
    peer.answer(PacketType.JOB_CREATED, `H:${second}`);
  });
  const dial: Dial = (server, options) => server.hostname === "a" ? first : other.dial(server, options);
  await using client = new GearmanClient({ servers: ["a:1", "b:2"], dial });

  const jobs: Job[] = Array.from({ length: count }, (_, i) => ({
    unique: `job-${i}`,
    abort: (["in the tick", "never", "later", "never", "never"] as const)[(i * 7 + seed) % 5]!,
    controller: new AbortController(),
    outcome: undefined,
  }));
  const workloads = SIZES.map((size) => new Uint8Array(size));
  const submit = async (job: Job, i: number) => {
    // Large workloads are rare, so that the jobs of all sizes stay within the memory of a small machine.
    const workload = workloads[i % 50 === 49 ? 3 : i % 25 === 24 ? 2 : i % 2]!;
    const options = { unique: job.unique, signal: job.controller.signal };
    try {
      const { server } = await client.doBackground("f", workload, options);
      assert.equal(server, "b:2");
      job.outcome = "accepted";
    } catch (error) {
      if (error instanceof ConnectionError && error.delivery === "unknown") job.outcome = "unknown";
      else if (error === "in the tick") job.outcome = "aborted in the tick";
      else if (error === "later") job.outcome = "aborted later";
      else throw error;
    }
  };

  const calls: Promise<void>[] = [];
  const perTick = 50;
  for (let tick = 0; tick * perTick < count; tick++) {
    const now = jobs.slice(tick * perTick, (tick + 1) * perTick);
    for (const [k, job] of now.entries()) calls.push(submit(job, tick * perTick + k));
    for (const job of now) if (job.abort === "in the tick") job.controller.abort("in the tick");
    if (tick === abortTick) { for (const job of jobs) if (job.abort === "later") job.controller.abort("later"); }
    await turns(1);
  }
  for (const job of jobs) if (job.abort === "later") job.controller.abort("later");
  await turns(2);
  const given = uniquesOf(first.writes);
  first.break(new Error("reset"));
  await Promise.all(calls);
  await until(() => jobs.every(({ outcome }) => outcome !== undefined));

  assert.deepEqual(uniquesOf(first.writes), given, "written after the loss");
  assert.equal(new Set(given).size, given.length, "sent twice to the first server");
  assert.equal(new Set(accepted).size, accepted.length, "sent twice to the second server");
  const wasGiven = new Set(given);
  const wasAccepted = new Set(accepted);
  for (const { unique, abort, outcome } of jobs) {
    const expected: Outcome = abort === "in the tick"
      ? "aborted in the tick"
      : abort === "later"
      ? "aborted later"
      : wasGiven.has(unique)
      ? "unknown"
      : "accepted";
    assert.equal(outcome, expected, unique);
    assert.equal(wasAccepted.has(unique), expected === "accepted", `${unique} on the second server`);
    if (expected === "aborted in the tick") assert.equal(wasGiven.has(unique), false, `${unique} was sent`);
  }
}

test("the outcomes of 3,000 jobs on a server that stalls and is lost are those of the model", {
  timeout: 120_000,
}, async () => {
  await play({ count: 3_000, limit: 5_000_000, abortTick: 20, seed: 0 });
});

test("the outcomes of jobs are those of the model, wherever the first server stalls", {
  timeout: 120_000,
}, async () => {
  const scenario = fc.record({
    count: fc.integer({ min: 1, max: 400 }),
    limit: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 0, max: 3_000_000 })),
    abortTick: fc.integer({ min: 0, max: 8 }),
    seed: fc.nat(4),
  });
  await fc.assert(fc.asyncProperty(scenario, play), { numRuns: fullOrQuick(100, 20) });
});
