/**
 * Builds the npm package, installs it, and checks its files, its maps, its manifest, and that its entry points are the
 * same as on JSR.
 *
 *     deno task check:package
 */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import config from "../../deno.json" with { type: "json" };
import { buildNpm, TARBALL } from "../build/npm.ts";
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

await check("the tarball has the modules, their types and maps, README and LICENSE, and nothing else", () => {
  const compiled = sources.flatMap((source) =>
    [".js", ".js.map", ".d.ts", ".d.ts.map"].map((ending) => source.replace(/\.ts$/, ending))
  );
  assert.deepEqual(files.toSorted(), [...compiled, "LICENSE", "README.md", "package.json"].sort());
  return `${files.length} files`;
});

await check("no file names a path of the machine that it was built on", () => {
  const paths = [ROOT, homedir() + "/", "file:///"];
  assert.deepEqual(files.filter((file) => paths.some((path) => read(file).includes(path))), []);
});

await check("every map names its source as a neighbour, and the map of a module contains it", () => {
  for (const file of files.filter((file) => file.endsWith(".map"))) {
    const map = JSON.parse(read(file));
    const source = file.replace(/(\.js|\.d\.ts)\.map$/, ".ts");
    assert.deepEqual([map.sources, map.sourceRoot], [[source.split("/").at(-1)], ""], file);
    if (file.endsWith(".js.map")) assert.deepEqual(map.sourcesContent, [readFileSync(`${ROOT}${source}`, "utf8")]);
  }
});

await check("a stack on Node names the line of the source", () => {
  const script = `import { GearmanClient } from "${config.name}";
    try { new GearmanClient({ balance: "none" }); } catch (error) { console.log(error.stack); }`;
  const args = ["--enable-source-maps", "--input-type=module", "-e", script];
  const stack = must(program("node20", "node"), args, { cwd: PROJECT });
  const [, line = ""] = /client\/client\.ts:(\d+):/.exec(stack) ?? assert.fail(stack);
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
    assert.deepEqual(JSON.parse(names).sort(), Object.keys(await import(`../../${source}`)).sort(), entryPoint);
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
