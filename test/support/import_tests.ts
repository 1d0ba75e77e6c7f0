// Runs the tests of a folder as one module: Deno spends half a second of CPU on each module that it is given.
//
// Deno 2.9.6 passes a module with tests of node:test even if something was thrown outside of them: while the module was
// loaded, whose other tests are then missing, or by a timer or a listener during a test. Here both fail a test.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import "./name_files.ts";

/**
 * Imports all test files of a folder.
 *
 * @param url the `import.meta.url` of the folder's module
 * @param load imports `./NAME_test.ts`; a template literal in the folder's module, which Deno can follow when it looks
 * for the tests that a change concerns (`deno test --watch`)
 */
export async function importTests(url: string, load: (name: string) => Promise<unknown>): Promise<void> {
  const files = readdirSync(new URL(".", url)).filter((file) => file.endsWith("_test.ts")).sort();
  await loadTests(files.map((file) => file.slice(0, -"_test.ts".length)), load, { register: test, errors: globalThis });
}

/** Where tests are registered, and where the runtime reports errors that nothing has caught. */
export interface TestRuntime {
  readonly register: (name: string, body: () => void) => unknown;
  readonly errors: EventTarget;
}

/** Loads test files, and registers a test that fails for each that cannot be loaded, and one for uncaught errors. */
export async function loadTests(
  names: readonly string[],
  load: (name: string) => Promise<unknown>,
  { register, errors }: TestRuntime,
): Promise<void> {
  const uncaught: unknown[] = [];
  errors.addEventListener("error", (event) => uncaught.push((event as ErrorEvent).error));
  for (const name of names) {
    try {
      await load(name);
    } catch (error) {
      register(`${name}_test.ts can be loaded`, () => {
        throw error;
      });
    }
  }
  register("nothing was thrown outside of the tests", () => assert.deepEqual(uncaught, []));
}
