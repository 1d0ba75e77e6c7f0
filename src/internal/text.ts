/** Text: decoding, lengths in bytes, and cleaning for messages. */

/** Decodes UTF-8 as it stands: a byte order mark is a part of the text. */
export const utf8Decoder: TextDecoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** Above this length in bytes, `TextDecoder` is faster than a loop. */
const SHORT = 64;

/** Decodes bytes as UTF-8. */
export function readText(bytes: Uint8Array): string {
  if (bytes.length > SHORT) return utf8Decoder.decode(bytes);
  // Handles and names are short and ASCII: a loop costs a fraction of a call of TextDecoder.
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte > 127) return utf8Decoder.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Returns the length of a string in bytes of UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Cleans the text of a peer for a message: no control characters, at most 200 characters. */
export function printable(text: string): string {
  const clean = text.slice(0, 400).replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
  return clean.length > 200 ? `${clean.slice(0, 199)}…` : clean;
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
