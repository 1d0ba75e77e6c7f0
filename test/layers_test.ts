// The house's rules: imports point down only, and nothing under src/ imports a runtime's module. On Node it is the built
// package that is read, as on every runtime it is what the other tests import.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../", import.meta.url);
/** "ts", or "js" where they are compiled. */
const EXTENSION = import.meta.url.slice(-2);

/** What each folder may import besides itself. */
const BELOW: Record<string, readonly string[]> = {
  internal: [],
  errors: ["internal"],
  codec: ["internal", "errors"],
  transport: ["internal", "errors"],
  connection: ["internal", "errors", "codec", "transport"],
  client: ["internal", "errors", "codec", "transport", "connection"],
  worker: ["internal", "errors", "codec", "transport", "connection"],
  admin: ["internal", "errors", "codec", "transport", "connection"],
  server: ["internal", "errors", "codec", "transport", "connection"],
};

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function sources(): string[] {
  const files = readdirSync(new URL("src/", ROOT), { recursive: true, encoding: "utf8" });
  return files.map((file) => file.replaceAll("\\", "/")).filter((file) => file.endsWith(`.${EXTENSION}`));
}

function importsOf(file: string, text: string): Import[] {
  // Comments are left out: examples in them import the package by its name.
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(["'`])([^"'`]+)\1/g;
  return [...code.matchAll(pattern)].map((match) => ({ file, specifier: match[2]! }));
}

function everyImport(): Import[] {
  return sources().flatMap((file) => importsOf(file, readFileSync(new URL(`src/${file}`, ROOT), "utf8")));
}

function folderOf(path: string): string {
  return path.split("/")[0]!.split(".")[0]!;
}

test("every folder under src/ is one of the house's", () => {
  const folders = new Set(sources().map(folderOf));
  assert.deepEqual([...folders].filter((folder) => !(folder in BELOW)), []);
  assert.ok(folders.has("codec") && folders.has("connection") && folders.has("client"));
});

test("imports under src/ are relative, and none is of a runtime's module", () => {
  const found = everyImport();
  assert.ok(found.length > 50, "the pattern finds imports");
  assert.deepEqual(
    found.filter(({ specifier }) => !/^\.\.?\//.test(specifier) || !specifier.endsWith(`.${EXTENSION}`)),
    [],
  );
});

test("every folder with tests has the module that `deno task test` runs", () => {
  const files = readdirSync(new URL("test/", ROOT), { recursive: true, encoding: "utf8" });
  const foldersOf = (end: string) =>
    files.map((file) => file.replaceAll("\\", "/").split("/")).filter((path) =>
      path.length > 1 && path.at(-1)!.endsWith(end)
    )
      .map((path) => path.slice(0, -1).join("/"));
  const folders = [...new Set(foldersOf(`_test.${EXTENSION}`))].sort();
  assert.ok(folders.length > 5);
  assert.deepEqual(foldersOf(`all.${EXTENSION}`).sort(), folders);
});

test("mod.ts imports from src/ alone", () => {
  const found = importsOf("mod", readFileSync(new URL(`mod.${EXTENSION}`, ROOT), "utf8"));
  assert.ok(found.length > 3);
  assert.deepEqual(found.filter(({ specifier }) => !specifier.startsWith("./src/")), []);
});

test("imports point down only, and never sideways", () => {
  const wrong = everyImport().filter(({ file, specifier }) => {
    const target = new URL(specifier, new URL(`src/${file}`, ROOT)).pathname.slice(
      new URL("src/", ROOT).pathname.length,
    );
    const from = folderOf(file);
    const to = folderOf(target);
    return from !== to && !BELOW[from]!.includes(to);
  });
  assert.deepEqual(wrong, []);
});

test("the pattern that looks for imports finds every kind of them", () => {
  const text = `import a from "node:net"; export * from 'npm:x'; await import("jsr:y"); import "cloudflare:sockets";`;
  const found = importsOf("x.ts", text).map(({ specifier }) => specifier);
  assert.deepEqual(found, ["node:net", "npm:x", "jsr:y", "cloudflare:sockets"]);
});

test("the codec uses no global of a runtime, no timer and no I/O", () => {
  const forbidden = /\b(Deno|Bun|process|Buffer|setTimeout|setInterval|queueMicrotask|fetch|performance|navigator)\b/;
  for (const file of sources().filter((file) => folderOf(file) === "codec")) {
    const text = readFileSync(new URL(`src/${file}`, ROOT), "utf8");
    const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
    assert.doesNotMatch(code, forbidden, file);
  }
});
