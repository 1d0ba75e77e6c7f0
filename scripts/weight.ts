// deno-lint-ignore-file no-console -- it is there to print
/**
 * Measures the package: the sizes of bundles, which have to be within their bounds, and the time that an import takes
 * on each runtime, which is printed only.
 *
 *     deno task weight
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { buildNpm, PACKAGE } from "./build/npm.ts";
import { check, closeChecks } from "./support/checklist.ts";
import { BUILD, must, program } from "./support/tools.ts";

interface Bundle {
  readonly name: string;
  readonly code: string;
  /** Maximum size in KiB, minified and gzipped. */
  readonly max: number;
}

const BUNDLES: readonly Bundle[] = [
  { name: "codec", code: `export * from "${PACKAGE}/src/codec/mod.js";`, max: 3.5 },
  {
    name: "client over streams",
    code: `export { GearmanClient, fromStreams } from "${PACKAGE}/mod.js";`,
    max: 14.75,
  },
  {
    name: "client over fromWebSocket",
    code: `export { GearmanClient, fromWebSocket } from "${PACKAGE}/mod.js";`,
    max: 15,
  },
  {
    name: "client with typed functions",
    code: `export { defineFunction, GearmanClient, fromStreams } from "${PACKAGE}/mod.js";`,
    max: 15.55,
  },
];

/** Measurements of each start, of which the median counts. */
const RUNS = 15;

buildNpm();
const FOLDER = `${BUILD}weight`;
mkdirSync(FOLDER, { recursive: true });
for (const { name, code, max } of BUNDLES) {
  await check(`${name}: at most ${max} KiB`, () => {
    writeFileSync(`${FOLDER}/entry.js`, code);
    const args = ["--bundle", "--minify", "--format=esm", "--target=es2022", `--outfile=${FOLDER}/bundle.js`];
    must(program("esbuild"), [`${FOLDER}/entry.js`, ...args]);
    const bundle = readFileSync(`${FOLDER}/bundle.js`);
    const kib = gzipSync(bundle, { level: 9 }).length / 1_024;
    const size = `${kib.toFixed(2)} KiB, minified and gzipped, from ${(bundle.length / 1_024).toFixed(2)} KiB minified`;
    assert.ok(kib <= max, size);
    return size;
  });
}

const STARTS: Record<string, readonly [command: string, ...args: string[]]> = {
  deno: [process.execPath, "run", "--no-config", "--cached-only"],
  bun: [program("bun")],
  node20: [program("node20", "node")],
  node22: [program("node22", "node")],
  node24: [program("node24", "node")],
};
writeFileSync(`${FOLDER}/nothing.mjs`, "");
writeFileSync(`${FOLDER}/import.mjs`, `import ${JSON.stringify(`${PACKAGE}/mod.js`)};`);
for (const [runtime, [command, ...args]] of Object.entries(STARTS)) {
  const times = { nothing: [] as number[], import: [] as number[] };
  for (let i = 0; i < RUNS; i++) {
    for (const file of ["nothing", "import"] as const) {
      const started = performance.now();
      must(command, [...args, `${FOLDER}/${file}.mjs`]);
      times[file].push(performance.now() - started);
    }
  }
  const median = (milliseconds: readonly number[]) => milliseconds.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)]!;
  const [nothing, imported] = [median(times.nothing), median(times.import)];
  console.log(
    `       importing "." on ${runtime}: ${(imported - nothing).toFixed(1)} ms, beside ${
      nothing.toFixed(1)
    } ms for nothing`,
  );
}
closeChecks();
