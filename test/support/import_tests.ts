// Runs the tests of a folder as one module: Deno spends half a second of CPU on each module that it is given.

import { readdirSync } from "node:fs";
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
  for (const file of files) await load(file.slice(0, -"_test.ts".length));
}
