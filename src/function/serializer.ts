/** Serializers: values to bytes, and bytes to values. */

import { parseJson, readText } from "../internal/text.ts";
import type { Workload } from "../codec/arguments.ts";

/**
 * How values become bytes, and bytes values again: `import * as cbor from "cbor-x"` is one. Both may be asynchronous.
 *
 * The bytes that `encode` returns are copied at once, so it may use their memory again. No bytes stand for `undefined`,
 * and `decode` is not called for them. `encode` is called with `undefined` only for a job in the background, which needs
 * at least one byte.
 */
export interface Serializer {
  /** Encodes a value; a string is sent as UTF-8. */
  encode(value: unknown): Workload | PromiseLike<Workload>;
  /** Decodes bytes, at least one. */
  decode(bytes: Uint8Array): unknown;
}

/**
 * JSON, the serializer of a function that names no other. `undefined` is encoded as `null`. A byte order mark before the
 * text is skipped.
 */
export const jsonSerializer: Serializer = {
  // A function, for example, becomes undefined here, which is no workload.
  encode: (value) => JSON.stringify(value ?? null),
  decode: (bytes) => parseJson(readText(bytes)),
};

/**
 * Bytes as they are; a string is sent as UTF-8. No bytes are decoded to an empty `Uint8Array`; `undefined` is sent as no
 * bytes, and cannot be sent in the background.
 */
export const bytesSerializer: Serializer = {
  encode: (value = "") => value as Workload,
  decode: (bytes) => bytes,
};
