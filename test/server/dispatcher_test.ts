/** Tests of what a job server does by itself: it wakes workers, keeps time, and gives the jobs of lost workers to others. */

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JobDetails, ServerJob } from "../../src/server/model.ts";
import { createServerParts, FakeParticipant, jobDetails } from "../support/participants.ts";
import { fakeTimers } from "../support/fake_timers.ts";

const foreground = (unique: string): Partial<JobDetails> => ({ unique, background: false });
const MAX_TIMER = 2_147_483_647;

/** Sets the clock to a time that the test can change. */
function setClock(t: TestContext, time: number): { time: number } {
  const clock = { time };
  const { now } = Date;
  t.after(() => void (Date.now = now));
  Date.now = () => clock.time;
  return clock;
}

test("a new job wakes the sleeping workers of its function with one NOOP each", () => {
  const { state, dispatcher } = createServerParts();
  const newcomers = [
    new FakeParticipant(),
    new FakeParticipant(),
    new FakeParticipant(),
    new FakeParticipant(),
  ] as const;
  const [client, sleeper, awake, other] = newcomers;
  for (const worker of [sleeper, awake]) state.addAbility(worker, "f", 0);
  state.addAbility(other, "g", 0);
  for (const worker of [sleeper, other]) dispatcher.sleep(worker);
  for (let i = 0; i < 3; i++) dispatcher.submit(client, jobDetails("f"));
  assert.deepEqual([sleeper, awake, other, client].map((each) => each.takePackets()), [["NOOP"], [], [], []]);
});

test("a submission that joins a job wakes no worker", () => {
  const { state, dispatcher } = createServerParts();
  const worker = new FakeParticipant();
  state.addAbility(worker, "f", 0);
  const job = dispatcher.submit(worker, jobDetails("f", { unique: "u" }));
  assert.equal(dispatcher.grab(worker), job);
  dispatcher.sleep(worker);
  assert.equal(dispatcher.submit(worker, jobDetails("f", { unique: "u" })), job);
  assert.deepEqual(worker.takePackets(), []);
});

test("a job for which there is no room wakes no worker", () => {
  const { state, dispatcher } = createServerParts({ maxJobs: 1 });
  const worker = new FakeParticipant();
  state.addAbility(worker, "f", 0);
  dispatcher.submit(worker, jobDetails("other"));
  dispatcher.sleep(worker);
  assert.equal(dispatcher.submit(worker, jobDetails("f")), undefined);
  assert.deepEqual(worker.takePackets(), []);
});

test("a worker that goes to sleep although there is a job gets a NOOP each time, and stays awake", () => {
  const { state, dispatcher } = createServerParts();
  const worker = new FakeParticipant();
  state.addAbility(worker, "f", 0);
  dispatcher.submit(worker, jobDetails("f"));
  dispatcher.sleep(worker);
  dispatcher.sleep(worker);
  dispatcher.submit(worker, jobDetails("f"));
  assert.deepEqual(worker.takePackets(), ["NOOP", "NOOP"]);
});

test("a worker that asks for a job in its sleep is awake, and is not woken any more", () => {
  const { state, dispatcher } = createServerParts();
  const worker = new FakeParticipant();
  state.addAbility(worker, "f", 0);
  dispatcher.sleep(worker);
  assert.equal(dispatcher.grab(worker), undefined);
  dispatcher.submit(worker, jobDetails("f"));
  assert.deepEqual(worker.takePackets(), []);
});

test("a job over its time limit is given to another worker, which is woken", () => {
  using timers = fakeTimers(5_000);
  const { state, dispatcher } = createServerParts();
  const [slow, other] = [new FakeParticipant(), new FakeParticipant()];
  state.addAbility(slow, "f", 5_000);
  state.addAbility(other, "f", 0);
  const job = dispatcher.submit(slow, jobDetails("f"))!;
  assert.equal(dispatcher.grab(slow), job);
  dispatcher.sleep(other);
  timers.fire();
  assert.deepEqual([slow.takePackets(), other.takePackets()], [[], ["NOOP"]]);
  assert.equal(dispatcher.grab(other), job);
  assert.deepEqual([job.retries, timers.active], [1, 0]);
});

