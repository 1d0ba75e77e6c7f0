/** Tests of the index of items by a key that several of them share. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Namesake, NamesakeIndex } from "../../src/server/namesakes.ts";

interface Item extends Namesake<Item> {
  readonly key: string;
}

const newItem = (key: string): Item => ({ key, olderNamesake: undefined, newerNamesake: undefined });

test("the newest item of a key is found, in whatever order the items are removed", () => {
  const change = fc.record({ key: fc.constantFrom("a", "b"), removes: fc.option(fc.nat(5)) });
  fc.assert(fc.property(fc.array(change), (changes) => {
    const index = new NamesakeIndex<Item>();
    const items: Record<string, Item[]> = { a: [], b: [] };
    for (const { key, removes } of changes) {
      if (removes === null) {
        const item = newItem(key);
        index.add(key, item);
        items[key]!.push(item);
      } else {
        for (const item of items[key]!.splice(removes, 1)) {
          index.delete(key, item);
          assert.deepEqual(item, newItem(key), "it must not keep others in memory");
        }
      }
      for (const each of ["a", "b"]) assert.equal(index.newest(each), items[each]!.at(-1));
    }
  }));
});

test("an index that was cleared is empty", () => {
  const index = new NamesakeIndex<Item>();
  index.add("a", newItem("a"));
  index.clear();
  assert.equal(index.newest("a"), undefined);
});
