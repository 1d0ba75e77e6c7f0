// Random exchanges, played against gearmand and against JobServer: whatever is said to them, they answer alike.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { PacketType as P } from "../../src/codec/mod.ts";
import { needs } from "../support/gearmand.ts";
import { playOnGearmand, playOnJobServer } from "./play.ts";
import { canDo, complete, grab, grabAll, grabUniq, type Script, sleep, type Step } from "./script.ts";
import { readable, request as r } from "./wire.ts";

/** How many exchanges are tried, and where the random ones begin: the same in every run that does not ask otherwise. */
const RUNS = Number(process.env["RANDOM_RUNS"] ?? 60);
const SEED = Number(process.env["RANDOM_SEED"] ?? 20_260);

const FOREGROUND = [P.SUBMIT_JOB, P.SUBMIT_JOB_HIGH, P.SUBMIT_JOB_LOW, P.SUBMIT_REDUCE_JOB] as const;
const BACKGROUND = [
  ...[P.SUBMIT_JOB_BG, P.SUBMIT_JOB_HIGH_BG, P.SUBMIT_JOB_LOW_BG],
  ...[P.SUBMIT_REDUCE_JOB_BACKGROUND, P.SUBMIT_JOB_EPOCH],
] as const;

interface Submission {
  readonly type: typeof FOREGROUND[number] | typeof BACKGROUND[number];
  readonly name: string;
  readonly unique: string;
  readonly data: string;
  readonly epoch: string;
}

const name = fc.constantFrom("f", "g");
const data = fc.constantFrom("", "x", "y\0z");

const submission: fc.Arbitrary<Submission> = fc.record({
  type: fc.constantFrom(...FOREGROUND, ...BACKGROUND),
  name,
  unique: fc.constantFrom("", "-", "1", "2"),
  data,
  epoch: fc.constantFrom("1", "-3", "", "x"),
});

/** What is said of a job; its handle may be any. */
const ofJob = fc.tuple(fc.integer({ min: 1, max: 9 }), data, fc.constantFrom("1", "-7", "", "x")).chain(
  ([number, data, numerator], handle = `H:${number}`) =>
    fc.constantFrom(
      ...[complete(handle, data), complete(handle, data), complete(handle, data)],
      r(P.WORK_DATA, handle, data),
      r(P.WORK_WARNING, handle, data),
      r(P.WORK_EXCEPTION, handle, data),
      r(P.WORK_FAIL, handle),
      r(P.WORK_STATUS, handle, numerator, "9"),
      r(P.GET_STATUS, handle),
    ),
);

const anyName = fc.constantFrom("e", "f", "g");
const request: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: anyName.map((name) => canDo(name)) },
  anyName.map((name) => r(P.CAN_DO_TIMEOUT, name, "600000")),
  anyName.map((name) => r(P.CANT_DO, name)),
  fc.constant(r(P.RESET_ABILITIES)),
  { weight: 8, arbitrary: fc.constantFrom(grab, grabUniq, grabAll) },
  // Without a grab before it, a second PRE_SLEEP is one of the differences.
  { weight: 3, arbitrary: fc.constant(grab + sleep) },
  { weight: 9, arbitrary: ofJob },
  fc.constantFrom("f1", "f2", "g1", "-", "").map((unique) => r(P.GET_STATUS_UNIQUE, unique)),
  fc.constantFrom("exceptions", "nothing").map((option) => r(P.OPTION_REQ, option)),
  fc.constantFrom("me", "you").map((id) => r(P.SET_CLIENT_ID, id)),
  fc.constantFrom(r(P.ECHO_REQ, "x"), r(P.NOOP), r(P.ALL_YOURS)),
  { weight: 2, arbitrary: fc.constantFrom("status\n", "prioritystatus\n", "show jobs\n", "workers\n", "huh\n") },
  fc.tuple(anyName, fc.integer({ min: 0, max: 3 })).map(([name, most]) => `maxqueue ${name} ${most}\n`),
);

/** What a connection says; null when it leaves. */
type Turn = readonly [connection: string, said: (string | Submission)[] | null];

const said: fc.Arbitrary<string | Submission> = fc.oneof(submission, request, request, request);
const turn: fc.Arbitrary<Turn> = fc.tuple(
  fc.constantFrom("a", "b", "c", "d"),
  fc.option<(string | Submission)[]>(fc.array(said, { minLength: 1, maxLength: 4 }), { freq: 12 }),
);

