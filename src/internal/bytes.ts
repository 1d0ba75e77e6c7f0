/** Bytes in memory. */

/** Freshly made bytes: `Uint8Array<ArrayBuffer>` where TypeScript knows it (a valid `BodyInit`), `Uint8Array` before. */
export type Bytes = ReturnType<Uint8Array["slice"]>;

/** Joins pieces of `size` bytes in all. */
export function joinBytes(pieces: readonly Uint8Array[], size: number): Bytes {
  const joined = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
