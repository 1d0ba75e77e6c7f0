/**
 * The public surface, read from emitted declarations: what the entry points export, and what those declarations refer to.
 * Everything else that a module exports is for other modules only, and is not part of the package's declarations.
 */

import { createRequire } from "node:module";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import config from "../../deno.json" with { type: "json" };
import { install } from "../support/tools.ts";

/** A node of TypeScript's tree. */
export interface AstNode {
  readonly parent: AstNode;
  readonly kind: number;
  readonly name?: AstNode & { readonly text?: string };
  readonly modifiers?: readonly AstNode[];
  readonly members?: readonly AstNode[];
  readonly typeParameters?: unknown;
  readonly heritageClauses?: unknown;
  /** The statements of a file. */
  readonly statements?: readonly AstNode[];
  /** The list of a statement that declares variables. */
  readonly declarationList?: AstNode & { readonly declarations: readonly AstNode[] };
  /** The path, of a file. */
  readonly fileName?: string;
  getSourceFile(): AstNode;
  getText(): string;
}

/** What a name stands for. */
export interface AstSymbol {
  readonly name: string;
  readonly flags: number;
  readonly declarations?: readonly AstNode[];
}

/** The part of TypeScript's API that the scripts use; its own types are installed with it only. */
export interface TypeScript {
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
    getSourceFiles(): readonly AstNode[];
    getTypeChecker(): TypeChecker;
  };
  forEachChild(node: AstNode, visit: (child: AstNode) => void): void;
}

/** The part of TypeScript's checker that the scripts use. */
export interface TypeChecker {
  getSymbolAtLocation(node: AstNode): AstSymbol | undefined;
  getExportsOfModule(module: AstSymbol): readonly AstSymbol[];
  getAliasedSymbol(symbol: AstSymbol): AstSymbol;
}

export const ts: TypeScript = createRequire(import.meta.url)(install("typescript"));

/** Compares numbers by value and texts by code units, so that the order does not depend on the machine's language. */
export const byText = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0);

/** An entry point, and the symbols that it exports. */
export interface EntryPoint {
  readonly name: string;
  readonly exports: readonly { readonly name: string; readonly symbol: AstSymbol }[];
}

/** The names that a module exports and that are not part of the surface. */
export interface Internals {
  /** Those that it declares. */
  readonly declared: readonly string[];
  /** Those that it takes from another module. */
  readonly reexported: readonly string[];
}

/** The surface of a folder of declarations. */
export interface Surface {
  readonly entryPoints: readonly EntryPoint[];
  /** The symbols that entry points export, and those that their declarations refer to, directly or not. */
  readonly symbols: ReadonlySet<AstSymbol>;
  /** What modules export that is not part of the surface, by the module's path in the folder. */
  readonly internals: ReadonlyMap<string, Internals>;
}

/** Reads the surface of a folder that has the declarations of each source at the source's path. */
export function readSurface(folder: string): Surface {
  const paths = Object.values(config.exports).map((source) => `${folder}/${declarationsOf(source)}`);
  const program = ts.createProgram(paths, { module: ts.ModuleKind.NodeNext, types: [] });
  const checker = program.getTypeChecker();
  const exported = new Set<AstSymbol>();
  const entryPoints = Object.keys(config.exports).map((entryPoint, i) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(paths[i]!)!)!;
    const exports = checker.getExportsOfModule(module).map((each) => ({
      name: each.name,
      symbol: resolveAlias(each, checker),
    }));
    for (const { symbol } of exports) exported.add(symbol);
    return { name: config.name + entryPoint.slice(1), exports };
  });
  const symbols = new Set(usedSymbols(exported, folder, checker));
  // Not by symbol: a module's own references to what it exports have another one.
  const declarations = new Set([...symbols].flatMap(({ declarations = [] }) => declarations));
  const isInternal = (symbol: AstSymbol | undefined): boolean =>
    symbol?.declarations?.some((declaration) => declarations.has(declaration)) === false;
  const internals = new Map<string, Internals>();
  for (const file of program.getSourceFiles()) {
    if (!file.fileName!.startsWith(`${folder}/`)) continue;
    const declared = exportedDeclarations(file).filter((declaration) => !declarations.has(declaration)).map(nameOf);
    const reexported = checker.getExportsOfModule(checker.getSymbolAtLocation(file)!)
      .filter((each) => (each.flags & ts.SymbolFlags.Alias) !== 0 && isInternal(checker.getAliasedSymbol(each)))
      .map(({ name }) => name);
    internals.set(file.fileName!.slice(folder.length + 1), { declared, reexported });
  }
  return { entryPoints, symbols, internals };
}

/** Returns the path of a source's declarations, without `./`. */
export function declarationsOf(source: string): string {
  return source.replace(/^\.\//, "").replace(/\.ts$/, ".d.ts");
}

/**
 * Marks what is not part of the surface in a copy of the sources, so that TypeScript leaves it out with `stripInternal`.
 * Marks that are there are for the documentation: the surface may refer to what has one. No line moves.
 */
export function markInternals(sources: string, { internals }: Surface): void {
  const kind = "(?:declare |abstract |async )*(?:function\\*?|class|interface|type|const|let|enum)";
  for (const file of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
    const found = internals.get(declarationsOf(file));
    if (found === undefined) continue;
    let text = readFileSync(`${sources}/${file}`, "utf8").replaceAll("@internal", "");
    if (found.declared.length > 0) {
      const declaration = new RegExp(`^export (?=${kind} (?:${found.declared.join("|")})\\b)`, "gm");
      text = text.replace(declaration, "/* @internal */ export ");
    }
    const statement = /^export (type )?\{([^}]*)\} from (".*");/gm;
    text = text.replace(statement, (all, type = "", list: string, module: string) => {
      const specifiers = list.split(",");
      const isInternal = (specifier: string) => found.reexported.includes(specifier.trim().split(" ").at(-1)!);
      if (!specifiers.some(isInternal)) return all;
      const exportOf = (some: readonly string[]) => `export ${type}{${some.join()}} from ${module};`;
      return `/* @internal */ ${exportOf(specifiers.filter(isInternal))} ${
        exportOf(specifiers.filter((each) => !isInternal(each)))
      }`;
    });
    writeFileSync(`${sources}/${file}`, text);
  }
}

/** The declarations that a file exports itself. */
function exportedDeclarations({ statements = [] }: AstNode): AstNode[] {
  const { ExportKeyword } = ts.SyntaxKind;
  return statements.filter(({ modifiers }) => modifiers?.some(({ kind }) => kind === ExportKeyword) === true)
    .flatMap((statement) => statement.declarationList?.declarations ?? [statement]);
}

function nameOf({ name }: AstNode): string {
  return name?.text ?? "";
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

/** Returns a declaration with its public members only, in the order of their names. */
export function publicPart(declaration: AstNode): AstNode {
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
