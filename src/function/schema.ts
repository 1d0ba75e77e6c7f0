/** Standard Schema v1 (standardschema.dev): the interface of zod, valibot, arktype and others, as far as it is used. */

import type { SchemaIssue } from "../errors.ts";

/**
 * A schema of any library that implements Standard Schema v1, such as zod, valibot and arktype.
 *
 * It takes values of the type `Input`, and makes values of the type `Output` of them: it may fill in defaults, and
 * transform.
 */
export interface Schema<Input = unknown, Output = Input> {
  /** The properties of the standard. */
  readonly "~standard": {
    /** The version of the standard. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Checks a value. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** The types, for the compiler only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema makes of a value, or why it refuses the value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };
