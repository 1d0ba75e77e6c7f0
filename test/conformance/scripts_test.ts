import assert from "node:assert/strict";
import { test } from "node:test";
import { needs } from "../support/requirements.ts";
import { differenceScripts } from "./difference_scripts.ts";
import { playOnGearmand, playOnJobServer } from "./play.ts";
import { allScripts, scripts, transcriptOf, VERSIONS } from "./scripts.ts";
import { transcripts } from "./transcripts.ts";
import { transcripts20 } from "./transcripts_2_0.ts";

for (const version of VERSIONS) {
  for (const script of scripts) {
    test(`JobServer answers as gearmand ${version} does: ${script.name}`, async () => {
      assert.deepEqual(await playOnJobServer(script, version), transcriptOf(script.name, version));
    });
  }
}

test("every script has a transcript, and every transcript a script", () => {
  assert.deepEqual(Object.keys(transcripts), allScripts.map((script) => script.name));
  for (const name of Object.keys(transcripts20)) assert.ok(name in transcripts, name);
  assert.ok(scripts.length >= 60, `there are only ${scripts.length} scripts`);
});

const onGearmand = { skip: needs("gearmand"), timeout: 60_000 };

for (const script of allScripts) {
  test(`gearmand still answers as it was recorded: ${script.name}`, onGearmand, async () => {
    assert.deepEqual(await playOnGearmand(script), transcripts[script.name]);
  });
}

for (const { theirs, ...script } of differenceScripts) {
  if (theirs === undefined) continue;
  test(`gearmand still differs from JobServer: ${script.name}`, onGearmand, async () => {
    assert.match((await playOnGearmand(script)).join("\n"), theirs);
  });
}
