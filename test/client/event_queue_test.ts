/** Tests of the queue of events that a consumer has not read yet. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JobEvent } from "../../mod.ts";
import { EventQueue } from "../../src/client/event_queue.ts";

const data = (size: number): JobEvent => ({ type: "data", data: new Uint8Array(size) });
const status = (numerator: number): JobEvent => ({ type: "status", numerator, denominator: 9 });

/** Takes everything out. */
function drain(queue: EventQueue): JobEvent[] {
  const events: JobEvent[] = [];
  for (let event = queue.shift(); event !== undefined; event = queue.shift()) events.push(event);
  return events;
}

test("events come out in the order in which they were pushed, and then undefined", () => {
  const queue = new EventQueue();
  assert.equal(queue.shift(), undefined);
  const events: JobEvent[] = [{ type: "created", handle: "H:1" }, data(1), {
    type: "warning",
    data: new Uint8Array(2),
  }];
  for (const event of events) queue.push(event);
  assert.deepEqual(drain(queue), events);
  assert.equal(queue.shift(), undefined);
  queue.push(data(3));
  assert.deepEqual(drain(queue), [data(3)]);
});

test("only the last status is kept, in its own place", () => {
  const queue = new EventQueue();
  for (const event of [status(1), data(1), status(2), status(3), data(2), status(4)]) queue.push(event);
  assert.deepEqual(drain(queue), [data(1), data(2), status(4)]);
  queue.push(status(5));
  assert.deepEqual(queue.shift(), status(5));
  queue.push(status(6));
  assert.deepEqual(drain(queue), [status(6)], "a status that was read is not replaced");
});

test("the size counts the bytes of data, and an overhead for each event", () => {
  const queue = new EventQueue();
  assert.equal(queue.size, 0);
  queue.push(data(0));
  const empty = queue.size;
  assert.ok(empty > 0);
  queue.push(data(1_000));
  assert.equal(queue.size, 2 * empty + 1_000);
  queue.push(status(1));
  queue.push(status(2));
  assert.equal(queue.size, 3 * empty + 1_000);
  while (queue.shift() !== undefined);
  assert.equal(queue.size, 0);
  assert.equal(queue.shift(), undefined);
});

test("many statuses count as one", () => {
  const queue = new EventQueue();
  queue.push(data(1));
  const before = queue.size;
  for (let i = 0; i < 100_000; i++) queue.push(status(i));
  assert.ok(queue.size <= before * 2);
  assert.deepEqual(drain(queue), [data(1), status(99_999)]);
});

test("a queue returns what a plain list would, for any pushes and shifts", () => {
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.nat(50).map((size) => ({ push: data(size) })) },
    { weight: 4, arbitrary: fc.nat(9).map((numerator) => ({ push: status(numerator) })) },
    { weight: 5, arbitrary: fc.nat(400).map((shift) => ({ shift })) },
    { weight: 5, arbitrary: fc.nat(400).map((fill) => ({ fill })) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = new EventQueue();
      const list: JobEvent[] = [];
      const push = (event: JobEvent) => {
        queue.push(event);
        const old = event.type === "status" ? list.findIndex(({ type }) => type === "status") : -1;
        if (old >= 0) list.splice(old, 1);
        list.push(event);
      };
      for (const one of operations) {
        if ("push" in one) push(one.push);
        else if ("fill" in one) { for (let i = 0; i < one.fill; i++) push(data(i % 7)); }
        else for (let i = 0; i < one.shift; i++) assert.equal(queue.shift(), list.shift());
      }
      assert.deepEqual(drain(queue), list);
      assert.equal(queue.size, 0);
    }),
    { numRuns: 100 },
  );
});
