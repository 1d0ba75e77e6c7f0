/** Tests of the arguments of calls: names, handles and workloads. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkFunctionName,
  checkHandle,
  checkId,
  checkUnique,
  checkWorkload,
  copySmall,
} from "../../src/connection/arguments.ts";

test("names are strings within their lengths in bytes, without NUL and line feed", () => {
  const umlauts = "\u00fc".repeat(256);
  for (const name of ["f", "x".repeat(512), umlauts, "a b", "\t"]) checkFunctionName(name);
  for (const name of ["", "x".repeat(513), `${umlauts}x`, "f\0evil", "\0", "f\n", "\n", "f\r\nshutdown"]) {
    assert.throws(() => checkFunctionName(name), RangeError, JSON.stringify(name));
  }
  for (const unique of ["", "-", "u".repeat(63), "\u20ac".repeat(21)]) checkUnique(unique);
  for (
    const unique of ["u".repeat(64), "\ud800".repeat(22), "\u20ac".repeat(22), "\u{1f600}".repeat(16), "u\0", "u\n"]
  ) {
    assert.throws(() => checkUnique(unique), RangeError, JSON.stringify(unique));
  }
  for (const handle of ["H:1", "h".repeat(63)]) checkHandle(handle);
  for (const handle of ["", "h".repeat(64), "H:1\0", "H:1\n"]) assert.throws(() => checkHandle(handle), RangeError);
  for (const bad of [undefined, null, 5, {}, new Uint8Array(1)] as never[]) {
    for (const check of [checkFunctionName, checkUnique, checkHandle]) assert.throws(() => check(bad), TypeError);
  }
});

test("an id has 1 to 127 bytes, without white space and control characters", () => {
  for (const id of ["a", "x".repeat(127), "\u00fc"]) checkId(id);
  for (const id of ["", "x".repeat(128), "a b", "a\tb", "a\nb", "\u009b"]) assert.throws(() => checkId(id), RangeError);
  assert.throws(() => checkId(5 as never), TypeError);
});

test("the messages of errors say what is wrong", () => {
  assert.throws(() => checkFunctionName("x".repeat(513)), /function name: it has 513 bytes, and the maximum is 512$/);
  assert.throws(() => checkUnique("a\0"), /unique: it holds a NUL/);
});

test("a workload is a string or bytes, and only small bytes are copied", () => {
  assert.equal(copySmall("text"), "text");
  const small = new Uint8Array(65_535);
  const copy = copySmall(small);
  assert.notEqual(copy, small);
  assert.deepEqual(copy, small);
  const large = new Uint8Array(65_536);
  assert.equal(copySmall(large), large);
  for (const bad of [5, null, undefined, true, {}, [1], new ArrayBuffer(4), new DataView(new ArrayBuffer(4))]) {
    assert.throws(() => checkWorkload(bad as never), TypeError);
  }
  assert.throws(() => checkWorkload(new Uint16Array(2) as never), TypeError);
});
