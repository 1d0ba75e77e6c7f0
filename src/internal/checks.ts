/** Options that are numbers. */

/**
 * A number option, or its default.
 *
 * @throws {RangeError} It is not a whole number in the range.
 */
export function wholeNumber<K extends string, T>(
  options: { readonly [P in K]?: number | undefined },
  name: K,
  usual: T,
  min: number,
  max: number,
): number | T {
  const value = options[name];
  if (value === undefined) return usual;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`Cannot use ${name} ${String(value)}: expected a whole number from ${min} to ${max}`);
  }
  return value;
}
