/** Tests of waiting that a signal can end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSignal, delay, onAbort, orAbort } from "../../src/internal/signals.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns } from "../support/wait.ts";
import { countedSignal } from "../support/signals.ts";

const timeout = 10_000;

test("orAbort() settles as its promise does, with a signal and without", { timeout }, async () => {
  const { signal, listeners } = countedSignal();
  for (const given of [undefined, signal]) {
    assert.equal(await orAbort(Promise.resolve(5), given), 5);
    await assert.rejects(orAbort(Promise.reject(new Error("no")), given), /^Error: no$/);
  }
  await turns(1);
  assert.equal(listeners(), 0);
});

test(
  "orAbort() rejects with the signal's reason when that comes first, and leaves no listener",
  { timeout },
  async () => {
    const { signal, listeners, abort } = countedSignal();
    const never = orAbort(new Promise(() => {}), signal);
    const late = deferred<number>();
    const overtaken = orAbort(late.promise, signal);
    assert.equal(listeners(), 1, "one listener serves both");
    abort("enough");
    assert.equal(listeners(), 0);
    await assert.rejects(never, (reason) => reason === "enough");
    late.reject(new Error("too late"));
    await assert.rejects(overtaken, (reason) => reason === "enough");
    await assert.rejects(orAbort(Promise.resolve(1), signal), (reason) => reason === "enough");
    assert.equal(listeners(), 0);
  },
);

test("onAbort() runs the callbacks of a signal in order through one listener, except cancelled ones", () => {
  const { signal, listeners, abort } = countedSignal();
  const called: number[] = [];
  const cancel = [1, 2, 3, 4].map((i) =>
    onAbort(signal, () => {
      called.push(i);
      if (i === 2) cancel[2]!(); // a callback may cancel another
    })
  );
  assert.equal(listeners(), 1);
  cancel[0]!();
  cancel[0]!();
  assert.equal(listeners(), 1);
  abort("enough");
  assert.deepEqual(called, [2, 4]);
  for (const one of cancel) one();
  assert.equal(listeners(), 0);
});

test("onAbort() listens again after all callbacks were cancelled", () => {
  const { signal, listeners, abort } = countedSignal();
  let called = 0;
  const cancelFirst = onAbort(signal, () => called++);
  cancelFirst();
  assert.equal(listeners(), 0);
  onAbort(signal, () => called++);
  cancelFirst();
  assert.equal(listeners(), 1);
  abort("enough");
  assert.equal(called, 1);
});

test("callers that wait for one promise resume in the order of their calls", { timeout }, async () => {
  const promise = deferred<void>();
  const order: number[] = [];
  const { signal } = new AbortController();
  for (let i = 0; i < 6; i++) orAbort(promise.promise, i % 2 === 0 ? signal : undefined).then(() => order.push(i));
  promise.resolve();
  await turns(1);
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
});

test("delay() resolves after its time, and rejects at once when its signal fires", { timeout }, async () => {
  await delay(0, undefined);
  const began = performance.now();
  await delay(20, new AbortController().signal);
  assert.ok(performance.now() - began >= 15);
  const { signal, listeners, abort } = countedSignal();
  const waiting = delay(2_000_000_000, signal);
  abort("enough");
  await assert.rejects(waiting, (reason) => reason === "enough");
  await assert.rejects(delay(2_000_000_000, signal), (reason) => reason === "enough");
  assert.equal(listeners(), 0);
});

test("checkSignal() takes an AbortSignal or undefined", () => {
  checkSignal(undefined);
  checkSignal(new AbortController().signal);
  for (const bad of [null, 5, {}, new AbortController()]) assert.throws(() => checkSignal(bad as never), TypeError);
});
