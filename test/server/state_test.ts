/** Tests of the functions and jobs of a job server, without I/O and clock. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HIGH, type JobDetails, LOW, type Participant, type ServerJob } from "../../src/server/model.ts";
import type { ServerState, StateSettings } from "../../src/server/state.ts";
import { createServerParts, FakeParticipant, jobDetails } from "../support/participants.ts";

const NOW = 1_000_000;

/** A state with shorthands. */
class Setting {
  readonly state: ServerState;
  readonly client = new FakeParticipant();
  /** The workers that the last job has woken. */
  woken: readonly Participant[] = [];

  constructor(settings: Partial<StateSettings> = {}) {
    this.state = createServerParts(settings).state;
  }

  /** Submits a job, and queues it if it is new. */
  submit(functionName: string, details: Partial<JobDetails> = {}, client: Participant = this.client): ServerJob {
    const accepted = this.state.submit(client, jobDetails(functionName, details));
    assert.ok(accepted !== undefined, "there must be room");
    if (accepted.isNew) this.woken = this.state.enqueue(accepted.job, NOW);
    return accepted.job;
  }

  /** Makes a worker, and registers these functions in this order. */
  worker(...functionNames: string[]): FakeParticipant {
    const worker = new FakeParticipant();
    for (const functionName of functionNames) this.state.addAbility(worker, functionName, 0);
    return worker;
  }

  /** Lets a worker grab until there is no job for it; returns their handles. */
  grabAll(worker: Participant): string[] {
    const handles: string[] = [];
    for (let job = this.state.grab(worker); job !== undefined; job = this.state.grab(worker)) handles.push(job.handle);
    return handles;
  }

  get handles(): string[] {
    return Array.from(this.state.jobs.values(), ({ handle }) => handle);
  }
}

const foreground = (unique = ""): Partial<JobDetails> => ({ unique, background: false });

describe("submissions", () => {
  test("a job has the next handle, and its function stays listed when it is over", () => {
    const setting = new Setting({ handlePrefix: "H:box" });
    setting.submit("f");
    const job = setting.submit("g");
    assert.equal(job.handle, "H:box:2");
    setting.state.finish(job);
    assert.deepEqual(setting.handles, ["H:box:1"]);
    assert.deepEqual([...setting.state.functions.keys()], ["f", "g"]);
  });

  test("a job keeps its workload, whatever happens to the bytes that were received", () => {
    const setting = new Setting();
    for (const length of [0, 5, 256, 10_000]) {
      const received = new Uint8Array(length).fill(7);
      const job = setting.submit("f", { workload: length > 256 ? received.slice() : received });
      received.fill(8);
      assert.deepEqual(job.workload, new Uint8Array(length).fill(7));
    }
  });

  test("the same function and unique share a job: the first workload and priority win", () => {
    const setting = new Setting();
    const first = setting.submit("f", { ...foreground("u"), priority: LOW, workload: new Uint8Array([1]) });
    const others = [
      setting.submit("f", { ...foreground("u"), priority: HIGH, workload: new Uint8Array([2]) }),
      setting.submit("f", foreground("u"), new FakeParticipant()),
      setting.submit("f", { unique: "u" }),
    ];
    for (const other of others) assert.equal(other, first);
    assert.deepEqual([first.priority, [...first.workload], first.background], [LOW, [1], true]);
    assert.equal(first.clients.submissionCount, 3);
    assert.equal([...first.subscribers()].length, 3);
    assert.notEqual(setting.submit("g", foreground("u")), first);
  });

  test("an empty unique is never shared, and - is shared by submissions of the same workload", () => {
    const setting = new Setting();
    const workload = new Uint8Array([1]);
    assert.notEqual(setting.submit("f"), setting.submit("f"));
    assert.equal(setting.submit("f", { unique: "-", workload }), setting.submit("f", { unique: "-", workload }));
    assert.notEqual(setting.submit("f", { unique: "-", workload }), setting.submit("f", { unique: "-" }));
    assert.notEqual(setting.submit("f", { unique: "-" }), setting.submit("f", { unique: "-" }));
    assert.notEqual(setting.submit("f", { unique: "-", workload }), setting.submit("f", { unique: "\x01", workload }));
  });

  test("the limit of a priority counts all jobs of the function, and further submissions join all the same", () => {
    const setting = new Setting();
    const job = setting.submit("f", { unique: "u", priority: LOW });
    job.functionQueue.limits = [2, 1, 0];
    const submit = (details: Partial<JobDetails>) => setting.state.submit(setting.client, jobDetails("f", details));
    assert.equal(submit({}), undefined);
    assert.equal(submit({ unique: "u" })?.job, job);
    setting.submit("f", { priority: HIGH });
    assert.equal(submit({ priority: HIGH }), undefined);
    setting.submit("f", { priority: LOW });
    setting.submit("g");
  });

  test("with maxJobs jobs there is no room for another, nor for the name of its function", () => {
    const setting = new Setting({ maxJobs: 1 });
    const job = setting.submit("f", { unique: "u" });
    const submit = (functionName: string, unique: string) =>
      setting.state.submit(setting.client, jobDetails(functionName, { unique }));
    assert.equal(submit("f", "v"), undefined);
    assert.equal(submit("g", "u"), undefined);
    assert.equal(submit("f", "u")?.job, job);
    assert.deepEqual([...setting.state.functions.keys()], ["f"]);
    setting.state.finish(job);
    setting.submit("g");
  });
});

