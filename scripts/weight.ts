// deno-lint-ignore-file no-console -- it is there to print
/**
 * Measures the package: the sizes of bundles, and what an import costs on Node, which have to be within their bounds; and
 * the time that an import takes on each runtime, which is printed only.
 *
 *     deno task weight
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { gzipSync } from "node:zlib";
import config from "../deno.json" with { type: "json" };
import { browserModuleOf, buildNpm, compileUnbundled, moduleOf, PACKAGE } from "./build/npm.ts";
import { check, closeChecks } from "./support/checklist.ts";
import { BUILD, must, program, ROOT, type Tool } from "./support/tools.ts";

interface Bundle {
  readonly name: string;
  readonly entryPoint: keyof typeof config.exports;
  /** What is exported. */
  readonly names: string;
  /** Maximum size in KiB, minified and gzipped. */
  readonly max: number;
}

const BUNDLES: readonly Bundle[] = [
  { name: "codec", entryPoint: "./codec", names: "*", max: 3.5 },
  { name: "client over streams", entryPoint: ".", names: "{ GearmanClient, fromStreams }", max: 15.6 },
  { name: "client over fromWebSocket", entryPoint: ".", names: "{ GearmanClient, fromWebSocket }", max: 16.15 },
  { name: "client over dialFetch", entryPoint: ".", names: "{ GearmanClient, dialFetch }", max: 18 },
  {
    name: "client with typed functions",
    entryPoint: ".",
    names: "{ defineFunction, GearmanClient, fromStreams }",
    max: 16.2,
  },
];

/** Rooms that a client does not use: bundlers must be able to drop all of them. */
const FOREIGN_ROOMS = /\/src\/(?:worker|admin|server|gateway)\//;

/** Measurements of each start, of which the median counts. */
const RUNS = 15;
/** Maximum time of an import of the package's modules, with the same modules unbundled as 1. */
const MAX_IMPORT_RATIO = 0.3;

buildNpm();
const FOLDER = `${BUILD}weight`;
mkdirSync(FOLDER, { recursive: true });

/** Bundles the exports of a module as for a browser, and returns the bundle's size in bytes, minified and gzipped. */
function bundleSize(module: string, names: string): number {
  writeFileSync(`${FOLDER}/entry.js`, `export ${names} from ${JSON.stringify(module)};`);
  const args = ["--bundle", "--minify", "--format=esm", "--target=es2022", `--outfile=${FOLDER}/bundle.js`];
  must(program("esbuild"), [`${FOLDER}/entry.js`, ...args, `--metafile=${FOLDER}/meta.json`]);
  return gzipSync(readFileSync(`${FOLDER}/bundle.js`), { level: 9 }).length;
}

/** Lists the modules that have bytes in the last bundle. */
function bundledModules(): string[] {
  const { outputs } = JSON.parse(readFileSync(`${FOLDER}/meta.json`, "utf8")) as {
    outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>;
  };
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([name]) => name)
  );
}

for (const { name, entryPoint, names, max } of BUNDLES) {
  const size = bundleSize(`${PACKAGE}/${browserModuleOf(entryPoint)}`, names);
  await check(`${name}: at most ${max} KiB`, () => {
    const kib = size / 1_024;
    const text = `${kib.toFixed(2)} KiB, minified and gzipped`;
    assert.ok(kib <= max, text);
    return text;
  });
  await check(`${name}: no larger than a bundle of the sources`, () => {
    const fromSources = bundleSize(`${ROOT}${config.exports[entryPoint]}`, names);
    const text = `${size} bytes, and ${fromSources} from the sources`;
    assert.ok(size <= fromSources, text);
    assert.deepEqual(bundledModules().filter((name) => FOREIGN_ROOMS.test(name)), []);
    return text;
  });
  const forWorkers = bundleSize(`${PACKAGE}/${moduleOf(entryPoint)}`, names);
  console.log(`       ${name}: ${(forWorkers / 1_024).toFixed(2)} KiB for Cloudflare, with what dials TCP`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const UNBUNDLED = `${FOLDER}/unbundled`;
compileUnbundled(UNBUNDLED);
writeFileSync(`${FOLDER}/nothing.mjs`, "");
/** Measures an import inside the process; what Node needs for its first import of any module does not count. */
const MEASURE = `
await import(process.argv[1]);
const started = performance.now();
await import(process.argv[2]);
console.log(performance.now() - started);`;
for (const node of ["node20", "node22", "node24"] as const satisfies readonly Tool[]) {
  await check(`importing "." on ${node} takes at most ${MAX_IMPORT_RATIO} of the time of the sources`, () => {
    const modules = { bundled: `${PACKAGE}/${moduleOf(".")}`, unbundled: `${UNBUNDLED}/mod.js` };
    const times = { bundled: [] as number[], unbundled: [] as number[] };
    for (let i = 0; i < RUNS; i++) {
      for (const how of ["bundled", "unbundled"] as const) {
        const args = ["--input-type=module", "-e", MEASURE, `${FOLDER}/nothing.mjs`, modules[how]];
        times[how].push(Number(must(program(node, "node"), args)));
      }
    }
    const [bundled, unbundled] = [median(times.bundled), median(times.unbundled)];
    const ratio = bundled / unbundled;
    const text = `${ratio.toFixed(2)}: ${bundled.toFixed(1)} ms, and ${unbundled.toFixed(1)} ms unbundled`;
    assert.ok(ratio <= MAX_IMPORT_RATIO, text);
    return text;
  });
}

const STARTS: Record<string, readonly [command: string, ...args: string[]]> = {
  deno: [process.execPath, "run", "--no-config", "--cached-only"],
  bun: [program("bun")],
  node20: [program("node20", "node")],
  node22: [program("node22", "node")],
  node24: [program("node24", "node")],
};
writeFileSync(`${FOLDER}/import.mjs`, `import ${JSON.stringify(`${PACKAGE}/${moduleOf(".")}`)};`);
for (const [runtime, [command, ...args]] of Object.entries(STARTS)) {
  const times = { nothing: [] as number[], import: [] as number[] };
  for (let i = 0; i < RUNS; i++) {
    for (const file of ["nothing", "import"] as const) {
      const started = performance.now();
      must(command, [...args, `${FOLDER}/${file}.mjs`]);
      times[file].push(performance.now() - started);
    }
  }
  const [nothing, imported] = [median(times.nothing), median(times.import)];
  console.log(
    `       importing "." on ${runtime}: ${(imported - nothing).toFixed(1)} ms, beside ${
      nothing.toFixed(1)
    } ms for nothing`,
  );
}
closeChecks();
