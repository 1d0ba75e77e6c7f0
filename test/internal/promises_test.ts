/** Tests of promises that are settled from outside, and of promises that may fail without notice. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { deferred, ignoreErrors, markHandled, Notifier } from "../../src/internal/promises.ts";
import { turns } from "../support/wait.ts";

const timeout = 10_000;

/** Returns the reasons of all rejections that are unhandled after `run`. */
async function unhandledAfter(run: () => unknown): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", listener);
  try {
    await run();
    await turns();
  } finally {
    process.removeListener("unhandledRejection", listener);
  }
  return unhandled;
}

test("a deferred promise is pending until it is settled, and keeps its first outcome", { timeout }, async () => {
  const resolved = deferred<number>();
  const seen: number[] = [];
  resolved.promise.then((value) => seen.push(value));
  await turns();
  assert.deepEqual(seen, []);
  resolved.resolve(5);
  resolved.resolve(6);
  resolved.reject(new Error("too late"));
  assert.equal(await resolved.promise, 5);
  await turns(1);
  assert.deepEqual(seen, [5]);

  const rejected = deferred<number>();
  const error = new Error("failed");
  rejected.reject(error);
  rejected.resolve(5);
  await assert.rejects(rejected.promise, (thrown) => thrown === error);
});

test("a notice ends all waits before it, and none after it", { timeout }, async () => {
  const notifier = new Notifier();
  notifier.notify(); // nothing waits, and nothing is kept
  const seen: string[] = [];
  notifier.wait().then(() => seen.push("first"));
  notifier.wait().then(() => seen.push("second"));
  await turns();
  assert.equal(seen.join(), "");
  notifier.notify();
  notifier.wait().then(() => seen.push("third"));
  await turns();
  assert.equal(seen.join(), "first,second");
  notifier.notify();
  await turns();
  assert.equal(seen.join(), "first,second,third");
});

test("the functions of a deferred promise work apart from it", { timeout }, async () => {
  const { promise, resolve } = deferred<string>();
  resolve("value");
  assert.equal(await promise, "value");
});

test(
  "markHandled() returns the same promise, and its rejection is not reported as unhandled",
  { timeout },
  async () => {
    const error = new Error("failed");
    const rejecting = Promise.reject(error);
    assert.deepEqual(await unhandledAfter(() => assert.equal(markHandled(rejecting), rejecting)), []);
    await assert.rejects(rejecting, (thrown) => thrown === error, "the caller still receives the error");
    assert.equal(await markHandled(Promise.resolve(5)), 5);
  },
);

test("ignoreErrors() begins its action at once, and resolves when the action has ended", { timeout }, async () => {
  const action = deferred<string>();
  let begun = false;
  let ended = false;
  const ignoring = ignoreErrors(() => {
    begun = true;
    return action.promise;
  }).then((value) => {
    assert.equal(value, undefined);
    ended = true;
  });
  assert.equal(begun, true);
  await turns();
  assert.equal(ended, false);
  action.resolve("ignored");
  await ignoring;
});

test("ignoreErrors() ignores what its action throws or rejects", { timeout }, async () => {
  const actions: (() => unknown)[] = [
    () => {
      throw new Error("thrown");
    },
    () => Promise.reject(new Error("rejected")),
    () => ({ then: (_: unknown, reject: (error: Error) => void) => reject(new Error("rejected by a thenable")) }),
    () => undefined,
  ];
  const unhandled = await unhandledAfter(async () => {
    for (const action of actions) await ignoreErrors(action);
  });
  assert.deepEqual(unhandled, []);
});
