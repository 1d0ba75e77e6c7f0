// deno-lint-ignore-file no-console -- it is there to print
/** What the package weighs: bundles within their bounds, and, only reported, what importing it costs at start-up. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { buildNpm, PACKAGE } from "./build/npm.ts";
import { check, closeChecks } from "./support/checklist.ts";
import { BUILD, must, program } from "./support/tools.ts";

/** What is imported, and the most bytes that its bundle may have, minified and gzipped. */
const BUNDLES: Record<string, { readonly code: string; readonly most: number }> = {
  "./codec, all of it": { code: `export * from "${PACKAGE}/src/codec/mod.js";`, most: 3 * 1024 },
  // Ten kilobytes were hoped for: what is left is the default `dial`, retries, and messages that say what is wrong.
  "a client over streams": {
    code: `export { GearmanClient, fromStreams } from "${PACKAGE}/mod.js";`,
    most: 13 * 1024,
  },
};

/** How many times each start is measured; the median counts. */
const RUNS = 15;

buildNpm();
const FOLDER = `${BUILD}weight`;
mkdirSync(FOLDER, { recursive: true });
for (const [name, { code, most }] of Object.entries(BUNDLES)) {
  await check(`${name}, minified and gzipped, has at most ${most} bytes`, () => {
    writeFileSync(`${FOLDER}/entry.js`, code);
    const args = ["--bundle", "--minify", "--format=esm", "--target=es2022", `--outfile=${FOLDER}/bundle.js`];
    must(program("esbuild"), [`${FOLDER}/entry.js`, ...args]);
    const bundle = readFileSync(`${FOLDER}/bundle.js`);
    const size = gzipSync(bundle, { level: 9 }).length;
    assert.ok(size <= most, `it has ${size} of ${bundle.length}`);
    return `${size} of ${bundle.length}`;
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
  const median = (list: number[]) => list.sort((a, b) => a - b)[RUNS >> 1]!;
  const [nothing, imported] = [median(times.nothing), median(times.import)];
  console.log(`       importing "." on ${runtime}: ${(imported - nothing).toFixed(1)} ms beside ${nothing.toFixed(1)}`);
}
closeChecks();
