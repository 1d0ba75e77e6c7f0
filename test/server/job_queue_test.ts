import assert from "node:assert/strict";
import { test } from "node:test";
import { JobQueue } from "../../src/server/job_queue.ts";
import { FunctionQueue, Job, NORMAL } from "../../src/server/state.ts";

const queue = new FunctionQueue("f");

function job(place: number, due = 0): Job {
  const workload = new Uint8Array(0);
  const submission = { functionName: "f", unique: "", workload, priority: NORMAL, background: true, due } as const;
  return Object.assign(new Job(`H:${place}`, place, queue, submission), { place });
}

/** Everything that is taken out, until there is no more. */
function drain(from: JobQueue): string[] {
  const handles: string[] = [];
  for (let next = from.first; next !== undefined; next = from.first) {
    assert.equal(from.shift(), next);
    handles.push(next.handle);
  }
  assert.equal(from.shift(), undefined);
  return handles;
}

const byPlace = (a: Job, b: Job) => a.place < b.place;

test("JobQueue gives jobs out in order, also after it was empty", () => {
  const line = new JobQueue(byPlace);
  for (let round = 0; round < 2; round++) {
    for (const place of [1, 3, 4, 2]) line.push(job(place));
    assert.equal(line.size, 4);
    assert.deepEqual(drain(line), ["H:1", "H:2", "H:3", "H:4"]);
    assert.equal(line.size, 0);
  }
});

test("JobQueue orders any jobs as a sort does, while they come and go", () => {
  const isBefore = (a: Job, b: Job) => a.due < b.due || (a.due === b.due && a.place < b.place);
  const room = new JobQueue(isBefore);
  const jobs = Array.from({ length: 1_000 }, (_, i) => job(i, (i * 7_919) % 101));
  for (const one of jobs.slice(0, 500)) room.push(one);
  const early = Array.from({ length: 100 }, () => room.shift()!);
  for (const one of jobs.slice(500)) room.push(one);
  for (const one of early) room.push(one);
  const expected = [...jobs].sort((a, b) => a.due - b.due || a.place - b.place);
  assert.deepEqual(drain(room), expected.map(({ handle }) => handle));
});

test("JobQueue takes out what is meant, and leaves the others in order", () => {
  const line = new JobQueue(byPlace);
  for (const place of [5, 3, 1, 4, 2, 6]) line.push(job(place));
  assert.deepEqual(line.take(({ place }) => place % 2 === 0).map(({ place }) => place).sort(), [2, 4, 6]);
  assert.deepEqual(drain(line), ["H:1", "H:3", "H:5"]);
});
