/** Tests of outcomes: what a handler returned or threw becomes completed, failed, or an exception. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { JobFailedError } from "../../mod.ts";
import { outcomeOfError, outcomeOfResult } from "../../src/worker/outcome.ts";

const limit = { maxPacketSize: 100, overhead: 10 };

test("what a handler returns completes the job, and undefined is an empty result", () => {
  const bytes = Uint8Array.of(1);
  assert.deepEqual(outcomeOfResult("done", limit), { kind: "completed", result: "done" });
  assert.deepEqual(outcomeOfResult(bytes, limit), { kind: "completed", result: bytes });
  assert.deepEqual(outcomeOfResult(undefined, limit), { kind: "completed", result: "" });
});

test("a result must be a string or bytes that fit in a packet", () => {
  for (const result of [null, 5, {}, new ArrayBuffer(1)]) {
    assert.throws(() => outcomeOfResult(result, limit), {
      name: "TypeError",
      message: "Cannot send the result: it must be a string or a Uint8Array",
    });
  }
});

test("a result may have as many bytes as its packet has room for", () => {
  for (const result of ["x".repeat(90), "ö".repeat(45), "€".repeat(30), "🎉".repeat(22), new Uint8Array(90)]) {
    assert.deepEqual(outcomeOfResult(result, limit), { kind: "completed", result });
  }
  for (const result of ["x".repeat(91), "ö".repeat(45) + "x", "€".repeat(30) + "x", new Uint8Array(91)]) {
    assert.throws(() => outcomeOfResult(result, limit), {
      name: "RangeError",
      message: "Cannot send the result: its packet has 101 bytes, and maxPacketSize is 100",
    });
  }
});

test("an error is an exception with its message, or with its name if the message is empty", () => {
  for (const [error, message] of [[new Error("broken"), "broken"], [new TypeError(), "TypeError"], [5, "5"]] as const) {
    assert.deepEqual(outcomeOfError(error), { kind: "exception", exception: message, error });
  }
});

test("a JobFailedError is an exception with its message, or fails the job in silence if it has none", () => {
  const silent = new JobFailedError();
  assert.deepEqual(outcomeOfError(silent), { kind: "failed", error: silent });
  const own = new JobFailedError("quota exceeded");
  assert.deepEqual(outcomeOfError(own), { kind: "exception", exception: "quota exceeded", error: own });
  const foreign = new JobFailedError("Job H:1 failed", { handle: "H:1" });
  assert.deepEqual(outcomeOfError(foreign), { kind: "exception", exception: "Job H:1 failed", error: foreign });
});

test("a JobFailedError with an exception is sent as those bytes, whatever its message", () => {
  for (const message of ["for the log", ""]) {
    for (const exception of [Uint8Array.of(0, 255), new Uint8Array(0)]) {
      const error = new JobFailedError(message, { exception });
      assert.deepEqual(outcomeOfError(error), { kind: "exception", exception, error });
    }
  }
  const wrong = new JobFailedError("words", { exception: 5 as never });
  assert.deepEqual(outcomeOfError(wrong), { kind: "exception", exception: "words", error: wrong });
});
