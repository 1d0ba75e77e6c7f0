/**
 * Compiles the tests for Node into `.build/node/`, beside a copy of the built package. What they import from an entry point
 * is what users get: the bundle. Only modules that the package does not export are compiled one by one, for the tests that
 * look at them.
 *
 *     deno task test:all node20
 */

import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { buildNpm, compilerOptions, moduleOf, PACKAGE } from "./npm.ts";
import { BUILD, must, program, ROOT } from "../support/tools.ts";

/** The folder that the tests are run in: the files of the package, and `test/` beside them, as in the checkout. */
export const NODE_TESTS: string = `${BUILD}node`;

/** Builds the package and compiles the tests; returns the paths of the test files. */
export function compileTests(): string[] {
  buildNpm();
  rmSync(NODE_TESTS, { recursive: true, force: true });
  cpSync(PACKAGE, NODE_TESTS, { recursive: true });
  cpSync(`${ROOT}test`, `${NODE_TESTS}/test`, { recursive: true });
  writeFileSync(
    `${NODE_TESTS}/tsconfig.json`,
    JSON.stringify({
      compilerOptions: { ...compilerOptions(), isolatedDeclarations: false, types: ["node"], skipLibCheck: true },
      include: ["test"],
    }),
  );
  must(program("typescript", "tsc"), ["-p", NODE_TESTS]);
  for (const [entryPoint, source] of Object.entries(config.exports)) redirect(source, moduleOf(entryPoint));
  // There must be one class for each error: tests compare what the bundle throws with the classes of single modules.
  redirect("src/errors.ts", moduleOf("."));
  return readdirSync(`${NODE_TESTS}/test`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith("_test.js"))
    .map((file) => `test/${file}`);
}

/** Replaces the module that a source was compiled to by one that has the exports of a module of the package. */
function redirect(source: string, module: string): void {
  const file = source.replace(/\.ts$/, ".js");
  const specifier = relative(dirname(file), module);
  writeFileSync(
    `${NODE_TESTS}/${file}`,
    `export * from "${specifier.startsWith(".") ? specifier : `./${specifier}`}";\n`,
  );
}
