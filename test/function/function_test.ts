/** Tests of what a call takes for a function: a name, or a definition. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineFunction } from "../../mod.ts";
import { type AnyFunction, definitionOf, nameOf } from "../../src/function/function.ts";

test("a function by name has this name and no definition", () => {
  assert.equal(nameOf("reverse"), "reverse");
  assert.equal(definitionOf("reverse"), undefined);
});

test("a typed function is its own definition, and has the name in it", () => {
  const reverse: AnyFunction = defineFunction<string, string>("reverse");
  assert.equal(nameOf(reverse), "reverse");
  assert.equal(definitionOf(reverse), reverse);
});

test("what is neither a name nor a definition has no definition, and is returned in place of a name", () => {
  for (const wrong of [undefined, null, 5, { name: "reverse" }]) {
    const fn = wrong as unknown as AnyFunction;
    assert.equal(definitionOf(fn), undefined);
    assert.equal(nameOf(fn), wrong);
  }
});
