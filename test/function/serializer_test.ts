/** Tests of the serializers that the library has. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesSerializer, jsonSerializer } from "../../mod.ts";
import { utf8 } from "../support/bytes.ts";

test("jsonSerializer encodes values as JSON, and decodes them", () => {
  for (const value of [{ a: [1, "é€😀\0", null, true] }, "text", 5, false, null, []]) {
    const encoded = jsonSerializer.encode(value);
    assert.equal(encoded, JSON.stringify(value));
    assert.deepEqual(jsonSerializer.decode(utf8(encoded)), value);
  }
});

test("jsonSerializer encodes undefined as null", () => {
  assert.equal(jsonSerializer.encode(undefined), "null");
});

test("jsonSerializer skips a byte order mark before the text, and only there", () => {
  assert.deepEqual(jsonSerializer.decode(utf8('\ufeff{"a":"\ufeffb"}')), { a: "\ufeffb" });
  assert.equal(jsonSerializer.decode(utf8('"\ufeff"')), "\ufeff");
  const long = `"${"x".repeat(1_000)}"`;
  assert.equal(jsonSerializer.decode(utf8(`\ufeff${long}`)), JSON.parse(long));
  assert.throws(() => jsonSerializer.decode(utf8("\ufeff\ufeff1")), SyntaxError);
});

test("jsonSerializer throws a SyntaxError for bytes that are no JSON", () => {
  for (const text of ["", "ok", "{", "{'a':1}", "1 2", "\0"]) {
    assert.throws(() => jsonSerializer.decode(utf8(text)), SyntaxError);
  }
});

test("bytesSerializer leaves bytes and text as they are", () => {
  const bytes = Uint8Array.of(1, 0, 255);
  assert.equal(bytesSerializer.encode(bytes), bytes);
  assert.equal(bytesSerializer.encode("text"), "text");
  assert.equal(bytesSerializer.decode(bytes), bytes);
});

test("bytesSerializer encodes undefined as no bytes", () => {
  assert.equal(bytesSerializer.encode(undefined), "");
});
