/** Tests of the pipe in memory: both directions, back-pressure on the writer, and closing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryPipe } from "../../src/connection/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { pattern, text, utf8 } from "../support/bytes.ts";
import { turns } from "../support/wait.ts";

const timeout = 10_000;

/** Reads everything up to the end of the stream, as text. */
async function readAll(transport: Transport): Promise<string> {
  let all = "";
  for await (const chunk of transport) all += text(chunk);
  return all;
}

/** Resolves with true if the promise settles without further events. */
async function settles(promise: void | Promise<void>): Promise<boolean> {
  let settled = false;
  const settle = () => settled = true;
  Promise.resolve(promise).then(settle, settle);
  await turns();
  return settled;
}

test("each end reads what the other wrote, before and after the read began", { timeout }, async () => {
  const [a, b] = memoryPipe();
  await a.write(utf8("one "));
  const reading = readAll(b);
  await a.write(utf8("two "));
  await turns();
  await a.write(utf8("three"));
  await b.write(utf8("back"));
  const iterator = a[Symbol.asyncIterator]();
  assert.equal(text((await iterator.next()).value), "back");
  await a.close();
  assert.equal(await reading, "one two three");
});

test("bytes are copied: the writer can use its memory again", { timeout }, async () => {
  const [a, b] = memoryPipe();
  const bytes = utf8("kept");
  await a.write(bytes);
  bytes.fill(0);
  await a.close();
  assert.equal(await readAll(b), "kept");
});

test("an empty write is ignored", { timeout }, async () => {
  const [a, b] = memoryPipe();
  await a.write(new Uint8Array(0));
  await a.write(utf8("x"));
  assert.equal(text((await b[Symbol.asyncIterator]().next()).value), "x");
  await a.close();
});

test("a writer waits while 64 KiB are unread", { timeout }, async () => {
  const [a, b] = memoryPipe();
  assert.equal(a.write(pattern(65_535)), undefined);
  const waiting = a.write(pattern(1));
  const more = a.write(pattern(1));
  assert.equal(await settles(waiting), false);
  const iterator = b[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value.length, 65_535);
  await waiting;
  await more;
  assert.equal(a.write(pattern(10)), undefined);
  await b.close();
});

test("close() ends both iterations; the other end first reads what was written before", { timeout }, async () => {
  const [a, b] = memoryPipe();
  const own = readAll(a);
  await a.write(utf8("last words"));
  await b.write(utf8("unread"));
  await a.close();
  await a.close();
  assert.equal(await own, "unread");
  assert.equal(await readAll(b), "last words");
  assert.deepEqual(await a[Symbol.asyncIterator]().next(), { done: true, value: undefined });
});

test("closing either end ends waiting reads", { timeout }, async () => {
  for (const closer of [0, 1] as const) {
    const pipe = memoryPipe();
    const reading = Promise.all(pipe.map(readAll));
    await pipe[closer].close();
    assert.deepEqual(await reading, ["", ""]);
  }
});

test("close() discards what is unread at its own end", { timeout }, async () => {
  const [a, b] = memoryPipe();
  await b.write(utf8("never read"));
  await a.close();
  assert.equal(await readAll(a), "");
});

test("writing to a closed pipe fails, and waiting writers resume", { timeout }, async () => {
  for (const closer of [0, 1] as const) {
    const pipe = memoryPipe();
    const waiting = pipe[0].write(pattern(100_000));
    assert.equal(await settles(waiting), false);
    await pipe[closer].close();
    assert.equal(await settles(waiting), true);
    assert.throws(() => pipe[0].write(utf8("x")), /closed/);
    assert.throws(() => pipe[1].write(utf8("x")), /closed/);
  }
});
