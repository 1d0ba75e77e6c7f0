/** Names are bytes on the wire: here each byte is one character, so that any bytes survive and compare as bytes. */

/** Each byte to a character of its own, fast; not the one of the same number from 0x80 to 0x9f. */
export const latin1: TextDecoder = /* @__PURE__ */ new TextDecoder("latin1");
const utf8Decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** Bytes to a name, one character for each byte; they are few, as arguments of a call. */
export function toName(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** The bytes before the first NUL as a name: how gearmand, which is written in C, reads the last argument of a packet. */
export function toNameUntilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return toName(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A name to what can be sent. ASCII is the same bytes as a string, and cheaper to encode. */
export function toWire(name: string): string | Uint8Array {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(name) ? name : toBytes(name);
}

/** A name to the text that a person meant by it. */
export function toText(name: string): string {
  return utf8Decoder.decode(toBytes(name));
}

const toBytes = (name: string) => Uint8Array.from(name, (character) => character.charCodeAt(0));

/** In C only letters of ASCII have another case. */
export function toLowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The digits, and sign, of the whole number that a name begins with, "0" if with none: atoi() and strtol() of C. */
export function leadingDigits(name: string): string {
  return /^[\t-\r ]*([+-]?\d+)/.exec(name)?.[1] ?? "0";
}

/** The same number cut to 32 bits; what does not fit in 64 is all ones. */
export function leadingUint32(name: string): number {
  const digits = leadingDigits(name);
  return Math.abs(Number(digits)) < 2 ** 64 ? Number(BigInt.asUintN(32, BigInt(digits))) : 0xffff_ffff;
}
