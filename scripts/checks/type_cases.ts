/** The cases of `deno task check:types`: calls that compile, with their types, and calls that must not. */

/** One case. Without `type` and `error`, the code must compile. */
export interface TypeCase {
  readonly name: string;
  /** Statements. If the case has a type, the last one is an expression that `satisfies never`. */
  readonly code: string;
  /** The type that the compiler, and the hover of an editor, shows for the expression. */
  readonly type?: string | RegExp;
  /** The one error: the code at which it appears, and what it says. */
  readonly error?: { readonly at: string; readonly says: string | readonly string[] };
}

/** What all cases share. */
export const PREAMBLE = `
import { bytesSerializer, defineFunction, type GearmanClient, type GearmanWorker } from "@gearwire/gearman";
import { type as ark } from "arktype";
import * as cbor from "cbor-x";
import * as msgpackr from "msgpackr";
import * as v from "valibot";
import { z } from "zod";

declare const client: GearmanClient;
declare const worker: GearmanWorker;
const resize = defineFunction("resize", {
  input: z.object({ name: z.string(), width: z.number().default(100) }),
  output: z.object({ url: z.string() }),
});
const cleanUp = defineFunction<{ olderThan: number }>("clean-up");
const ping = defineFunction("ping");
const greet = defineFunction<string | undefined, string>("greet");
const checksum = defineFunction<Uint8Array, bigint>("checksum", { serializer: { input: bytesSerializer, output: cbor } });
const parity = defineFunction<number, "even" | "odd">("parity");
type Id = string & { readonly __brand: "Id" };
type Tree = { readonly name: string; readonly children: readonly Tree[] };
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export { client, worker, resize, cleanUp, ping, greet, checksum, parity, v, ark, msgpackr };
`;

/** What the compiler says of a type that JSON does not preserve. */
const notJson = (problem: string) =>
  `"${problem}, which JSON does not preserve: give the function a schema or a serializer"`;

