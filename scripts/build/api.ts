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
import { createRequire } from "node:module";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };
import { BUILD, install, ROOT } from "../support/tools.ts";
import { compileSources } from "./npm.ts";

const FILE = `${ROOT}test/api.txt`;
const HEADER = `The public surface of ${config.name}, made by \`deno task api\`. Do not edit.`;

/** A node of TypeScript's tree. */
interface AstNode {
  readonly parent: AstNode;
  readonly kind: number;
  readonly name?: AstNode & { readonly text?: string };
  readonly modifiers?: readonly AstNode[];
  readonly members?: readonly AstNode[];
  readonly typeParameters?: unknown;
  readonly heritageClauses?: unknown;
  /** The path, of a file. */
  readonly fileName?: string;
  getSourceFile(): AstNode;
  getText(): string;
}

interface AstSymbol {
  readonly name: string;
  readonly flags: number;
  readonly declarations?: readonly AstNode[];
}

/** The part of TypeScript's API that this script uses; its own types are installed with it only. */
interface TypeScript {
  readonly SyntaxKind: Readonly<Record<string, number>>;
  readonly SymbolFlags: { readonly Alias: number };
  readonly ModuleKind: { readonly NodeNext: number };
  readonly EmitHint: { readonly Unspecified: number };
  readonly factory: {
    updateClassDeclaration(node: AstNode, ...parts: unknown[]): AstNode;
    updateInterfaceDeclaration(node: AstNode, ...parts: unknown[]): AstNode;
  };
  createPrinter(
    options: { removeComments: boolean },
  ): { printNode(hint: number, node: AstNode, file: AstNode): string };
  createProgram(files: readonly string[], options: Record<string, unknown>): {
    getSourceFile(file: string): AstNode | undefined;
    getTypeChecker(): TypeChecker;
  };
  forEachChild(node: AstNode, visit: (child: AstNode) => void): void;
}

interface TypeChecker {
  getSymbolAtLocation(node: AstNode): AstSymbol | undefined;
  getExportsOfModule(module: AstSymbol): readonly AstSymbol[];
  getAliasedSymbol(symbol: AstSymbol): AstSymbol;
}

const ts: TypeScript = createRequire(import.meta.url)(install("typescript"));
const printer = ts.createPrinter({ removeComments: true });

/** Compares numbers by value and texts by code units, so that the order does not depend on the machine's language. */
const byText = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0);

/** Makes the text of all entry points, and of the declarations that they use without exporting them. */
function describeApi(): string {
  const folder = `${BUILD}api`;
  compileSources(folder, { emitDeclarationOnly: true, removeComments: true });
  const entryPoints = Object.entries(config.exports).map(([entryPoint, source]) => ({
    name: config.name + entryPoint.slice(1),
    path: `${folder}/${source.slice("./".length).replace(/\.ts$/, ".d.ts")}`,
  }));
  const program = ts.createProgram(entryPoints.map(({ path }) => path), { module: ts.ModuleKind.NodeNext, types: [] });
  const checker = program.getTypeChecker();

  const exported = new Set<AstSymbol>();
  const sections = entryPoints.map(({ name, path }) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!;
    const descriptions = checker.getExportsOfModule(module).map((each) => {
      const symbol = resolveAlias(each, checker);
      exported.add(symbol);
      return { name: each.name, text: describeSymbol(each.name, symbol) };
    });
    return describeSection(name, descriptions);
  });
  const used = usedSymbols(exported, folder, checker).filter((symbol) => !exported.has(symbol));
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

function resolveAlias(symbol: AstSymbol, checker: TypeChecker): AstSymbol {
  return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
}

/** Lists the given symbols, and those of modules in the folder that they refer to, directly or not. */
function usedSymbols(symbols: Iterable<AstSymbol>, folder: string, checker: TypeChecker): AstSymbol[] {
  const found = new Set(symbols);
  const visit = (node: AstNode): void => {
    const symbol = node.kind === ts.SyntaxKind["Identifier"] ? checker.getSymbolAtLocation(node) : undefined;
    if (symbol !== undefined) {
      const target = resolveAlias(symbol, checker);
      if (target.declarations?.some((declaration) => isTopLevel(declaration, folder)) === true) found.add(target);
    }
    ts.forEachChild(node, visit);
  };
  // The set grows during the iteration, which visits what was added, too.
  for (const symbol of found) {
    for (const declaration of symbol.declarations ?? []) ts.forEachChild(publicPart(declaration), visit);
  }
  return [...found];
}

/** Returns true if a declaration is at the top level of a module in the folder. */
function isTopLevel(declaration: AstNode, folder: string): boolean {
  const { VariableDeclaration, SourceFile } = ts.SyntaxKind;
  const statement = declaration.kind === VariableDeclaration ? declaration.parent.parent : declaration;
  return statement.parent?.kind === SourceFile && statement.parent.fileName!.startsWith(`${folder}/`);
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

/** Returns a declaration with its public members only, in the order of their names. */
function publicPart(declaration: AstNode): AstNode {
  const { VariableDeclaration, ClassDeclaration, InterfaceDeclaration } = ts.SyntaxKind;
  // A variable's declaration is in a list, which is in a statement that has `const`.
  const node = declaration.kind === VariableDeclaration ? declaration.parent.parent : declaration;
  const { modifiers, name, typeParameters, heritageClauses } = node;
  const members = publicMembers(node.members ?? []);
  if (node.kind === ClassDeclaration) {
    return ts.factory.updateClassDeclaration(node, modifiers, name, typeParameters, heritageClauses, members);
  }
  if (node.kind === InterfaceDeclaration) {
    return ts.factory.updateInterfaceDeclaration(node, modifiers, name, typeParameters, heritageClauses, members);
  }
  return node;
}

/** The members without private ones; a private constructor stays, since it tells that a class cannot be constructed. */
function publicMembers(members: readonly AstNode[]): AstNode[] {
  const { PrivateIdentifier, PrivateKeyword, Constructor } = ts.SyntaxKind;
  const isPublic = ({ kind, name, modifiers }: AstNode): boolean =>
    name?.kind !== PrivateIdentifier &&
    (kind === Constructor || modifiers?.some((modifier) => modifier.kind === PrivateKeyword) !== true);
  const nameOf = (member: AstNode): string => member.name?.getText() ?? "";
  // The sort is stable: overloads keep their order, which matters.
  return members.filter(isPublic).sort((a, b) => byText(nameOf(a), nameOf(b)));
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
