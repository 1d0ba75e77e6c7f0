/** Tests of the watch over a silent connection. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KeepAlive } from "../../src/connection/keep_alive.ts";
import { fakeTimers } from "../support/fake_timers.ts";

const INTERVAL = 12_345;

/** A watch over a connection whose bytes the test counts, and what it reports. */
function watched() {
  const seen: string[] = [];
  const traffic = { bytes: 0 };
  const keepAlive = new KeepAlive(INTERVAL, () => traffic.bytes, {
    onTick: ({ silent }) => void seen.push(silent ? "silent" : "alive"),
    onDead: () => void seen.push("dead"),
  });
  return { keepAlive, seen, traffic };
}

test("nothing is timed before start() and after stop(), and there is one timer at most", () => {
  using timers = fakeTimers(INTERVAL);
  const { keepAlive, seen } = watched();
  assert.equal(timers.active, 0);
  keepAlive.stop();
  for (let i = 0; i < 3; i++) keepAlive.start();
  assert.deepEqual([timers.active, timers.set], [1, 1]);
  keepAlive.stop();
  keepAlive.stop();
  assert.equal(timers.active, 0);
  keepAlive.start();
  assert.deepEqual([timers.active, timers.set], [1, 2]);
  keepAlive.stop();
  assert.deepEqual(seen, []);
});

test("an interval with traffic is reported as alive, and one without as silent", () => {
  using timers = fakeTimers(INTERVAL);
  const { keepAlive, seen, traffic } = watched();
  traffic.bytes = 1_000;
  keepAlive.start();
  traffic.bytes += 1;
  timers.fire();
  traffic.bytes += 70_000;
  timers.fire();
  timers.fire();
  assert.deepEqual(seen, ["alive", "alive", "silent"]);
  keepAlive.stop();
});

test("bytes that were transferred before start() are no sign of life", () => {
  using timers = fakeTimers(INTERVAL);
  const { keepAlive, seen, traffic } = watched();
  traffic.bytes = 1_000;
  keepAlive.start();
  timers.fire();
  assert.deepEqual(seen, ["silent"]);
  keepAlive.stop();
  traffic.bytes = 2_000;
  keepAlive.start();
  timers.fire();
  assert.deepEqual(seen, ["silent", "silent"]);
  keepAlive.stop();
});

test("a second silent interval in a row is reported as dead, and not as silent", () => {
  using timers = fakeTimers(INTERVAL);
  const { keepAlive, seen } = watched();
  keepAlive.start();
  timers.fire();
  timers.fire();
  assert.deepEqual(seen, ["silent", "dead"]);
  keepAlive.stop();
});

test("traffic after a silent interval ends the suspicion", () => {
  using timers = fakeTimers(INTERVAL);
  const { keepAlive, seen, traffic } = watched();
  keepAlive.start();
  for (let i = 0; i < 3; i++) {
    timers.fire();
    traffic.bytes += 12;
    timers.fire();
  }
  assert.deepEqual(seen, ["silent", "alive", "silent", "alive", "silent", "alive"]);
  keepAlive.stop();
});

test("a new start() ends the suspicion too", () => {
  using timers = fakeTimers(INTERVAL);
  const { keepAlive, seen } = watched();
  keepAlive.start();
  timers.fire();
  keepAlive.stop();
  keepAlive.start();
  timers.fire();
  assert.deepEqual(seen, ["silent", "silent"]);
  keepAlive.start();
  timers.fire();
  assert.deepEqual(seen, ["silent", "silent", "dead"], "a start() of what runs changes nothing");
  keepAlive.stop();
});

test("stop() in a report ends the watch", () => {
  using timers = fakeTimers(INTERVAL);
  const seen: string[] = [];
  const keepAlive = new KeepAlive(INTERVAL, () => 0, {
    onTick: () => void seen.push("silent"),
    onDead: () => {
      seen.push("dead");
      keepAlive.stop();
    },
  });
  keepAlive.start();
  timers.fire();
  timers.fire();
  assert.deepEqual(seen, ["silent", "dead"]);
  assert.equal(timers.active, 0);
});
