/** Tests of options that are numbers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeNumber } from "../../src/internal/checks.ts";

test("numbers are whole, and in their range", () => {
  assert.equal(wholeNumber({}, "x", 7, 1, 9), 7);
  assert.deepEqual([1, 5, 9].map((value) => wholeNumber({ x: value }, "x", 7, 1, 9)), [1, 5, 9]);
  for (const value of [0, 10, -1, 1.5, NaN, Infinity, -Infinity, "5", null, {}, 5n]) {
    assert.throws(
      () => wholeNumber({ x: value as number }, "x", 7, 1, 9),
      { name: "RangeError", message: /^Cannot use x .*: expected a whole number from 1 to 9$/ },
    );
  }
});
