/** Schemas of the tests' own: Standard Schema without a library, so that a test sees when and how they are asked. */

import type { Schema, SchemaIssue, SchemaResult } from "../../mod.ts";

/** Makes a schema from the function that it checks with. */
export function schemaOf<Input, Output = Input>(
  validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>,
): Schema<Input, Output> {
  return { "~standard": { version: 1, vendor: "tests", validate } };
}

/** Makes a schema that refuses every value, with the issues. */
export function refusing<T = unknown>(...issues: readonly SchemaIssue[]): Schema<T> {
  return schemaOf(() => ({ issues }));
}

/** Makes the same schema, but with results that come later. */
export function later<Input, Output>(schema: Schema<Input, Output>): Schema<Input, Output> {
  return schemaOf(async (value) => {
    await Promise.resolve();
    return await schema["~standard"].validate(value);
  });
}

/** A schema of text; it trims the text, and fills in "(none)" for `undefined`. */
export const trimmed: Schema<string | undefined, string> = schemaOf((value = " (none) ") =>
  typeof value === "string" ? { value: value.trim() } : { issues: [{ message: `expected a string, got ${value}` }] }
);
