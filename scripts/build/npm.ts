// deno-lint-ignore-file no-console -- it is there to print
/**
 * Builds the npm package from the sources and `deno.json`, which is the only manifest, with TypeScript's own compiler:
 * `.build/npm/`, and beside it the tarball `gearwire-gearman-VERSION.tgz`.
 *
 *     deno task build
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import config from "../../deno.json" with { type: "json" };
import { BUILD, must, program, ROOT } from "../support/tools.ts";

/** The folder of the built package, with the files of the tarball. */
export const PACKAGE: string = `${BUILD}npm`;
/** The path of the tarball. */
export const TARBALL: string = `${BUILD}${config.name.slice(1).replace("/", "-")}-${config.version}.tgz`;

/**
 * The libraries that the declarations of each entry point refer to: a consumer may have neither DOM nor `@types/node`.
 * The sources cannot contain these lines, since JSR refuses them.
 */
const LIBS = `/// <reference lib="dom" />\n/// <reference lib="esnext.disposable" />\n`;

/** The compiler options of the package and its tests: those of `deno.json`, changed for Node. */
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

/** Makes the manifest of npm. */
function manifest(): Record<string, unknown> {
  const { name, version, description, keywords, license, repository } = config;
  const exports = Object.entries(config.exports).map(([entryPoint, source]) => {
    const file = source.slice(0, -".ts".length);
    return [entryPoint, { types: `${file}.d.ts`, default: `${file}.js` }];
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
    exports: Object.fromEntries(exports),
    sideEffects: false,
    engines: { node: ">=20.16" },
    publishConfig: { access: "public" },
  };
}

/** Compiles the sources into a folder, which is emptied before. */
export function compileSources(folder: string, options: Record<string, unknown>): void {
  const sources = `${folder}-source`;
  for (const each of [sources, folder]) {
    rmSync(each, { recursive: true, force: true });
    mkdirSync(each, { recursive: true });
  }
  // Compiles a copy, beside which there can be a package.json: without one TypeScript takes the sources for CommonJS.
  for (const part of ["mod.ts", "src"]) cpSync(`${ROOT}${part}`, `${sources}/${part}`, { recursive: true });
  writeFileSync(`${sources}/package.json`, JSON.stringify({ type: "module" }));
  writeFileSync(
    `${sources}/tsconfig.json`,
    JSON.stringify({
      compilerOptions: { ...compilerOptions(), rootDir: ".", outDir: folder, declaration: true, ...options },
      files: Object.values(config.exports),
    }),
  );
  must(program("typescript", "tsc"), ["-p", sources]);
}

/** Builds the package and the tarball. */
export function buildNpm(): void {
  compileSources(PACKAGE, { declarationMap: true, sourceMap: true, inlineSources: true });

  const entryPoints = Object.values(config.exports).map((source) => source.replace(/^\.\/(.*)\.ts$/, "$1.d.ts"));
  for (const file of readdirSync(PACKAGE, { recursive: true, encoding: "utf8" })) {
    const path = `${PACKAGE}/${file}`;
    const isEntryPoint = entryPoints.includes(file.replace(/\.map$/, ""));
    if (file.endsWith(".map")) {
      const map = JSON.parse(readFileSync(path, "utf8"));
      // A map must not contain a path of the build machine: it names its source as a neighbour.
      map.sources = map.sources.map((source: string) => source.split("/").at(-1));
      // A semicolon for each line that is put in front of the declarations.
      if (isEntryPoint) map.mappings = ";".repeat(LIBS.split("\n").length - 1) + map.mappings;
      writeFileSync(path, JSON.stringify(map));
    } else if (isEntryPoint) {
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
