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

/** Moves bytes to the front, where there are to be `size`. */
function pull(list: ReceivedBytes, size: number): boolean {
  list.need(size);
  return list.pull();
}

test("an empty list has nothing at its front, and nothing to pull", () => {
  const list = listOf("");
  assert.deepEqual([list.size, list.head.length, list.isEmpty], [0, 0, true]);
  assert.equal(pull(list, 10), false);
  assert.deepEqual([list.size, list.head.length, list.isEmpty], [0, 0, true]);
});

test("the chunk that comes first is not copied", () => {
  const [first, second] = [pattern(10), pattern(5_000)];
  const list = listOf(first, second);
  assert.equal(list.isEmpty, false);
  for (const chunk of [first, second]) {
    assert.equal(list.pull(), true);
    assert.equal(list.head.buffer, chunk.buffer);
    assert.equal(list.size, chunk.length);
    list.drop(chunk.length);
  }
  assert.equal(list.isEmpty, true);
});

test("as many bytes as are needed are copied behind the first ones, and the rest of their chunk is not", () => {
  const last = utf8("ghijkl");
  const list = listOf("abc", "de", "f", last);
  list.pull();
  list.drop(1);
  assert.equal(pull(list, 6), true);
  assert.equal(text(front(list)), "bcdefg");
  assert.equal(list.head.buffer.byteLength, 6);
  list.drop(6);
  assert.equal(list.pull(), true);
  assert.equal(text(front(list)), "hijkl");
  assert.equal(list.head.buffer, last.buffer);
});

test("more bytes than are needed can be pulled together", () => {
  const list = listOf("abc", "defghijkl");
  list.pull();
  list.need(4, 8);
  assert.equal(list.pull(), true);
  assert.equal(text(front(list)), "abcdefgh");
  assert.equal(list.needed, 4);
  list.drop(8);
  assert.equal(list.needed, 1);
});

test("memory is reserved for four times the bytes that have arrived, and at most for those that are needed", () => {
  for (const [needed, memory] of [[1_000_000, 400], [300, 300]] as const) {
    const list = listOf(pattern(60), pattern(40));
    list.pull();
    pull(list, needed);
    assert.deepEqual([list.size, list.head.buffer.byteLength], [100, memory]);
    const { buffer } = list.head;
    list.push(pattern(150));
    pull(list, needed);
    assert.deepEqual([list.size, list.head.buffer], [250, buffer]);
  }
});

test("long chunks wait until there may be memory for all that is needed, and short ones do not wait", () => {
  /** True if chunks of these sizes wait behind 5,000 bytes at the front, of which more are needed. */
  const wait = (needed: number, ...sizes: number[]): boolean => {
    const list = listOf(pattern(5_000));
    assert.equal(list.pull(), true, "nothing was at the front yet");
    list.need(needed);
    for (const size of sizes) list.push(pattern(size));
    const pulled = list.pull();
    assert.equal(list.size, pulled ? Math.min(needed, sizes.reduce((sum, size) => sum + size, 5_000)) : 5_000);
    return !pulled;
  };
  assert.equal(wait(36_001, 4_000), true, "a quarter of it are 9,001 bytes");
  assert.equal(wait(36_000, 4_000), false, "there are 9,000 bytes");
  assert.equal(wait(100_000, 2_048), true);
  assert.equal(wait(100_000, 2_047), false);
  assert.equal(wait(100_000, 4_095, 1), true, "2,048 bytes on average");
  assert.equal(wait(100_000, 4_094, 1), false);
});

test("chunks that have waited are copied once, into memory of the needed size", () => {
  const list = listOf(pattern(5_000));
  list.pull();
  list.need(32_000);
  list.push(pattern(2_999));
  assert.equal(list.pull(), false);
  list.push(pattern(2_999));
  assert.equal(list.pull(), true);
  assert.deepEqual([list.size, list.head.buffer.byteLength], [10_998, 32_000]);
});

test("each chunk that was copied is reported, and one that is at the front is not", () => {
  const copied: Uint8Array[] = [];
  const list = new ReceivedBytes((chunk) => copied.push(chunk));
  const chunks = [utf8("abc"), utf8("def"), utf8("ghi")];
  for (const chunk of chunks) list.push(chunk);
  list.pull();
  assert.equal(pull(list, 8), true);
  assert.deepEqual(copied.map(text), ["def", "gh"]);
  list.drop(8);
  list.pull();
  assert.equal(text(front(list)), "i");
  assert.deepEqual(copied.map((chunk) => chunk.buffer), [chunks[1]!.buffer, chunks[2]!.buffer]);
});

test("drop() also drops bytes that wait in several chunks, and bytes that are pushed later", () => {
  const list = listOf("abc", pattern(5_000));
  list.pull();
  list.drop(5_010);
  assert.deepEqual([list.size, list.isEmpty], [0, false]);
  list.pull();
  assert.deepEqual([list.size, list.isEmpty], [0, false]);
  for (const chunk of ["01234", "56rest"]) list.push(utf8(chunk));
  while (list.size < list.needed) assert.equal(list.pull(), true);
  assert.equal(text(front(list)), "rest");
});

test("a pull in vain copies the short end of a chunk, of at most 4,096 bytes, and nothing else", () => {
  const memory = pattern(10_000);
  const list = listOf(memory);
  list.pull();
  list.drop(5_903);
  assert.equal(pull(list, 4_105), false);
  assert.equal(list.head.buffer, memory.buffer, "4,097 bytes are left");
  list.drop(1);
  assert.equal(pull(list, 4_105), false);
  assert.equal(list.head.buffer.byteLength, 4_105);
  assert.equal(toHex(front(list)), toHex(memory.subarray(5_904)));
  list.drop(4_096);
  assert.equal(list.pull(), false);
  assert.equal(list.head.length, 0);
});

test("an error has the offset of what is at the front or being dropped, and ends the list", () => {
  const list = listOf("abcdef");
  list.pull();
  list.drop(2);
  list.drop(3);
  assert.equal(list.fail("it is bad").offset, 5);
  assert.equal(list.error?.message, "Cannot decode: it is bad");
  assert.equal(list.head.length, 0);
  list.push(pattern(10));
  const dropping = listOf("abcdef");
  dropping.pull();
  dropping.drop(2);
  dropping.drop(9);
  assert.equal(dropping.fail("it has ended").offset, 2);
});

test("what is pushed after an error is not kept", () => {
  const list = listOf();
  const error = list.fail("it is bad");
  list.push(pattern(10));
  assert.deepEqual([list.isEmpty, list.error], [true, error]);
});

test("whatever is pushed, pulled and dropped, the bytes stay in order", { timeout: 60_000 }, () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(9_000) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("push" as const), size: fc.nat(20) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("pull", "drop"), size: fc.nat(9_000) }) },
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
        const needed = before + 1 + size;
        const pulled = pull(list, needed);
        if (before > 0) assert.equal(list.size, pulled ? Math.min(needed, model.length) : before);
        assert.ok(pulled || model.length < needed, "nothing is pulled only where it would not be enough");
      } else if (before > 0) { // what is dropped begins at the front
        toDrop = Math.max(0, size - model.length);
        model = model.slice(size);
        list.drop(size);
      }
      assert.ok(toHex(front(list)) === toHex(model.subarray(0, list.size)));
      if (list.isEmpty) assert.deepEqual([model.length, toDrop], [0, 0]);
    }
    const needed = Math.max(1, model.length);
    while (list.size < needed && pull(list, needed));
    assert.ok(toHex(front(list)) === toHex(model));
    assert.equal(list.isEmpty, model.length === 0 && toDrop === 0);
  }));
});
