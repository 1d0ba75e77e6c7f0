import assert from "node:assert/strict";
import { test } from "node:test";
import { JobServer } from "../../src/server/mod.ts";
import { play } from "./play.ts";
import { packetScripts } from "./scripts.ts";
import { textScripts } from "./text_scripts.ts";
import { transcripts } from "./transcripts.ts";

const scripts = [...packetScripts, ...textScripts];

for (const script of scripts) {
  test(`JobServer answers as gearmand does: ${script.name}`, async () => {
    const handlePrefix = "H";
    const server = new JobServer({ ...script.options, handlePrefix });
    try {
      const connect = () => Promise.resolve(server.dial({ hostname: "", port: 0 }, {}));
      assert.deepEqual(await play(script, { connect, handlePrefix }), transcripts[script.name]);
    } finally {
      await server.close();
    }
  });
}

test("there is a transcript of each script, and of no other", () => {
  assert.deepEqual(Object.keys(transcripts), scripts.map((script) => script.name));
});
