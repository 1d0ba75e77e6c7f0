/** Tests of the way from a call's arguments to a packet: which packet it is, and what is refused before it is one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoBackgroundOptions } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { backgroundPacket, foregroundPacket } from "../../src/client/submission_packet.ts";
import { checkFunctionName, checkHandle, checkUnique, takeWorkload } from "../../src/connection/arguments.ts";
import { checkSignal } from "../../src/internal/signals.ts";

const foreground = (options: Record<string, unknown> = {}) => foregroundPacket("f", "w", options);
const background = (options: DoBackgroundOptions = {}) => backgroundPacket("f", "w", "u", options);

test("priority, reducer and time each have their packet", () => {
  assert.deepEqual(foreground(), { type: PacketType.SUBMIT_JOB, args: ["f", "", "w"] });
  assert.deepEqual(foreground({ unique: "u" }), { type: PacketType.SUBMIT_JOB, args: ["f", "u", "w"] });
  assert.equal(foreground({ priority: "high" }).type, PacketType.SUBMIT_JOB_HIGH);
  assert.equal(foreground({ priority: "normal" }).type, PacketType.SUBMIT_JOB);
  assert.equal(foreground({ priority: "low" }).type, PacketType.SUBMIT_JOB_LOW);
  assert.deepEqual(foreground({ reducer: "r" }), {
    type: PacketType.SUBMIT_REDUCE_JOB,
    args: ["f", "", "r", "", "w"],
  });
  assert.deepEqual(background(), { type: PacketType.SUBMIT_JOB_BG, args: ["f", "u", "w"] });
  assert.equal(background({ priority: "high" }).type, PacketType.SUBMIT_JOB_HIGH_BG);
  assert.equal(background({ priority: "normal" }).type, PacketType.SUBMIT_JOB_BG);
  assert.equal(background({ priority: "low" }).type, PacketType.SUBMIT_JOB_LOW_BG);
  assert.deepEqual(background({ reducer: "r" }), {
    type: PacketType.SUBMIT_REDUCE_JOB_BACKGROUND,
    args: ["f", "u", "r", "", "w"],
  });
});

test("a time is rounded up to seconds, and one before 1970 is 1970", () => {
  const secondsOf = (time: number) => background({ at: new Date(time) }).args[2];
  assert.equal(background({ at: new Date(0) }).type, PacketType.SUBMIT_JOB_EPOCH);
  assert.deepEqual([secondsOf(1_000), secondsOf(1_001), secondsOf(1_999)], ["1", "2", "2"]);
  assert.deepEqual([secondsOf(0), secondsOf(-1), secondsOf(-1e12)], ["0", "0", "0"]);
  assert.equal(secondsOf(8.64e15), "8640000000000", "the last Date there is, without an exponent");
});

test("time, priority and reducer exclude each other: there are no such packets", () => {
  const at = new Date();
  assert.throws(() => background({ at, priority: "high" }), TypeError);
  assert.throws(() => background({ at, priority: "low" }), TypeError);
  assert.throws(() => background({ at, reducer: "r" }), TypeError);
  assert.throws(() => background({ reducer: "r", priority: "low" }), TypeError);
  assert.throws(() => foreground({ reducer: "r", priority: "high" }), TypeError);
});

test("a Date must be one, and valid", () => {
  assert.throws(() => background({ at: new Date(NaN) }), RangeError);
  for (const at of [5, "2030-01-01", null, {}]) assert.throws(() => background({ at: at as never }), TypeError);
});

test("a priority that there is not is a RangeError", () => {
  for (const priority of ["urgent", "", 1, null]) {
    assert.throws(() => foreground({ priority }), RangeError);
    assert.throws(() => background({ priority: priority as never }), RangeError);
  }
});

test("names have their lengths in bytes, hold neither NUL nor line feed, and are strings", () => {
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
  for (const reducer of ["", "r".repeat(64), "r\0", "r\n"]) assert.throws(() => foreground({ reducer }), RangeError);
  for (const bad of [undefined, null, 5, {}, new Uint8Array(1)] as never[]) {
    for (const check of [checkFunctionName, checkUnique, checkHandle]) assert.throws(() => check(bad), TypeError);
  }
  assert.throws(() => foreground({ reducer: 5 }), TypeError);
  assert.throws(() => foreground({ unique: 5 }), TypeError);
});

test("messages of errors name what is wrong", () => {
  assert.throws(() => checkFunctionName("x".repeat(513)), /function name: it has 513 bytes, and the maximum is 512$/);
  assert.throws(() => checkUnique("a\0"), /unique: it holds a NUL/);
});

test("a workload is text or bytes; small bytes are copied, large ones are not", () => {
  assert.equal(takeWorkload("text"), "text");
  const small = new Uint8Array(65_535);
  const copy = takeWorkload(small);
  assert.notEqual(copy, small);
  assert.deepEqual(copy, small);
  const large = new Uint8Array(65_536);
  assert.equal(takeWorkload(large), large);
  for (const bad of [5, null, undefined, true, {}, [1], new ArrayBuffer(4), new DataView(new ArrayBuffer(4))]) {
    assert.throws(() => takeWorkload(bad as never), TypeError);
  }
  assert.throws(() => takeWorkload(new Uint16Array(2) as never), TypeError);
});

test("a signal is one or is not there", () => {
  checkSignal(undefined);
  checkSignal(new AbortController().signal);
  for (const bad of [null, 5, {}, new AbortController()]) assert.throws(() => checkSignal(bad as never), TypeError);
});

test("options are read, not changed", () => {
  const options = Object.freeze({ priority: "high", unique: "u", signal: new AbortController().signal } as const);
  foregroundPacket("f", "w", options);
  backgroundPacket("f", "w", "u", options);
});
