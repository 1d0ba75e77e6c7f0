/** Plays the scripts against gearmand and writes its answers to transcripts.ts: `deno run -A test/conformance/record.ts` */

import { writeFileSync } from "node:fs";
import { playOnGearmand } from "./play.ts";
import { allScripts } from "./scripts.ts";

let text = `/** What gearmand 1.1.20 answered to each script; written by record.ts. */
export const transcripts: Readonly<Record<string, readonly string[]>> = {
`;
for (const script of allScripts) {
  const lines = (await playOnGearmand(script)).map((line) => `    ${JSON.stringify(line)},\n`);
  text += `  ${JSON.stringify(script.name)}: [\n${lines.join("")}  ],\n`;
}
writeFileSync(new URL("./transcripts.ts", import.meta.url), `${text}};\n`);
