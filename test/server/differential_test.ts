import assert from "node:assert/strict";
import { test } from "node:test";
import { needs } from "../support/gearmand.ts";
import { play, startStage } from "./play.ts";
import { packetScripts } from "./scripts.ts";
import { textScripts } from "./text_scripts.ts";
import { transcripts } from "./transcripts.ts";

for (const script of [...packetScripts, ...textScripts]) {
  test(`gearmand still answers as it was recorded: ${script.name}`, { skip: needs("gearmand") }, async () => {
    const gearmand = await startStage(script);
    try {
      assert.deepEqual(await play(script, gearmand), transcripts[script.name]);
    } finally {
      await gearmand.stop();
    }
  });
}
