// deno-lint-ignore-file no-console -- it is there to print
/**
 * Writes the public surface into `test/api.txt`, so that a change of it shows in a diff: for each entry point, all
 * exported declarations as TypeScript emits them, without comments, sorted. Declarations that are used there without
 * being exported stand at the end, since they are part of the surface too.
 *
 *     deno task api              writes the file
 *     deno task api --check      fails if the file is not up to date
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };
import { BUILD, ROOT } from "../support/tools.ts";
import { compileSources } from "./npm.ts";
import { type AstNode, type AstSymbol, byText, publicPart, readSurface, ts } from "./surface.ts";

const FILE = `${ROOT}test/api.txt`;
const HEADER = `The public surface of ${config.name}, made by \`deno task api\`. Do not edit.`;

const printer = ts.createPrinter({ removeComments: true });

/** Makes the text of all entry points, and of the declarations that they use without exporting them. */
function describeApi(): string {
  const folder = `${BUILD}api`;
  compileSources(folder, { emitDeclarationOnly: true, removeComments: true });
  const { entryPoints, symbols } = readSurface(folder);
  const sections = entryPoints.map(({ name, exports }) =>
    describeSection(name, exports.map(({ name, symbol }) => ({ name, text: describeSymbol(name, symbol) })))
  );
  const exported = new Set(entryPoints.flatMap(({ exports }) => exports.map(({ symbol }) => symbol)));
  const used = [...symbols].filter((symbol) => !exported.has(symbol));
  const descriptions = used.map((symbol) => ({ name: symbol.name, text: describeSymbol(symbol.name, symbol) }));
  if (descriptions.length > 0) sections.push(describeSection("Used, but not exported", descriptions));

  const text = `${[HEADER, ...sections].join("\n\n")}\n`;
  if (/\bimport\(/.test(text)) throw new Error("A declaration refers to a path: name its type in the source");
  return text;
}

function describeSection(
  title: string,
  descriptions: readonly { readonly name: string; readonly text: string }[],
): string {
  const sorted = descriptions.toSorted((a, b) => byText(a.name, b.name) || byText(a.text, b.text));
  return [`# ${title}`, ...sorted.map(({ text }) => text)].join("\n\n");
}

/** Describes all declarations of a symbol; a value and a type may share a name. */
function describeSymbol(name: string, symbol: AstSymbol): string {
  if (symbol.declarations === undefined) throw new Error(`Nothing declares ${name}`);
  const renamed = symbol.name === name ? "" : `${name}, declared as `;
  return symbol.declarations.map((declaration) => renamed + describeDeclaration(declaration)).join("\n\n");
}

/** Prints a declaration without its private members. */
function describeDeclaration(declaration: AstNode): string {
  return printer.printNode(ts.EmitHint.Unspecified, publicPart(declaration), declaration.getSourceFile())
    .replace(/^export (?:default )?/, "")
    .replace(/^declare /, "")
    .replace(/^(?: {4})+/gm, (indent) => indent.slice(indent.length / 2))
    .replace(/\[\n([^[\]{}]*)\]/g, (_, elements) => `[${elements.trim().replace(/\s+/g, " ")}]`); // a tuple in one line
}

/** Lists the lines that one of two texts has and the other has not. */
function differences(before: string, after: string): string {
  const [old, now] = [before.split("\n"), after.split("\n")];
  const removed = old.filter((line) => !now.includes(line)).map((line) => `- ${line}`);
  const added = now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`);
  return [...removed, ...added].join("\n");
}

const text = describeApi();
const current = existsSync(FILE) ? readFileSync(FILE, "utf8") : "";
if (!process.argv.includes("--check")) {
  writeFileSync(FILE, text);
  console.log(FILE);
} else if (text !== current) {
  console.log(
    `The public surface has changed: run \`deno task api\`, and look at the diff\n${differences(current, text)}`,
  );
  process.exitCode = 1;
}
