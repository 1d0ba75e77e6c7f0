/** Tests of the heap from which any item can be removed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IndexedHeap } from "../../src/internal/indexed_heap.ts";

interface Item {
  readonly rank: number;
}

const byRank = (a: Item, b: Item) => a.rank < b.rank;

test("the first item is the lowest, whatever was added and removed before", () => {
  const change = fc.record({ index: fc.nat(19), adds: fc.boolean() });
  fc.assert(fc.property(fc.array(fc.nat(9), { minLength: 20, maxLength: 20 }), fc.array(change), (ranks, changes) => {
    const items = ranks.map((rank) => ({ rank }));
    const heap = new IndexedHeap(byRank);
    const expected = new Set<Item>();
    for (const { index, adds } of changes) {
      const item = items[index]!;
      if (adds) {
        heap.add(item);
        expected.add(item);
      } else {
        assert.equal(heap.delete(item), expected.delete(item));
      }
      assert.equal(heap.first?.rank ?? Infinity, Math.min(...Array.from(expected, ({ rank }) => rank)));
    }
    for (const item of items) assert.equal(heap.delete(item), expected.has(item));
    assert.equal(heap.first, undefined);
  }));
});

test("an item that is added twice is there once", () => {
  const heap = new IndexedHeap(byRank);
  const item = { rank: 1 };
  heap.add(item);
  heap.add(item);
  assert.equal(heap.delete(item), true);
  assert.equal(heap.delete(item), false);
  assert.equal(heap.first, undefined);
});

test("an item that was removed may be added with another rank", () => {
  const heap = new IndexedHeap(byRank);
  const items: [Item, Item, { rank: number }] = [{ rank: 1 }, { rank: 2 }, { rank: 3 }];
  for (const item of items) heap.add(item);
  heap.delete(items[2]);
  items[2].rank = 0;
  heap.add(items[2]);
  assert.equal(heap.first, items[2]);
});
