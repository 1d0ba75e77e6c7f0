/** Types that find what JSON does not preserve in the types of a function. */

/** What JSON preserves, without a look at each property. */
type JsonValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | void
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** What comes back from JSON as something else, or not at all. */
type Lossy =
  | bigint
  | symbol
  | Date
  | RegExp
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ArrayBufferLike
  | ArrayBufferView
  | ((...args: never) => unknown);

/** The name of a lossy type in an error. */
type NameOf<T extends Lossy> = T extends bigint ? "a bigint"
  : T extends symbol ? "a symbol"
  : T extends Date ? "a Date"
  : T extends RegExp ? "a RegExp"
  : T extends ReadonlyMap<unknown, unknown> ? "a Map"
  : T extends ReadonlySet<unknown> ? "a Set"
  : T extends ArrayBufferLike | ArrayBufferView ? "binary data"
  : "a function";

/** T, with `never` in place of what JSON does not preserve. Properties with a symbol for a key only brand a type. */
type Preserved<T> = unknown extends T ? T
  : T extends JsonValue ? T
  : T extends Lossy ? never
  : { [K in keyof T]: K extends symbol ? T[K] : Preserved<T[K]> };

/**
 * Describes what JSON does not preserve in T, as "input.items[].date is a Date"; `never` if it preserves all.
 *
 * @internal
 */
export type JsonProblem<T, Path extends string, Depth extends readonly 0[] = []> = [T] extends [Preserved<T>] ? never
  : T extends JsonValue ? never
  : T extends Lossy ? `${Path} is ${NameOf<T>}`
  : Depth["length"] extends 4 ? `${Path} has a part`
  : T extends readonly (infer Item)[] ? JsonProblem<Item, `${Path}[]`, [...Depth, 0]>
  : { [K in keyof T & string]-?: JsonProblem<T[K], `${Path}.${K}`, [...Depth, 0]> }[keyof T & string];

/**
 * The type of the name of a function: `string`, if JSON preserves its input and its output. Otherwise a text that says
 * what JSON does not preserve, so that the compiler shows it.
 */
export type JsonName<Input, Output> = [JsonProblem<Input, "input"> | JsonProblem<Output, "output">] extends [never]
  ? string
  : `${
    | JsonProblem<Input, "input">
    | JsonProblem<Output, "output">}, which JSON does not preserve: give the function a schema or a serializer`;
