/** Tests of the table of jobs by number. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NumberTable } from "../../src/server/number_table.ts";

test("items are found by their number, and yielded in its order", () => {
  const table = new NumberTable<string>();
  const numbers = [0, 1, 255, 256, 600, 99_999, 4_294_967_295];
  for (const number of numbers) table.add(number, `item ${number}`);
  for (const number of numbers) assert.equal(table.get(number), `item ${number}`);
  assert.deepEqual([...table.values()], numbers.map((number) => `item ${number}`));
  assert.equal(table.size, numbers.length);
});

test("what is no number of an item finds nothing", () => {
  const table = new NumberTable<string>();
  table.add(7, "seven");
  for (const number of [6, 8, 263, -1, 7.5, NaN, Infinity]) {
    assert.equal(table.get(number), undefined, String(number));
    table.delete(number);
  }
  assert.deepEqual([...table.values()], ["seven"]);
});

test("items are removed in any order, also while all are yielded", () => {
  const table = new NumberTable<number>();
  for (let i = 0; i < 1_000; i++) table.add(i, i);
  for (let i = 0; i < 1_000; i += 3) table.delete(i);
  table.delete(0); // again
  assert.equal(table.size, 666);
  const seen: number[] = [];
  for (const item of table.values()) {
    seen.push(item);
    table.delete(item);
    table.delete(item + 1);
  }
  assert.deepEqual(seen.slice(0, 4), [1, 4, 7, 10]);
  assert.equal(table.size, 0);
  table.add(1_000, 1_000);
  assert.deepEqual([...table.values()], [1_000]);
  table.clear();
  assert.deepEqual([table.size, table.get(1_000), ...table.values()], [0, undefined]);
});