describe("finding jobs", () => {
  test("a job is found by its exact handle", () => {
    const setting = new Setting({ handlePrefix: "H:box" });
    const job = setting.submit("f");
    assert.equal(setting.state.jobByHandle("H:box:1"), job);
    const wrong = [
      "",
      "1",
      "H:box:",
      "H:box:01",
      "H:box:1 ",
      "H:box: 1",
      "H:box:1.0",
      "H:box:1e0",
      "H:fox:1",
      "H:box:2",
    ];
    for (const handle of [...wrong, "H:box:0", "H:box:-1", "H:box:NaN", "H:box:0x1", "H:box:1\0"]) {
      assert.equal(setting.state.jobByHandle(handle), undefined, handle);
    }
    setting.state.finish(job);
    assert.equal(setting.state.jobByHandle("H:box:1"), undefined);
  });

  test("a unique is about the newest of the jobs that have it, in any function", () => {
    const setting = new Setting();
    const jobs = ["f", "g", "h"].map((name) => setting.submit(name, { unique: "u" }));
    const [f, g, h] = jobs as [ServerJob, ServerJob, ServerJob];
    assert.equal(setting.state.jobByUnique("u"), h);
    setting.state.finish(g);
    assert.equal(setting.state.jobByUnique("u"), h);
    setting.state.finish(h);
    assert.equal(setting.state.jobByUnique("u"), f);
    const again = setting.submit("h", { unique: "u" });
    assert.equal(setting.state.jobByUnique("u"), again);
    setting.state.cancel(again);
    assert.equal(setting.state.jobByUnique("u"), f);
    setting.state.finish(f);
    assert.equal(setting.state.jobByUnique("u"), undefined);
  });

  test('neither "" nor "-" is a unique that finds a job', () => {
    const setting = new Setting();
    setting.submit("f", { unique: "" });
    setting.submit("f", { unique: "-", workload: new Uint8Array([120]) });
    for (const unique of ["", "-", "x"]) assert.equal(setting.state.jobByUnique(unique), undefined);
  });

  test("a function is found in its case, else in another one", () => {
    const { state } = new Setting();
    const [lower, mixed] = [state.addFunction("echo"), state.addFunction("Echo")];
    assert.equal(state.functionInAnyCase("echo"), lower);
    assert.equal(state.functionInAnyCase("Echo"), mixed);
    assert.equal(state.functionInAnyCase("ECHO"), mixed);
    assert.equal(state.dropFunction(mixed), true);
    assert.equal(state.functionInAnyCase("ECHO"), lower);
    assert.equal(state.dropFunction(lower), true);
    assert.equal(state.functionInAnyCase("ECHO"), undefined);
  });
});

