/** The programs in README: its blocks of TypeScript, and the files of JavaScript that they use. */

import { readFileSync } from "node:fs";
import { ROOT } from "../support/tools.ts";

/** A program in README. */
export interface Example {
  /** The name of its file: that in its first line, or else made of the heading, or of the bold words, before it. */
  readonly file: string;
  readonly code: string;
  /** Lines that it must print, in this order: the comments behind `console.log(…);`. */
  readonly prints: readonly string[];
}

export const README: string = readFileSync(`${ROOT}README.md`, "utf8");

/** Reads the programs of README. */
export function readExamples(): Example[] {
  const examples: Example[] = [];
  let heading = "";
  const pattern =
    /^(?:#+ ([^\n]+)$|\*\*([^*\n]+)\.\*\*|<details><summary>([^\n]+)<\/summary>$|```(?:ts|js)\n(.*?)^```$)/gms;
  for (const [, title, bold, summary, code] of README.matchAll(pattern)) {
    heading = title ?? bold ?? summary ?? heading;
    if (code === undefined) continue;
    const [, file = `${slugOf(heading)}.ts`] = /^\/\/ (\w+\.[jt]s)$/m.exec(code) ?? [];
    if (code.includes("cloudflare:sockets")) continue; // check:edge runs it
    const prints = Array.from(code.matchAll(/console\.log\(.*\);? *\/\/ (.+)$/gm), ([, text]) => text!);
    if (examples.some((example) => example.file === file)) throw new Error(`Two examples have the name ${file}`);
    examples.push({ file, code, prints });
  }
  return examples;
}

function slugOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^a-z]+/g, "-").replaceAll(/^-|-$/g, "");
}
