/** Tests of text: decoding, lengths in bytes, and cleaning for messages. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteLength, messageOf, printable, readText } from "../../src/internal/text.ts";
import { character } from "../support/arbitraries.ts";
import { utf8 } from "../support/bytes.ts";

test("readText() reads UTF-8 of any length", () => {
  fc.assert(fc.property(fc.string({ unit: character, maxLength: 100 }), (value) => {
    assert.equal(readText(utf8(value)), value);
  }));
  assert.equal(readText(utf8("\u{1f600}".repeat(30))), "\u{1f600}".repeat(30));
  assert.equal(readText(Uint8Array.of(0xff, 0x41)), "\ufffdA", "invalid UTF-8 is replaced");
});

test("readText() keeps a byte order mark, in short text and in long", () => {
  for (const value of ["\ufeff", "\ufeffname", `\ufeff${"x".repeat(100)}`]) {
    assert.equal(readText(utf8(value)), value);
  }
});

test("byteLength() counts the bytes that an encoder makes, also of lone surrogates", () => {
  fc.assert(fc.property(fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }), (value) => {
    assert.equal(byteLength(value), utf8(value).length);
  }));
  fc.assert(
    fc.property(fc.string({ unit: character }), (value) => assert.equal(byteLength(value), utf8(value).length)),
  );
});

test("printable() puts one space in place of control characters and line separators, and trims", () => {
  assert.equal(printable("plain text, \u00fc\u{1f600}"), "plain text, \u00fc\u{1f600}");
  assert.equal(printable("a\0b\r\n\tc\u001b[31m\u0085d\u2028\u2029e"), "a b c [31m d e");
  assert.equal(printable(" \n padded \0"), "padded");
  assert.equal(printable(""), "");
  assert.equal(printable("\0\n"), "");
});

test("printable() cuts text after 200 characters, and marks the cut", () => {
  assert.equal(printable("x".repeat(200)), "x".repeat(200));
  assert.equal(printable("x".repeat(201)), `${"x".repeat(199)}\u2026`);
  assert.equal(printable("x".repeat(1_000_000)), `${"x".repeat(199)}\u2026`);
  assert.equal(printable("a\0\0".repeat(100)).length, 199, "the length counts after the cleaning");
});

test("printable() of any text has at most 200 characters, none of them a control character", () => {
  fc.assert(fc.property(fc.string({ unit: character, maxLength: 500 }), (value) => {
    const clean = printable(value);
    assert.ok(clean.length <= 200);
    assert.doesNotMatch(clean, /[\p{Cc}\u2028\u2029]/u);
    assert.equal(printable(clean), clean);
  }));
});

test("messageOf() takes an error's message, else its code, else its name", () => {
  assert.equal(messageOf(new Error("refused")), "refused");
  assert.equal(messageOf(Object.assign(new Error("refused"), { code: "ECONNREFUSED" })), "refused");
  assert.equal(messageOf(new TypeError("a\nb")), "a b");
  assert.equal(messageOf(Object.assign(new Error(""), { code: "ECONNREFUSED" })), "ECONNREFUSED");
  assert.equal(messageOf(Object.assign(new AggregateError([]), { code: "ETIMEDOUT" })), "ETIMEDOUT");
  assert.equal(messageOf(new RangeError()), "RangeError");
});

test("messageOf() takes the text of what is not an error, and never throws", () => {
  const values = ["text", 5, null, undefined, Symbol("s"), { toString: () => "o\0" }];
  assert.deepEqual(values.map(messageOf), ["text", "5", "null", "undefined", "Symbol(s)", "o"]);
  const broken = Object.defineProperty(new Error(), "message", {
    get() {
      throw new Error("broken");
    },
  });
  const unreadable = [broken, Object.create(null), Object.assign(new Error(), { message: 5 })];
  assert.deepEqual(unreadable.map(messageOf), Array(3).fill("unknown error"));
  assert.equal(messageOf(new Error("x".repeat(201))).length, 200);
});
