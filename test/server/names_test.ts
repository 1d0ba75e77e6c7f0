/** Tests of names of the job server. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NameReader } from "../../src/server/names.ts";
import { utf8 } from "../support/bytes.ts";

test("NameReader reads each name, whatever it has read before", () => {
  const reader = new NameReader();
  for (const name of ["", "reverse", "reverse", "revers", "reverse2", "reversE", "", "a", "b"]) {
    assert.equal(reader.read(utf8(name)), name);
  }
});

test("NameReader does not depend on the memory of a name that it has read", () => {
  const reader = new NameReader();
  const bytes = utf8("first");
  assert.equal(reader.read(bytes), "first");
  bytes.set(utf8("other"));
  assert.equal(reader.read(bytes), "other");
});