test("a time limit ends with its job, however that ends", () => {
  using timers = fakeTimers(5_000);
  const { state, dispatcher } = createServerParts();
  const endings: ((worker: FakeParticipant, job: ServerJob) => void)[] = [
    (_, job) => dispatcher.finish(job),
    (worker) => dispatcher.removeAbilities(worker, "f"),
    (worker) => dispatcher.removeAllAbilities(worker),
    (worker) => dispatcher.release(worker),
    () => dispatcher.close(),
  ];
  for (const end of endings) {
    const worker = new FakeParticipant();
    state.addAbility(worker, "f", 5_000);
    dispatcher.submit(worker, jobDetails("f"));
    const job = dispatcher.grab(worker)!;
    assert.equal(timers.active, 1);
    end(worker, job);
    assert.equal(timers.active, 0);
  }
});

test("a job that was lost too often fails, for each of its submissions", () => {
  const { state, dispatcher } = createServerParts({ jobRetries: 2 });
  const [client, other] = [new FakeParticipant(), new FakeParticipant()];
  for (const each of [client, client, other]) dispatcher.submit(each, jobDetails("f", foreground("u")));
  for (let lost = 1; lost <= 2; lost++) {
    const worker = new FakeParticipant();
    state.addAbility(worker, "f", 0);
    assert.equal(dispatcher.grab(worker)?.handle, "H:1");
    dispatcher.release(worker);
    const failures = lost === 1 ? [] : ["WORK_FAIL H:1"];
    assert.deepEqual(client.takePackets(), [...failures, ...failures]);
    assert.deepEqual(other.takePackets(), failures);
  }
  assert.equal(state.jobs.size, 0);
});

test("CANT_DO gives back the jobs of that function, the last one first, and may wake the worker itself", () => {
  const { state, dispatcher } = createServerParts();
  const [worker, other] = [new FakeParticipant(), new FakeParticipant()];
  for (const name of ["f", "g"]) state.addAbility(worker, name, 0);
  for (const name of ["f", "f", "g"]) dispatcher.submit(worker, jobDetails(name));
  for (let i = 0; i < 3; i++) dispatcher.grab(worker);
  dispatcher.sleep(worker);
  dispatcher.removeAbilities(worker, "unknown");
  assert.deepEqual(worker.takePackets(), []);
  dispatcher.removeAbilities(worker, "f");
  assert.deepEqual(worker.takePackets(), ["NOOP"]);
  assert.equal(dispatcher.grab(worker), undefined, "it cannot do f any more, and still holds its job of g");
  state.addAbility(other, "f", 0);
  assert.deepEqual([dispatcher.grab(other)?.handle, dispatcher.grab(other)?.handle], ["H:2", "H:1"]);
});

test("a connection that has ended leaves its jobs as a client, and gives back those as a worker", () => {
  const { state, dispatcher } = createServerParts();
  const [both, other] = [new FakeParticipant(), new FakeParticipant()];
  state.addAbility(both, "f", 0);
  const held = dispatcher.submit(other, jobDetails("f", foreground("")))!;
  const awaited = dispatcher.submit(both, jobDetails("f", foreground("")))!;
  assert.equal(dispatcher.grab(both), held);
  dispatcher.release(both);
  dispatcher.release(both);
  assert.deepEqual([held.ability, held.retries, awaited.ignored, both.abilityCount], [undefined, 1, true, 0]);
  state.addAbility(other, "f", 0);
  assert.equal(dispatcher.grab(other), held);
  assert.equal(dispatcher.grab(other), undefined);
  assert.equal(state.jobs.size, 1);
});

test("`cancel job` sends WORK_FAIL to the clients once, and nothing to the worker", () => {
  const { state, dispatcher } = createServerParts();
  const [client, worker] = [new FakeParticipant(), new FakeParticipant()];
  state.addAbility(worker, "f", 0);
  const job = dispatcher.submit(client, jobDetails("f", foreground("u")))!;
  dispatcher.grab(worker);
  dispatcher.cancel(job);
  dispatcher.cancel(job);
  assert.deepEqual([client.takePackets(), worker.takePackets()], [["WORK_FAIL H:1"], []]);
});

