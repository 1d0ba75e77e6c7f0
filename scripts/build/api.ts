// deno-lint-ignore-file no-console -- it is there to print
/**
 * Writes the public surface into `test/api.txt`, so that a change of it shows in a diff: for each entry point, all
 * exported declarations as TypeScript emits them, without comments, sorted.
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
    getTypeChecker(): {
      getSymbolAtLocation(node: AstNode): AstSymbol | undefined;
      getExportsOfModule(module: AstSymbol): readonly AstSymbol[];
      getAliasedSymbol(symbol: AstSymbol): AstSymbol;
    };
  };
}

const ts: TypeScript = createRequire(import.meta.url)(install("typescript"));
const printer = ts.createPrinter({ removeComments: true });

/** Compares numbers by value and texts by code units, so that the order does not depend on the machine's language. */
const byText = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0);

/** Makes the text of all entry points. */
function describeApi(): string {
  const folder = `${BUILD}api`;
  compileSources(folder, { emitDeclarationOnly: true, removeComments: true });
  const files = Object.entries(config.exports).map(([entryPoint, source]) => ({
    name: config.name + entryPoint.slice(1),
    path: `${folder}/${source.slice("./".length).replace(/\.ts$/, ".d.ts")}`,
  }));
  const program = ts.createProgram(files.map(({ path }) => path), { module: ts.ModuleKind.NodeNext, types: [] });
  const checker = program.getTypeChecker();
  const sections = files.map(({ name, path }) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!;
    const declarations = checker.getExportsOfModule(module).flatMap((exported) => {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      return describeSymbol(exported.name, isAlias ? checker.getAliasedSymbol(exported) : exported);
    });
    return [`# ${name}`, ...declarations.sort((a, b) => byText(a.key, b.key)).map(({ text }) => text)].join("\n\n");
  });
  const text = `${[HEADER, ...sections].join("\n\n")}\n`;
  if (/\bimport\(/.test(text)) throw new Error("A declaration refers to a path: name its type in the source");
  return text;
}

/** Describes all declarations of an exported symbol; a value and a type may share a name. */
function describeSymbol(name: string, symbol: AstSymbol): { key: string; text: string }[] {
  if (symbol.declarations === undefined) throw new Error(`Nothing declares ${name}`);
  return symbol.declarations.map((declaration, i) => {
    const renamed = symbol.name === name ? "" : `${name}, declared as `;
    return { key: `${name} ${String(i).padStart(3, "0")}`, text: renamed + describeDeclaration(declaration) };
  });
}

/** Prints a declaration, with its public members in the order of their names. */
function describeDeclaration(declaration: AstNode): string {
  const { VariableDeclaration, ClassDeclaration, InterfaceDeclaration } = ts.SyntaxKind;
  // A variable's declaration is in a list, which is in a statement that has `const`.
  let node = declaration.kind === VariableDeclaration ? declaration.parent.parent : declaration;
  const { modifiers, name, typeParameters, heritageClauses } = node;
  const members = publicMembers(node.members ?? []);
  if (node.kind === ClassDeclaration) {
    node = ts.factory.updateClassDeclaration(node, modifiers, name, typeParameters, heritageClauses, members);
  } else if (node.kind === InterfaceDeclaration) {
    node = ts.factory.updateInterfaceDeclaration(node, modifiers, name, typeParameters, heritageClauses, members);
  }
  return printer.printNode(ts.EmitHint.Unspecified, node, declaration.getSourceFile())
    .replace(/^export (?:default )?(?:declare )?/, "")
    .replace(/^(?: {4})+/gm, (indent) => indent.slice(indent.length / 2))
    .replace(/\[\n([^[\]{}]*)\]/g, (_, elements) => `[${elements.trim().replace(/\s+/g, " ")}]`); // a tuple in one line
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
