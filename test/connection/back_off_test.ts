/** Tests of the delays between attempts to connect to a server that fails. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BackOff } from "../../src/connection/back_off.ts";

/** Runs with a `Math.random` that always returns this value. */
function withRandom<T>(value: number, run: () => T): T {
  const { random } = Math;
  Math.random = () => value;
  try {
    return run();
  } finally {
    Math.random = random;
  }
}

/** Counts this many failures; returns the delay after each. */
function delaysOf(backOff: BackOff, count: number, firstIsFree = false): number[] {
  return Array.from({ length: count }, () => backOff.fail({ firstIsFree }));
}

/** The largest number that `Math.random` returns. */
const LARGEST_RANDOM = 1 - Number.EPSILON / 2;

test("the delay doubles with each failure in a row, up to the maximum", () => {
  const delays = withRandom(LARGEST_RANDOM, () => delaysOf(new BackOff(100, 1_000), 6));
  assert.deepEqual(delays, [100, 200, 400, 800, 1_000, 1_000]);
});

test("jitter takes off at most half of the delay", () => {
  assert.deepEqual(withRandom(0, () => delaysOf(new BackOff(100, 1_000), 6)), [50, 100, 200, 400, 500, 500]);
  assert.deepEqual(withRandom(0.5, () => delaysOf(new BackOff(100, 1_000), 2)), [75, 150]);
});

test("a delay is a whole number of milliseconds between its bounds, also after 2,000 failures", () => {
  const options = fc.record({ min: fc.integer({ min: 1, max: 2_147_483_647 }), more: fc.nat(1_000_000) });
  fc.assert(
    fc.property(options, ({ min, more }) => {
      const backOff = new BackOff(min, min + more);
      for (const delay of delaysOf(backOff, 2_000)) {
        assert.ok(Number.isInteger(delay) && delay >= Math.floor(min / 2) && delay <= min + more, `${delay}`);
      }
    }),
    { numRuns: 20 },
  );
});

test("a first failure that may be chance costs no delay, and the second is counted as the first", () => {
  const delays = withRandom(LARGEST_RANDOM, () => delaysOf(new BackOff(100, 1_000), 4, true));
  assert.deepEqual(delays, [0, 100, 200, 400]);
});

test("a first failure that may be chance still begins the row of failures", () => {
  const backOff = new BackOff(100, 1_000);
  assert.equal(backOff.failures, 0);
  assert.equal(backOff.fail({ firstIsFree: true }), 0);
  assert.equal(backOff.failures, 1);
  assert.equal(withRandom(LARGEST_RANDOM, () => backOff.fail({ firstIsFree: false })), 200);
  assert.equal(backOff.failures, 2);
});

test("reset() ends the row of failures: the next delay is the shortest again", () => {
  const backOff = new BackOff(100, 1_000);
  delaysOf(backOff, 5);
  backOff.reset();
  assert.equal(backOff.failures, 0);
  assert.equal(withRandom(LARGEST_RANDOM, () => backOff.fail({ firstIsFree: false })), 100);
  backOff.reset();
  assert.equal(backOff.fail({ firstIsFree: true }), 0);
});

test("without a minimum the delay stays 0, also after 2,000 failures", () => {
  const backOff = new BackOff(0, 30_000);
  for (let i = 1; i <= 2_000; i++) assert.equal(backOff.fail({ firstIsFree: false }), 0, `failure ${i}`);
});
