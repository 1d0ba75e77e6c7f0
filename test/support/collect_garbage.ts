// Garbage collection on demand, which each runtime hides in another place.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const bun = (globalThis as { Bun?: { gc(force: boolean): void } }).Bun;
if (bun === undefined) setFlagsFromString("--expose-gc");

/** Frees all memory that is not referenced any more. */
export const collectGarbage: () => void = bun === undefined ? runInNewContext("gc") : () => bun.gc(true);
