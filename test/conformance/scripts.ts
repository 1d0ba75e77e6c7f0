/** All exchanges that are played against gearmand and against JobServer. */

import { clientScripts } from "./client_scripts.ts";
import { differenceScripts } from "./difference_scripts.ts";
import { malformedScripts } from "./malformed_scripts.ts";
import type { Script } from "./script.ts";
import { textScripts } from "./text_scripts.ts";
import { workerScripts } from "./worker_scripts.ts";

/** Scripts that both servers answer alike. */
export const scripts: readonly Script[] = [...clientScripts, ...workerScripts, ...malformedScripts, ...textScripts];

/** All scripts with a recorded answer of gearmand: also those that show a difference. */
export const allScripts: readonly Script[] = [
  ...scripts,
  ...differenceScripts.filter(({ theirs }) => theirs === undefined),
];