export const CASES: readonly TypeCase[] = [
  // ---- definitions
  {
    name: "a definition has the types of its schemas",
    code: `resize satisfies never;`,
    type: "GearmanFunction<{ name: string; width?: number | undefined; }, { url: string; }, " +
      "{ name: string; width: number; }, { url: string; }>",
  },
  {
    name: "a definition by types alone has no output if it names none",
    code: `cleanUp satisfies never;`,
    type: "GearmanFunction<{ olderThan: number; }, void, { olderThan: number; }, void>",
  },
  {
    name: "a definition without types has neither",
    code: `ping satisfies never;`,
    type: "GearmanFunction<void, void, void, void>",
  },
  {
    name: "valibot",
    code: `defineFunction("f", {
      input: v.object({ at: v.pipe(v.string(), v.transform(Number)) }), output: v.optional(v.string(), "none") }) satisfies never;`,
    type: "GearmanFunction<{ at: string; }, string, { at: number; }, string | undefined>",
  },
  {
    name: "arktype",
    code:
      `defineFunction("f", { input: ark({ name: "string", "width?": "number" }), output: ark("string[]") }) satisfies never;`,
    type: "GearmanFunction<{ name: string; width?: number; }, string[], { name: string; width?: number; }, string[]>",
  },
  {
    name: "a schema on one side",
    code: `defineFunction("f", { input: z.string() }) satisfies never;`,
    type: "GearmanFunction<string, void, string, void>",
  },
  {
    name: "modules and instances as serializers",
    code:
      `defineFunction<Date>("f", { serializer: cbor }); defineFunction<Date>("f", { serializer: new msgpackr.Packr() });`,
  },
  {
    name: "options that are undefined",
    code: `defineFunction("f", { input: undefined, output: undefined, serializer: undefined });`,
  },
  {
    name: "types that JSON preserves",
    code:
      `defineFunction<{ a: string; b?: number; c: [1, null]; d: readonly string[]; e: "x" | "y"; f: unknown }, string | undefined>("f");`,
  },
  {
    name: "any and unknown",
    code: `defineFunction<any, unknown>("f"); defineFunction<unknown, any>("f"); defineFunction<{ a: any }>("f");`,
  },
  {
    name: "branded strings",
    code: `defineFunction<Id, { id: Id }>("f"); defineFunction<{ ids: Record<Id, Id[]> }>("f");`,
  },
  {
    name: "recursive types",
    code: `defineFunction<Tree, Json>("f"); defineFunction<{ tree: Tree; json: Json }>("f");`,
  },
  { name: "a name that is not a literal", code: `const name: string = "f"; defineFunction<{ a: 1 }>(name);` },
  {
    name: "a Date does not compile without a schema",
    code: `defineFunction<{ when: Date }>("f");`,
    error: { at: `"f")`, says: notJson("input.when is a Date") },
  },
  {
    name: "a bigint deep inside",
    code: `defineFunction<void, { items: { count?: bigint }[] }>("f");`,
    error: { at: `"f")`, says: notJson("output.items[].count is a bigint") },
  },
  {
    name: "a Map",
    code: `defineFunction<{ users: Map<string, string> }>("f");`,
    error: { at: `"f")`, says: notJson("input.users is a Map") },
  },
  {
    name: "a Set",
    code: `defineFunction<Record<string, ReadonlySet<string>>>("f");`,
    error: { at: `"f")`, says: "input.${string} is a Set, which JSON" },
  },
  {
    name: "bytes in a field",
    code: `defineFunction<{ image: Uint8Array }>("f");`,
    error: { at: `"f")`, says: notJson("input.image is binary data") },
  },
  {
    name: "bytes alone",
    code: `defineFunction<Uint8Array>("f");`,
    error: { at: `"f")`, says: notJson("input is binary data") },
  },
  {
    name: "a bigint alone",
    code: `defineFunction<bigint>("f");`,
    error: { at: `"f")`, says: notJson("input is a bigint") },
  },
  {
    name: "a Date alone",
    code: `defineFunction<void, Date>("f");`,
    error: { at: `"f")`, says: notJson("output is a Date") },
  },
  {
    name: "a method",
    code: `defineFunction<{ name: string; greet(): void }>("f");`,
    error: { at: `"f")`, says: notJson("input.greet is a function") },
  },
  {
    name: "one bad member of a union",
    code: `defineFunction<{ a: 1 } | { a: Date } | null>("f");`,
    error: { at: `"f")`, says: notJson("input.a is a Date") },
  },
  {
    name: "problems of both sides",
    code: `defineFunction<bigint, symbol>("f");`,
    error: { at: `"f")`, says: [notJson("input is a bigint"), notJson("output is a symbol")] },
  },
  {
    name: "something that is no schema",
    code: `defineFunction("f", { input: { type: "string" } });`,
    error: { at: "type:", says: "'type' does not exist in type 'Schema<" },
  },
  {
    name: "a serializer without decode",
    code: `defineFunction("f", { serializer: { encode: String } });`,
    error: { at: "serializer:", says: "'decode' is missing in type '{ encode: StringConstructor; }'" },
  },
  {
    name: "a schema that contradicts the types",
    code: `defineFunction<number, void>("f", { input: z.string() });`,
    error: { at: "input:", says: "Type 'string' is not assignable to type 'number'" },
  },

  // ---- the client, in the foreground
  {
    name: "a typed job",
    code: `client.do(resize, { name: "cat.png" }) satisfies never;`,
    type: "Job<{ url: string; }>",
  },
  {
    name: "what awaiting it gives",
    code: `(await client.do(resize, { name: "cat.png" })) satisfies never;`,
    type: "{ url: string; }",
  },
  {
    name: "a job of a string",
    code: `client.do("resize", "cat.png") satisfies never;`,
    type: /^Job<Uint8Array(<ArrayBuffer>)?>$/,
  },
  {
    name: "a string function without a workload",
    code: `client.do("resize"); client.do("resize", undefined, { priority: "high" });`,
  },
  { name: "bytes for a string function", code: `client.do("resize", new Uint8Array(1));` },
  {
    name: "no input",
    code: `client.do(ping); client.do(ping, undefined, { unique: "u" }); client.do(greet); client.do(greet, "you");`,
  },
  { name: "a function without output", code: `client.do(ping) satisfies never;`, type: "Job<void>" },
  { name: "bytes and a bigint", code: `client.do(checksum, new Uint8Array(1)) satisfies never;`, type: "Job<bigint>" },
  {
    name: "a branded string",
    code: `client.do(defineFunction<Id, Id>("f"), "x" as Id) satisfies never;`,
    type: "Job<Id>",
  },
  {
    name: "unknown and any as input",
    code:
      `client.do(defineFunction<unknown>("f")); client.do(defineFunction<unknown>("f"), 5); client.do(defineFunction<any>("f"), 5);`,
  },
  {
    name: "a misspelt property",
    code: `client.do(resize, { nam: "cat.png" });`,
    error: { at: "nam:", says: "'nam' does not exist in type '{ name: string; width?: number | undefined; }'" },
  },
  {
    name: "a property of the wrong type",
    code: `client.do(resize, { name: 5 });`,
    error: { at: "name:", says: "Type 'number' is not assignable to type 'string'" },
  },
  {
    name: "a missing property",
    code: `client.do(resize, {});`,
    error: {
      at: "{}",
      says:
        "Property 'name' is missing in type '{}' but required in type '{ name: string; width?: number | undefined; }'",
    },
  },
  {
    name: "a missing input",
    code: `client.do(resize);`,
    error: { at: "do", says: "Expected 2-3 arguments, but got 1" },
  },
  {
    name: "an input of the wrong type",
    code: `client.do(resize, "cat.png");`,
    error: {
      at: `"cat.png"`,
      says:
        "Argument of type 'string' is not assignable to parameter of type '{ name: string; width?: number | undefined; }'",
    },
  },
  {
    name: "an input where there is none",
    code: `client.do(ping, { a: 1 });`,
    error: { at: "{ a: 1 }", says: "Argument of type '{ a: number; }' is not assignable to parameter of type 'void'" },
  },
  {
    name: "an object for a string function",
    code: `client.do("resize", { name: "cat.png" });`,
    error: { at: "name:", says: "'name' does not exist in type 'Uint8Array" },
  },
  {
    name: "an unknown option",
    code: `client.do(resize, { name: "cat.png" }, { prioritty: "high" });`,
    error: { at: "prioritty:", says: "does not exist in type 'DoOptions'" },
  },
  {
    name: "a number for a function",
    code: `client.do(42, "x");`,
    error: {
      at: "42",
      says: "Argument of type 'number' is not assignable to parameter of type 'string | GearmanFunction<",
    },
  },

  {
    name: "the progress",
    code:
      `client.do(resize, { name: "a" }, { onStatus: ({ numerator, denominator }) => void (numerator / denominator) });
      client.do("f", "", { onStatus: async ({ numerator }) => { await Promise.resolve(numerator); } });`,
  },
  {
    name: "a part of the progress that does not exist",
    code: `client.do(resize, { name: "a" }, { onStatus: ({ percent }) => void percent });`,
    error: { at: "percent }", says: "Property 'percent' does not exist on type '{ readonly numerator: number;" },
  },
  {
    name: "the result of a typed job",
    code: `(await client.do(resize, { name: "a" }).result()) satisfies never;`,
    type: "{ url: string; }",
  },
  {
    name: "a typed job has no output of another type",
    code: `const job: { url: number } = await client.do(resize, { name: "a" });`,
    error: { at: "job:", says: "Type '{ url: string; }' is not assignable to type '{ url: number; }'" },
  },

  // ---- the client, in the background
  {
    name: "there is no progress in the background",
    code: `client.doBackground(ping, undefined, { onStatus: () => {} });`,
    error: { at: "onStatus:", says: "'onStatus' does not exist in type 'DoBackgroundOptions'" },
  },
  {
    name: "typed inputs in the background",
    code:
      `client.doBackground(cleanUp, { olderThan: 30 }, { unique: "clean-up" }); client.doBackground(ping); client.doBackground("f", "x");`,
  },
  {
    name: "a string function in the background without a workload",
    code: `client.doBackground("f");`,
    error: { at: "doBackground", says: "Expected 2-3 arguments, but got 1" },
  },
  {
    name: "a wrong input in the background",
    code: `client.doBackground(cleanUp, { olderThan: "30" });`,
    error: { at: "olderThan:", says: "Type 'string' is not assignable to type 'number'" },
  },
  {
    name: "many inputs",
    code:
      `client.doBackgroundAll(cleanUp, [{ olderThan: 1 }], { unique: ({ olderThan }, index) => String(olderThan + index) });`,
  },
  {
    name: "many workloads",
    code:
      `client.doBackgroundAll("f", new Set(["a", new Uint8Array(1)]), { unique: (workload) => String(workload.length) });`,
  },
  {
    name: "one wrong input among many",
    code: `client.doBackgroundAll(cleanUp, [{ olderThan: 1 }, { olderThan: "2" }]);`,
    error: {
      at: "[{",
      says: ["Types of property 'olderThan' are incompatible", "Type 'string' is not assignable to type 'number'"],
    },
  },
  {
    name: "a string is no list of workloads",
    code: `client.doBackgroundAll("f", "abc");`,
    error: { at: `"abc"`, says: "Argument of type 'string' is not assignable to parameter of type" },
  },

  // ---- the worker
  {
    name: "a handler of a typed function",
    code:
      `worker.addFunction(resize, async ({ name, width }, job) => { await job.sendStatus(1, 2); return { url: name + width.toFixed() }; });`,
  },
  {
    name: "a handler that returns a union",
    code:
      `worker.addFunction(parity, (n) => n % 2 === 0 ? "even" : "odd"); worker.addFunction(parity, async (n) => { if (n > 0) return "odd"; return "even"; });`,
  },
  {
    name: "a handler without output",
    code:
      `worker.addFunction(ping, () => {}); worker.addFunction(cleanUp, async ({ olderThan }) => { void olderThan; });`,
  },
  {
    name: "a handler of a string function",
    code:
      `worker.addFunction("f", (job) => job.text()); worker.addFunction("f", async function* (job) { yield job.text(); });`,
  },
  {
    name: "a function is removed by its name or its definition",
    code: `worker.removeFunction("f").removeFunction(resize);`,
  },
  {
    name: "a handler with a wrong output",
    code: `worker.addFunction(resize, () => ({ uri: "x" }));`,
    error: { at: "({ uri", says: ["is not assignable to type", "{ url: string; }"] },
  },
  {
    name: "a handler that does not know what it gets",
    code: `worker.addFunction(resize, ({ nam }) => ({ url: nam }));`,
    error: { at: "nam }", says: "Property 'nam' does not exist on type '{ name: string; width: number; }'" },
  },
  {
    name: "a handler of a typed function cannot send data",
    code: `worker.addFunction(resize, async ({ name }, job) => { await job.sendData(name); return { url: name }; });`,
    error: { at: "sendData", says: "Property 'sendData' does not exist on type 'JobContext'" },
  },
  {
    name: "a generator is no handler of a typed function",
    code: `worker.addFunction(greet, async function* () { yield "hello"; });`,
    error: { at: "async function*", says: ["AsyncGenerator<", "is not assignable to type 'string | Promise<string>'"] },
  },
  {
    name: "a handler with the job first, as for strings",
    code: `worker.addFunction(resize, (job) => ({ url: job.text() }));`,
    error: { at: "text()", says: "Property 'text' does not exist on type '{ name: string; width: number; }'" },
  },

  // ---- payloads
  {
    name: "decoding data of an event",
    code: `(await resize.output.decode(new Uint8Array(1))) satisfies never;`,
    type: "{ url: string; }",
  },
];
