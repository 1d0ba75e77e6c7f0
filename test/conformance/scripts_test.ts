import assert from "node:assert/strict";
import { test } from "node:test";
import { needs } from "../support/requirements.ts";
import { differenceScripts } from "./difference_scripts.ts";
import { playOnGearmand, playOnJobServer } from "./play.ts";
import { allScripts, scripts } from "./scripts.ts";
import { transcripts } from "./transcripts.ts";

for (const script of scripts) {
  test(`JobServer answers as gearmand does: ${script.name}`, async () => {
    assert.deepEqual(await playOnJobServer(script), transcripts[script.name]);
  });
}

test("every script has a transcript, and every transcript a script", () => {
  assert.deepEqual(Object.keys(transcripts), allScripts.map((script) => script.name));
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
