/** Tests of text: decoding, lengths in bytes, and cleaning for messages. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteLength, messageOf, printable, quoted, readText, readTextBetween } from "../../src/internal/text.ts";
import { character } from "../support/arbitraries.ts";
import { utf8 } from "../support/bytes.ts";

test("readText() reads UTF-8 of any length", () => {
  fc.assert(fc.property(fc.string({ unit: character, maxLength: 100 }), (value) => {
    assert.equal(readText(utf8(value)), value);
  }));
  assert.equal(readText(utf8("\u{1f600}".repeat(30))), "\u{1f600}".repeat(30));
  assert.equal(readText(Uint8Array.of(0xff, 0x41)), "\ufffdA", "invalid UTF-8 is replaced");
});

test("readText() replaces what is no UTF-8 as a TextDecoder does, whatever the runtime has for it", () => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  // Bytes that begin, continue, and break sequences of each length.
  const byte = fc.constantFrom(
    0,
    0x41,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbb,
    0xbf,
    0xc0,
    0xc2,
    0xe0,
    0xed,
    0xef,
    0xf0,
    0xf4,
    0xf5,
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 20 }),
      fc.array(byte, { maxLength: 20 }),
      fc.nat(8),
      (any, broken, start) => {
        for (const bytes of [any, Uint8Array.from(broken)]) {
          const begin = Math.min(start, bytes.length);
          assert.equal(readTextBetween(bytes, begin, bytes.length), decoder.decode(bytes.subarray(begin)));
        }
      },
    ),
    { numRuns: 2_000 },
  );
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

/** Controls, separators, and controls of the writing direction: none of them may come out of printable(). */
const UNPRINTABLE = [
  ...Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)),
  ...Array.from({ length: 0x21 }, (_, i) => String.fromCharCode(0x7f + i)),
  ..."\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
  ...["\ud800", "\udbff", "\udc00", "\udfff"],
];

test("printable() puts one space in place of everything that a message must not hold, and trims", () => {
  assert.equal(
    printable("plain text, \u00fc\u{1f600}\u200d\u00a0\ufeff."),
    "plain text, \u00fc\u{1f600}\u200d\u00a0\ufeff.",
  );
  assert.equal(printable("a\0b\r\n\tc\u001b[31m\u0085d\u2028\u2029e"), "a b c [31m d e");
  assert.equal(printable("invoice\u202efdp.exe"), "invoice fdp.exe");
  assert.equal(printable(" \n padded \0"), "padded");
  assert.equal(printable(""), "");
  assert.equal(printable("\0\n"), "");
  for (const each of UNPRINTABLE) {
    assert.equal(printable(`a${each}b`), "a b", JSON.stringify(each));
    assert.equal(printable(`a${each}${each}b${each}`), "a b", JSON.stringify(each));
  }
});

test("printable() cuts text after 200 characters, and marks the cut", () => {
  assert.equal(printable("x".repeat(200)), "x".repeat(200));
  assert.equal(printable("x".repeat(201)), `${"x".repeat(199)}\u2026`);
});

test("printable() never cuts inside a surrogate pair", () => {
  for (let before = 190; before <= 202; before++) {
    const clean = printable(`${"x".repeat(before)}${"\u{1f600}".repeat(20)}`);
    assert.ok(clean.isWellFormed(), `a pair after ${before} characters`);
    assert.ok(clean.length === 200 || clean.length === 199, `${clean.length} characters`);
  }
});

test("printable() looks at the beginning of a long text only", () => {
  const replace = String.prototype.replace;
  const lengths: number[] = [];
  String.prototype.replace = function (this: string, ...args: [never, never]) {
    lengths.push(this.length);
    return replace.apply(this, args);
  } as typeof replace;
  try {
    assert.equal(printable("x".repeat(10_000_000)), `${"x".repeat(199)}\u2026`);
    assert.equal(printable("\0".repeat(10_000_000)), "\u2026");
  } finally {
    String.prototype.replace = replace;
  }
  assert.deepEqual(lengths, [199, 199]);
});

test("printable() of any text is well formed, has at most 200 characters, and no control character", () => {
  const unit = fc.oneof(
    { weight: 5, arbitrary: character },
    fc.constantFrom(...UNPRINTABLE),
    fc.nat(0xffff).map((code) => String.fromCharCode(code)),
  );
  fc.assert(fc.property(fc.string({ unit, maxLength: 500 }), (value) => {
    const clean = printable(value);
    assert.ok(clean.length <= 200);
    assert.ok(clean.isWellFormed());
    for (const each of UNPRINTABLE.slice(0, -4)) assert.ok(!clean.includes(each), JSON.stringify(each));
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

test("quoted() puts text in quotes and nothing else, and never throws", () => {
  const hostile = { toString: () => assert.fail("not now") };
  const values = ["12", 12, 1.5, undefined, null, Symbol("s"), "\x1b[2J", [1], hostile];
  assert.deepEqual(values.map(quoted), [
    '"12"',
    "12",
    "1.5",
    "undefined",
    "null",
    "Symbol(s)",
    '"[2J"',
    "1",
    "unknown error",
  ]);
});
