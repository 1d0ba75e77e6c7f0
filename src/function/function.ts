/** A typed function, as its clients and its workers see it. */

import type { Payload } from "./payload.ts";

/**
 * A typed function: what `defineFunction` returns, or any object of this shape.
 *
 * `Input` is what a client sends, and `HandlerInput` what the handler gets. `HandlerOutput` is what the handler returns, and
 * `Output` what the client gets. They differ where a schema fills in defaults or transforms.
 */
export interface GearmanFunction<Input, Output, HandlerInput = Input, HandlerOutput = Output> {
  /** The name under which the job server knows the function. */
  readonly name: string;
  /** From the client to the worker. */
  readonly input: Payload<Input, HandlerInput>;
  /** From the worker to the client. */
  readonly output: Payload<HandlerOutput, Output>;
}

/** A typed function of any types. */
export type AnyFunction = GearmanFunction<never, unknown, unknown, never>;

/** The arguments of a call after the function: the input may be left out where it may be `undefined`. */
export type CallArguments<Input, Options> = undefined extends Input ? [input?: NoInfer<Input>, options?: Options]
  : [input: NoInfer<Input>, options?: Options];

/** Returns the definition, or `undefined` for a function by name and for what is neither. */
export function definitionOf(fn: string | AnyFunction): AnyFunction | undefined {
  return typeof fn === "string" || fn?.input === undefined ? undefined : fn;
}

/** Returns the name of a function; what is neither a name nor a definition is returned as it is, and is no valid name. */
export function nameOf(fn: string | AnyFunction): string {
  return definitionOf(fn)?.name ?? fn as string;
}