describe("the order of jobs", () => {
  test("higher priorities come first, and each is first in, first out", () => {
    const setting = new Setting();
    for (const priority of [LOW, HIGH, undefined, LOW, HIGH, undefined] as const) {
      setting.submit("f", priority === undefined ? {} : { priority });
    }
    assert.deepEqual(setting.grabAll(setting.worker("f")), ["H:2", "H:5", "H:3", "H:6", "H:1", "H:4"]);
  });

  test("2.0: the highest priority over all functions, and then each function in turn", () => {
    const setting = new Setting();
    for (const [name, priority] of [["f", LOW], ["f", HIGH], ["g", LOW], ["g", LOW], ["h", LOW]] as const) {
      setting.submit(name, { priority });
    }
    assert.deepEqual(setting.grabAll(setting.worker("f", "g", "h")), ["H:2", "H:5", "H:3", "H:1", "H:4"]);
  });

  test("1.1: all jobs of the newest function first; with roundRobin, one of each in turn", () => {
    for (const [roundRobin, order] of [[false, [3, 4, 1, 2]], [true, [3, 1, 4, 2]]] as const) {
      const setting = new Setting({ version: "1.1", roundRobin });
      for (const name of ["f", "f", "g", "g"]) setting.submit(name, { priority: name === "f" ? HIGH : LOW });
      assert.deepEqual(setting.grabAll(setting.worker("f", "g")), order.map((number) => `H:${number}`));
    }
  });

  test("a function that was registered twice has two turns, and CANT_DO removes both", () => {
    const setting = new Setting();
    for (const name of ["f", "f", "f", "g", "g"]) setting.submit(name);
    const worker = setting.worker("f", "g", "f");
    assert.equal(setting.state.functions.get("f")!.abilityCount, 2);
    assert.deepEqual(setting.grabAll(worker), ["H:1", "H:4", "H:2", "H:3", "H:5"]);
    for (const job of [...setting.state.jobs.values()]) setting.state.finish(job);
    setting.state.removeAbilities(worker.abilities.get(setting.state.functions.get("f")!)!);
    setting.submit("f");
    assert.deepEqual([worker.abilityCount, setting.state.functions.get("f")!.abilityCount], [1, 0]);
    assert.deepEqual(setting.grabAll(worker), []);
  });

  test("jobs that came before, between and after the abilities of a worker are all found", () => {
    const setting = new Setting();
    setting.submit("f");
    const worker = setting.worker("f", "g");
    assert.deepEqual(setting.grabAll(worker), ["H:1"]);
    setting.submit("g");
    setting.submit("f");
    setting.state.addAbility(worker, "h", 0);
    setting.submit("h");
    assert.equal(setting.state.hasJobFor(worker), true);
    assert.deepEqual(setting.grabAll(worker).sort(), ["H:2", "H:3", "H:4"]);
    assert.equal(setting.state.hasJobFor(worker), false);
  });

  test("a job that was given back comes last, without its progress, and counts its losses", () => {
    const setting = new Setting({ jobRetries: 2 });
    const worker = setting.worker("f");
    const job = setting.submit("f");
    setting.submit("f");
    setting.state.grab(worker);
    assert.ok(job.run !== undefined);
    job.run.numerator = 1;
    assert.deepEqual(setting.state.requeue(job), []);
    assert.deepEqual([job.run, job.retries, job.ability], [undefined, 1, undefined]);
    assert.deepEqual(setting.grabAll(worker), ["H:2", "H:1"]);
    assert.deepEqual([job.run.numerator, job.run.denominator], [0, 0]);
    assert.equal(setting.state.requeue(job), undefined, "it was lost too often");
    assert.equal(job.functionQueue.running, 1);
  });

  test("a job whose time has come has the place that it would have without waiting", () => {
    const setting = new Setting();
    setting.submit("f", { due: NOW + 2_000 });
    setting.submit("f", { due: NOW + 1_000 });
    setting.submit("f");
    setting.submit("f", { due: NOW });
    const worker = setting.worker("f");
    assert.equal(setting.state.nextDue, NOW + 1_000);
    assert.deepEqual(setting.state.functions.get("f")!.queued, [0, 4, 0]);
    setting.state.queueFirstWaiting();
    assert.equal(setting.state.nextDue, NOW + 2_000);
    setting.state.queueFirstWaiting();
    assert.equal(setting.state.nextDue, Infinity);
    assert.deepEqual(setting.grabAll(worker), ["H:1", "H:2", "H:3", "H:4"]);
  });
});

