/** Tests of what a definition takes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineFunction } from "../../mod.ts";
import { trimmed } from "../support/schemas.ts";

/** A value that the types do not allow. */
type Any = never;

test("a definition has the function's name", () => {
  assert.equal(defineFunction("resize").name, "resize");
  assert.equal(defineFunction("résumé 5", {}).name, "résumé 5");
});

test("a name is checked as in a call", () => {
  assert.throws(() => defineFunction(5 as Any), { name: "TypeError", message: /function name: it must be a string/ });
  assert.throws(() => defineFunction(""), { name: "RangeError", message: /function name: it is empty/ });
  assert.throws(() => defineFunction("a\0b"), { name: "RangeError", message: /it holds a NUL, a line feed or/ });
  assert.throws(() => defineFunction("é".repeat(257)), { name: "RangeError", message: /it has 514 bytes/ });
});

test("options must be an object", () => {
  for (const options of [null, 5, "json"]) {
    assert.throws(() => defineFunction("f", options as Any), {
      name: "TypeError",
      message: "Cannot use the options: expected an object",
    });
  }
});

test("a schema must be a Standard Schema, of whatever type", () => {
  for (const schema of [null, 5, {}, () => true, { "~standard": {} }, { "~standard": null }]) {
    for (const part of ["input", "output"] as const) {
      assert.throws(() => defineFunction("f", { [part]: schema as Any }), {
        name: "TypeError",
        message: "Cannot use ~standard.validate: expected a function",
      });
    }
  }
  const callable = Object.assign(() => true, trimmed);
  assert.equal(defineFunction("f", { input: callable }).input.encode("x"), '"x"');
});

test("a serializer must have the functions encode and decode, in each direction", () => {
  const encode = () => "";
  const decode = () => null;
  const whole = { encode, decode };
  const wrong = [null, 5, {}, { encode: 5, decode }, { input: whole }, { output: whole }, {
    input: whole,
    output: decode,
  }];
  for (const serializer of wrong) {
    assert.throws(() => defineFunction("f", { serializer: serializer as Any }), {
      name: "TypeError",
      message: "Cannot use serializer.encode: expected a function",
    });
  }
  assert.throws(() => defineFunction("f", { serializer: { encode } as Any }), {
    name: "TypeError",
    message: "Cannot use serializer.decode: expected a function",
  });
});

test("options that are undefined are absent", () => {
  const { input, output } = defineFunction("f", { input: undefined, output: undefined, serializer: undefined });
  assert.equal(input.encode(undefined, { background: true }), "null");
  assert.equal(output.encode(undefined, { background: undefined }), "");
});
