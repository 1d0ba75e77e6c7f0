// A request costs no more among many functions, abilities, workers or jobs than among few: one peer must not stall the server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createServerParts, FakeParticipant, jobDetails } from "../support/participants.ts";

/** Sizes that are compared. A step that looks at everything costs 80 times as much with the second. */
const FEW = 250;
const MANY = 20_000;
/** Maximum ratio of the costs: garbage collection, and memory outside of the processor's caches, make some steps slower. */
const MAX_RATIO = 20;

/** Prepares a server with `size` things of a kind; returns what a step does, with the number of the step. */
type Scenario = (size: number) => (step: number) => void;

const FAR_AWAY = 99_999_999_999_000;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "GET_STATUS_UNIQUE among functions": (size) => {
    const { state } = createServerParts();
    for (let i = 0; i < size; i++) state.addFunction(`f${i}`);
    return () => assert.equal(state.jobByUnique("unknown"), undefined);
  },

  "GET_STATUS_UNIQUE of a unique that jobs of all functions share, when one of them has just ended": (size) => {
    const { state, dispatcher } = createServerParts();
    const client = new FakeParticipant();
    const jobs = Array.from({ length: size }, (_, i) => {
      return dispatcher.submit(client, jobDetails(`f${i}`, { unique: "u" }))!;
    });
    return (step) => {
      dispatcher.cancel(jobs[(step * 7) % size]!);
      state.jobByUnique("u");
    };
  },

  "the number of clients of a job with clients": (size) => {
    const { state, dispatcher } = createServerParts();
    const foreground = jobDetails("f", { unique: "u", background: false });
    for (let i = 0; i < size; i++) dispatcher.submit(new FakeParticipant(), foreground);
    return () => assert.equal(state.jobByUnique("u")!.clients.submissionCount, size);
  },

  "CANT_DO and CAN_DO among abilities": (size) => {
    const { state, dispatcher } = createServerParts();
    const worker = new FakeParticipant();
    for (let i = 0; i < size; i++) state.addAbility(worker, `f${i}`, 0);
    return (step) => {
      dispatcher.removeAbilities(worker, `f${step}`);
      state.addAbility(worker, `f${step}`, 0);
    };
  },

  "CANT_DO and CAN_DO among workers": (size) => {
    const { state, dispatcher } = createServerParts();
    const workers = Array.from({ length: size }, () => new FakeParticipant());
    for (const worker of workers) state.addAbility(worker, "f", 0);
    return (step) => {
      dispatcher.removeAbilities(workers[step]!, "f");
      state.addAbility(workers[step]!, "f", 0);
    };
  },

  "RESET_ABILITIES of one ability among workers": (size) => {
    const { state, dispatcher } = createServerParts();
    const workers = Array.from({ length: size }, () => new FakeParticipant());
    for (const worker of workers) state.addAbility(worker, "f", 0);
    return (step) => dispatcher.removeAllAbilities(workers[step]!);
  },

  "GRAB_JOB and PRE_SLEEP without a job, among abilities": (size) => {
    const { state, dispatcher } = createServerParts();
    const worker = new FakeParticipant();
    for (let i = 0; i < size; i++) state.addAbility(worker, `f${i}`, 0);
    dispatcher.grab(worker);
    return () => {
      assert.equal(dispatcher.grab(worker), undefined);
      dispatcher.sleep(worker);
    };
  },

  "GRAB_JOB among abilities with jobs, in turn": (size) => {
    const { state, dispatcher } = createServerParts();
    const worker = new FakeParticipant();
    for (let i = 0; i < size; i++) {
      state.addAbility(worker, `f${i}`, 0);
      dispatcher.submit(worker, jobDetails(`f${i}`));
    }
    return () => dispatcher.finish(dispatcher.grab(worker)!);
  },

  "a job for a worker that has registered the function again and again": (size) => {
    const { state, dispatcher } = createServerParts();
    const worker = new FakeParticipant();
    for (let i = 0; i < size; i++) state.addAbility(worker, "f", 0);
    return () => {
      dispatcher.submit(worker, jobDetails("f"));
      dispatcher.finish(dispatcher.grab(worker)!);
      dispatcher.sleep(worker);
    };
  },

  "a job for one worker that sleeps, among workers that are awake": (size) => {
    const { state, dispatcher } = createServerParts();
    for (let i = 0; i < size; i++) state.addAbility(new FakeParticipant(), "f", 0);
    const worker = new FakeParticipant();
    state.addAbility(worker, "f", 0);
    dispatcher.submit(worker, jobDetails("f"));
    dispatcher.finish(dispatcher.grab(worker)!);
    return () => {
      dispatcher.sleep(worker);
      dispatcher.submit(worker, jobDetails("f"));
      dispatcher.finish(dispatcher.grab(worker)!);
    };
  },

  "`cancel job` among epoch jobs": (size) => {
    const { dispatcher } = createServerParts();
    const client = new FakeParticipant();
    const jobs = Array.from({ length: size }, (_, i) => {
      return dispatcher.submit(client, jobDetails("f", { due: FAR_AWAY - i * 1_000 }))!;
    });
    return (step) => {
      dispatcher.cancel(jobs[step]!);
      if (step === FEW - 1) dispatcher.close(); // the timer
    };
  },

  "`cancel job` among queued jobs": (size) => {
    const { dispatcher } = createServerParts();
    const client = new FakeParticipant();
    const jobs = Array.from({ length: size }, () => dispatcher.submit(client, jobDetails("f"))!);
    return (step) => dispatcher.cancel(jobs[step]!);
  },

  "`drop function` of a function with jobs": (size) => {
    const { state, dispatcher } = createServerParts();
    const client = new FakeParticipant();
    for (let i = 0; i < size; i++) dispatcher.submit(client, jobDetails("f"));
    return () => assert.equal(state.dropFunction(state.functions.get("f")!), false);
  },

  "`drop function` of an unknown name among functions": (size) => {
    const { state } = createServerParts();
    for (let i = 0; i < size; i++) state.addFunction(`f${i}`);
    return () => assert.equal(state.functionInAnyCase("G"), undefined);
  },

  "`drop function` among names that differ in case": (size) => {
    const { state } = createServerParts();
    for (let i = 0; i < size; i++) state.addFunction(inCase("abcdefghijklmn", i));
    return () => state.dropFunction(state.functionInAnyCase("abcdefghijklmN")!);
  },
};

/** Makes a name in which the bits of a number say which letters are capitals. */
function inCase(name: string, bits: number): string {
  return Array.from(name, (letter, i) => (bits >> i) % 2 === 1 ? letter.toUpperCase() : letter).join("");
}

/** Returns the time of a step, at best, in any unit. */
function costOf(scenario: Scenario, size: number): number {
  let best = Infinity;
  for (let round = 0; round < 3; round++) {
    const step = scenario(size);
    const begin = performance.now();
    for (let i = 0; i < FEW; i++) step(i);
    best = Math.min(best, performance.now() - begin);
  }
  return best;
}

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`a request costs about the same with ${FEW} and with ${MANY}: ${name}`, () => {
    costOf(scenario, FEW); // warms up
    const few = costOf(scenario, FEW);
    const many = costOf(scenario, MANY);
    assert.ok(many < few * MAX_RATIO, `it costs ${(many / few).toFixed(1)} times as much`);
  });
}
