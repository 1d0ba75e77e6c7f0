// deno-lint-ignore-file no-console -- it is there to print
/**
 * Builds the npm package from the sources and `deno.json`, which is the only manifest: `.build/npm/`, and beside it the
 * tarball `gearwire-gearman-VERSION.tgz`.
 *
 * Rolldown bundles the modules into one file for each entry point, and one for what they share; and once more for browsers,
 * which have no sockets and need not carry what dials them. TypeScript emits the
 * declarations, without those that are not part of the public surface. The sources are in the package too: the maps of
 * both lead to them.
 *
 *     deno task build
 */

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { BUILD, must, program, ROOT } from "../support/tools.ts";
import { declarationsOf, markInternals, readSurface, type Surface } from "./surface.ts";

/** The folder of the built package, with the files of the tarball. */
export const PACKAGE: string = `${BUILD}npm`;
/** The path of the tarball. */
export const TARBALL: string = `${BUILD}${config.name.slice(1).replace("/", "-")}-${config.version}.tgz`;

/** The folder of the modules, in the package. */
const MODULES = "dist";
/** The folder of the modules for browsers, in the package. */
const BROWSER_MODULES = "dist/browser";
/** The runtimes that have sockets, although some bundlers for them take them for browsers. */
const WITH_SOCKETS = ["workerd", "node", "bun", "deno", "electron"];
/** What stands in browsers for what dials TCP, by the names under which modules import it. */
const WITHOUT_SOCKETS = Object.fromEntries(
  ["../transport/dial_tcp.ts", "./dial_tcp.ts"].map((name) => [name, "./src/transport/no_sockets.ts"]),
);
/** The folder of the declarations, in the package. TypeScript would prefer a source beside them. */
const DECLARATIONS = "dist/types";
/** The oldest JavaScript that the package is written in. */
const TARGET = "es2022";

/**
 * The library that the declarations of each entry point refer to, since a consumer may have an older one. Streams and
 * signals come from the consumer's runtime: DOM beside it would damage its types. The sources cannot contain this line,
 * since JSR refuses it.
 */
const LIBS = `/// <reference lib="esnext.disposable" />\n`;

/** The compiler options of the package and its tests: those of `deno.json`, changed for Node. */
export function compilerOptions(): Record<string, unknown> {
  return {
    ...config.compilerOptions,
    lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    target: TARGET,
    module: "nodenext",
    types: [],
    rewriteRelativeImportExtensions: true,
  };
}

/** Returns the path of an entry point's module in the package: `dist/mod.js` for `.`, `dist/codec.js` for `./codec`. */
export function moduleOf(entryPoint: string): string {
  return `${MODULES}/${bundleName(entryPoint)}.js`;
}

/** Returns the path of an entry point's module for browsers. */
export function browserModuleOf(entryPoint: string): string {
  return `${BROWSER_MODULES}/${bundleName(entryPoint)}.js`;
}

/** Returns the path of an entry point's declarations in the package. */
export function typesOf(entryPoint: keyof typeof config.exports): string {
  return `${DECLARATIONS}/${declarationsOf(config.exports[entryPoint])}`;
}

function bundleName(entryPoint: string): string {
  return entryPoint === "." ? "mod" : entryPoint.slice("./".length);
}

/** Makes the manifest of npm. */
function manifest(): Record<string, unknown> {
  const { name, version, description, keywords, license, repository } = config;
  const exports = (Object.keys(config.exports) as (keyof typeof config.exports)[]).map((entryPoint) => [entryPoint, {
    types: `./${typesOf(entryPoint)}`,
    // The first condition that holds counts.
    ...Object.fromEntries(WITH_SOCKETS.map((condition) => [condition, `./${moduleOf(entryPoint)}`])),
    browser: `./${browserModuleOf(entryPoint)}`,
    default: `./${moduleOf(entryPoint)}`,
  }]);
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

/** Empties a folder, or makes it. */
function emptyFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}

/** Copies the sources into a folder. */
function copySources(folder: string): void {
  const isSource = (path: string) => !/\.[^./]+$/.test(path) || path.endsWith(".ts");
  for (const part of ["mod.ts", "src"]) {
    cpSync(`${ROOT}${part}`, `${folder}/${part}`, { recursive: true, filter: isSource });
  }
}

/**
 * Compiles the sources, each module by itself, into a folder, which is emptied before. With `surface`, the declarations are
 * only those of the public surface.
 */
export function compileSources(folder: string, options: Record<string, unknown>, surface?: Surface): void {
  const sources = `${folder}-source`;
  for (const each of [sources, folder]) emptyFolder(each);
  // Compiles a copy, beside which there can be a package.json: without one TypeScript takes the sources for CommonJS.
  copySources(sources);
  if (surface !== undefined) markInternals(sources, surface);
  writeFileSync(`${sources}/package.json`, JSON.stringify({ type: "module" }));
  writeFileSync(
    `${sources}/tsconfig.json`,
    JSON.stringify({
      compilerOptions: {
        ...compilerOptions(),
        rootDir: ".",
        outDir: folder,
        declaration: true,
        stripInternal: surface !== undefined,
        ...options,
      },
      files: Object.values(config.exports),
    }),
  );
  must(program("typescript", "tsc"), ["-p", sources]);
}

