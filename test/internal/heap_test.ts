/** Tests of the binary heap. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Heap } from "../../src/internal/heap.ts";

/** Takes everything out. */
function drain<T>(heap: Heap<T>): T[] {
  const items: T[] = [];
  for (let next = heap.first; next !== undefined; next = heap.first) {
    assert.equal(heap.shift(), next);
    items.push(next);
  }
  assert.equal(heap.shift(), undefined);
  return items;
}

const ascending = (a: number, b: number) => a < b;

test("a heap returns its items in order, also after it was empty", () => {
  const heap = new Heap(ascending);
  for (let round = 0; round < 2; round++) {
    for (const item of [1, 3, 4, 2]) heap.push(item);
    assert.equal(heap.size, 4);
    assert.deepEqual(drain(heap), [1, 2, 3, 4]);
    assert.equal(heap.size, 0);
  }
});

test("a heap orders items as a sort does, while items are added and taken", () => {
  const items = Array.from({ length: 1_000 }, (_, i) => ({ due: (i * 7_919) % 101, sequence: i }));
  const heap = new Heap<typeof items[0]>((a, b) => a.due < b.due || (a.due === b.due && a.sequence < b.sequence));
  for (const item of items.slice(0, 500)) heap.push(item);
  const early = Array.from({ length: 100 }, () => heap.shift()!);
  for (const item of items.slice(500)) heap.push(item);
  for (const item of early) heap.push(item);
  assert.deepEqual(drain(heap), [...items].sort((a, b) => a.due - b.due || a.sequence - b.sequence));
});

test("a heap yields its items in any order, and keeps them", () => {
  const heap = new Heap(ascending);
  for (const item of [5, 3, 1, 4, 2, 6]) heap.push(item);
  assert.deepEqual([...heap].sort(), [1, 2, 3, 4, 5, 6]);
  assert.equal(heap.size, 6);
});
