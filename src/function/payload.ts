/** One direction of a typed function: from a value to checked bytes, and from bytes to a checked value. */

import { type SchemaIssue, ValidationError } from "../errors.ts";
import { checkFunction } from "../internal/checks.ts";
import { attempt, isPromiseLike, markHandled } from "../internal/promises.ts";
import { messageOf } from "../internal/text.ts";
import { checkWorkload, type Workload } from "../codec/arguments.ts";
import type { Schema } from "./schema.ts";
import { bytesSerializer, jsonSerializer, type Serializer } from "./serializer.ts";

/** Options of `Payload.encode`. */
export interface EncodeOptions {
  /** True for the input of a job in the background, which needs at least one byte. Default false. */
  readonly background?: boolean | undefined;
}

/** The options for the input of a job in the background. */
export const BACKGROUND: EncodeOptions = { background: true };

/**
 * One direction of a function: checked and encoded where it is sent, decoded and checked where it is received.
 *
 * Both functions return a promise only if the schema or the serializer does.
 */
export interface Payload<Sent, Received = Sent> {
  /**
   * Checks a value, and encodes it as it is; what the schema makes of it is for the receiver. `undefined` is no bytes,
   * unless it is for the background.
   *
   * @throws {ValidationError} The schema refuses the value, or the serializer cannot encode it. Where the schema or the
   * serializer is asynchronous, the promise rejects with it.
   */
  readonly encode: (value: Sent, options?: EncodeOptions) => Workload | PromiseLike<Workload>;
  /**
   * Decodes bytes, and returns what the schema makes of them. No bytes are `undefined`. A `null` that the schema refuses
   * is checked once more as `undefined`.
   *
   * @throws {ValidationError} The serializer cannot decode the bytes, or the schema refuses the value. Where the schema or
   * the serializer is asynchronous, the promise rejects with it.
   */
  readonly decode: (bytes: Uint8Array) => Received | PromiseLike<Received>;
}

/** Options of {@linkcode defineFunction}. */
export interface FunctionOptions<Input, Output, HandlerInput = Input, HandlerOutput = Output> {
  /** Checks the input on both sides. Default none: its type is taken on trust. */
  input?: Schema<Input, HandlerInput> | undefined;
  /** Checks the output on both sides. Default none: its type is taken on trust. */
  output?: Schema<HandlerOutput, Output> | undefined;
  /** Encodes input and output, or one for each. Default {@linkcode jsonSerializer}. */
  serializer?: Serializer | { readonly input: Serializer; readonly output: Serializer } | undefined;
}

/**
 * Makes one direction of a function.
 *
 * @throws {TypeError} The schema must be a Standard Schema, and the serializer must have its two functions.
 */
export function createPayload(
  functionName: string,
  part: "input" | "output",
  options: FunctionOptions<unknown, unknown>,
): Payload<unknown> {
  const { [part]: schema, serializer: both = jsonSerializer } = options;
  const serializer = (both as { readonly [P in typeof part]?: Serializer } | null)?.[part] ?? both as Serializer;
  if (schema !== undefined) checkFunction(schema?.["~standard"]?.validate, "~standard.validate");
  checkFunction(serializer?.encode, "serializer.encode");
  checkFunction(serializer.decode, "serializer.decode");

  const refuse = (issues: readonly SchemaIssue[], options?: ErrorOptions): never => {
    throw new ValidationError(functionName, part, issues, options);
  };

  /** What a library throws becomes a `ValidationError`. */
  const onError = (cause: unknown): never => {
    if (cause instanceof ValidationError) throw cause;
    return refuse([{ message: messageOf(cause) }], { cause });
  };

  /** Returns what the schema makes of a value. */
  const check = (value: unknown, onIssues: (issues: readonly SchemaIssue[]) => unknown = refuse): unknown =>
    schema === undefined ? value : attempt(
      () => schema["~standard"].validate(value),
      (result) => result.issues === undefined ? result.value : onIssues(result.issues),
      onError,
    );

  const serialize = (value: unknown, options?: EncodeOptions): Workload | PromiseLike<Workload> =>
    value === undefined && !options?.background ? "" : attempt(
      () => serializer.encode(value),
      (encoded) => {
        checkWorkload(encoded);
        if (options?.background && encoded.length === 0) throw new TypeError("it was encoded as no bytes");
        // The bytes may be the caller's own, or memory that the serializer uses again.
        return typeof encoded === "string" ? encoded : new Uint8Array(encoded);
      },
      onError,
    );

  const encode = (value: unknown, options?: EncodeOptions): Workload | PromiseLike<Workload> => {
    const checked = check(value);
    if (!isPromiseLike(checked)) return serialize(value, options);
    // Not after the check: the caller may change the value meanwhile.
    const encoding = markHandled(new Promise<Workload>((resolve) => resolve(serialize(value, options))));
    return checked.then(() => encoding);
  };

  const decode = (bytes: Uint8Array): unknown => {
    const isEmpty = bytes.length === 0;
    const receive = (value: unknown) =>
      check(value, (issues) => {
        const mayBeUndefined = value === null || isEmpty;
        return mayBeUndefined ? check(undefined, () => refuse(issues)) : refuse(issues);
      });
    return isEmpty && serializer !== bytesSerializer
      ? receive(undefined)
      : attempt(() => serializer.decode(bytes), receive, onError);
  };

  return { encode, decode };
}
