import assert from "node:assert/strict";
import { test } from "node:test";
import { JobQueue, WaitingRoom } from "../../src/server/job_queue.ts";
import { FunctionQueue, Job, NORMAL } from "../../src/server/state.ts";

const queue = new FunctionQueue("f");

function job(serial: number, due = 0): Job {
  const workload = new Uint8Array(0);
  const submission = { functionName: "f", unique: "", workload, priority: NORMAL, background: true, due } as const;
  return new Job(`H:${serial}`, serial, queue, submission);
}

/** Everything that is taken out, until there is no more. */
function drain(from: JobQueue | WaitingRoom): string[] {
  const handles: string[] = [];
  for (let next = from.first; next !== undefined; next = from.first) {
    assert.equal(from.shift(), next);
    handles.push(next.handle);
  }
  assert.equal(from.shift(), undefined);
  return handles;
}

test("JobQueue gives jobs out as they came, also after it was empty", () => {
  const line = new JobQueue();
  for (let round = 0; round < 2; round++) {
    for (let serial = 1; serial <= 3; serial++) line.push(job(serial));
    assert.equal(line.size, 3);
    assert.deepEqual(drain(line), ["H:1", "H:2", "H:3"]);
    assert.equal(line.size, 0);
  }
});

test("JobQueue takes a job again that it gave out", () => {
  const line = new JobQueue();
  for (let serial = 1; serial <= 3; serial++) line.push(job(serial));
  line.push(line.shift()!);
  assert.deepEqual(drain(line), ["H:2", "H:3", "H:1"]);
});

test("WaitingRoom gives jobs out as they are due, and of those due together the older first", () => {
  const room = new WaitingRoom();
  const jobs = Array.from({ length: 1_000 }, (_, i) => job(i, (i * 7_919) % 101));
  for (const one of jobs.slice(0, 500)) room.push(one);
  const early = Array.from({ length: 100 }, () => room.shift()!);
  for (const one of jobs.slice(500)) room.push(one);
  for (const one of early) room.push(one);
  const expected = [...jobs].sort((a, b) => a.due - b.due || a.serial - b.serial);
  assert.deepEqual(drain(room), expected.map(({ handle }) => handle));
});
