/** Tests of the list of received chunks: whatever is pushed and dropped, it holds the same bytes as one array would. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChunkList } from "../../src/internal/chunk_list.ts";
import { join, pattern, text, toHex, utf8 } from "../support/bytes.ts";

/** The bytes of the list from its front to the end of the head. */
function headBytes(list: ChunkList): Uint8Array {
  return list.head.subarray(list.position);
}

test("an empty list has an empty head", () => {
  const list = new ChunkList();
  assert.deepEqual([list.size, list.head.length, list.position], [0, 0, 0]);
  list.push(new Uint8Array(0));
  assert.deepEqual([list.size, list.head.length], [0, 0]);
});

test("a chunk that comes first, or is long, is kept as it is", () => {
  const list = new ChunkList();
  const [first, second] = [utf8("abc"), pattern(5_000)];
  list.push(first);
  assert.equal(list.head, first);
  list.push(second);
  list.drop(3);
  assert.equal(list.head, second);
});

test("short chunks that follow are copied together", () => {
  const list = new ChunkList();
  for (const part of ["abc", "d", "ef"]) list.push(utf8(part));
  list.drop(3);
  assert.equal(text(headBytes(list)), "def");
});

test("whatever is pushed and dropped, the bytes stay in order", { timeout: 60_000 }, () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(9_000) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(20) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("drop" as const), size: fc.nat(9_000) }) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const list = new ChunkList();
    let model: Uint8Array = new Uint8Array(0);
    let pushed = 0;
    for (const { do: action, size } of steps) {
      if (action === "push") {
        const chunk = pattern(pushed + size).slice(pushed);
        pushed += size;
        list.push(chunk);
        model = join([model, chunk]);
      } else {
        const part = Math.min(size, headBytes(list).length);
        if (part > 0) list.drop(part);
        model = model.slice(part);
      }
      assert.equal(list.size, model.length);
      assert.ok(toHex(headBytes(list)) === toHex(model.subarray(0, headBytes(list).length)));
      assert.equal(headBytes(list).length === 0, model.length === 0, "only an empty list has an empty head");
    }
    while (list.size > 0) {
      const part = headBytes(list);
      assert.ok(toHex(part) === toHex(model.subarray(0, part.length)));
      list.drop(part.length);
      model = model.slice(part.length);
    }
    assert.equal(model.length, 0);
  }));
});
