/** Tests of the helper that loads the tests of a folder: what goes wrong outside of a test fails one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadTests } from "./support/import_tests.ts";

const CLOSING = "nothing was thrown outside of the tests";

/** A runtime that runs no test, and the tests that were registered there. */
function fakeRuntime() {
  const tests = new Map<string, () => void>();
  const errors = new EventTarget();
  return { tests, errors, runtime: { register: (name: string, body: () => void) => tests.set(name, body), errors } };
}

test("a file that cannot be loaded is a test that fails, and the files behind it are loaded", async () => {
  const { tests, runtime } = fakeRuntime();
  const loaded: string[] = [];
  const error = new SyntaxError("expected");
  await loadTests(["one", "two", "three"], async (name) => {
    if (name === "two") throw await Promise.resolve(error);
    loaded.push(name);
  }, runtime);
  assert.deepEqual(loaded, ["one", "three"]);
  assert.deepEqual([...tests.keys()], ["two_test.ts can be loaded", CLOSING]);
  assert.throws(tests.get("two_test.ts can be loaded")!, error);
});

test("an error that nothing catches during the tests fails the last test", async () => {
  const { tests, errors, runtime } = fakeRuntime();
  await loadTests([], () => Promise.resolve(), runtime);
  const closing = tests.get(CLOSING)!;
  closing();
  errors.dispatchEvent(Object.assign(new Event("error"), { error: new Error("expected") }));
  assert.throws(closing, assert.AssertionError);
});
