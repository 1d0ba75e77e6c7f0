/** Tests of the queue of received chunks: order, end, failure, and a reader that waits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkQueue } from "../../src/transport/chunk_queue.ts";
import { text, utf8 } from "../support/bytes.ts";

const timeout = 30_000;

/** Reads the next chunk as text; `undefined` at the end. */
async function read(queue: ChunkQueue): Promise<string | undefined> {
  const { done, value } = await queue.next();
  return done === true ? undefined : text(value);
}

function queueOf(...chunks: string[]): ChunkQueue {
  const queue = new ChunkQueue(() => {});
  for (const chunk of chunks) queue.push(utf8(chunk));
  return queue;
}

test("chunks are read in order, without a copy", { timeout }, async () => {
  const queue = queueOf("a", "b");
  const third = utf8("c");
  queue.push(third);
  assert.deepEqual([await read(queue), await read(queue)], ["a", "b"]);
  assert.equal((await queue.next()).value, third);
});

test("size counts the bytes that have not been read", { timeout }, async () => {
  const queue = queueOf("four", "five5", "");
  assert.equal(queue.size, 9);
  await queue.next();
  assert.equal(queue.size, 5);
  await queue.next();
  await queue.next();
  const waiting = queue.next();
  queue.push(utf8("handed over"));
  assert.equal(queue.size, 0);
  assert.equal(text((await waiting).value), "handed over");
});

test("a waiting reader gets the next chunk, and later chunks are kept", { timeout }, async () => {
  const queue = queueOf();
  const waiting = read(queue);
  queue.push(utf8("first"));
  queue.push(utf8("second"));
  assert.equal(await waiting, "first");
  assert.equal(await read(queue), "second");
});

test("onRead is called at each read, also at one that waits, and not after the end", { timeout }, async () => {
  const sizes: number[] = [];
  const queue: ChunkQueue = new ChunkQueue(() => sizes.push(queue.size));
  queue.push(utf8("abc"));
  queue.push(utf8("de"));
  await queue.next();
  await queue.next();
  assert.deepEqual(sizes, [2, 0], "the chunk that is read no longer counts");
  const waiting = queue.next();
  assert.equal(sizes.length, 3);
  queue.end();
  await waiting;
  await queue.next();
  assert.equal(sizes.length, 3);
});

test("after end(), the chunks that are left are read first, and new ones are ignored", { timeout }, async () => {
  const queue = queueOf("a", "b");
  assert.equal(queue.ended, false);
  queue.end();
  assert.equal(queue.ended, true);
  queue.push(utf8("late"));
  assert.equal(queue.size, 2);
  assert.deepEqual([await read(queue), await read(queue), await read(queue), await read(queue)], [
    "a",
    "b",
    undefined,
    undefined,
  ]);
});

test("after fail(), the chunks that are left are read first, and then reads reject", { timeout }, async () => {
  const queue = queueOf("a", "b");
  queue.fail(new Error("broken"));
  assert.equal(queue.ended, true);
  assert.deepEqual([await read(queue), await read(queue)], ["a", "b"]);
  await assert.rejects(read(queue), /^Error: broken$/);
});

test("only the first error counts", { timeout }, async () => {
  const queue = queueOf();
  queue.fail(new Error("first"));
  queue.fail(new Error("second"));
  queue.end();
  await assert.rejects(read(queue), /^Error: first$/);
});

test("a waiting read settles at a chunk, an end, a failure, and a close", { timeout }, async () => {
  const wakers: [(queue: ChunkQueue) => void, string | undefined][] = [
    [(queue) => queue.push(utf8("chunk")), "chunk"],
    [(queue) => queue.end(), undefined],
    [(queue) => queue.close(), undefined],
    [(queue) => queue.fail(new Error("broken")), "Error: broken"],
  ];
  for (const [wake, expected] of wakers) {
    const queue = queueOf();
    const waiting = read(queue).catch(String);
    wake(queue);
    assert.equal(await waiting, expected);
  }
});

test("close() discards the chunks that are left, and an error that was not read", { timeout }, async () => {
  const queue = queueOf("a", "b");
  queue.fail(new Error("broken"));
  queue.close();
  assert.deepEqual([queue.size, queue.ended], [0, true]);
  assert.equal(await read(queue), undefined);
  queue.push(utf8("late"));
  queue.close();
  assert.deepEqual([queue.size, await read(queue)], [0, undefined]);
});

test("fail() after end() or close() is ignored", { timeout }, async () => {
  const ended = queueOf("a");
  ended.end();
  ended.fail(new Error("late"));
  assert.deepEqual([await read(ended), await read(ended)], ["a", undefined]);
  const closed = queueOf("a");
  closed.close();
  closed.fail(new Error("late"));
  assert.equal(await read(closed), undefined);
});
