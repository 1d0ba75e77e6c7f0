/** Reading the bytes of packets. */

/** Reads a big-endian number of 32 bits. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Returns the position of the first NUL from `start` on, or `end` if there is none before it. */
export function findNul(bytes: Uint8Array, start: number, end: number): number {
  // The arguments before the last are short: a loop is faster than indexOf(), which cannot be given an end.
  let at = start;
  while (at < end && bytes[at] !== 0) at += 1;
  return at;
}
