/**
 * Names of functions, uniques and handles.
 *
 * On the wire a name is bytes. Here it is a string with one character for each byte, so that any bytes survive, and names
 * are compared byte by byte.
 */

import { utf8Decoder } from "../internal/text.ts";

/**
 * Decodes bytes to one character each, fast. From 0x80 to 0x9f the characters are those of windows-1252, so the result is
 * not a name: it is only fit for a comparison.
 */
export const latin1: TextDecoder = /* @__PURE__ */ new TextDecoder("latin1");

/** Converts bytes to a name. There must be few, because each is an argument of a call. */
export function toName(bytes: Uint8Array): string {
  if (bytes.length === 0) return "";
  return Reflect.apply(String.fromCharCode, undefined, bytes); // spreading the bytes takes ten times as long
}

/** Converts bytes to names, and returns the last name again for the same bytes: making one and its hash takes longer. */
export class NameReader {
  #bytes = new Uint8Array(0);
  #name = "";

  read(bytes: Uint8Array): string {
    if (!areEqual(bytes, this.#bytes)) {
      this.#bytes = bytes.slice();
      this.#name = toName(bytes);
    }
    return this.#name;
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i += 1;
  return i === a.length && i === b.length;
}

/** Converts the bytes before the first NUL to a name: gearmand reads the last argument of a packet as a string of C. */
export function toNameUntilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return toName(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Converts a name to an argument of a packet. A name of ASCII can be sent as it is, which is cheaper. */
export function toWire(name: string): string | Uint8Array {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(name) ? name : toBytes(name);
}

/** Converts a name to the text that its bytes mean in UTF-8. */
export function toText(name: string): string {
  return utf8Decoder.decode(toBytes(name));
}

function toBytes(name: string): Uint8Array {
  return Uint8Array.from(name, (character) => character.charCodeAt(0));
}

/** Converts letters of ASCII to lower case: in C, no others have a case. */
export function toLowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Returns the whole number that a name begins with, as its sign and digits, or "0", as atoi() and strtol() of C do. */
export function leadingDigits(name: string): string {
  return /^[\t-\r ]*([+-]?\d+)/.exec(name)?.[1] ?? "0";
}

/** Returns the whole number that a name begins with, cut to 32 bits. A number of more than 64 bits is all ones. */
export function leadingUint32(name: string): number {
  const digits = leadingDigits(name);
  if (Math.abs(Number(digits)) >= 2 ** 64) return 0xffff_ffff;
  return Number(BigInt.asUintN(32, BigInt(digits)));
}
