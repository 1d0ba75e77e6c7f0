/** Tests of what a session keeps: nothing of a job that is over, and of a request only what it has yet to send. */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { PacketType } from "../../src/codec/mod.ts";
import { ForegroundJob } from "../../src/client/foreground_job.ts";
import { LaggingJobs } from "../../src/client/lagging_jobs.ts";
import { Query } from "../../src/client/request.ts";
import { BatchSubmission } from "../../src/client/submission.ts";
import { Session } from "../../src/client/session.ts";
import { type ConnectOptions, readConnectOptions } from "../../src/connection/options.ts";
import { readText } from "../../src/internal/text.ts";
import { pattern } from "../support/bytes.ts";
import { answerEverything, FakeServer } from "../support/fake_server.ts";
import { limitQueue } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { sizeOf } from "../support/session_size.ts";
import { until } from "../support/wait.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { onEveryServer, type TestServer } from "../support/servers.ts";

const timeout = 60_000;
const LIMITS = { maxBuffered: 1_000_000, maxResultSize: 1_000_000, lagging: new LaggingJobs(1e9) };

/** The client of background jobs without a status: the tests do not ask for one. */
const NO_STATUS = undefined as never;

/** Opens a session; requests that it cannot send fail. */
async function openSession(options: ConnectOptions): Promise<Session> {
  const { servers, settings } = readConnectOptions({ minBackoff: 1, maxBackoff: 1, ...options });
  const session = new Session(
    servers[0]!,
    { ...settings, id: undefined, statusSource: NO_STATUS },
    (request, cause) => request.onUnsent(cause),
  );
  await session.server.open();
  return session;
}

/** A foreground job that can be aborted, and calls back when its bytes go out. */
class TestJob extends ForegroundJob {
  readonly controller = new AbortController();
  sent: () => void = () => {};

  constructor(functionName: string, unique = "", workload: string | Uint8Array = "w") {
    super({ type: PacketType.SUBMIT_JOB, args: [functionName, unique, workload] }, LIMITS);
    this.abortOn(this.controller.signal);
    this.collect().catch(() => {});
  }

  override onEncoded(): void {
    super.onEncoded();
    this.sent();
  }

  abort(): void {
    this.controller.abort("enough");
  }
}

function send(session: Session, count: number, functionName: string, unique: (i: number) => string = () => "") {
  const jobs = Array.from({ length: count }, (_, i) => new TestJob(functionName, unique(i)));
  for (const job of jobs) session.send(job);
  return jobs;
}

const created = (jobs: TestJob[]) => Promise.all(jobs.map((job) => job.created()));

function echo(): Query<string> {
  const packet = { type: PacketType.ECHO_REQ, args: ["e"] };
  return new Query({ packet, expects: PacketType.ECHO_RES, read: ([data]) => readText(data!) });
}

/** Resolves when everything that the server sent before has arrived. */
async function roundTrip(session: Session): Promise<void> {
  const query = echo();
  session.send(query);
  await query.answer;
}

onEveryServer("a session keeps nothing", (kind) => {
  let server: TestServer;
  let session: Session;
  before(async () => server = await kind.start());
  afterEach(() => session.close());
  after(() => server.stop());

  test("of 1,000 jobs that have ended in any way, and their handles until then", { timeout }, async () => {
    session = await openSession(server.connect);
    const worker = await RawWorker.open(server, "ends");
    const jobs = send(session, 1_000, "ends");
    assert.ok(sizeOf(session) >= 1_000, "unsent requests count");
    await created(jobs);
    assert.equal(sizeOf(session), 1_000);
    for (let i = 0; i < jobs.length; i++) {
      const { handle } = await worker.grab();
      worker.send(PacketType.WORK_DATA, handle, "data");
      if (i % 3 === 0) worker.send(PacketType.WORK_COMPLETE, handle, "");
      else if (i % 3 === 1) worker.send(PacketType.WORK_FAIL, handle);
      else worker.send(PacketType.WORK_EXCEPTION, handle, "no");
    }
    await worker.served();
    await roundTrip(session);
    assert.ok(jobs.every(({ settled }) => settled));
    assert.equal(sizeOf(session), 0);
    await worker.close();
  });

  test("of jobs that were aborted at any stage, once the worker has ended them", { timeout }, async () => {
    session = await openSession(server.connect);
    const worker = await RawWorker.open(server, "aborted");
    // Half of them are aborted: before they are sent, before their reply, after it, and while they run.
    const jobs = send(session, 1_000, "aborted");
    const stages = [0, 1, 2, 3].map((stage) => jobs.filter((_, i) => i % 8 === stage));
    const handles: (string | undefined)[] = [];
    for (const job of stages[1]!) {
      job.sent = () =>
        queueMicrotask(() => {
          handles.push(job.handle);
          job.abort();
        });
    }
    for (const job of stages[0]!) job.abort();
    await roundTrip(session);
    assert.deepEqual(handles, Array(125).fill(undefined), "these are aborted before their replies");
    assert.equal(sizeOf(session), 875, "unsent jobs leave nothing, all others their handles");
    for (const job of stages[2]!) job.abort();
    assert.equal(sizeOf(session), 875, "the server still sends their packets");
    for (let i = 0; i < 875; i++) {
      const { handle } = await worker.grab();
      worker.send(PacketType.WORK_DATA, handle, "data");
      if (i === 400) {
        await worker.served();
        await roundTrip(session);
        for (const job of stages[3]!) job.abort();
      }
      if (i % 2 === 0) worker.send(PacketType.WORK_COMPLETE, handle, "");
      else worker.send(PacketType.WORK_FAIL, handle);
    }
    await worker.served();
    await roundTrip(session);
    assert.equal(sizeOf(session), 0);
    assert.equal(jobs.filter(({ controller }) => controller.signal.aborted).length, 500);
    assert.ok(jobs.every(({ settled }) => settled));
    await worker.close();
  });

  test("of jobs that share a unique, some of them aborted", { timeout }, async () => {
    session = await openSession(server.connect);
    const worker = await RawWorker.open(server, "shared");
    const jobs = send(session, 400, "shared", (i) => `u${Math.floor(i / 4)}`);
    await created(jobs);
    assert.equal(sizeOf(session), 100, "one handle for four jobs");
    // Of each four jobs none, one, two, three or all are aborted.
    for (const [i, job] of jobs.entries()) if (i % 4 < Math.floor(i / 4) % 5) job.abort();
    await worker.serve(100);
    await worker.served();
    await roundTrip(session);
    assert.equal(sizeOf(session), 0);
    assert.ok(jobs.every(({ settled }) => settled));
    await worker.close();
  });

  test("of refused jobs, questions and background jobs, aborted or not", { timeout }, async () => {
    session = await openSession(server.connect);
    const worker = await RawWorker.open(server, "refused");
    await limitQueue(server, worker, "refused", 1);
    const jobs = send(session, 10, "refused");
    const controller = new AbortController();
    for (let i = 0; i < 20; i++) {
      const query = echo();
      query.answer.catch(() => {});
      const packet = { type: PacketType.SUBMIT_JOB_BG, args: ["background", `${i}`, ""] };
      const background = new BatchSubmission(packet, () => {});
      if (i % 2 === 0) { for (const request of [query, background]) request.abortOn(controller.signal); }
      for (const request of [query, background]) session.send(request);
    }
    await Promise.resolve();
    await Promise.resolve();
    assert.ok(sizeOf(session) >= 50, "all wait, and perhaps the greeting");
    controller.abort("enough");
    await Promise.allSettled(jobs.map((job) => job.created()));
    await roundTrip(session);
    assert.equal(sizeOf(session), 1, "the job that was not refused");
    await worker.serve(1);
    await worker.served();
    await roundTrip(session);
    assert.equal(sizeOf(session), 0);
    await worker.close();
  });

  test("after its connection was lost", { timeout }, async () => {
    const ownServer = await kind.start();
    session = await openSession(ownServer.connect);
    const jobs = send(session, 10, "lost");
    const twice = send(session, 10, "lost", () => "u");
    await created([...jobs, ...twice]);
    for (const [i, job] of [...jobs, ...twice].entries()) if (i % 2 === 0) job.abort();
    assert.equal(sizeOf(session), 11);
    await ownServer.stop();
    await until(() => session.server.connection === undefined);
    assert.equal(sizeOf(session), 0);
    assert.ok([...jobs, ...twice].every(({ settled }) => settled));
  });
});

