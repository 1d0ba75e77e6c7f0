// deno-lint-ignore-file no-console -- it is there to print
/**
 * Builds the npm package from `deno.json`, the only manifest, with TypeScript's own compiler:
 *
 *     deno run -A scripts/build/npm.ts      .build/npm/, and beside it gearwire-gearman-VERSION.tgz
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import config from "../../deno.json" with { type: "json" };
import { BUILD, must, program, ROOT } from "../support/tools.ts";

/** The package as it is in the tarball. */
export const PACKAGE: string = `${BUILD}npm`;
/** The tarball. */
export const TARBALL: string = `${BUILD}${config.name.slice(1).replace("/", "-")}-${config.version}.tgz`;

/** What the sources may not say, since JSR refuses it: consumers may have neither DOM nor `@types/node`. */
const LIBS = `/// <reference lib="dom" />\n/// <reference lib="esnext.disposable" />\n`;

/** The options that both the package and its tests are compiled with: those of `deno.json`, and what Node needs. */
export function compilerOptions(): Record<string, unknown> {
  return {
    ...config.compilerOptions,
    lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    target: "es2022",
    module: "nodenext",
    types: [],
    rewriteRelativeImportExtensions: true,
  };
}

/** The manifest of npm. */
function manifest(): Record<string, unknown> {
  const { name, version, description, keywords, license, repository } = config;
  const doors = Object.entries(config.exports).map(([door, source]) => {
    const file = source.slice(0, -".ts".length);
    return [door, { types: `${file}.d.ts`, default: `${file}.js` }];
  });
  return {
    name,
    version,
    description,
    keywords,
    license,
    homepage: `${repository}#readme`,
    bugs: `${repository}/issues`,
    repository: { type: "git", url: `git+${repository}.git` },
    type: "module",
    exports: Object.fromEntries(doors),
    sideEffects: false,
    engines: { node: ">=20.16" },
    publishConfig: { access: "public" },
  };
}

/** Builds both; everything that was there before is gone. */
export function buildNpm(): void {
  const sources = `${BUILD}npm-source`;
  for (const folder of [sources, PACKAGE]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  // A copy, beside which there may be a package.json: without one TypeScript takes the sources for CommonJS.
  for (const part of ["mod.ts", "src"]) cpSync(`${ROOT}${part}`, `${sources}/${part}`, { recursive: true });
  writeFileSync(`${sources}/package.json`, JSON.stringify({ type: "module" }));
  const options = {
    ...compilerOptions(),
    rootDir: ".",
    outDir: PACKAGE,
    declaration: true,
    declarationMap: true,
    sourceMap: true,
    inlineSources: true,
  };
  writeFileSync(
    `${sources}/tsconfig.json`,
    JSON.stringify({ compilerOptions: options, files: Object.values(config.exports) }),
  );
  must(program("typescript", "tsc"), ["-p", sources]);

  const doors = Object.values(config.exports).map((source) => source.replace(/^\.\/(.*)\.ts$/, "$1.d.ts"));
  for (const file of readdirSync(PACKAGE, { recursive: true, encoding: "utf8" })) {
    const path = `${PACKAGE}/${file}`;
    const isDoor = doors.includes(file.replace(/\.map$/, ""));
    if (file.endsWith(".map")) {
      const map = JSON.parse(readFileSync(path, "utf8"));
      // Where the sources were compiled is nobody's business: a map names its source as a neighbour.
      map.sources = map.sources.map((source: string) => source.split("/").at(-1));
      if (isDoor) map.mappings = ";".repeat(LIBS.split("\n").length - 1) + map.mappings; // each a line that was put in front
      writeFileSync(path, JSON.stringify(map));
    } else if (isDoor) {
      writeFileSync(path, LIBS + readFileSync(path, "utf8"));
    }
  }
  for (const file of ["README.md", "LICENSE"]) cpSync(`${ROOT}${file}`, `${PACKAGE}/${file}`);
  writeFileSync(`${PACKAGE}/package.json`, `${JSON.stringify(manifest(), null, 2)}\n`);
  must("npm", ["pack", PACKAGE, "--pack-destination", BUILD, "--ignore-scripts", "--loglevel=error"]);
}

if (import.meta.main) {
  buildNpm();
  console.log(TARBALL);
}
