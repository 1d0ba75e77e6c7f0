/**
 * Compiles the tests for Node into `.build/node/`, beside a copy of the built package, so that they import what users
 * get. `deno task test:all` does it.
 */

import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { buildNpm, compilerOptions, PACKAGE } from "./npm.ts";
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
  return readdirSync(`${NODE_TESTS}/test`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith("_test.js"))
    .map((file) => `test/${file}`);
}
