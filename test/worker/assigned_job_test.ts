/** Tests of the job that a handler gets, as an object: what it shows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { GearmanClient } from "../../mod.ts";
import type { AssignedJob } from "../../mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { runProgram } from "../support/programs.ts";
import { startWorker } from "../support/workers.ts";

const timeout = 30_000;

/** Runs a job, and returns it. */
async function runJob(options: { unique?: string; reducer?: string }): Promise<AssignedJob> {
  let job: AssignedJob | undefined;
  await using server = new JobServer();
  await using _worker = startWorker({ dial: server.dial }, { f: (given) => void (job = given) });
  await using client = new GearmanClient({ dial: server.dial });
  await client.do("f", "abc", options);
  return job!;
}

/** The names of all properties and methods, those of the prototype too. */
function namesOf(job: AssignedJob): string[] {
  const names = [...Object.keys(job), ...Object.getOwnPropertyNames(Object.getPrototypeOf(job))];
  return names.filter((name) => name !== "constructor").sort();
}

test("a job shows what a handler may use when it is printed, and nothing internal", { timeout }, async () => {
  const job = await runJob({ unique: "u", reducer: "r" });
  const shown = inspect(job).replace(/signal: AbortSignal .*/s, "signal").replace(/\s+/g, " ");
  const workload = "workload: Uint8Array(3) [ 97, 98, 99 ]";
  assert.equal(shown, `{ handle: '${job.handle}', functionName: 'f', unique: 'u', ${workload}, reducer: 'r', signal`);
  assert.deepEqual(namesOf(job), [
    "functionName",
    "handle",
    "json",
    "reducer",
    "sendData",
    "sendStatus",
    "sendWarning",
    "signal",
    "text",
    "unique",
    "workload",
  ]);
  const plain = await runJob({});
  assert.deepEqual(Object.keys(plain), ["handle", "functionName", "unique", "workload"]);
});

test("console.log prints a job in the same way", { timeout: 60_000 }, async () => {
  const printed = (await runProgram("print_job", [])).replace(/\s+/g, " ").replaceAll('"', "'");
  const workload = "workload: Uint8Array(4) [ 119, 111, 114, 107 ]";
  assert.match(printed, /^\{ handle: 'H:gearwire:1', functionName: 'print', unique: 'u', workload: /);
  assert.ok(printed.includes(`${workload}, reducer: 'r', signal: AbortSignal { aborted: false`), printed);
  assert.doesNotMatch(printed, /run|sender|startedAt|state|connection/i);
});
