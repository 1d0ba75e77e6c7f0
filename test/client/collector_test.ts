/** Tests of how the data of a job are collected. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Collector } from "../../src/client/collector.ts";
import type { Bytes } from "../../src/internal/bytes.ts";
import { deferred } from "../../src/internal/promises.ts";
import { utf8 } from "../support/bytes.ts";

const timeout = 10_000;

/** A collector, and the promise that it settles. */
function collecting(): { collector: Collector; result: Promise<Bytes> } {
  const { promise, resolve, reject } = deferred<Bytes>();
  return { collector: new Collector(resolve, reject), result: promise };
}

test("all pieces are joined in order, and the size counts their bytes", { timeout }, async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 });
  await fc.assert(fc.asyncProperty(pieces, async (pieces) => {
    const { collector, result } = collecting();
    let size = 0;
    for (const piece of pieces) {
      assert.equal(collector.size, size);
      collector.add(piece);
      size += piece.length;
    }
    assert.equal(collector.size, size);
    collector.complete();
    assert.deepEqual([...await result], pieces.flatMap((piece) => [...piece]));
  }));
});

test("a single piece is the result itself, without a copy", { timeout }, async () => {
  const { collector, result } = collecting();
  const piece = utf8("piece");
  collector.add(piece);
  collector.complete();
  assert.equal(await result, piece);
});

test("a result without a piece is empty", { timeout }, async () => {
  const { collector, result } = collecting();
  collector.complete();
  assert.equal((await result).length, 0);
});

test("fail() rejects with its error, and drops the pieces", { timeout }, async () => {
  const { collector, result } = collecting();
  const error = new Error("too large");
  collector.add(utf8("piece"));
  collector.fail(error);
  await assert.rejects(result, (thrown) => thrown === error);
});
