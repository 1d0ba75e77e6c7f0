/** Text: decoding, JSON, lengths in bytes, and cleaning for messages. */

/** Decodes UTF-8 as it stands: a byte order mark is a part of the text. */
export const utf8Decoder: TextDecoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** Encodes UTF-8; a lone surrogate becomes U+FFFD. */
export const utf8Encoder: TextEncoder = /* @__PURE__ */ new TextEncoder();

/** The part of the class `Buffer` of Node, Bun and Deno that is used, and that works on any bytes. */
interface BufferMethods {
  readonly prototype: { utf8Slice?(this: Uint8Array, start: number, end: number): string };
}

/** Decodes a part of an array as a TextDecoder does, in half of its time, without a view; undefined in browsers. */
const utf8Slice = /* @__PURE__ */ findUtf8Slice();

function findUtf8Slice(): BufferMethods["prototype"]["utf8Slice"] {
  return (globalThis as { Buffer?: BufferMethods }).Buffer?.prototype.utf8Slice;
}

/** Decodes bytes as UTF-8. */
export function readText(bytes: Uint8Array): string {
  return readTextBetween(bytes, 0, bytes.length);
}

/** Decodes the bytes from `start` to `end` as UTF-8. */
export function readTextBetween(bytes: Uint8Array, start: number, end: number): string {
  return utf8Slice?.call(bytes, start, end) ?? utf8Decoder.decode(bytes.subarray(start, end));
}

/** Parses JSON; a byte order mark before it is skipped. */
export function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/^\ufeff/, ""));
}

/** Returns the length of a string in bytes of UTF-8. */
export function byteLength(text: string): number {
  return utf8Encoder.encode(text).length;
}

/** Maximum length of a peer's text in a message, in UTF-16 units. */
const MAX_PRINTED = 200;
/**
 * What a message must not hold as it is: control characters (C0, C1, DEL), which command terminals; line and paragraph
 * separators; controls of the writing direction, which reorder the text around them; and lone surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]+/gu;

/**
 * Makes the text of a peer fit for a message: one line of at most 200 characters, with an ellipsis if it was cut.
 *
 * All text of peers in messages goes through here. One space takes the place of what cannot be printed: a message is for
 * people, who read an exception of several lines more easily so than with escapes. Programs find the text as it came in
 * the properties of errors and events.
 */
export function printable(text: string): string {
  // Cut first, so that the time does not depend on the length. Half of a pair at the cut is a lone surrogate.
  const isCut = text.length > MAX_PRINTED;
  const clean = text.slice(0, isCut ? MAX_PRINTED - 1 : MAX_PRINTED).replace(UNPRINTABLE, " ").trim();
  return isCut ? `${clean}\u2026` : clean;
}

/** Returns the message of anything that was thrown, cleaned for another message; never throws. */
export function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return printable(String(thrown));
    // The AggregateError of a host with several addresses has a code and no message.
    return printable(thrown.message || (thrown as { code?: string }).code || thrown.name);
  } catch {
    return "unknown error";
  }
}

/** Returns a wrong value for a message: text in quotes, so that "12" and 12 look different; never throws. */
export function quoted(value: unknown): string {
  const text = messageOf(value);
  return typeof value === "string" ? `"${text}"` : text;
}
