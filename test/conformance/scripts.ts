/** All exchanges that are played against gearmand and against JobServer. */

import { clientScripts } from "./client_scripts.ts";
import { differenceScripts } from "./difference_scripts.ts";
import { malformedScripts } from "./malformed_scripts.ts";
import type { Script } from "./script.ts";
import { textScripts } from "./text_scripts.ts";
import { workerScripts } from "./worker_scripts.ts";

/** Those that look the same. */
export const scripts: readonly Script[] = [...clientScripts, ...workerScripts, ...malformedScripts, ...textScripts];

/** Those, and the ones that show a difference: what gearmand answers to them is recorded. */
export const allScripts: readonly Script[] = [
  ...scripts,
  ...differenceScripts.filter(({ theirs }) => theirs === undefined),
];
