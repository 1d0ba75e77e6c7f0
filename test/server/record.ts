/** Plays the scripts against gearmand and writes what it answers to transcripts.ts: `deno run -A test/server/record.ts` */

import { writeFileSync } from "node:fs";
import { play, startStage } from "./play.ts";
import { packetScripts } from "./scripts.ts";
import { textScripts } from "./text_scripts.ts";

let text = `/** What gearmand 1.1.20 answered to each script; written by record.ts. */
export const transcripts: Readonly<Record<string, readonly string[]>> = {
`;
for (const script of [...packetScripts, ...textScripts]) {
  const gearmand = await startStage(script);
  const lines = (await play(script, gearmand)).map((line) => `    ${JSON.stringify(line)},\n`);
  text += `  ${JSON.stringify(script.name)}: [\n${lines.join("")}  ],\n`;
  await gearmand.stop();
}
writeFileSync(new URL("transcripts.ts", import.meta.url), `${text}};\n`);