/** Makes steps of turns, and leaves out what the table of differences is about. */
class Steps {
  readonly steps: Step[] = [];
  readonly #workersStay: boolean;
  /** The jobs that foreground clients wait for, that somebody has submitted in the background, and that were left. */
  readonly #waits = new Map<string, Set<string>>();
  readonly #foreground = new Set<string>();
  readonly #background = new Set<string>();
  readonly #abandoned = new Set<string>();

  constructor(turns: readonly Turn[], workersStay: boolean) {
    this.#workersStay = workersStay;
    for (const [connection, said] of turns) {
      if (said === null) this.#leave(connection);
      else this.#say(connection, said);
    }
  }

  #leave(connection: string): void {
    const own = [...this.#waits.get(connection) ?? []];
    // A background job that its foreground clients leave is one of the differences.
    if (this.#workersStay || own.some((job) => this.#background.has(job))) return;
    if (!this.steps.some(([other]) => other === connection)) return;
    for (const job of own) this.#abandoned.add(job);
    this.#waits.delete(connection);
    this.steps.push([connection, null]);
  }

  #say(connection: string, said: readonly (string | Submission)[]): void {
    const step: string[] = [];
    const flush = () => void (step.join("") !== "" && this.steps.push([connection, ...step.splice(0)]));
    for (const item of said) {
      const part = typeof item === "string" ? this.#request(item) : this.#submission(connection, item);
      // What a job is given with, and what ends it, in one write is another of the differences.
      if (step.some(isGrab) && !isGrab(part)) flush();
      step.push(part);
    }
    flush();
  }

  #request(request: string): string {
    return this.#workersStay && isA(request, P.CANT_DO, P.RESET_ABILITIES) ? "" : request;
  }

  #submission(connection: string, { type, name, unique, data, epoch }: Submission): string {
    // Jobs that wait for their time have a function of their own, without any of low priority that they would hide.
    const [functionName, isBackground] = [type === P.SUBMIT_JOB_EPOCH ? "e" : name, isIn(BACKGROUND, type)];
    // Uniques of two functions differ: GET_STATUS_UNIQUE answers for either.
    const whole = unique === "" || unique === "-" ? unique : functionName + unique;
    const job = whole === "" || (whole === "-" && data === "")
      ? ""
      : `${functionName} ${whole} ${whole === "-" && data}`;
    // So is joining a job that was left, and a background submission that joins a foreground job.
    if (this.#abandoned.has(job) || (isBackground && this.#foreground.has(job))) return "";
    if (job !== "" && isBackground) this.#background.add(job);
    if (job !== "" && !isBackground) {
      this.#foreground.add(job);
      this.#waits.set(connection, (this.#waits.get(connection) ?? new Set()).add(job));
    }
    if (type === P.SUBMIT_JOB_EPOCH) return r(type, functionName, whole, epoch, data);
    if (type === P.SUBMIT_REDUCE_JOB || type === P.SUBMIT_REDUCE_JOB_BACKGROUND) {
      return r(type, functionName, whole, "r", "", data);
    }
    return r(type, functionName, whole, data);
  }
}

const isIn = (types: readonly P[], type: number): boolean => (types as readonly number[]).includes(type);
const isA = (request: string, ...types: P[]): boolean => request.startsWith("\0") && isIn(types, request.charCodeAt(7));
const isGrab = (request: string): boolean => isA(request, P.GRAB_JOB, P.GRAB_JOB_UNIQ, P.GRAB_JOB_ALL);

const scripts: fc.Arbitrary<Script> = fc.record({
  turns: fc.array(turn, { minLength: 20, maxLength: 60 }),
  jobRetries: fc.constantFrom(0, 1, 2),
  roundRobin: fc.boolean(),
  exceptions: fc.boolean(),
  workerWakeup: fc.constantFrom(0, 1, 2),
}).map(({ turns, ...options }) => ({
  name: "random",
  options,
  args: [
    `--job-retries=${options.jobRetries}`,
    `--worker-wakeup=${options.workerWakeup}`,
    ...options.roundRobin ? ["--round-robin"] : [],
    ...options.exceptions ? ["--exceptions"] : [],
  ],
  // With worker-wakeup, it is one of the differences when a worker leaves.
  steps: new Steps(turns, options.workerWakeup > 0).steps,
}));

test(
  "gearmand and JobServer answer alike, whatever is said to them",
  { skip: needs("gearmand"), timeout: 600_000 },
  async () => {
    const property = fc.asyncProperty(scripts, async (script) => {
      const theirs = await playOnGearmand(script);
      const steps = script.steps.map(([name, ...parts]) => `${name}: ${readable(parts.join("") || "(leaves)")}`);
      assert.deepEqual(await playOnJobServer(script), theirs, `${script.args}\n${steps.join("\n")}`);
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED, timeout: 10_000 });
  },
);
