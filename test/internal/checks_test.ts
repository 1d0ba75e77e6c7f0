/** Tests of the checks of what callers pass in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkFunction,
  checkName,
  checkOneOf,
  checkOptions,
  checkText,
  checkWord,
  wholeNumber,
} from "../../src/internal/checks.ts";

test("wholeNumber() takes whole numbers in their range, and returns the fallback for an option that is absent", () => {
  assert.equal(wholeNumber({}, "x", 7, 1, 9), 7);
  assert.deepEqual([1, 5, 9].map((value) => wholeNumber({ x: value }, "x", 7, 1, 9)), [1, 5, 9]);
  for (const value of [0, 10, -1, 1.5, NaN, Infinity, -Infinity, "5", null, {}, 5n]) {
    assert.throws(
      () => wholeNumber({ x: value as number }, "x", 7, 1, 9),
      { name: "RangeError", message: /^Cannot use x .*: expected a whole number from 1 to 9$/ },
    );
  }
});

test("wholeNumber() does not check the fallback", () => {
  assert.equal(wholeNumber({ x: undefined }, "x", "none", 1, 9), "none");
});

test("checkOptions() takes every object, and nothing else", () => {
  for (const options of [{}, [], Object.freeze({ a: 1 }), () => {}]) checkOptions(options);
  for (const bad of [undefined, null, 5, "unique", true, Symbol("s")]) {
    assert.throws(() => checkOptions(bad as never), {
      name: "TypeError",
      message: "Cannot use the options: expected an object",
    });
  }
});

test("checkFunction() takes functions, and names the option in its error", () => {
  for (const value of [() => {}, class {}, async () => {}]) checkFunction(value, "dial");
  for (const bad of [undefined, null, 5, "f", {}]) {
    assert.throws(() => checkFunction(bad, "dial"), {
      name: "TypeError",
      message: "Cannot use dial: expected a function",
    });
  }
});

test("checkOneOf() takes the words, and lists them in its error", () => {
  for (const word of ["high", "low"]) checkOneOf(word, "priority", ["high", "low"]);
  for (const bad of ["", "High", "highlow", 1, null, undefined, Symbol("high")]) {
    assert.throws(() => checkOneOf(bad as string, "priority", ["high", "low"]), {
      name: "RangeError",
      message: /^Cannot use priority .*: expected high or low$/,
    });
  }
});

test("checkText() counts bytes of UTF-8, not characters", () => {
  for (const text of ["", "a b", "x".repeat(9), "\u20ac".repeat(3), "\u00fc".repeat(4), "\u{1f600}".repeat(2)]) {
    checkText(text, "unique", 9);
  }
  for (const [text, bytes] of [["x".repeat(10), 10], ["\u20ac".repeat(4), 12], ["\u{1f600}".repeat(3), 12]] as const) {
    assert.throws(() => checkText(text, "unique", 9), {
      name: "RangeError",
      message: `Cannot use the unique: it has ${bytes} bytes, and the maximum is 9`,
    });
  }
});

test("checkText() refuses a NUL, a line feed and a lone surrogate wherever they are, and what is not a string", () => {
  const lone = ["\ud800", "\udfff", "a\ud83d", "\ude00a", "\ude00\ud83d", "\ud83d-\u{1f600}", "\u{1f600}-\ude00"];
  for (const text of ["\0", "\n", "a\0", "\na", "a\nb", "\u{1f600}\n", ...lone]) {
    assert.throws(() => checkText(text, "unique", 9), {
      name: "RangeError",
      message: "Cannot use the unique: it holds a NUL, a line feed or a lone surrogate",
    });
  }
  checkText("\r\t\u0001", "unique", 9);
  for (const bad of [undefined, null, 5, {}, new Uint8Array(1), Object("text")]) {
    assert.throws(() => checkText(bad as never, "unique", 9), {
      name: "TypeError",
      message: "Cannot use the unique: it must be a string",
    });
  }
});

test("checkName() refuses empty text, and what checkText() refuses", () => {
  for (const name of ["f", " ", "x".repeat(9)]) checkName(name, "name", 9);
  assert.throws(() => checkName("", "name", 9), { name: "RangeError", message: "Cannot use the name: it is empty" });
  for (const bad of ["x".repeat(10), "a\0", "a\n", "\ud83d"]) {
    assert.throws(() => checkName(bad, "name", 9), RangeError);
  }
  assert.throws(() => checkName(5 as never, "name", 9), TypeError);
});

test("checkWord() returns one word, which may hold anything but a blank, a NUL and a line feed", () => {
  const words = ["f", "na\u00efve", "a-b/c", "\u{1f600}", "a\tb", "a\r", "a\u00a0b", "a\u2028", "\u0007", "a\u0085"];
  for (const word of words) assert.equal(checkWord(word, "name", 9), word);
  assert.throws(() => checkWord("", "name", 9), { name: "RangeError", message: "Cannot use the name: it is empty" });
  for (const bad of [" ", "a b", " a", "a "]) {
    assert.throws(() => checkWord(bad, "name", 9), {
      name: "RangeError",
      message: "Cannot use the name: a blank would begin another word of the command",
    }, JSON.stringify(bad));
  }
  for (const bad of ["x".repeat(10), "a\0", "a\n", "\ud83d"]) {
    assert.throws(() => checkWord(bad, "name", 9), RangeError);
  }
  assert.throws(() => checkWord(5 as never, "name", 9), TypeError);
});
