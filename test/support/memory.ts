// Collecting garbage now, which each runtime has hidden somewhere else.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const bun = (globalThis as { Bun?: { gc(force: boolean): void } }).Bun;
if (bun === undefined) setFlagsFromString("--expose-gc");

/** Collects all that nobody holds any more. */
export const collect: () => void = bun === undefined ? runInNewContext("gc") : () => bun.gc(true);
