// Random exchanges, played against gearmand and against JobServer, get the same answers.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { PacketType as P } from "../../src/codec/mod.ts";
import { needs } from "../support/requirements.ts";
import { playOnGearmand, playOnJobServer } from "./play.ts";
import { canDo, complete, grab, grabAll, grabUniq, type Script, sleep, type Step } from "./script.ts";
import { readable, request as r } from "./wire.ts";

/** Number of exchanges, and the seed: the exchanges are the same in every run that does not set them. */
const RUNS = Number(process.env["RANDOM_RUNS"] ?? 60);
const SEED = Number(process.env["RANDOM_SEED"] ?? 20_260);

const FOREGROUND = [P.SUBMIT_JOB, P.SUBMIT_JOB_HIGH, P.SUBMIT_JOB_LOW, P.SUBMIT_REDUCE_JOB] as const;
const BACKGROUND = [
  ...[P.SUBMIT_JOB_BG, P.SUBMIT_JOB_HIGH_BG, P.SUBMIT_JOB_LOW_BG],
  ...[P.SUBMIT_REDUCE_JOB_BACKGROUND, P.SUBMIT_JOB_EPOCH],
] as const;

interface RandomSubmission {
  readonly type: typeof FOREGROUND[number] | typeof BACKGROUND[number];
  readonly name: string;
  readonly unique: string;
  readonly data: string;
  readonly epoch: string;
}

const name = fc.constantFrom("f", "g");
const data = fc.constantFrom("", "x", "y\0z");

const submission: fc.Arbitrary<RandomSubmission> = fc.record({
  type: fc.constantFrom(...FOREGROUND, ...BACKGROUND),
  name,
  unique: fc.constantFrom("", "-", "1", "2"),
  data,
  epoch: fc.constantFrom("1", "-3", "", "x"),
});

/** A request about a job, with any handle. */
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
  // A second PRE_SLEEP without a grab before it is one of the differences.
  { weight: 3, arbitrary: fc.constant(grab + sleep) },
  { weight: 9, arbitrary: ofJob },
  fc.constantFrom("f1", "f2", "g1", "-", "").map((unique) => r(P.GET_STATUS_UNIQUE, unique)),
  fc.constantFrom("exceptions", "nothing").map((option) => r(P.OPTION_REQ, option)),
  fc.constantFrom("me", "you").map((id) => r(P.SET_CLIENT_ID, id)),
  fc.constantFrom(r(P.ECHO_REQ, "x"), r(P.NOOP), r(P.ALL_YOURS)),
  { weight: 2, arbitrary: fc.constantFrom("status\n", "prioritystatus\n", "show jobs\n", "workers\n", "huh\n") },
  fc.tuple(anyName, fc.integer({ min: 0, max: 3 })).map(([name, limit]) => `maxqueue ${name} ${limit}\n`),
);

/** What a connection sends; null if it closes. */
type Turn = readonly [connection: string, sent: (string | RandomSubmission)[] | null];

const sentItem: fc.Arbitrary<string | RandomSubmission> = fc.oneof(submission, request, request, request);
const turn: fc.Arbitrary<Turn> = fc.tuple(
  fc.constantFrom("a", "b", "c", "d"),
  fc.option<(string | RandomSubmission)[]>(fc.array(sentItem, { minLength: 1, maxLength: 4 }), { freq: 12 }),
);

/** Makes steps from turns, without the differences that the table lists. */
class Steps {
  readonly steps: Step[] = [];
  readonly #workersStay: boolean;
  /** Foreground jobs by the connection that waits for them. */
  readonly #waiting = new Map<string, Set<string>>();
  /** Jobs with a foreground submission. */
  readonly #foreground = new Set<string>();
  /** Jobs with a background submission. */
  readonly #background = new Set<string>();
  /** Jobs that a client has left. */
  readonly #abandoned = new Set<string>();

  constructor(turns: readonly Turn[], workersStay: boolean) {
    this.#workersStay = workersStay;
    for (const [connection, sent] of turns) {
      if (sent === null) this.#close(connection);
      else this.#send(connection, sent);
    }
  }

  #close(connection: string): void {
    const own = [...this.#waiting.get(connection) ?? []];
    // One of the differences: foreground clients leave a background job.
    if (this.#workersStay || own.some((job) => this.#background.has(job))) return;
    if (!this.steps.some(([other]) => other === connection)) return;
    for (const job of own) this.#abandoned.add(job);
    this.#waiting.delete(connection);
    this.steps.push([connection, null]);
  }

  #send(connection: string, sent: readonly (string | RandomSubmission)[]): void {
    const step: string[] = [];
    const endStep = () => {
      const parts = step.splice(0);
      if (parts.join("") !== "") this.steps.push([connection, ...parts]);
    };
    for (const item of sent) {
      const part = typeof item === "string" ? this.#request(item) : this.#submission(connection, item);
      // One of the differences: a job is assigned and ended in one write.
      if (step.some(isGrab) && !isGrab(part)) endStep();
      step.push(part);
    }
    endStep();
  }

  #request(request: string): string {
    return this.#workersStay && isA(request, P.CANT_DO, P.RESET_ABILITIES) ? "" : request;
  }

  #submission(connection: string, { type, name, unique, data, epoch }: RandomSubmission): string {
    // Waiting epoch jobs have a function of their own: on gearmand they would hide its jobs of low priority.
    const functionName = type === P.SUBMIT_JOB_EPOCH ? "e" : name;
    const isBackground = isIn(BACKGROUND, type);
    // Two functions must not share a unique: GET_STATUS_UNIQUE may answer for either.
    const whole = unique === "" || unique === "-" ? unique : functionName + unique;
    const job = whole === "" || (whole === "-" && data === "")
      ? ""
      : `${functionName} ${whole} ${whole === "-" && data}`;
    // Two of the differences: joining an abandoned job, and joining a foreground job in the background.
    if (this.#abandoned.has(job) || (isBackground && this.#foreground.has(job))) return "";
    if (job !== "" && isBackground) this.#background.add(job);
    if (job !== "" && !isBackground) {
      this.#foreground.add(job);
      this.#waiting.set(connection, (this.#waiting.get(connection) ?? new Set()).add(job));
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
  // One of the differences: with worker-wakeup, a worker leaves.
  steps: new Steps(turns, options.workerWakeup > 0).steps,
}));

test(
  "gearmand and JobServer answer random requests alike",
  { skip: needs("gearmand"), timeout: 600_000 },
  async () => {
    const property = fc.asyncProperty(scripts, async (script) => {
      const theirs = await playOnGearmand(script);
      const steps = script.steps.map(([name, ...parts]) => `${name}: ${readable(parts.join("") || "(leaves)")}`);
      assert.deepEqual(await playOnJobServer(script, "1.1"), theirs, `${script.args}\n${steps.join("\n")}`);
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED, timeout: 10_000 });
  },
);
