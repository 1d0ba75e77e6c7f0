/** Compiles sources and tests with TypeScript as they are, and runs the tests on Node: `scripts/test_node.ts [NODE]`. */

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const OUT = `${ROOT}.build/node`;

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
// A copy beside which there may be a package.json: without one TypeScript takes the sources for CommonJS, and with one
// at the top Deno would look for packages in another way.
for (const part of ["mod.ts", "src", "test"]) cpSync(`${ROOT}${part}`, `${OUT}/${part}`, { recursive: true });
const { version } = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8"));
writeFileSync(`${OUT}/package.json`, JSON.stringify({ type: "module", version }));
writeFileSync(
  `${OUT}/tsconfig.json`,
  JSON.stringify({
    compilerOptions: {
      target: "es2022",
      module: "nodenext",
      lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
      types: ["node"],
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      noImplicitOverride: true,
      noImplicitReturns: true,
      noFallthroughCasesInSwitch: true,
      noPropertyAccessFromIndexSignature: true,
      erasableSyntaxOnly: true,
      isolatedDeclarations: true,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true,
      skipLibCheck: true,
    },
    include: ["mod.ts", "src", "test"],
  }),
);
run(process.execPath, ["run", "-A", "npm:typescript@6.0.3/tsc", "-p", OUT]);

const tests = readdirSync(`${OUT}/test`, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith("_test.js"))
  .map((file) => `test/${file}`);
run(process.argv[2] ?? "node", ["--test", "--test-concurrency=2", ...tests]);

function run(command: string, args: string[]): void {
  const { status } = spawnSync(command, args, { cwd: OUT, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
