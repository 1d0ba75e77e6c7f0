/** Parses the sources with TypeScript, and tells whether a changed source still compiles. */

import { createRequire } from "node:module";
import config from "../../deno.json" with { type: "json" };
import { install, ROOT } from "../support/tools.ts";

/** A node of TypeScript's tree, with the fields that some kinds of nodes have. */
export interface Node {
  readonly kind: number;
  readonly parent: Node;
  readonly end: number;
  /** The condition of `if`, `while` and `do`, or what a statement, an `await` or a call is made of. */
  readonly expression?: Node;
  /** The condition of `for` and of `? :`. */
  readonly condition?: Node;
  readonly left?: Node;
  readonly right?: Node;
  readonly operatorToken?: Node;
  readonly name?: Node;
  readonly arguments?: readonly Node[];
  readonly finallyBlock?: Node & { readonly statements: readonly Node[] };
  readonly initializer?: Node;
  getStart(): number;
  getText(): string;
}

/** The tree of a file. */
export interface SourceFile extends Node {
  readonly fileName: string;
  readonly text: string;
  getLineAndCharacterOfPosition(position: number): { readonly line: number };
}

interface Program {
  getSourceFile(path: string): SourceFile | undefined;
  getSourceFiles(): readonly SourceFile[];
  getSyntacticDiagnostics(file: SourceFile): readonly unknown[];
  getSemanticDiagnostics(file: SourceFile): readonly unknown[];
}

interface Host {
  getSourceFile(path: string, ...rest: unknown[]): SourceFile | undefined;
}

/** The part of TypeScript's API that is used here; its own types are installed with it only. */
interface TypeScript {
  readonly SyntaxKind: Readonly<Record<string, number>>;
  readonly ScriptTarget: { readonly ESNext: number };
  forEachChild(node: Node, visit: (child: Node) => void): void;
  createSourceFile(path: string, text: string, target: number, setParents: boolean): SourceFile;
  convertCompilerOptionsFromJson(options: unknown, folder: string): { readonly options: unknown };
  createCompilerHost(options: unknown, setParents: boolean): Host;
  createProgram(files: readonly string[], options: unknown, host: Host, previous?: Program): Program;
}

export const ts: TypeScript = createRequire(import.meta.url)(install("typescript"));

/** The sources, and their types. */
export class Compiler {
  readonly #paths: readonly string[];
  readonly #options: unknown;
  readonly #host: Host;
  readonly #program: Program;

  /** Loads all sources. */
  constructor() {
    this.#paths = Object.values(config.exports).map((path) => `${ROOT}${path.slice("./".length)}`);
    this.#options = ts.convertCompilerOptionsFromJson({
      ...config.compilerOptions,
      lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
      target: "esnext",
      module: "preserve",
      allowImportingTsExtensions: true,
      noEmit: true,
      types: [],
    }, ROOT).options;
    this.#host = ts.createCompilerHost(this.#options, true);
    this.#program = ts.createProgram(this.#paths, this.#options, this.#host);
  }

  /** Lists the files of a folder, or one file, that an entry point imports, directly or not. */
  files(folder: string): string[] {
    const files = this.#program.getSourceFiles().map(({ fileName }) => fileName.slice(ROOT.length));
    return files.filter((file) => file === folder || file.startsWith(`${folder}/`));
  }

  /** Returns the tree of a file. */
  parse(file: string): SourceFile {
    const tree = this.#program.getSourceFile(`${ROOT}${file}`);
    if (tree === undefined) throw new Error(`No entry point imports ${file}`);
    return tree;
  }

  /**
   * True if a file has no error of types with another text. The other files need no look: exports have declared types,
   * which a change within a function cannot alter.
   */
  compiles(file: string, text: string): boolean {
    const path = `${ROOT}${file}`;
    const changed = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
    const program = ts.createProgram(
      this.#paths,
      this.#options,
      {
        ...this.#host,
        getSourceFile: (name, ...rest) =>
          name === path ? changed : this.#program.getSourceFile(name) ?? this.#host.getSourceFile(name, ...rest),
      },
      this.#program,
    );
    const errors = [program.getSyntacticDiagnostics(changed), program.getSemanticDiagnostics(changed)];
    return errors.every(({ length }) => length === 0);
  }
}
