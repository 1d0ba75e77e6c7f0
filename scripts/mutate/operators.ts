/** The operators: each looks at one node of a source's tree, and yields the changes that it would make there. */

import { type Node, type SourceFile, ts } from "./compiler.ts";

/** One small fault in one file. */
export interface Mutant {
  readonly file: string;
  /** The line that the fault is in, from 1. */
  readonly line: number;
  /** The name of the operator. */
  readonly operator: string;
  /** The code that is replaced, in one line. */
  readonly before: string;
  /** What it is replaced by, in one line. */
  readonly after: string;
  /** Names the mutant by its file, declaration and code, so that the name survives edits elsewhere in the file. */
  readonly key: string;
  /** The whole file with the fault. */
  readonly text: string;
}

/** A change: a node, and the code that replaces it. */
type Change = readonly [node: Node, replacement: string];

const kinds = ts.SyntaxKind;
/** Kinds of nodes by name; `kind("Identifer")` is refused, where `kinds.Identifer` would match nothing. */
function kind(name: string): number {
  const value = kinds[name];
  if (value === undefined) throw new Error(`TypeScript has no kind ${name}`);
  return value;
}

/** What a comparison becomes if it is true at its bound as well, or no longer. */
const SHIFTED = new Map([["<", "<="], ["<=", "<"], [">", ">="], [">=", ">"]]);
/** The opposites of comparisons for equality. */
const OPPOSITE = new Map([["===", "!=="], ["!==", "==="]]);
/** Operators of which either operand may be kept alone. */
const LOGICAL = new Set(["&&", "||", "??"]);
/** Operators that assign only sometimes. */
const LOGICAL_ASSIGNMENTS = new Set(["&&=", "||=", "??="]);
/** Functions whose arguments may have any order. */
const COMMUTATIVE = new Set(["Math.min", "Math.max"]);
/** Methods and functions that give something back, or end something. */
const CLEANUPS =
  /^#?(?:clear|clearTimeout|clearInterval|removeEventListener|close|destroy|cancel|abort|dispose|delete|end|release|releaseLock|stop|unref|off|remove|forget|return)$/;

const CONDITIONAL = new Set(["IfStatement", "WhileStatement", "DoStatement"].map(kind));
const NUMBERS = new Set(["NumericLiteral", "BigIntLiteral"].map(kind));
const BOOLEANS = new Map([[kind("TrueKeyword"), "false"], [kind("FalseKeyword"), "true"]]);
const JUMPS = new Set(["ReturnStatement", "ThrowStatement", "BreakStatement", "ContinueStatement"].map(kind));
const FUNCTIONS = new Set(
  ["FunctionDeclaration", "FunctionExpression", "ArrowFunction", "MethodDeclaration"].map(kind),
);
const CALLS = new Set(["CallExpression", "NewExpression"].map(kind));
/** Expressions that need no parentheses, whatever stands around them. */
const CLOSED = new Set(
  ["Identifier", "CallExpression", "PropertyAccessExpression", "ElementAccessExpression", "ThisKeyword", "TrueKeyword"]
    .concat("FalseKeyword", "NullKeyword", "StringLiteral", "NumericLiteral", "ParenthesizedExpression").map(kind),
);
/** Nodes that contain types only. */
const TYPES = new Set(["InterfaceDeclaration", "TypeAliasDeclaration", "LiteralType", "ImportDeclaration"].map(kind));

/** Returns an operator that joins two expressions, if the node is such a pair. */
function operatorOf(node: Node): string | undefined {
  return node.kind === kind("BinaryExpression") ? node.operatorToken!.getText() : undefined;
}

/** Returns the condition that decides about a node's parts. */
function conditionOf(node: Node): Node | undefined {
  if (CONDITIONAL.has(node.kind)) return node.expression;
  return node.kind === kind("ForStatement") || node.kind === kind("ConditionalExpression") ? node.condition : undefined;
}

/** Returns a pair of expressions with another operator between them. */
function withOperator(node: Node, operator: string): string {
  return `${node.left!.getText()} ${operator} ${node.right!.getText()}`;
}

/** Returns an expression that can stand in the place of any other. */
function closed(node: Node): string {
  return CLOSED.has(node.kind) ? node.getText() : `(${node.getText()})`;
}

/** True if a function returns the expression, and no `try` is around it: whether it awaits it then makes no difference. */
function isReturnedAsItIs({ parent }: Node): boolean {
  if (parent.kind !== kind("ReturnStatement")) return parent.kind === kind("ArrowFunction");
  let around = parent;
  while (around.parent !== undefined && !FUNCTIONS.has(around.kind)) {
    if (around.kind === kind("TryStatement")) return false;
    around = around.parent;
  }
  return true;
}

/** True if a node is a call, or waits for a call, that gives something back or ends something. */
function isCleanup(node: Node): boolean {
  if (node.kind === kind("AwaitExpression") || node.kind === kind("VoidExpression")) return isCleanup(node.expression!);
  if (node.kind !== kind("CallExpression")) return false;
  const called = node.expression!;
  return CLEANUPS.test((called.name ?? called).getText());
}

