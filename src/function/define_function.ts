/** The definition of a typed function, which its clients and its workers share. */

import { checkOptions } from "../internal/checks.ts";
import { checkFunctionName } from "../codec/arguments.ts";
import type { GearmanFunction } from "./function.ts";
import type { JsonName } from "./json_name.ts";
import { createPayload, type FunctionOptions } from "./payload.ts";

/**
 * Defines a function by its types alone. They travel as JSON, and nothing is checked while the program runs.
 *
 * A type that JSON does not preserve, such as `Date`, does not compile. Without types, the function has neither input nor
 * output. In code that is generic itself, pass `{}` as options: there the compiler cannot know the types.
 *
 * @example Types alone
 * ```ts
 * import { defineFunction, GearmanClient } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * const cleanUp = defineFunction<{ olderThan: number }>("clean-up");
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using client = new GearmanClient({ dial: server.dial });
 * await client.doBackground(cleanUp, { olderThan: 30 }, { unique: "clean-up" });
 * ```
 *
 * @throws {TypeError} The name is not a string.
 * @throws {RangeError} The name must have 1 to 512 bytes, and no NUL, line feed or lone surrogate.
 */
export function defineFunction<Input = void, Output = void>(
  name: JsonName<Input, Output>,
): GearmanFunction<Input, Output>;
/**
 * Defines a function with a schema for its input, its output or both, and with another serializer than JSON if needed.
 *
 * The sender checks a value, and sends it as it is. The receiver checks it again, and gets what the schema makes of it.
 * Defaults and transformations therefore happen once, at the receiver: at the worker for the input, and at the client for
 * the output. Other clients and workers, in PHP for example, send and get what is on the wire: JSON without the defaults.
 *
 * Some hints:
 *
 * - A `Date` becomes a string in JSON. Only a schema that takes the string too can bring it back: `z.coerce.date()`, and
 *   not `z.date()`.
 * - A message of a schema reaches every client, as the exception of the job.
 * - A schema that refuses unknown keys breaks deployments in which one side is newer than the other.
 * - PHP encodes an empty array as a list: `json_encode([])` is `[]`, and `json_encode(new stdClass)` is `{}`.
 * - Without a schema, `undefined` in the background arrives as what the serializer makes of it; with JSON, it is `null`.
 *
 * @example A definition, its worker and its client
 * ```ts
 * import { defineFunction, GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 * import { z } from "zod"; // or another library with Standard Schema
 *
 * const resize = defineFunction("resize", { // in a module that client and worker import
 *   input: z.object({ name: z.string(), width: z.number().default(100) }),
 *   output: z.object({ url: z.string() }),
 * });
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using worker = new GearmanWorker({ dial: server.dial });
 * worker.addFunction(resize, async ({ name, width }, job) => {
 *   await job.sendStatus(1, 2);
 *   return { url: `/${width}/${name}` };
 * });
 * worker.run();
 *
 * await using client = new GearmanClient({ dial: server.dial });
 * const { url } = await client.do(resize, { name: "cat.png" });
 * console.log(url); // /100/cat.png
 * ```
 *
 * @throws {TypeError} The name must be a string, and a schema must implement Standard Schema. A serializer must have the
 * functions `encode` and `decode`.
 * @throws {RangeError} The name must have 1 to 512 bytes, and no NUL, line feed or lone surrogate.
 */
export function defineFunction<Input = void, Output = void, HandlerInput = Input, HandlerOutput = Output>(
  name: string,
  options: FunctionOptions<Input, Output, HandlerInput, HandlerOutput>,
): GearmanFunction<Input, Output, HandlerInput, HandlerOutput>;
export function defineFunction(
  name: string,
  options: FunctionOptions<unknown, unknown> = {},
): GearmanFunction<unknown, unknown> {
  checkFunctionName(name);
  checkOptions(options);
  return {
    name,
    input: createPayload(name, "input", options),
    output: createPayload(name, "output", options),
  };
}
