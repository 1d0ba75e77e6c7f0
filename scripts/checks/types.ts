/**
 * Checks the types of typed functions with several versions of TypeScript and its strictest settings: which calls
 * compile, what type they have, and for each wrong call where the error appears and what it says.
 *
 *     deno task check:types
 */

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { buildNpm, typesOf } from "../build/npm.ts";
import { check, closeChecks } from "../support/checklist.ts";
import { BUILD, program, run, type Tool } from "../support/tools.ts";
import { CASES, PREAMBLE, type TypeCase } from "./type_cases.ts";

const COMPILERS: readonly Tool[] = ["typescript5.5", "typescript5.9", "typescript", "typescript7"];
const FOLDER = `${BUILD}types`;
const FILE = "cases.ts";

/** Everything that makes TypeScript stricter. */
const STRICTEST = {
  strict: true,
  allowUnreachableCode: false,
  allowUnusedLabels: false,
  exactOptionalPropertyTypes: true,
  noFallthroughCasesInSwitch: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
};

/** An error of the compiler. */
interface Diagnostic {
  readonly file: string;
  readonly line: number;
  /** The text of the line from the place of the error on. */
  readonly at: string;
  readonly message: string;
}

const preamble = PREAMBLE.trim().split("\n");
/** The lines of the file. Each case has one line, in a block of its own, so that the line tells the case. */
const lines = [...preamble, ...CASES.map(({ code }) => `{ ${code.trim().replace(/\n\s*/g, " ")} }`)];

buildNpm();
rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
writeFileSync(`${FOLDER}/package.json`, JSON.stringify({ type: "module" }));
writeFileSync(`${FOLDER}/${FILE}`, lines.join("\n"));
writeFileSync(
  `${FOLDER}/tsconfig.json`,
  JSON.stringify({
    compilerOptions: {
      ...STRICTEST,
      target: "es2022",
      lib: ["es2022", "dom", "dom.iterable"],
      types: [],
      module: "nodenext",
      noEmit: true,
      paths: { "@gearwire/gearman": [`../npm/${typesOf(".")}`] },
    },
    files: [FILE],
  }),
);

for (const compiler of COMPILERS) {
  const name = compiler.replace(/(\d.*)/, " $1");
  const { output } = run(program(compiler, "tsc"), ["-p", FOLDER, "--pretty", "false"], { cwd: FOLDER });
  const diagnostics = readDiagnostics(output);
  await check(`${name}: the declarations of the package, and what all cases share`, () => {
    // The declarations of other libraries are not ours to mend.
    const wrong = diagnostics.filter(({ file, line }) =>
      !file.includes("node_modules") && !(file === FILE && line > preamble.length)
    );
    assert.deepEqual(wrong, []);
    assert.ok(diagnostics.length > 0, `no error at all:\n${output}`);
  });
  for (const [index, each] of CASES.entries()) {
    const line = preamble.length + index + 1;
    const found = diagnostics.filter((diagnostic) => diagnostic.file === FILE && diagnostic.line === line);
    await check(`${name}: ${each.name}`, () => compare(each, found));
  }
}
closeChecks();

/** Reads `file(line,column): error TS1234: message`, and the indented lines after it. */
function readDiagnostics(output: string): Diagnostic[] {
  const pattern = /^(.+?)\((\d+),(\d+)\): error TS\d+: (.*(?:\n .*)*)/gm;
  return Array.from(output.matchAll(pattern), ([, file = "", line, column, message = ""]) => ({
    file,
    line: Number(line),
    at: file === FILE ? lines[Number(line) - 1]!.slice(Number(column) - 1) : "",
    message,
  }));
}

function compare({ code, error, type }: TypeCase, found: readonly Diagnostic[]): void {
  const shown = `${code}\n${found.map(({ at, message }) => `at ${at}\n  ${message}`).join("\n")}`;
  if (error === undefined && type === undefined) return assert.deepEqual(found, [], shown);
  assert.equal(found.length, 1, `expected one error:\n${shown}`);
  const { at, message } = found[0]!;
  if (type !== undefined) {
    const [, shownType = ""] = /^Type '(.*)' does not satisfy the expected type 'never'\.$/m.exec(message) ?? [];
    if (typeof type === "string") assert.equal(shownType, type, shown);
    else assert.match(shownType, type, shown);
  } else if (error !== undefined) {
    assert.ok(at.startsWith(error.at), `expected the error at ${error.at}\n${shown}`);
    for (const text of [error.says].flat()) assert.ok(message.includes(text), `expected "${text}"\n${shown}`);
  }
}