const OPERATORS: Readonly<Record<string, (node: Node) => Iterable<Change>>> = {
  *"condition negated"(node) {
    const condition = conditionOf(node);
    if (condition === undefined) return;
    const opposite = OPPOSITE.get(operatorOf(condition) ?? "");
    yield [condition, opposite === undefined ? `!(${condition.getText()})` : withOperator(condition, opposite)];
  },
  *"comparison shifted"(node) {
    const shifted = SHIFTED.get(operatorOf(node) ?? "");
    if (shifted !== undefined) yield [node, withOperator(node, shifted)];
    const opposite = OPPOSITE.get(operatorOf(node) ?? "");
    // That of a whole condition is negated already.
    if (opposite !== undefined && conditionOf(node.parent) !== node) yield [node, withOperator(node, opposite)];
  },
  *"constant moved"(node) {
    if (!NUMBERS.has(node.kind) || node.parent.name === node) return;
    const text = node.getText();
    yield [node, text.endsWith("n") ? `${BigInt(text.slice(0, -1)) + 1n}n` : `${Number(text.replaceAll("_", "")) + 1}`];
  },
  *"boolean flipped"(node) {
    const flipped = BOOLEANS.get(node.kind);
    if (flipped !== undefined) yield [node, flipped];
  },
  *"operand dropped"(node) {
    const operator = operatorOf(node) ?? "";
    if (LOGICAL.has(operator)) {
      yield [node, closed(node.left!)];
      yield [node, closed(node.right!)];
    }
    if (LOGICAL_ASSIGNMENTS.has(operator)) yield [node, withOperator(node, "=")];
  },
  *"arguments swapped"(node) {
    if (!CALLS.has(node.kind) || COMMUTATIVE.has(node.expression!.getText())) return;
    const texts = (node.arguments ?? []).map((argument) => argument.getText());
    for (let i = 1; i < texts.length; i++) {
      const swapped = texts.with(i - 1, texts[i]!).with(i, texts[i - 1]!);
      const callee = `${node.kind === kind("NewExpression") ? "new " : ""}${node.expression!.getText()}`;
      if (texts[i] !== texts[i - 1]) yield [node, `${callee}(${swapped.join(", ")})`];
    }
  },
  *"await removed"(node) {
    if (node.kind === kind("AwaitExpression") && !isReturnedAsItIs(node)) yield [node, node.expression!.getText()];
  },
  *"cleanup removed"(node) {
    if (node.kind === kind("TryStatement") && (node.finallyBlock?.statements.length ?? 0) > 0) {
      yield [node.finallyBlock!, "{}"];
    }
    if (node.kind === kind("ExpressionStatement") && isCleanup(node.expression!)) yield [node, ";"];
    const { parent } = node;
    const isStatement = parent.kind === kind("ExpressionStatement") || isCleanup(parent);
    if (isCleanup(node) && !isStatement) yield [node, "undefined"];
  },
  *"statement removed"(node) {
    const isExpression = node.kind === kind("ExpressionStatement") && !isCleanup(node.expression!);
    if (isExpression || JUMPS.has(node.kind)) yield [node, ";"];
  },
};

/** The names of the operators. */
export const OPERATOR_NAMES: readonly string[] = Object.keys(OPERATORS);

/** Lists all mutants of a file. */
export function mutantsOf(file: string, tree: SourceFile): Mutant[] {
  const mutants: Mutant[] = [];
  const seen = new Map<string, number>();
  const visit = (node: Node): void => {
    if (TYPES.has(node.kind)) return;
    for (const [operator, changesAt] of Object.entries(OPERATORS)) {
      for (const [changed, replacement] of changesAt(node)) add(operator, changed, replacement);
    }
    ts.forEachChild(node, visit);
  };
  const add = (operator: string, changed: Node, replacement: string): void => {
    const start = changed.getStart();
    const [before, after] = [inOneLine(changed.getText()), replacement === ";" ? "nothing" : inOneLine(replacement)];
    const name = `${file} ${declarationOf(changed)}: ${before} => ${after}`;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    mutants.push({
      ...{ file, operator, before, after },
      line: tree.getLineAndCharacterOfPosition(start).line + 1,
      key: times === 1 ? name : `${name} (${times})`,
      text: `${tree.text.slice(0, start)}${replacement}${tree.text.slice(changed.end)}`,
    });
  };
  ts.forEachChild(tree, visit);
  return mutants;
}

/** Names the functions, classes and variables around a node, from the outside to the inside. */
function declarationOf(node: Node): string {
  const names: string[] = [];
  for (let around = node; around !== undefined; around = around.parent) {
    const isValue = around.kind !== kind("VariableDeclaration") || around.initializer?.kind === kind("ArrowFunction");
    const isDeclaration = around.kind !== kind("PropertyAccessExpression") &&
      around.kind !== kind("PropertyAssignment");
    if (around.name?.kind !== undefined && isValue && isDeclaration) names.unshift(around.name.getText());
    if (around.kind === kind("Constructor")) names.unshift("constructor");
  }
  return names.join(".") || "(top)";
}

/** Returns code in one line, and its middle left out if it is long. */
function inOneLine(code: string): string {
  const line = code.replace(/\s+/g, " ");
  return line.length <= 120 ? line : `${line.slice(0, 90)} ... ${line.slice(-25)}`;
}
