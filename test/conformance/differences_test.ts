// Shows each row of the table in src/server/mod.ts: where gearmand crashes, hangs, loses or corrupts, and JobServer does not.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PacketType as P } from "../../src/codec/mod.ts";
import { differenceScripts, NOT_PLAYED } from "./difference_scripts.ts";
import { playedTogether } from "./play.ts";
import { canDo, complete, grab, type Script, sleep, submit, submitBg, UNTIL, WAIT } from "./script.ts";
import { transcriptOf, VERSIONS } from "./scripts.ts";
import { transcripts20 } from "./transcripts_2_0.ts";
import { request as r } from "./wire.ts";

/** The rows of the table by name, each with the versions of gearmand that it is about. */
const rows = new Map<string, readonly string[]>();
const text = readFileSync(new URL("../../src/server/mod.ts", import.meta.url), "utf8");
for (const [, name, versions] of text.matchAll(/^ \* \| (.+?) \| (1\.1|1\.1, 2\.0) \| .* \| .* \| .* \|$/gm)) {
  rows.set(name!, versions!.split(", "));
}

for (const version of VERSIONS) {
  const different = playedTogether(differenceScripts, version);
  for (const script of differenceScripts) {
    const isListed = rows.get(script.name)?.includes(version) === true;
    // Rows that are only about 1.1 were not seen in 2.0, or are different there.
    if (!isListed && !(script.name in transcripts20)) continue;
    const name = `JobServer ${isListed ? "differs from" : "answers as"} gearmand ${version}: ${script.name}`;
    test(name, { timeout: 30_000 }, async () => {
      const theirs = transcriptOf(script.name, version) ?? [];
      const ours = (await different(script)).filter((line) => !theirs.includes(line));
      assert.deepEqual(ours, isListed ? script.ours : []);
    });
  }
}

test("the table of differences has one row for each of these scripts, and no others", () => {
  const shown = [...differenceScripts.map(({ name }) => name), ...Object.keys(NOT_PLAYED)];
  assert.deepEqual([...rows.keys()].sort(), shown.sort());
});

/** Exchanges that show several differences of the table, or that would need other options of gearmand. */
const more: readonly (Script & { readonly answers: readonly string[] })[] = [
  {
    name: "an epoch that is far away is kept",
    steps: [["c", r(P.SUBMIT_JOB_EPOCH, "f", "", "9223372036854775000", ""), canDo("f"), grab]],
    answers: ["1 c: [JOB_CREATED H:1][NO_JOB]"],
  },
  {
    name: "a job over its time limit goes to another worker, whatever else its own worker does",
    steps: [
      ["c", submit("f", "a"), submit("f", "b")],
      ["slow", r(P.CAN_DO_TIMEOUT, "f", "1"), grab, grab, grab, sleep, complete("H:2")],
      ["w", canDo("f"), sleep],
      ["w", WAIT],
      ["w", grab, grab],
      ["slow", complete("H:1", "late")],
      ["c", "show jobs\n", "status\n"],
    ],
    answers: [
      "1 c: [JOB_CREATED H:1][JOB_CREATED H:2]",
      "2 slow: [JOB_ASSIGN H:1|f|][JOB_ASSIGN H:2|f|][NO_JOB]",
      "2 c: [WORK_COMPLETE H:2|]",
      "4 w: [NOOP]",
      "4 slow: [NOOP]",
      "5 w: [JOB_ASSIGN H:1|f|][NO_JOB]",
      "6 slow: [ERROR JOB_NOT_FOUND|Job given in work result not found]",
      "7 c: H:1\\t1\\t0\\t0\\n.\\nf\\t1\\t1\\t2\\n.\\n",
    ],
  },
  {
    name: "a job over its time limit fails when no retry is left",
    options: { jobRetries: 1 },
    steps: [["c", submit("f", "a")], ["w", r(P.CAN_DO_TIMEOUT, "f", "1"), grab], ["c", WAIT]],
    answers: ["1 c: [JOB_CREATED H:1]", "2 w: [JOB_ASSIGN H:1|f|]", "3 c: [WORK_FAIL H:1]"],
  },
  {
    name: "a job that is assigned and, in the same write, ended by its worker has its workload",
    options: { jobRetries: 1 },
    steps: [["c", submit("f", "1", "workload")], ["w", canDo("f"), grab, r(P.RESET_ABILITIES)]],
    answers: ["1 c: [JOB_CREATED H:1]", "2 w: [JOB_ASSIGN H:1|f|workload]", "2 c: [WORK_FAIL H:1]"],
  },
  {
    name: "a function is dropped together with its abandoned jobs",
    steps: [
      ["c", submit("f", "a")],
      ["c", null],
      ["d", "drop function f\n", "status\n", "show jobs\n"],
      ["d", submitBg("f", "a"), "show jobs\n"],
    ],
    answers: ["1 c: [JOB_CREATED H:1]", "3 d: OK\\r\\n.\\n.\\n", "4 d: [JOB_CREATED H:2]H:2\\t0\\t0\\t1\\n.\\n"],
  },
  {
    name: "a late packet of a job over its time limit is refused",
    steps: [
      ["c", submitBg("f", "a")],
      ["slow", r(P.CAN_DO_TIMEOUT, "f", "1000"), grab],
      ["c", UNTIL, "show jobs\n", "H:1\t1"],
      ["slow", r(P.WORK_DATA, "H:1", "late")],
    ],
    answers: [
      "1 c: [JOB_CREATED H:1]",
      "2 slow: [JOB_ASSIGN H:1|f|]",
      "3 c: H:1\\t1\\t0\\t1\\n.\\n",
      "4 slow: [ERROR JOB_NOT_FOUND|Job does not exist on server]",
    ],
  },
];

for (const version of VERSIONS) {
  const answersTo = playedTogether(more, version);
  for (const script of more) {
    test(`${script.name}, as ${version}`, { timeout: 30_000 }, async () => {
      assert.deepEqual(await answersTo(script), script.answers);
    });
  }
}
