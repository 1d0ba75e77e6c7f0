/** Tests that no job is lost: gearmand with a persistent queue is killed again and again while three workers serve. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type AssignedJob, GearmanClient, type GearmanEvent, type GearmanWorker } from "../../mod.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";
import { until } from "../support/wait.ts";
import { makeWorker } from "../support/workers.ts";
import { functionStatus } from "../support/server_commands.ts";
import { Proxy } from "../support/proxy.ts";

const JOBS = 5_000;
const KILLS = 20;
const MAX_BACKOFF = 100;
/** Jobs that may end between two kills. The others wait, and are aborted when their connections are lost. */
const QUOTA = Math.floor(JOBS / (KILLS + 2));

/** One of the three workers, and what was observed of it. */
interface Watched {
  readonly worker: GearmanWorker;
  readonly events: GearmanEvent[];
  /** True if it has begun a job since the server was last started. */
  serves: boolean;
}

const skip = needs("gearmand");
describe(`a server that crashes${skip === false ? "" : ` (${skip})`}`, { skip }, () => {
  test(`loses none of ${JOBS} jobs when it is killed ${KILLS} times`, { timeout: 120_000 }, async (t) => {
    // On a disk each transaction of the queue would wait for a flush.
    const folder = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "gearwire-"));
    const args = ["-q", "libsqlite3", "--libsqlite3-db", join(folder, "queue.db")];
    let gearmand = await startGearmand({ args });
    const { port } = gearmand;
    const server = { connect: { servers: `127.0.0.1:${port}` }, port, stop: () => gearmand.stop() };

    const client = new GearmanClient(server.connect);
    await Promise.all(
      Array.from({ length: JOBS }, (_, i) => client.doBackground("f", String(i), { unique: `job-${i}` })),
    );
    await client.close();
    assert.deepEqual(await functionStatus(server, "f"), [JOBS, 0, 0]);

    const runs = new Map<string, number>();
    let allowed = QUOTA, dropped = 0;
    const gate: (() => void)[] = [];
    const handler = async (job: AssignedJob, watched: Watched) => {
      watched.serves = true;
      while (runs.size >= allowed && !job.signal.aborted) await new Promise<void>((resolve) => gate.push(resolve));
      if (job.signal.aborted) return void dropped++;
      runs.set(job.text(), (runs.get(job.text()) ?? 0) + 1);
      return "done";
    };
    const openGate = () => {
      for (const open of gate.splice(0)) open();
    };

    // The second worker's connections are reset or stalled, and the third one's are split or ended.
    const [faulty, slow] = [await Proxy.start(port), await Proxy.start(port)];
    faulty.faults = (i) => i % 3 === 0 ? {} : i % 3 === 1 ? { resetAfter: 3_000 } : { stallAfter: 3_000 };
    slow.faults = (i) => i % 2 === 0 ? { split: true } : { endAfter: 3_000 };
    const workers = [port, faulty.port, slow.port].map((through, i) => {
      const events: GearmanEvent[] = [];
      const worker = makeWorker({
        servers: `127.0.0.1:${through}`,
        id: `worker-${i}`,
        concurrency: 4,
        minBackoff: 5,
        maxBackoff: MAX_BACKOFF,
        probeInterval: 200,
        onEvent: (event) => {
          if (event.type !== "jobStarted" && event.type !== "jobEnded") events.push(event);
        },
      }, { f: (job) => handler(job, watched) });
      const watched: Watched = { worker, events, serves: false };
      return watched;
    });
    const running = workers.map(({ worker }) => worker.run());

    for (let kill = 0; kill < KILLS; kill++) {
      await until(() => runs.size >= allowed && workers.every(({ serves }) => serves));
      await gearmand.stop();
      // The held jobs wait at the gate until the workers have noticed the loss.
      await until(() => lost(workers[0]!.events) > kill && workers.every(({ events }) => !isConnected(events)));
      for (const watched of workers) watched.serves = false;
      allowed += QUOTA;
      openGate();
      gearmand = await startGearmand({ port, args });
      if (!isConnected(workers[0]!.events)) workers[0]!.events.push({ type: "retrying", server: "up", delay: 0 });
      const [left] = await functionStatus(server, "f");
      assert.ok(JOBS - left <= runs.size, `${JOBS - left} jobs are complete, but ${runs.size} have run`);
    }
    await until(() => workers.every(({ serves }) => serves));
    allowed = Infinity;
    openGate();
    await until(async () => {
      faulty.resetStalled(); // until the server sees the end of a connection, it keeps the jobs of that worker
      return (await functionStatus(server, "f"))[0] === 0;
    });
    assert.equal(runs.size, JOBS, "every job that is complete has run");
    const total = [...runs.values()].reduce((sum, count) => sum + count, 0);

    for (const [i, { events }] of workers.entries()) {
      const delays = events.flatMap((event) => event.type === "retrying" ? [event.delay] : []);
      assert.ok(Math.max(...delays) <= MAX_BACKOFF, `worker ${i} backed off for ${Math.max(...delays)} ms`);
    }
    // The first worker has no proxy: when the server is up, one attempt may just have failed, and the next succeeds.
    const { events } = workers[0]!;
    for (const [at, event] of events.entries()) {
      if (event.server !== "up") continue;
      const rest = events.slice(at + 1);
      const retries = rest.slice(0, rest.findIndex(({ type }) => type === "connected")).filter(isRetry).length;
      assert.ok(retries <= 1, `${retries} attempts failed after it was up`);
    }
    t.diagnostic?.(
      `${total} runs of ${JOBS} jobs, ${dropped} dropped; ${faulty.accepted} and ${slow.accepted} connections by proxy`,
    );
    await Promise.all(workers.map(({ worker }) => worker.close()));
    await Promise.all(running);
    await Promise.all([faulty.close(), slow.close()]);
    await gearmand.stop();
    await rm(folder, { recursive: true, force: true });
  });
});

function lost(events: readonly GearmanEvent[]): number {
  return events.filter(({ type }) => type === "disconnected").length;
}

function isConnected(events: readonly GearmanEvent[]): boolean {
  return events.findLast(({ type }) => type === "connected" || type === "disconnected")?.type === "connected";
}

function isRetry({ type, server }: GearmanEvent): boolean {
  return type === "retrying" && server !== "up";
}