describe("jobs that are not wanted any more", () => {
  test("a foreground job whose clients have left is listed until a worker looks for a job", () => {
    for (const look of ["grab", "hasJobFor"] as const) {
      const setting = new Setting();
      const job = setting.submit("f", foreground("u"));
      setting.submit("f", foreground("u"), new FakeParticipant());
      setting.state.abandon(setting.client);
      assert.deepEqual([job.ignored, job.clients.submissionCount], [false, 1]);
      for (const client of [...job.clients.keys()]) setting.state.abandon(client);
      assert.deepEqual([job.ignored, setting.handles], [true, ["H:1"]]);
      assert.ok(!setting.state[look](setting.worker("f")));
      assert.deepEqual(setting.handles, []);
    }
  });

  test("one that is submitted again before that runs, and so does one that was also submitted in the background", () => {
    const setting = new Setting();
    setting.submit("f", foreground("again"));
    setting.submit("f", foreground("background"));
    setting.submit("f", { unique: "background" });
    setting.state.abandon(setting.client);
    setting.submit("f", foreground("again"), new FakeParticipant());
    assert.deepEqual(setting.grabAll(setting.worker("f")), ["H:1", "H:2"]);
  });

  test("a cancelled job is joined by none, and its clients wait for nothing", () => {
    const setting = new Setting();
    const job = setting.submit("f", foreground("u"));
    setting.state.cancel(job);
    assert.deepEqual([setting.client.awaitedJobs.size, job.clients.submissionCount], [0, 0]);
    const again = setting.submit("f", foreground("u"));
    assert.notEqual(again, job);
    setting.state.cancel(job);
    assert.equal(setting.submit("f", foreground("u")), again, "a second cancellation is about the same job");
    assert.deepEqual(setting.grabAll(setting.worker("f")), [again.handle]);
    assert.deepEqual(setting.handles, [again.handle]);
  });

  test("a cancelled job that waits for its time is gone at once, and one that runs when it is finished", () => {
    const setting = new Setting();
    const waiting = setting.submit("f", { due: NOW + 1_000 });
    const running = setting.submit("f");
    setting.state.grab(setting.worker("f"));
    setting.state.cancel(waiting);
    setting.state.cancel(waiting);
    setting.state.cancel(running);
    assert.deepEqual([setting.state.nextDue, setting.handles], [Infinity, ["H:2"]]);
    assert.deepEqual([running.functionQueue.waiting, running.functionQueue.total], [0, 1]);
    setting.state.finish(running);
    assert.deepEqual([setting.handles, running.functionQueue.total], [[], 0]);
  });

  test("a function is dropped together with such jobs, but not with workers or wanted jobs", () => {
    const setting = new Setting();
    const drop = () => setting.state.dropFunction(setting.state.functions.get("f")!);
    setting.submit("f", foreground());
    const wanted = setting.submit("f");
    setting.state.abandon(setting.client);
    assert.equal(drop(), false);
    setting.state.cancel(wanted);
    const waiting = setting.submit("f", { due: NOW + 1_000 });
    assert.equal(drop(), false);
    setting.state.cancel(waiting);
    const worker = setting.worker("f");
    assert.equal(drop(), false);
    setting.state.removeAbilities([...worker.abilities.values()][0]!);
    assert.equal(drop(), true);
    assert.deepEqual([setting.handles, [...setting.state.functions.keys()]], [[], []]);
  });
});

