/** Tests of fences, without a server: which grabs will be answered, and how far the server has come. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Fences } from "../../src/worker/fences.ts";

/** Makes fences, and a function that sends a fence with a name. */
function start(): { fences: Fences; passed: string[]; send: (name: string) => void } {
  const fences = new Fences();
  const passed: string[] = [];
  return { fences, passed, send: (name) => fences.fenceSent({ onPassed: () => passed.push(name) }) };
}

test("a fence passes with its answer, and grabs that the answer overtakes end", () => {
  const { fences, passed, send } = start();
  fences.grabSent();
  fences.grabSent();
  send("a");
  fences.grabSent();
  fences.grabAnswered();
  assert.deepEqual([fences.grabsInFlight, passed], [2, []]);
  assert.equal(fences.fenceAnswered(), 1);
  assert.deepEqual([fences.grabsInFlight, passed], [1, ["a"]]);
  fences.grabAnswered();
  assert.equal(fences.grabsInFlight, 0);
});

test("a fence also passes with the answer to a grab that was sent after it", () => {
  const { fences, passed, send } = start();
  send("a");
  fences.grabSent();
  send("b");
  send("c");
  fences.grabSent();
  fences.grabAnswered();
  assert.deepEqual(passed, ["a"]);
  fences.grabAnswered();
  assert.deepEqual(passed, ["a", "b", "c"]);
  assert.equal(fences.grabsInFlight, 0);
});

test("an answer without a fence changes nothing", () => {
  const { fences } = start();
  fences.grabSent();
  assert.equal(fences.fenceAnswered(), 0);
  assert.equal(fences.grabsInFlight, 1);
});

test("fences in a row pass one by one, and an answered grab is not overtaken", () => {
  const { fences, passed, send } = start();
  fences.grabSent();
  send("a");
  send("b");
  fences.grabAnswered();
  assert.equal(fences.fenceAnswered(), 0);
  assert.deepEqual(passed, ["a"]);
  assert.equal(fences.fenceAnswered(), 0);
  assert.deepEqual(passed, ["a", "b"]);
});
