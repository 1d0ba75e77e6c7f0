import assert from "node:assert/strict";
import { test } from "node:test";
import { playOnJobServer } from "./play.ts";
import { allScripts, scripts } from "./scripts.ts";
import { transcripts } from "../fixtures/transcripts.ts";

for (const script of scripts) {
  test(`JobServer answers as gearmand does: ${script.name}`, async () => {
    assert.deepEqual(await playOnJobServer(script), transcripts[script.name]);
  });
}

test("there is a transcript of each script, and of no other", () => {
  assert.deepEqual(Object.keys(transcripts), allScripts.map((script) => script.name));
  assert.ok(scripts.length >= 60, `there are only ${scripts.length} scripts`);
});
