/** Tests of the queue of received chunks: order, its ends, and the reader that waits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkQueue } from "../../src/transport/chunk_queue.ts";
import { text, utf8 } from "../support/bytes.ts";

const timeout = 30_000;

/** What is read next, as text; `undefined` at the end. */
async function read(inbox: ChunkQueue): Promise<string | undefined> {
  const { done, value } = await inbox.next();
  return done === true ? undefined : text(value);
}

function inboxOf(...chunks: string[]): ChunkQueue {
  const inbox = new ChunkQueue(() => {});
  for (const chunk of chunks) inbox.push(utf8(chunk));
  return inbox;
}

test("chunks are read in the order in which they came, the very same ones", { timeout }, async () => {
  const inbox = inboxOf("a", "b");
  const third = utf8("c");
  inbox.push(third);
  assert.deepEqual([await read(inbox), await read(inbox)], ["a", "b"]);
  assert.equal((await inbox.next()).value, third);
});

test("its size is that of the chunks that nobody has read", { timeout }, async () => {
  const inbox = inboxOf("four", "five5", "");
  assert.equal(inbox.size, 9);
  await inbox.next();
  assert.equal(inbox.size, 5);
  await inbox.next();
  await inbox.next();
  const waiting = inbox.next();
  inbox.push(utf8("handed over"));
  assert.equal(inbox.size, 0);
  assert.equal(text((await waiting).value), "handed over");
});

test("who waits for a chunk gets the next one, and what comes after that is kept", { timeout }, async () => {
  const inbox = inboxOf();
  const waiting = read(inbox);
  inbox.push(utf8("first"));
  inbox.push(utf8("second"));
  assert.equal(await waiting, "first");
  assert.equal(await read(inbox), "second");
});

test("it tells of each read, of one that waits too, and of none at the end", { timeout }, async () => {
  const sizes: number[] = [];
  const inbox: ChunkQueue = new ChunkQueue(() => sizes.push(inbox.size));
  inbox.push(utf8("abc"));
  inbox.push(utf8("de"));
  await inbox.next();
  await inbox.next();
  assert.deepEqual(sizes, [2, 0], "the chunk that is read no longer counts");
  const waiting = inbox.next();
  assert.equal(sizes.length, 3);
  inbox.end();
  await waiting;
  await inbox.next();
  assert.equal(sizes.length, 3);
});

test("after its end what is still there is read first; nothing more comes in", { timeout }, async () => {
  const inbox = inboxOf("a", "b");
  assert.equal(inbox.ended, false);
  inbox.end();
  assert.equal(inbox.ended, true);
  inbox.push(utf8("late"));
  assert.equal(inbox.size, 2);
  assert.deepEqual([await read(inbox), await read(inbox), await read(inbox), await read(inbox)], [
    "a",
    "b",
    undefined,
    undefined,
  ]);
});

test("an error is told when reading reaches it, after what came before it", { timeout }, async () => {
  const inbox = inboxOf("a", "b");
  inbox.end(new Error("broken"));
  assert.equal(inbox.ended, true);
  assert.deepEqual([await read(inbox), await read(inbox)], ["a", "b"]);
  await assert.rejects(read(inbox), /^Error: broken$/);
});

test("the first error stays the error", { timeout }, async () => {
  const inbox = inboxOf();
  inbox.end(new Error("first"));
  inbox.end(new Error("second"));
  inbox.end();
  await assert.rejects(read(inbox), /^Error: first$/);
});

test("a waiting reader is woken by a chunk, by the end, by an error, and by closing", { timeout }, async () => {
  const wakers: [(inbox: ChunkQueue) => void, string | undefined][] = [
    [(inbox) => inbox.push(utf8("chunk")), "chunk"],
    [(inbox) => inbox.end(), undefined],
    [(inbox) => inbox.close(), undefined],
    [(inbox) => inbox.end(new Error("broken")), "Error: broken"],
  ];
  for (const [wake, expected] of wakers) {
    const inbox = inboxOf();
    const waiting = read(inbox).catch(String);
    wake(inbox);
    assert.equal(await waiting, expected);
  }
});

test("closing drops what is there, and an error that nobody has been told", { timeout }, async () => {
  const inbox = inboxOf("a", "b");
  inbox.end(new Error("broken"));
  inbox.close();
  assert.deepEqual([inbox.size, inbox.ended], [0, true]);
  assert.equal(await read(inbox), undefined);
  inbox.push(utf8("late"));
  inbox.close();
  assert.deepEqual([inbox.size, await read(inbox)], [0, undefined]);
});

test("an error after the end, or after closing, is no news to the reader", { timeout }, async () => {
  const ended = inboxOf("a");
  ended.end();
  ended.end(new Error("late"));
  assert.deepEqual([await read(ended), await read(ended)], ["a", undefined]);
  const closed = inboxOf("a");
  closed.close();
  closed.end(new Error("late"));
  assert.equal(await read(closed), undefined);
});
