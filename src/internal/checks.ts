/** Checks of what callers pass in. Each throws `TypeError` for a wrong kind and `RangeError` for a wrong value. */

import { byteLength, quoted } from "./text.ts";

/** Longest duration of a timer in milliseconds; a longer timer fires at once. */
export const MAX_TIMER = 2_147_483_647;

/**
 * Reads a number option, or returns its fallback.
 *
 * @throws {RangeError} It must be a whole number from `min` to `max`.
 */
export function wholeNumber<K extends string, T>(
  options: { readonly [P in K]?: number | undefined },
  name: K,
  fallback: T,
  min: number,
  max: number,
): number | T {
  const value = options[name];
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`Cannot use ${name} ${quoted(value)}: expected a whole number from ${min} to ${max}`);
  }
  return value;
}

/**
 * Checks that the options of a call are an object; PHP's third argument, for one, is the unique.
 *
 * @throws {TypeError} They must be an object.
 */
export function checkOptions(options: object): void {
  if (typeof options === "object" ? options === null : typeof options !== "function") {
    throw new TypeError("Cannot use the options: expected an object");
  }
}

/**
 * Checks an option that is a function.
 *
 * @throws {TypeError} It must be a function.
 */
export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== "function") throw new TypeError(`Cannot use ${name}: expected a function`);
}

/**
 * Checks an option that is one of a few words.
 *
 * @throws {RangeError} It must be one of them.
 */
export function checkOneOf(value: string, name: string, words: readonly string[]): void {
  if (!words.includes(value)) {
    throw new RangeError(`Cannot use ${name} ${quoted(value)}: expected ${words.join(" or ")}`);
  }
}

/**
 * Checks text that becomes an argument of a packet; it may be empty.
 *
 * @throws {TypeError} It must be a string.
 * @throws {RangeError} It must have at most `maxBytes` bytes, and no NUL, line feed or lone surrogate.
 */
export function checkText(text: string, what: string, maxBytes: number): void {
  if (typeof text !== "string") throw new TypeError(`Cannot use the ${what}: it must be a string`);
  // A UTF-16 unit takes at most three bytes of UTF-8: most texts are short enough to skip the count.
  if (text.length * 3 > maxBytes && byteLength(text) > maxBytes) {
    throw new RangeError(`Cannot use the ${what}: it has ${byteLength(text)} bytes, and the maximum is ${maxBytes}`);
  }
  // A NUL ends an argument, and a line feed would break the lists of the text protocol. A lone surrogate is sent as U+FFFD,
  // like any other: two different names would become one. Three searches take half of the time of a regular expression.
  if (text.includes("\0") || text.includes("\n") || !text.isWellFormed()) {
    throw new RangeError(`Cannot use the ${what}: it holds a NUL, a line feed or a lone surrogate`);
  }
}

/**
 * Checks text that must not be empty.
 *
 * @throws {TypeError} It must be a string.
 * @throws {RangeError} It must have 1 to `maxBytes` bytes, and no NUL, line feed or lone surrogate.
 */
export function checkName(text: string, what: string, maxBytes: number): void {
  checkText(text, what, maxBytes);
  if (text === "") throw new RangeError(`Cannot use the ${what}: it is empty`);
}

/**
 * Checks text that becomes one word of a text command. Only a blank begins another word: gearmand takes a tab, with which
 * Perl's clients separate a prefix from a name.
 *
 * @throws {TypeError} It must be a string.
 * @throws {RangeError} It must have 1 to `maxBytes` bytes, and no blank, NUL, line feed or lone surrogate.
 */
export function checkWord(text: string, what: string, maxBytes: number): string {
  checkName(text, what, maxBytes);
  if (text.includes(" ")) {
    throw new RangeError(`Cannot use the ${what}: a blank would begin another word of the command`);
  }
  return text;
}
