/** Tests of results that are joined. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { JoinedResult } from "../../src/worker/joined_result.ts";
import { text } from "../support/bytes.ts";

test("pieces are copied and joined, and empty ones take no memory", () => {
  const joined = new JoinedResult();
  const memory = new Uint8Array(2);
  const expected: string[] = [];
  for (let i = 0; i < 1_000; i++) {
    memory.fill(97 + i % 26);
    joined.append(memory);
    joined.append(new Uint8Array(0));
    expected.push(text(memory));
  }
  assert.equal(joined.size, 2_000);
  assert.equal(text(joined.bytes), expected.join(""));
  const { buffer } = joined.bytes;
  for (let i = 0; i < 1_000; i++) joined.append(new Uint8Array(0));
  assert.equal(joined.bytes.buffer, buffer);
  assert.ok(buffer.byteLength <= 4_000, `${buffer.byteLength} bytes for 2,000`);
});
