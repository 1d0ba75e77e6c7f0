/** Tests of the watch over a connection that may be dead. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KeepAlive } from "../../src/connection/keep_alive.ts";
import { fakeTimers } from "../support/fake_timers.ts";

const probeInterval = 12_345;
const connectTimeout = 2_345;

/** A watch over a connection whose bytes the test counts, and what it reports. */
function watched() {
  const seen: string[] = [];
  const traffic = { transferred: 0, silence: 0 };
  const keepAlive = new KeepAlive(traffic, {}, { probeInterval, connectTimeout }, {
    onTick: ({ silent }) => void seen.push(silent ? "silent" : "alive"),
    onDead: () => void seen.push("dead"),
  });
  return { keepAlive, seen, traffic };
}

test("nothing is timed before start() and after stop(), and there is one timer at most", () => {
  using timers = fakeTimers(probeInterval);
  const { keepAlive, seen } = watched();
  assert.equal(timers.active, 0);
  keepAlive.stop();
  for (let i = 0; i < 3; i++) keepAlive.start();
  assert.deepEqual([timers.active, timers.set], [1, 1]);
  keepAlive.stop();
  keepAlive.stop();
  keepAlive.confirm();
  assert.equal(timers.active, 0);
  keepAlive.start();
  assert.deepEqual([timers.active, timers.set], [1, 2]);
  keepAlive.stop();
  assert.deepEqual(seen, []);
});

test("an interval with traffic is reported as alive, and one without as silent", () => {
  using timers = fakeTimers(probeInterval);
  const { keepAlive, seen, traffic } = watched();
  traffic.transferred = 1_000;
  keepAlive.start();
  traffic.transferred += 1;
  timers.fire();
  traffic.transferred += 70_000;
  timers.fire();
  assert.equal(keepAlive.confirmed, true);
  timers.fire();
  assert.deepEqual(seen, ["alive", "alive", "silent"]);
  assert.equal(keepAlive.confirmed, false);
  keepAlive.stop();
});

test("bytes that were transferred before start() are no sign of life", () => {
  using timers = fakeTimers(probeInterval);
  const { keepAlive, seen, traffic } = watched();
  traffic.transferred = 1_000;
  keepAlive.start();
  timers.fire();
  assert.deepEqual(seen, ["silent"]);
  keepAlive.stop();
});

test("the answer to a question must come within connectTimeout", () => {
  using intervals = fakeTimers(probeInterval);
  using answers = fakeTimers(connectTimeout);
  const { keepAlive, seen } = watched();
  keepAlive.start();
  assert.deepEqual([intervals.active, answers.active], [1, 0]);
  intervals.fire();
  assert.deepEqual([intervals.active, answers.active], [0, 1]);
  answers.fire();
  assert.deepEqual(seen, ["silent", "dead"]);
  keepAlive.stop();
  assert.deepEqual([intervals.active, answers.active], [0, 0]);
});

test("a new connection that was asked something is not confirmed until a packet arrives", () => {
  using intervals = fakeTimers(probeInterval);
  using answers = fakeTimers(connectTimeout);
  const { keepAlive, seen } = watched();
  keepAlive.asked();
  assert.deepEqual([keepAlive.confirmed, answers.active], [false, 0], "nothing waits for it yet");
  keepAlive.start();
  assert.deepEqual([intervals.active, answers.active], [0, 1]);
  keepAlive.confirm();
  assert.equal(keepAlive.confirmed, true);
  assert.deepEqual([intervals.active, answers.active], [1, 0]);
  assert.deepEqual(seen, []);
  keepAlive.stop();
});

test("a large packet that is under way extends the time for an answer, and does not replace it", () => {
  using answers = fakeTimers(connectTimeout);
  const { keepAlive, seen, traffic } = watched();
  keepAlive.asked();
  keepAlive.start();
  for (let i = 0; i < 3; i++) {
    traffic.transferred += 12;
    answers.fire();
  }
  assert.equal(keepAlive.confirmed, false);
  assert.deepEqual(seen, ["alive", "alive", "alive"]);
  answers.fire();
  assert.deepEqual(seen, ["alive", "alive", "alive", "dead"]);
  keepAlive.stop();
});

test("start() reports a connection that was silent for an interval, unless it is asked already", () => {
  using answers = fakeTimers(connectTimeout);
  const { keepAlive, seen, traffic } = watched();
  traffic.silence = probeInterval - 1;
  keepAlive.start();
  assert.deepEqual([seen, keepAlive.confirmed], [[], true]);
  keepAlive.stop();
  traffic.silence = probeInterval;
  keepAlive.start();
  assert.deepEqual([seen, keepAlive.confirmed, answers.active], [["silent"], false, 1]);
  keepAlive.stop();
  keepAlive.start();
  assert.deepEqual(seen, ["silent"]);
  answers.fire();
  assert.deepEqual(seen, ["silent", "dead"]);
  keepAlive.stop();
});

test("stop() in a report ends the watch", () => {
  using intervals = fakeTimers(probeInterval);
  using answers = fakeTimers(connectTimeout);
  const seen: string[] = [];
  const keepAlive = new KeepAlive({ transferred: 0, silence: 0 }, {}, { probeInterval, connectTimeout }, {
    onTick: () => {
      seen.push("silent");
      keepAlive.stop();
    },
    onDead: () => void seen.push("dead"),
  });
  keepAlive.start();
  intervals.fire();
  assert.deepEqual(seen, ["silent"]);
  assert.deepEqual([intervals.active, answers.active], [0, 0]);
});