describe("waking workers", () => {
  test("a job wakes every worker of its function that sleeps, once", () => {
    const setting = new Setting();
    const [asleep, awake, other] = [setting.worker("f", "g"), setting.worker("f"), setting.worker("g")];
    for (const worker of [asleep, other]) {
      assert.equal(setting.state.hasJobFor(worker), false);
      worker.asleep = true;
    }
    setting.submit("f");
    assert.deepEqual(setting.woken, [asleep]);
    assert.deepEqual([asleep.asleep, awake.asleep, other.asleep], [false, false, true]);
    setting.submit("f");
    assert.deepEqual(setting.woken, []);
  });

  test("a job that waits for its time wakes when it comes and when it is due, and one that is given back does, too", () => {
    const setting = new Setting();
    const worker = setting.worker("f");
    const fallAsleep = () => {
      assert.equal(setting.state.hasJobFor(worker), false);
      worker.asleep = true;
    };
    fallAsleep();
    const job = setting.submit("f", { due: NOW + 1_000 });
    assert.deepEqual(setting.woken, [worker]);
    fallAsleep();
    assert.deepEqual(setting.state.queueFirstWaiting(), [worker]);
    assert.equal(setting.state.grab(worker), job);
    fallAsleep();
    assert.deepEqual(setting.state.requeue(job), [worker]);
  });

  test("a worker that registers a function in its sleep is woken by the next job of it", () => {
    const setting = new Setting();
    setting.submit("f");
    const worker = setting.worker();
    worker.asleep = true;
    setting.state.addAbility(worker, "f", 0);
    setting.submit("f");
    assert.deepEqual(setting.woken, [worker]);
  });

  test("workerWakeup limits how many are woken, and others are next", () => {
    const setting = new Setting({ workerWakeup: 1 });
    const [a, b, c] = [setting.worker("f"), setting.worker("f"), setting.worker("f")];
    for (const worker of [a, c]) worker.asleep = true;
    const wake = () => {
      setting.submit("f");
      return setting.woken;
    };
    assert.deepEqual(wake(), [a]);
    a.asleep = true;
    b.asleep = true;
    assert.deepEqual([wake(), wake(), wake(), wake()], [[b], [c], [a], []]);
  });

  test("with workerWakeup, another worker is woken for the jobs that are left when one leaves", () => {
    for (const jobs of [0, 1]) {
      const setting = new Setting({ workerWakeup: 1 });
      const [leaving, other] = [setting.worker("f"), setting.worker("f")];
      for (const worker of [leaving, other]) worker.asleep = true;
      for (let i = 0; i < jobs; i++) setting.submit("f");
      assert.deepEqual([leaving.asleep, other.asleep], [jobs === 0, true]);
      const woken = setting.state.removeAbilities([...leaving.abilities.values()][0]!);
      assert.deepEqual(woken, jobs === 0 ? [] : [other]);
      leaving.asleep = true;
      other.asleep = false;
      setting.submit("f");
      assert.deepEqual(setting.woken, [], "a worker that has left is not woken any more");
    }
  });
});

test("a state that was cleared holds nothing", () => {
  const setting = new Setting();
  setting.submit("f", foreground("u"));
  setting.state.clear();
  assert.deepEqual([setting.handles, [...setting.state.functions.keys()]], [[], []]);
  assert.equal(setting.state.jobByUnique("u"), undefined);
  assert.equal(setting.state.functionInAnyCase("F"), undefined);
});
