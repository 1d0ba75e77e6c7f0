/** Tests of joining bytes, and of freeing memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { freeMemory, joinBytes, markExclusive } from "../../src/internal/bytes.ts";
import { CAN_FREE_MEMORY } from "../support/bytes.ts";

test("joinBytes() joins all pieces in order, empty ones too", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 }), (pieces) => {
    const expected = pieces.flatMap((piece) => [...piece]);
    assert.deepEqual([...joinBytes(pieces, expected.length)], expected);
  }));
});

test("joinBytes() reads a piece that is a view of other memory as far as the view goes", () => {
  const memory = Uint8Array.of(1, 2, 3, 4, 5);
  assert.deepEqual([...joinBytes([memory.subarray(3), memory.subarray(1, 3)], 4)], [4, 5, 2, 3]);
});

test("joinBytes() returns memory of its own, also for a single piece", () => {
  const piece = Uint8Array.of(1, 2);
  const joined = joinBytes([piece], 2);
  joined.fill(9);
  assert.deepEqual([...piece], [1, 2]);
  assert.equal(joined.buffer.byteLength, 2);
});

test("freeMemory() frees memory that was marked as exclusive, and no other", () => {
  const [marked, other] = [new Uint8Array(10), new Uint8Array(10)];
  markExclusive(marked);
  freeMemory(marked);
  freeMemory(other);
  assert.deepEqual([marked.length, other.length], [CAN_FREE_MEMORY ? 0 : 10, 10]);
});

test("freeMemory() leaves memory alone of which the bytes are a part, when it is marked or freed", () => {
  const [marked, other] = [new Uint8Array(10), new Uint8Array(10)];
  markExclusive(marked);
  freeMemory(marked.subarray(1));
  markExclusive(other.subarray(1));
  freeMemory(other);
  assert.deepEqual([marked.length, other.length], [10, 10]);
});
