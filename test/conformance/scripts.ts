/** All exchanges that are played against gearmand and against JobServer. */

import { clientScripts } from "./client_scripts.ts";
import { differenceScripts } from "./difference_scripts.ts";
import { malformedScripts } from "./malformed_scripts.ts";
import type { GearmandVersion } from "../../src/server/mod.ts";
import type { Script } from "./script.ts";
import { textScripts } from "./text_scripts.ts";
import { transcripts } from "./transcripts.ts";
import { transcripts20 } from "./transcripts_2_0.ts";
import { workerScripts } from "./worker_scripts.ts";

/** Scripts that both servers answer alike. */
export const scripts: readonly Script[] = [...clientScripts, ...workerScripts, ...malformedScripts, ...textScripts];

/** All scripts with a recorded answer of gearmand: also those that show a difference. */
export const allScripts: readonly Script[] = [
  ...scripts,
  ...differenceScripts.filter(({ theirs }) => theirs === undefined),
];

/** The versions of gearmand that JobServer answers as. */
export const VERSIONS: readonly GearmandVersion[] = ["1.1", "2.0"];

/** Returns what a version of gearmand answered to a script; undefined if it was not recorded. */
export function transcriptOf(name: string, version: GearmandVersion): readonly string[] | undefined {
  return version === "2.0" ? transcripts20[name] ?? transcripts[name] : transcripts[name];
}