test("a job with a time wakes workers when it comes and when it is due, and is only then given to one", (t) => {
  using timers = fakeTimers(60_000);
  const clock = setClock(t, 1_000_000);
  const { state, dispatcher } = createServerParts();
  const worker = new FakeParticipant();
  state.addAbility(worker, "f", 0);
  dispatcher.sleep(worker);
  const job = dispatcher.submit(worker, jobDetails("f", { due: 1_060_000 }));
  assert.deepEqual(worker.takePackets(), ["NOOP"]);
  assert.equal(dispatcher.grab(worker), undefined);
  dispatcher.sleep(worker);
  clock.time = 1_060_000;
  timers.fire();
  assert.deepEqual(worker.takePackets(), ["NOOP"]);
  assert.equal(dispatcher.grab(worker), job);
  assert.equal(timers.active, 0);
});

test("a due job is given to a worker that asks before the timer fires", (t) => {
  using timers = fakeTimers(60_000);
  const clock = setClock(t, 1_000_000);
  const { state, dispatcher } = createServerParts();
  const worker = new FakeParticipant();
  state.addAbility(worker, "f", 0);
  const job = dispatcher.submit(worker, jobDetails("f", { due: 1_060_000 }));
  clock.time = 1_060_000;
  assert.equal(dispatcher.grab(worker), job);
  timers.fire();
  assert.deepEqual(worker.takePackets(), []);
});

test("what goes wrong when a timer fires is reported, and the next timer is set all the same", (t) => {
  using epochTimers = fakeTimers(60_000);
  using limitTimers = fakeTimers(5_000);
  const clock = setClock(t, 1_000_000);
  const { state, dispatcher, errors } = createServerParts({ jobRetries: 1 });
  const error = new Error("no memory");
  class BrokenParticipant extends FakeParticipant {
    override send(): void {
      throw error;
    }
  }
  const [broken, worker] = [new BrokenParticipant(), new FakeParticipant()];
  state.addAbility(broken, "f", 0);
  for (const due of [1_060_000, 1_120_000]) dispatcher.submit(worker, jobDetails("f", { due }));
  dispatcher.sleep(broken);
  clock.time = 1_060_000;
  epochTimers.fire();
  assert.deepEqual([errors.splice(0), epochTimers.active], [[error], 1]);

  state.addAbility(worker, "g", 5_000);
  dispatcher.submit(broken, jobDetails("g", foreground("")));
  dispatcher.grab(worker);
  limitTimers.fire();
  assert.deepEqual([errors, limitTimers.active], [[error], 0]);
});

test("one timer serves all jobs with a time: it is set to the first, and at most to 24.8 days", (t) => {
  using first = fakeTimers(60_000);
  using second = fakeTimers(30_000);
  using longest = fakeTimers(MAX_TIMER);
  const clock = setClock(t, 1_000_000);
  const { state, dispatcher } = createServerParts();
  const worker = new FakeParticipant();
  state.addAbility(worker, "f", 0);
  dispatcher.submit(worker, jobDetails("f", { due: 1e15 }));
  assert.deepEqual([first.active, second.active, longest.active], [0, 0, 1]);
  dispatcher.submit(worker, jobDetails("f", { due: 1_060_000 }));
  assert.deepEqual([first.active, second.active, longest.active], [1, 0, 0]);
  const soonest = dispatcher.submit(worker, jobDetails("f", { due: 1_030_000 }));
  assert.deepEqual([first.active, second.active, longest.active], [0, 1, 0]);
  clock.time = 1_030_000;
  second.fire();
  assert.equal(dispatcher.grab(worker), soonest);
  assert.deepEqual([first.active, second.active, longest.active], [0, 1, 0], "30 s are left for the next");
  dispatcher.close();
  assert.deepEqual([first.active, second.active, longest.active], [0, 0, 0]);
});
