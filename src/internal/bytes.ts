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

/** Memory that nothing but the reader of its bytes refers to. */
const exclusive = /* @__PURE__ */ new WeakSet<ArrayBufferLike>();

/** A buffer whose memory can be freed; Node 20 has no `transfer`. */
interface Freeable {
  transfer?(size: number): unknown;
}

/** Declares that nothing but the reader of these bytes refers to their memory. Bytes that are a part of it are ignored. */
export function markExclusive({ buffer, length }: Uint8Array): void {
  if (length === buffer.byteLength) exclusive.add(buffer);
}

/**
 * Frees memory that was marked, if these bytes are all of it; a view of it is empty then.
 *
 * V8 frees the memory of unused arrays only when there are 64 MB of it, and JavaScriptCore later still.
 */
export function freeMemory({ buffer, length }: Uint8Array): void {
  if (length === buffer.byteLength && exclusive.has(buffer)) (buffer as Freeable).transfer?.(0);
}
