// Random lines of the text protocol, right and wrong: gearmand and JobServer give them the same answers.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { needs } from "../support/requirements.ts";
import { playOnGearmand, playOnJobServer } from "./play.ts";
import { canDo, type Script, submitBg } from "./script.ts";

const RUNS = Number(process.env["RANDOM_RUNS"] ?? 60);
const SEED = Number(process.env["RANDOM_SEED"] ?? 20_260);

const begin = fc.constantFrom(
  ...["", "status", "prioritystatus", "workers", "verbose", "version", "huh", "show", "show jobs", "show unique jobs"],
  ...["cancel", "cancel job", "cancel job H:1", "cancel job H:2", "maxqueue", "maxqueue f", "maxqueue f 1"],
  ...["create", "create function", "drop", "drop function"],
);
const word = fc.constantFrom(
  ...["status", "STATUS", "show", "jobs", "Jobs", "unique", "job", "cancel", "function", "Function", "create"],
  ...["f", "F", "g", "x", "1", "-1", "2x", ""],
);
const words = fc.array(fc.tuple(fc.constantFrom(" ", " ", " ", "  "), word).map((parts) => parts.join("")), {
  maxLength: 4,
});
const line = fc.tuple(begin, words, fc.constantFrom("", "", " ", "  "), fc.constantFrom("\n", "\r\n", "\r\r\n")).map(
  ([begin, words, blanks, end]) => {
    const line = begin + words.join("") + blanks;
    // One of the differences: a bare LF ends it.
    return line + (/^create +function/i.test(line) ? "\r\n" : end);
  },
);

// The function with jobs has a worker, so that it cannot be dropped: gearmand would drop it, another of the differences.
const scripts = fc.array(line, { minLength: 5, maxLength: 12 }).map((lines): Script => ({
  name: "random lines",
  steps: [
    ["w", canDo("g")],
    ["c", submitBg("g", "1"), submitBg("g", "2"), "create function F\r\n"],
    ...lines.flatMap((line) => [["d", line], ["c", "status\n"]] as const),
  ],
}));

test(
  "gearmand and JobServer answer random lines of text alike",
  { skip: needs("gearmand"), timeout: 600_000 },
  async () => {
    const property = fc.asyncProperty(scripts, async (script) => {
      const lines = script.steps.map(([_, line]) => JSON.stringify(line));
      assert.deepEqual(await playOnJobServer(script, "1.1"), await playOnGearmand(script), lines.join("\n"));
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED, timeout: 10_000 });
  },
);
