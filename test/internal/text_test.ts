/** Tests of text that comes from bytes, and of its length in bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteLength, readText } from "../../src/internal/text.ts";
import { character } from "../support/arbitraries.ts";
import { text, utf8 } from "../support/bytes.ts";

test("readText() reads UTF-8 of any length", () => {
  fc.assert(fc.property(fc.string({ unit: character, maxLength: 100 }), (value) => {
    const bytes = utf8(value);
    assert.equal(readText(bytes), text(bytes));
  }));
  assert.equal(readText(utf8("\u{1f600}".repeat(30))), "\u{1f600}".repeat(30));
  assert.equal(readText(Uint8Array.of(0xff, 0x41)), "\ufffdA", "what is no UTF-8 is no error");
});

test("byteLength() counts what an encoder makes, lone surrogates too", () => {
  fc.assert(fc.property(fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }), (value) => {
    assert.equal(byteLength(value), utf8(value).length);
  }));
  fc.assert(
    fc.property(fc.string({ unit: character }), (value) => assert.equal(byteLength(value), utf8(value).length)),
  );
});
