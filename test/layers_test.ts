// The rules for imports under src/: they point down only, form no circle, and name no module of a runtime. On Node the
// test reads the built package, in which types are erased: there it sees the imports of values only. On Deno and Bun it
// reads the sources, and sees all.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url);

/** The rooms from bottom to top. A room may import those of lower layers, and never one of its own layer. */
const LAYERS: readonly (readonly string[])[] = [
  ["internal"],
  ["errors"],
  ["codec", "transport"],
  ["connection", "function"],
  ["client", "worker", "admin", "server", "gateway"],
];

interface Import {
  readonly file: string;
  readonly specifier: string;
}

/** Lists the files under src/, by their paths in it. */
function sources(): string[] {
  const files = readdirSync(new URL("src/", ROOT), { recursive: true, encoding: "utf8" });
  return files.map((file) => file.replaceAll("\\", "/")).filter((file) => file.endsWith(".ts"));
}

/** Lists the imports and exports of other modules, with those of types. */
function importsOf(file: string, text: string): Import[] {
  // Examples in comments import the package by its name.
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(["'`])([^"'`]+)\1/g;
  return [...code.matchAll(pattern)].map((match) => ({ file, specifier: match[2]! }));
}

function everyImport(): Import[] {
  return sources().flatMap((file) => importsOf(file, readFileSync(new URL(`src/${file}`, ROOT), "utf8")));
}

/** Returns the imported file, by its path in src/. */
function targetOf({ file, specifier }: Import): string {
  return new URL(specifier, new URL(`src/${file}`, ROOT)).pathname.slice(new URL("src/", ROOT).pathname.length);
}

/** Returns the room of a file: its folder, or its name if it is directly in src/. */
function roomOf(file: string): string {
  return file.split("/")[0]!.split(".")[0]!;
}

function layerOf(file: string): number {
  return LAYERS.findIndex((rooms) => rooms.includes(roomOf(file)));
}

type Graph = ReadonlyMap<string, readonly string[]>;

/** Finds the shortest circle of imports that begins and ends with a file; `undefined` if there is none. */
function circleOf(file: string, graph: Graph): string[] | undefined {
  const seen = new Set<string>();
  let paths: string[][] = [[file]];
  while (paths.length > 0) {
    const longer: string[][] = [];
    for (const path of paths) {
      for (const target of graph.get(path.at(-1)!) ?? []) {
        if (target === file) return [...path, file];
        if (seen.has(target)) continue;
        seen.add(target);
        longer.push([...path, target]);
      }
    }
    paths = longer;
  }
  return undefined;
}

/**
 * Lists the circles of a graph, so that each file that takes part in one is in the list; each circle is listed once.
 */
function circlesOf(graph: Graph): string[] {
  const circles = new Map<string, string>();
  for (const file of [...graph.keys()].sort()) {
    const circle = circleOf(file, graph);
    if (circle === undefined) continue;
    const members = [...new Set(circle)].sort().join();
    if (!circles.has(members)) circles.set(members, circle.join(" -> "));
  }
  return [...circles.values()];
}

test("every folder under src/ is a room of the house", () => {
  const files = sources();
  assert.deepEqual(files.filter((file) => layerOf(file) === -1), []);
  assert.ok(files.length > 20);
});

test("imports under src/ are relative, and none is of a runtime's module", () => {
  const found = everyImport();
  assert.ok(found.length > 50, "the pattern must find imports");
  assert.deepEqual(
    found.filter(({ specifier }) => !/^\.\.?\//.test(specifier) || !specifier.endsWith(".ts")),
    [],
  );
});

test("every folder with tests has the module that `deno task test` runs", () => {
  const files = readdirSync(new URL("test/", ROOT), { recursive: true, encoding: "utf8" });
  const paths = files.map((file) => file.replaceAll("\\", "/")).filter((file) => file.includes("/"));
  const foldersWith = (end: string) =>
    paths.filter((path) => path.endsWith(end)).map((path) => path.slice(0, path.lastIndexOf("/")));
  const folders = [...new Set(foldersWith("_test.ts"))].sort();
  assert.ok(folders.length > 5);
  assert.deepEqual(foldersWith("/all.ts").sort(), folders);
});

test("mod.ts imports from src/ alone", () => {
  const found = importsOf("mod", readFileSync(new URL("mod.ts", ROOT), "utf8"));
  assert.ok(found.length > 3);
  assert.deepEqual(found.filter(({ specifier }) => !specifier.startsWith("./src/")), []);
});

test("imports point down only, and never sideways", () => {
  const wrong = everyImport().filter((found) => {
    const target = targetOf(found);
    return roomOf(found.file) !== roomOf(target) && layerOf(found.file) <= layerOf(target);
  });
  assert.deepEqual(wrong, []);
});

test("no file under src/ takes part in a circle of imports, those of types included", () => {
  const graph = new Map<string, string[]>(sources().map((file) => [file, []]));
  for (const found of everyImport()) graph.get(found.file)!.push(targetOf(found));
  assert.deepEqual(circlesOf(graph), []);
});

test("a circle is found, and named in the order of its imports", () => {
  const graph = new Map([
    ["a.ts", ["b.ts", "e.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["d.ts", "a.ts"]],
    ["d.ts", []],
    ["e.ts", ["e.ts", "d.ts"]],
  ]);
  assert.deepEqual(circlesOf(graph), ["a.ts -> b.ts -> c.ts -> a.ts", "e.ts -> e.ts"]);
});

test("the pattern finds every kind of import", () => {
  const text = `import a from "node:net"; export * from 'npm:x'; await import("jsr:y"); import "cloudflare:sockets";
    import type { B } from "./b.ts"; export type { C } from "./c.ts"; let d: import("./d.ts").D;`;
  const found = importsOf("x.ts", text).map(({ specifier }) => specifier);
  assert.deepEqual(found, ["node:net", "npm:x", "jsr:y", "cloudflare:sockets", "./b.ts", "./c.ts", "./d.ts"]);
});

test("the codec uses no global of a runtime, no timer and no I/O", () => {
  const forbidden = /\b(Deno|Bun|process|Buffer|setTimeout|setInterval|queueMicrotask|fetch|performance|navigator)\b/;
  for (const file of sources().filter((file) => roomOf(file) === "codec")) {
    const text = readFileSync(new URL(`src/${file}`, ROOT), "utf8");
    const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
    assert.doesNotMatch(code, forbidden, file);
  }
});
