/** Tests of asking for permission: only `true` allows a call, and there is always an answer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { GatewayCall } from "../../src/gateway/mod.ts";
import { type Allow, askPermission } from "../../src/gateway/permission.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns } from "../support/wait.ts";

const call: GatewayCall = { kind: "status", handle: "H:box:1" };
const request = new Request("http://gateway.example/");
const TIMEOUT = 12_345;

function ask(allow: unknown) {
  return askPermission({ allow: allow as Allow, allowTimeout: TIMEOUT }, call, request);
}

test("allow receives the call and the request", async () => {
  const calls: unknown[] = [];
  assert.deepEqual(await ask((...args: unknown[]) => calls.push(...args) > 0), { allowed: true });
  assert.deepEqual(calls, [call, request]);
});

test("only true allows a call; a string is the reason of a refusal", async () => {
  for (const answer of [false, undefined, null, 1, 0, {}, "", "true", new Error("x")]) {
    const expected = typeof answer === "string" ? { allowed: false, reason: answer } : { allowed: false };
    assert.deepEqual(await ask(() => answer), expected);
    assert.deepEqual(await ask(() => Promise.resolve(answer)), expected);
  }
  assert.deepEqual(await ask(() => Promise.resolve(true)), { allowed: true });
});

test("an answer that is there at once needs no promise", () => {
  assert.deepEqual(ask(() => true), { allowed: true });
  assert.deepEqual(ask(() => "no"), { allowed: false, reason: "no" });
});

test("what allow throws is a refusal without a reason", async () => {
  const error = new Error("the database is down");
  const thrower = () => {
    throw error;
  };
  assert.deepEqual(ask(thrower), { allowed: false, error });
  assert.deepEqual(await ask(() => Promise.reject(error)), { allowed: false, error });
  const badThen = {
    get then() {
      throw error;
    },
  }; // deno-fmt-ignore-line
  assert.deepEqual(await ask(() => badThen), { allowed: false, error });
});

test("no answer in time is a refusal without a reason, and a later one is ignored", async () => {
  using timers = fakeTimers(TIMEOUT);
  const late = deferred<boolean>();
  const verdict = ask(() => late.promise);
  timers.fire();
  const { error, ...rest } = await verdict as { error: Error };
  assert.deepEqual(rest, { allowed: false });
  assert.match(String(error), /TimeoutError: no answer within 12345 ms/);
  late.reject(new Error("too late"));
  await turns();
});

test("an answer in time leaves no timer behind", async () => {
  using timers = fakeTimers(TIMEOUT);
  await ask(() => Promise.resolve(true));
  await ask(() => Promise.reject(new Error("x")));
  assert.deepEqual([timers.set, timers.active], [2, 0]);
});
