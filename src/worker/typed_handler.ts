/** Handlers of typed functions: from a workload to an input, and from an output to a result. */

import { checkFunction } from "../internal/checks.ts";
import { isPromiseLike } from "../internal/promises.ts";
import type { Workload } from "../codec/arguments.ts";
import { type AnyFunction, definitionOf, type GearmanFunction } from "../function/function.ts";
import type { AssignedJob, JobContext, JobHandler } from "./assigned_job.ts";

/** Works on a job of a typed function: gets the input, and returns the output. What it throws fails the job. */
export type FunctionHandler<Input, Output> = (input: Input, job: JobContext) => Output | Promise<Output>;

/** The handler that a function needs: by its name a {@linkcode JobHandler}, otherwise a {@linkcode FunctionHandler}. */
export type HandlerOf<F> = F extends GearmanFunction<never, unknown, infer Input, infer Output>
  ? FunctionHandler<Input, Output>
  : JobHandler;

/**
 * Turns the handler of any function into one that gets a job, and returns its result.
 *
 * @throws {TypeError} A definition must have the functions that are used here.
 */
export function jobHandlerOf<F extends string | AnyFunction>(fn: F, handler: HandlerOf<F>): JobHandler {
  const definition = definitionOf(fn);
  if (definition === undefined) return handler as JobHandler;
  checkFunction(definition.input.decode, "input.decode of the function");
  checkFunction(definition.output?.encode, "output.encode of the function");
  return typedHandler(definition, handler as FunctionHandler<unknown, never>);
}

/** Each step is synchronous if it can be, so that a synchronous handler costs no promise. */
function typedHandler({ name, input, output }: AnyFunction, handler: FunctionHandler<unknown, never>): JobHandler {
  function work(value: unknown, job: AssignedJob): Workload | Promise<Workload> {
    const result = handler(value, new TypedJob(job));
    return isPromiseLike(result) ? Promise.resolve(result).then(encode) : encode(result);
  }

  function encode(value: never): Workload | Promise<Workload> {
    if (isGenerator(value)) {
      throw new TypeError(`Cannot use a generator as handler of "${name}": it must return the output`);
    }
    const encoded = output.encode(value);
    return isPromiseLike(encoded) ? Promise.resolve(encoded) : encoded;
  }

  return (job) => {
    const decoded = input.decode(job.workload);
    if (!isPromiseLike(decoded)) return work(decoded, job);
    return Promise.resolve(decoded).then((value) => {
      job.signal.throwIfAborted(); // meanwhile the job was lost, or its time is over
      return work(value, job);
    });
  };
}

/** True for what a generator function returns, synchronous or not. */
function isGenerator(value: unknown): boolean {
  const iterator = Object(value) as Partial<AsyncGenerator & Generator>;
  const isIterable = typeof iterator[Symbol.asyncIterator] === "function" ||
    typeof iterator[Symbol.iterator] === "function";
  return isIterable && typeof iterator.next === "function";
}

/** A job without what belongs to handlers of functions by name: data that they send would garble the output. */
class TypedJob implements JobContext {
  readonly handle: string;
  readonly functionName: string;
  readonly unique: string;
  declare readonly reducer?: string;
  readonly workload: Uint8Array;
  readonly #job: AssignedJob;

  constructor(job: AssignedJob) {
    this.handle = job.handle;
    this.functionName = job.functionName;
    this.unique = job.unique;
    if (job.reducer !== undefined) this.reducer = job.reducer;
    this.workload = job.workload;
    this.#job = job;
  }

  get signal(): AbortSignal {
    return this.#job.signal;
  }

  sendWarning(chunk: Workload): Promise<void> {
    return this.#job.sendWarning(chunk);
  }

  sendStatus(numerator: number, denominator: number): Promise<void> {
    return this.#job.sendStatus(numerator, denominator);
  }
}
