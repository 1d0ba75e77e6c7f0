/** Tests of making a packet from the arguments of a submission, and of arguments that are refused. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoBackgroundOptions } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { foregroundPacket, packetOf } from "../../src/client/submission_packet.ts";

const foreground = (options: Record<string, unknown> = {}) => foregroundPacket("f", "w", options);
const background = (options: DoBackgroundOptions = {}) => packetOf("background", "f", "w", "u", options);

test("each priority, a reducer and a time have packet types of their own", () => {
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

test("a time is rounded up to seconds, and a time before 1970 becomes 1970", () => {
  const secondsOf = (time: number) => background({ at: new Date(time) }).args[2];
  assert.equal(background({ at: new Date(0) }).type, PacketType.SUBMIT_JOB_EPOCH);
  assert.deepEqual([secondsOf(1_000), secondsOf(1_001), secondsOf(1_999)], ["1", "2", "2"]);
  assert.deepEqual([secondsOf(0), secondsOf(-1), secondsOf(-1e12)], ["0", "0", "0"]);
  assert.equal(secondsOf(8.64e15), "8640000000000", "the last possible Date, without an exponent");
});

test("time, priority and reducer exclude each other: there are no such packets", () => {
  const at = new Date();
  assert.throws(() => background({ at, priority: "high" }), TypeError);
  assert.throws(() => background({ at, priority: "low" }), TypeError);
  assert.throws(() => background({ at, reducer: "r" }), TypeError);
  assert.throws(() => background({ reducer: "r", priority: "low" }), TypeError);
  assert.throws(() => foreground({ reducer: "r", priority: "high" }), TypeError);
});

test("at must be a valid Date", () => {
  assert.throws(() => background({ at: new Date(NaN) }), RangeError);
  for (const at of [5, "2030-01-01", null, {}]) assert.throws(() => background({ at: at as never }), TypeError);
});

test("an unknown priority is a RangeError", () => {
  for (const priority of ["urgent", "", 1, null]) {
    assert.throws(() => foreground({ priority }), RangeError);
    assert.throws(() => background({ priority: priority as never }), RangeError);
  }
});

test("a reducer and a unique are strings within their lengths in bytes", () => {
  for (const reducer of ["", "r".repeat(64), "r\0", "r\n"]) assert.throws(() => foreground({ reducer }), RangeError);
  assert.throws(() => foreground({ reducer: 5 }), TypeError);
  assert.throws(() => foreground({ unique: 5 }), TypeError);
});

test("options are not changed", () => {
  const options = Object.freeze({ priority: "high", unique: "u", signal: new AbortController().signal } as const);
  foregroundPacket("f", "w", options);
  packetOf("background", "f", "w", "u", options);
});
