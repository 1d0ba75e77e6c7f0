// deno-lint-ignore-file no-console -- it is there to print
/** Counts lines of code per folder, comments and blank lines left out, and says whether they are within the bounds. */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** The library as a whole: someone new should be able to hold it in their head. */
const MOST_LINES = 4_200;
const MOST_LINES_PER_FILE = 350;
/** Captured data, not code. */
const DATA = ["test/fixtures/transcripts.ts", "test/fixtures/vectors.ts"];

const ROOT = new URL("../", import.meta.url);

function countLines(text: string): number {
  let lines = 0;
  let inComment = false;
  for (const line of text.split("\n").map((line) => line.trim())) {
    const starts = inComment || line.startsWith("/*");
    if (starts) inComment = !line.includes("*/");
    else if (line !== "" && !line.startsWith("//")) lines++;
  }
  return lines;
}

const files = ["src", "test", "scripts"]
  .flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`)
  )
  .concat("mod.ts")
  .filter((file) => file.endsWith(".ts") && !DATA.includes(file))
  .map((file) => ({ file, lines: countLines(readFileSync(new URL(file, ROOT), "utf8")) }));

const folders = new Map<string, number>();
for (const { file, lines } of files) {
  const folder = file.split("/").slice(0, file.startsWith("src/") ? 2 : 1).join("/");
  folders.set(folder, (folders.get(folder) ?? 0) + lines);
}
for (const [folder, lines] of folders) console.log(`${String(lines).padStart(6)}  ${folder}`);

const library = files
  .filter(({ file }) => file.startsWith("src/") || file === "mod.ts")
  .reduce((sum, { lines }) => sum + lines, 0);
console.log(`${String(library).padStart(6)}  the library (under ${MOST_LINES})`);

const long = files.filter(({ lines }) => lines > MOST_LINES_PER_FILE);
for (const { file, lines } of long) console.log(`${file} has ${lines} lines, and may have ${MOST_LINES_PER_FILE}`);
if (long.length > 0 || library >= MOST_LINES) process.exitCode = 1;
