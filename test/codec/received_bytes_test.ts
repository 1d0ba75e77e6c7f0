/** Tests of the bytes that a decoder has received: whatever is pushed and pulled, they are in order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReceivedBytes } from "../../src/codec/received_bytes.ts";
import { join, pattern, text, toHex, utf8 } from "../support/bytes.ts";

/** The bytes at the front of the list. */
function front(list: ReceivedBytes): Uint8Array {
  return list.head.subarray(list.position, list.position + list.size);
}

/** Makes a list of these chunks. */
function listOf(...chunks: (string | Uint8Array)[]): ReceivedBytes {
  const list = new ReceivedBytes();
  for (const chunk of chunks) list.push(typeof chunk === "string" ? utf8(chunk) : chunk);
  return list;
}

test("an empty list has nothing at its front, and nothing to pull", () => {
  const list = listOf("");
  assert.deepEqual([list.size, list.head.length, list.isEmpty, list.isDropping], [0, 0, true, false]);
  assert.equal(list.pull(10), false);
  list.release(10);
  assert.equal(list.size, 0);
});

test("the chunk that comes first is not copied", () => {
  const [first, second] = [pattern(10), pattern(5_000)];
  const list = listOf(first, second);
  assert.equal(list.isEmpty, false);
  for (const chunk of [first, second]) {
    assert.equal(list.pull(1), true);
    assert.equal(list.head.buffer, chunk.buffer);
    assert.equal(list.size, chunk.length);
    list.drop(chunk.length);
  }
  assert.equal(list.isEmpty, true);
});

test("as many bytes as are wanted are copied behind the first ones, and the rest of their chunk is not", () => {
  const last = utf8("ghijkl");
  const list = listOf("abc", "de", "f", last);
  list.pull(1);
  list.drop(1);
  assert.equal(list.pull(6), true);
  assert.equal(text(front(list)), "bcdefg");
  assert.equal(list.head.buffer.byteLength, 6);
  list.drop(6);
  assert.equal(list.pull(1), true);
  assert.equal(text(front(list)), "hijkl");
  assert.equal(list.head.buffer, last.buffer);
});

test("memory is reserved for four times the bytes that have arrived, and at most for those that are wanted", () => {
  for (const [target, memory] of [[1_000_000, 400], [300, 300]] as const) {
    const list = listOf(pattern(60), pattern(40));
    list.pull(1);
    list.pull(target);
    assert.deepEqual([list.size, list.head.buffer.byteLength], [100, memory]);
    const { buffer } = list.head;
    list.push(pattern(150));
    list.pull(target);
    assert.deepEqual([list.size, list.head.buffer], [250, buffer]);
  }
});

test("few long chunks wait until they make up what is wanted, and short ones do not wait", () => {
  const list = listOf(pattern(5_000));
  assert.equal(list.shouldWait(10_000), false, "nothing is at the front yet");
  list.pull(1);
  assert.equal(list.shouldWait(10_000), false, "nothing waits");
  list.push(pattern(4_096));
  assert.equal(list.shouldWait(10_000), false, "4,096 bytes wait");
  list.push(pattern(1));
  assert.equal(list.shouldWait(9_098), true);
  assert.equal(list.shouldWait(9_097), false, "there are 9,097 bytes");
  for (let i = 0; i < 13; i++) list.push(pattern(1));
  assert.equal(list.shouldWait(10_000), true);
  list.push(pattern(1));
  assert.equal(list.shouldWait(10_000), false, "16 chunks wait");
  list.pull(10_000);
  assert.equal(list.size, 9_111);
  assert.equal(list.shouldWait(10_000), false);
});

test("drop() also drops bytes that wait in several chunks, and bytes that are pushed later", () => {
  const list = listOf("abc", pattern(5_000));
  list.pull(1);
  list.drop(5_010);
  assert.deepEqual([list.size, list.isDropping, list.isEmpty], [0, true, false]);
  list.pull(1);
  assert.deepEqual([list.size, list.isDropping, list.isEmpty], [0, true, false]);
  for (const chunk of ["01234", "56rest"]) list.push(utf8(chunk));
  while (list.pull(1));
  assert.equal(list.isDropping, false);
  assert.equal(text(front(list)), "rest");
});

test("release() copies the short end of a chunk, and nothing else", () => {
  const memory = pattern(10_000);
  const list = listOf(memory);
  list.pull(1);
  list.drop(5_000);
  list.release(5_005);
  assert.equal(list.head.buffer, memory.buffer, "5,000 bytes are left");
  list.drop(1_000);
  list.release(4_005);
  assert.equal(list.head.buffer.byteLength, 4_005);
  assert.equal(toHex(front(list)), toHex(memory.subarray(6_000)));
  list.drop(4_000);
  list.release(1);
  assert.equal(list.head.length, 0);
});

test("whatever is pushed, pulled, dropped and released, the bytes stay in order", { timeout: 60_000 }, () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(9_000) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(20) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("pull", "drop", "release"), size: fc.nat(9_000) }) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const list = new ReceivedBytes();
    /** All bytes that are not dropped, also those that wait. */
    let model: Uint8Array = new Uint8Array(0);
    let pushed = 0;
    let toDrop = 0;
    for (const { do: action, size } of steps) {
      const before = list.size;
      if (action === "push") {
        const chunk = pattern(pushed + size).slice(pushed);
        pushed += size;
        list.push(chunk);
        model = join([model, chunk.subarray(toDrop)]);
        toDrop -= Math.min(size, toDrop);
      } else if (action === "pull") {
        const target = before + 1 + size;
        const pulled = list.pull(target);
        if (before > 0) assert.equal(list.size, pulled ? Math.min(target, model.length) : before);
        assert.ok(pulled || model.length === before, "only a list without waiting bytes pulls nothing");
      } else if (action === "drop") {
        if (list.isDropping) continue;
        toDrop = Math.max(0, size - model.length);
        model = model.slice(size);
        list.drop(size);
      } else {
        list.release(before + size);
      }
      assert.ok(toHex(front(list)) === toHex(model.subarray(0, list.size)));
      if (list.isEmpty) assert.deepEqual([model.length, toDrop], [0, 0]);
    }
    while (list.pull(list.size + 1_000));
    assert.ok(toHex(front(list)) === toHex(model));
    assert.deepEqual([list.isDropping, list.isEmpty], [toDrop > 0, model.length === 0 && toDrop === 0]);
  }));
});