describe("a session drops", () => {
  let session: Session;
  afterEach(() => session.close());

  test("the arguments of a request once they are encoded, before its reply", { timeout }, async () => {
    const server = new FakeServer(); // answers nothing
    session = await openSession({ dial: server.dial });
    const large = pattern(100_000);
    const job = new TestJob("f", "", large);
    const packet = { type: PacketType.SUBMIT_JOB_BG, args: ["f", "u", large] };
    const background = new BatchSubmission(packet, () => {});
    const question = echo();
    question.answer.catch(() => {});
    for (const request of [job, background, question]) session.send(request);
    assert.deepEqual(
      [job.packet.args.length, background.packet.args.length],
      [3, 3],
      "large ones wait until they are written",
    );
    await until(() => server.peer.requests.length === 3);
    assert.deepEqual([job.packet.args.length, background.packet.args.length], [0, 0]);
    assert.deepEqual(question.packet.args, ["e"], "a question may have to be asked again");
    assert.equal(job.settled || background.settled, false);
    await session.close();
    assert.deepEqual(question.packet.args, []);
    assert.equal(sizeOf(session), 0);
  });

  test("the arguments of a request that is aborted before it is sent", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    session = await openSession({ dial: server.dial });
    const job = new TestJob("f", "", pattern(100_000));
    session.send(job);
    job.abort();
    assert.equal(job.packet.args.length, 0);
    await roundTrip(session);
    assert.equal(sizeOf(session), 0);
    await session.close();
  });

  test("jobs that the server does not know, and aborted calls that are answered late", { timeout }, async () => {
    const probeInterval = 12_345;
    using probes = fakeTimers(probeInterval);
    let held: (() => void)[] | undefined = [];
    const answer = answerEverything();
    const server = new FakeServer((packet, peer) => {
      if (held === undefined) answer(packet, peer);
      else held.push(() => answer(packet, peer));
    });
    session = await openSession({ dial: server.dial, probeInterval });
    const jobs = send(session, 50, "f");
    const [aborted, question] = [send(session, 50, "f"), echo()];
    question.abortOn(aborted[0]!.controller.signal);
    session.send(question);
    question.answer.catch(() => {});
    await until(() => held!.length === 101);
    for (const job of aborted) job.abort();
    assert.equal(sizeOf(session), 101, "the replies are still expected");
    for (const send of held) send();
    held = undefined;
    await created(jobs);
    await roundTrip(session);
    assert.equal(sizeOf(session), 100);
    for (let i = 0; i < 2; i++) probes.fire(); // silence: the server is asked, and knows no job
    await until(() => jobs.every(({ settled }) => settled));
    for (const job of jobs) await assert.rejects(job.next(), { delivery: "accepted" });
    assert.equal(sizeOf(session), 50, "aborted jobs are not probed");
    for (let i = 51; i <= 100; i++) server.peer.answer(PacketType.WORK_COMPLETE, `H:${i}`, "");
    await roundTrip(session);
    assert.equal(sizeOf(session), 0);
    await session.close();
  });
});
