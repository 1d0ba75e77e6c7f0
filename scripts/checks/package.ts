/**
 * Builds the npm package, installs it, and checks its files, its maps, its manifest, and that its entry points are the
 * same as on JSR.
 *
 *     deno task check:package
 */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, relative, resolve } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { browserModuleOf, buildNpm, moduleOf, TARBALL } from "../build/npm.ts";
import { readSurface } from "../build/surface.ts";
import { check, closeChecks } from "../support/checklist.ts";
import { BUILD, must, program, ROOT } from "../support/tools.ts";

buildNpm();
/** A project that has nothing but the tarball installed. */
const PROJECT = `${BUILD}installed`;
rmSync(PROJECT, { recursive: true, force: true });
mkdirSync(PROJECT, { recursive: true });
must("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", PROJECT, TARBALL]);
const INSTALLED = `${PROJECT}/node_modules/${config.name}`;

const files = (readdirSync(INSTALLED, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`.slice(INSTALLED.length + 1));
const read = (file: string) => readFileSync(`${INSTALLED}/${file}`, "utf8");
const sources = ["mod.ts"].concat(
  readdirSync(`${ROOT}src`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `src/${file}`),
);
/** The modules: one for each entry point, and what they share; and the same for browsers. */
const entryPoints = Object.keys(config.exports);
const browserModules = [...entryPoints.map(browserModuleOf), "dist/browser/shared.js"];
const modules = [...entryPoints.map(moduleOf), "dist/shared.js", ...browserModules];
const TYPES = "dist/types/";
const declarations = files.filter((file) => file.startsWith(TYPES) && file.endsWith(".d.ts"));

await check(
  "the tarball has modules, declarations, their maps and sources, README and LICENSE, and nothing else",
  () => {
    // A module that only exports what another one has needs no map.
    const hasMap = (file: string) => read(file).includes(`//# sourceMappingURL=${file.split("/").at(-1)}.map`);
    const withMaps = [...modules, ...declarations].flatMap((file) => hasMap(file) ? [file, `${file}.map`] : [file]);
    assert.deepEqual(files.toSorted(), [...withMaps, ...sources, "LICENSE", "README.md", "package.json"].sort());
    for (const source of sources) assert.equal(read(source), readFileSync(`${ROOT}${source}`, "utf8"), source);
    return `${files.length} files, ${modules.length} modules, ${declarations.length} declarations`;
  },
);

await check("the declarations are those of the public surface, and refer to no library of a runtime", () => {
  const { internals } = readSurface(`${INSTALLED}/${TYPES.slice(0, -1)}`);
  assert.deepEqual([...internals.keys()].sort(), declarations.map((file) => file.slice(TYPES.length)).sort());
  const left = [...internals].filter(([, { declared, reexported }]) => declared.length + reexported.length > 0);
  assert.deepEqual(left, []);
  const references = declarations.flatMap((file) => read(file).match(/^\/\/\/.*$/gm) ?? []);
  assert.deepEqual([...new Set(references)], ['/// <reference lib="esnext.disposable" />']);
});

await check("no file names a path of the machine that it was built on", () => {
  const paths = [ROOT, homedir() + "/", "file:///"];
  assert.deepEqual(files.filter((file) => paths.some((path) => read(file).includes(path))), []);
});

await check("every map leads to sources that are in the package", () => {
  const mapped = new Set<string>();
  for (const file of files.filter((file) => file.endsWith(".map"))) {
    const { sources: paths, sourceRoot = "", sourcesContent } = JSON.parse(read(file));
    assert.deepEqual([sourceRoot, sourcesContent], ["", undefined], file);
    for (const path of paths) {
      const source = relative(INSTALLED, resolve(INSTALLED, dirname(file), path));
      assert.ok(sources.includes(source), `${file} names ${path}`);
      if (file.endsWith(".js.map")) mapped.add(source);
    }
  }
  // A module that has nothing but types or exports of others leaves no code.
  assert.ok(mapped.size > sources.length / 2, `only ${mapped.size} of ${sources.length} sources are in maps`);
});

await check("a stack on Node names the line of the source", () => {
  const script = `import { GearmanClient } from "${config.name}";
    try { new GearmanClient({ balance: "none" }); } catch (error) { console.log(error.stack); }`;
  const args = ["--enable-source-maps", "--input-type=module", "-e", script];
  const stack = must(program("node20", "node"), args, { cwd: PROJECT });
  const [, line = ""] = /src\/client\/client\.ts:(\d+):/.exec(stack) ?? assert.fail(stack);
  assert.match(
    readFileSync(`${ROOT}src/client/client.ts`, "utf8").split("\n")[Number(line) - 1]!,
    /balance/,
  );
});

await check("npm and JSR have the same entry points, which export the same names", async () => {
  const manifest = JSON.parse(read("package.json"));
  assert.deepEqual(Object.keys(manifest.exports), Object.keys(config.exports));
  for (const [entryPoint, source] of Object.entries(config.exports)) {
    const script = `console.log(JSON.stringify(Object.keys(await import("${config.name}${entryPoint.slice(1)}"))))`;
    const names = must(program("node20", "node"), ["--input-type=module", "-e", script], { cwd: PROJECT });
    const expected = Object.keys(await import(`../../${source}`)).sort();
    assert.deepEqual(JSON.parse(names).sort(), expected, entryPoint);
    const forBrowsers = await import(`${INSTALLED}/${browserModuleOf(entryPoint)}`);
    assert.deepEqual(Object.keys(forBrowsers).sort(), expected, `${entryPoint} for browsers`);
  }
});

await check("modules for browsers dial nothing by themselves, and those for other runtimes do", async () => {
  const address = { hostname: "127.0.0.1", port: 1 };
  for (
    const [module, expected] of [[browserModuleOf("."), /has no sockets, pass a dial/], [moduleOf("."), /refused/i]]
  ) {
    const { dialTcp } = await import(`${INSTALLED}/${module}`);
    await assert.rejects(async () => await dialTcp()(address, {}), expected as RegExp);
  }
});

await check("the manifests on npm and JSR agree", () => {
  const { name, version, description, license, keywords, dependencies, engines, sideEffects } = JSON.parse(
    read("package.json"),
  );
  assert.deepEqual(
    { name, version, description, license, keywords },
    {
      name: config.name,
      version: config.version,
      description: config.description,
      license: config.license,
      keywords: config.keywords,
    },
  );
  assert.deepEqual([dependencies, engines, sideEffects], [undefined, { node: ">=20.16" }, false]);
});

await check("publint --strict", () => {
  must(program("publint"), ["run", TARBALL, "--strict"]);
});

await check("attw --profile esm-only", () => {
  must(program("@arethetypeswrong/cli", "attw"), [TARBALL, "--profile", "esm-only"]);
});

closeChecks();