/** Compiles the sources into modules of their own, with which the bundled ones are compared. */
export function compileUnbundled(folder: string): void {
  compileSources(folder, {});
  writeFileSync(`${folder}/package.json`, JSON.stringify({ type: "module" }));
}

/** Builds the package and the tarball. */
export function buildNpm(): void {
  emptyFolder(PACKAGE);
  copySources(PACKAGE);
  for (const file of ["README.md", "LICENSE"]) cpSync(`${ROOT}${file}`, `${PACKAGE}/${file}`);
  writeFileSync(`${PACKAGE}/package.json`, `${JSON.stringify(manifest(), null, 2)}\n`);
  bundleModules(MODULES, {});
  bundleModules(BROWSER_MODULES, WITHOUT_SOCKETS);
  emitDeclarations();
  must("npm", ["pack", PACKAGE, "--pack-destination", BUILD, "--ignore-scripts", "--loglevel=error"]);
}

/**
 * Bundles the sources in the package into a folder: a file for each entry point, and `shared.js` for what several of them
 * need. `replacements` are the modules that stand for others.
 */
function bundleModules(dir: string, replacements: Record<string, string>): void {
  const alias = Object.fromEntries(Object.entries(replacements).map(([name, path]) => [name, resolve(PACKAGE, path)]));
  // The order of the entry points is that of the modules in `shared.js`. With the codec first, what belongs together is
  // together, and bundles that are made of it are smaller.
  const entryPoints = Object.entries(config.exports).toSorted(([a], [b]) =>
    Number(b === "./codec") - Number(a === "./codec")
  );
  const options = {
    cwd: PACKAGE,
    input: Object.fromEntries(entryPoints.map(([entryPoint, source]) => [bundleName(entryPoint), source])),
    platform: "neutral",
    tsconfig: false,
    resolve: { alias },
    transform: { target: TARGET },
    optimization: { inlineConst: true },
    output: {
      dir,
      format: "esm",
      sourcemap: true,
      sourcemapExcludeSources: true,
      chunkFileNames: "[name].js",
      codeSplitting: { groups: [{ name: "shared", minShareCount: 2 }] },
      comments: { annotation: true, legal: false, jsdoc: false },
      // Shorter expressions, which consumers' bundlers do not find: 1 % of a bundle. Names, lines and statements stay, for
      // readers of the modules, and of stacks without maps.
      minify: { compress: { sequences: false }, mangle: false, codegen: false },
    },
  };
  const file = `${BUILD}rolldown.config.mjs`;
  writeFileSync(file, `export default ${JSON.stringify(options)};\n`);
  must(program("rolldown"), ["-c", file]);
}

/** Emits the declarations of the public surface into the package. */
function emitDeclarations(): void {
  const all = `${BUILD}surface`;
  compileSources(all, { emitDeclarationOnly: true });
  const folder = `${BUILD}declarations`;
  compileSources(folder, { emitDeclarationOnly: true, declarationMap: true }, readSurface(all));

  const entryPoints = Object.values(config.exports).map(declarationsOf);
  for (const file of reachableDeclarations(folder, entryPoints)) {
    const isEntryPoint = entryPoints.includes(file);
    const target = `${PACKAGE}/${DECLARATIONS}/${file}`;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, `${isEntryPoint ? LIBS : ""}${readFileSync(`${folder}/${file}`, "utf8")}`);
    const map = JSON.parse(readFileSync(`${folder}/${file}.map`, "utf8"));
    map.sources = [relative(dirname(target), `${PACKAGE}/${file.replace(/\.d\.ts$/, ".ts")}`)];
    // A semicolon for the line that is put in front of the declarations.
    if (isEntryPoint) map.mappings = `;${map.mappings}`;
    writeFileSync(`${target}.map`, JSON.stringify(map));
  }
}

/** Lists the declarations that the entry points import, directly or not, and these themselves. */
function reachableDeclarations(folder: string, entryPoints: readonly string[]): string[] {
  const found = new Set(entryPoints);
  // The set grows during the iteration, which visits what was added, too.
  for (const file of found) {
    for (
      const [, specifier] of readFileSync(`${folder}/${file}`, "utf8").matchAll(
        /^(?:im|ex)port [^;]*? from "(\..*)";$/gm,
      )
    ) {
      const path = resolve(folder, dirname(file), declarationsOf(specifier!));
      if (!existsSync(path)) throw new Error(`${file} imports ${specifier}, which has no declarations`);
      found.add(relative(folder, path));
    }
  }
  return [...found];
}

if (import.meta.main) {
  buildNpm();
  console.log(TARBALL);
}
