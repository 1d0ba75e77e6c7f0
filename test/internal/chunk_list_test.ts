/** Tests of the list of received chunks: whatever is pushed and taken, it holds the same bytes as one array would. */

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
  list.releaseMemory();
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

test("join() puts all bytes into one chunk, and what is pushed next fills the rest of its memory", () => {
  const list = new ChunkList();
  list.push(utf8("abc"));
  list.push(pattern(5_000));
  list.drop(1);
  list.join(5_010);
  list.push(utf8("0123456789"));
  const memory = list.head.buffer;
  assert.equal(text(headBytes(list)), `bc${text(pattern(5_000))}01234567`);
  assert.equal(memory.byteLength, 5_010);
  list.drop(5_010);
  assert.equal(text(headBytes(list)), "89");
});

test("skip() drops bytes that wait in several chunks, and bytes that are pushed later", () => {
  const list = new ChunkList();
  list.push(utf8("abc"));
  list.push(pattern(5_000));
  list.skip(5_010);
  assert.deepEqual([list.size, list.head.length, list.toSkip], [0, 0, 7]);
  list.push(utf8("01234"));
  assert.deepEqual([list.size, list.head.length, list.toSkip], [0, 0, 2]);
  list.push(utf8("56rest"));
  assert.equal(list.toSkip, 0);
  assert.equal(text(headBytes(list)), "rest");
});

test("releaseMemory() copies the short end of a chunk, and nothing else", () => {
  const list = new ChunkList();
  const memory = pattern(10_000);
  list.push(memory);
  list.drop(5_000);
  list.releaseMemory();
  assert.equal(list.head, memory, "5,000 bytes are left");
  list.drop(1_000);
  list.releaseMemory();
  assert.equal(list.head.buffer.byteLength, 4_000);
  assert.equal(toHex(headBytes(list)), toHex(memory.subarray(6_000)));
});

test("whatever is pushed, joined, taken and dropped, the bytes stay in order", { timeout: 60_000 }, () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(9_000) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(20) }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom("take", "drop", "skip", "join", "release"), size: fc.nat(9_000) }),
    },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const list = new ChunkList();
    let model: Uint8Array = new Uint8Array(0);
    let pushed = 0;
    let toSkip = 0;
    for (const { do: action, size } of steps) {
      if (action === "push") {
        const chunk = pattern(pushed + size).slice(pushed);
        pushed += size;
        list.push(chunk);
        model = join([model, chunk.subarray(toSkip)]);
        toSkip -= Math.min(size, toSkip);
      } else if (action === "take") {
        const part = Math.min(size, model.length);
        assert.ok(toHex(list.take(part)) === toHex(model.subarray(0, part)));
        model = model.slice(part);
      } else if (action === "drop") {
        const part = Math.min(size, headBytes(list).length);
        if (part > 0) list.drop(part);
        model = model.slice(part);
      } else if (action === "skip") {
        if (toSkip === 0) {
          list.skip(size);
          toSkip = Math.max(0, size - model.length);
          model = model.slice(size);
        }
      } else if (action === "join") {
        if (model.length > 0) list.join(model.length + size);
      } else {
        list.releaseMemory();
      }
      assert.equal(list.size, model.length);
      assert.ok(toHex(headBytes(list)) === toHex(model.subarray(0, headBytes(list).length)));
      assert.equal(headBytes(list).length === 0, model.length === 0, "only an empty list has an empty head");
      assert.equal(list.toSkip, toSkip);
    }
    assert.ok(toHex(list.take(list.size)) === toHex(model));
  }));
});
