/** Tests of the queue: first in, first out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fifo } from "../../src/internal/queue.ts";

interface Item {
  readonly number: number;
}

test("items come out in the order in which they were pushed, for any pushes and shifts", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 500 }), (pushes) => {
      const queue = new Fifo<Item>();
      const model: Item[] = [];
      pushes.forEach((push, number) => {
        if (push) {
          queue.push({ number });
          model.push({ number });
        } else {
          assert.deepEqual(queue.shift(), model.shift());
        }
        assert.equal(queue.length, model.length);
        assert.deepEqual(queue.first, model[0]);
      });
      assert.deepEqual(queue.drain(), model);
      assert.equal(queue.length, 0);
      assert.equal(queue.shift(), undefined);
    }),
  );
});

test("takeLast() takes the last items in their order, and leaves the others", () => {
  const queue = new Fifo<Item>();
  for (let number = 0; number < 200; number++) queue.push({ number });
  for (let number = 0; number < 50; number++) queue.shift();
  assert.deepEqual(queue.takeLast(0), []);
  assert.deepEqual(queue.takeLast(3).map(({ number }) => number), [197, 198, 199]);
  queue.push({ number: 300 });
  assert.equal(queue.length, 148);
  assert.equal(queue.first!.number, 50);
  assert.deepEqual(
    queue.takeLast(148).map(({ number }) => number),
    [...Array(147).keys()].map((i) => i + 50).concat(300),
  );
  assert.equal(queue.length, 0);
  assert.equal(queue.first, undefined);
});

test("a queue that is never empty keeps its order and length over 100,000 items", () => {
  const queue = new Fifo<Item>();
  for (let number = 0; number < 100; number++) queue.push({ number });
  for (let number = 100; number < 100_000; number++) {
    queue.push({ number });
    assert.equal(queue.shift()!.number, number - 100);
  }
  assert.equal(queue.length, 100);
  assert.equal(queue.drain().length, 100);
});
