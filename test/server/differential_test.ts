import assert from "node:assert/strict";
import { test } from "node:test";
import { needs } from "../support/gearmand.ts";
import { differenceScripts } from "./difference_scripts.ts";
import { playOnGearmand } from "./play.ts";
import { allScripts } from "./scripts.ts";
import { transcripts } from "../fixtures/transcripts.ts";

const options = { skip: needs("gearmand"), timeout: 60_000 };

for (const script of allScripts) {
  test(`gearmand still answers as it was recorded: ${script.name}`, options, async () => {
    assert.deepEqual(await playOnGearmand(script), transcripts[script.name]);
  });
}

for (const { theirs, ...script } of differenceScripts) {
  if (theirs === undefined) continue;
  test(`gearmand still answers not as JobServer does: ${script.name}`, options, async () => {
    assert.match((await playOnGearmand(script)).join("\n"), theirs);
  });
}
