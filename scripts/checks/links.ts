// deno-lint-ignore-file no-console -- it is there to print
/**
 * Checks every link of README.md, CHANGELOG.md and the documentation comments, without a network: a relative one leads to
 * a file that is published, an anchor to a heading, `{@link}` to a declaration, and an absolute one is among those known.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };

/** The addresses that may be linked to: someone has looked at each. */
const KNOWN = [
  "https://gearman.org",
  "https://github.com/gearman/gearmand",
  "https://github.com/gearwire/gearman/blob/main/scripts/bench/results.md",
  "https://raw.githubusercontent.com/gearwire/gearman/main/scripts/bench/chart.svg",
  "https://www.php.net/manual/en/gearmanclient.dobackground.php",
];

/** `{@link Name}`, `{@linkcode Interface.member}`, `{@linkcode Class.prototype.member | text}`. */
const LINK = /\{@link(?:code|plain)? ((\w+)(\.prototype)?(?:\.(\w+))?)/g;

const ROOT = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, ROOT), "utf8");

const sources = readdirSync(new URL("src/", ROOT), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => `src/${file}`)
  .concat("mod.ts");

const codes = sources.map(read);

/** Each text that has links: the pages as they are, and of each source its comments. */
const texts = new Map(["README.md", "CHANGELOG.md"].map((file) => [file, read(file)]));
for (const [at, file] of sources.entries()) {
  const comments = Array.from(codes[at]!.matchAll(/\/\*\*.*?\*\//gs), ([comment]) => comment.replaceAll(/^ *\*/gm, ""));
  texts.set(file, comments.join("\n"));
}

/** What is wrong with a link in a file; nothing, if it leads somewhere. */
function fault(file: string, target: string): string | undefined {
  if (/^[a-z][a-z\d+.-]*:/i.test(target)) {
    if (!URL.canParse(target)) return "is no address";
    return KNOWN.includes(target) ? undefined : "is not among the addresses that are known";
  }
  const [path = "", anchor] = target.split("#");
  const page = path === "" ? file : posix.join(posix.dirname(file), path);
  if (!existsSync(new URL(page, ROOT))) return "leads to no file";
  const published = config.publish.include.some((part) => page === part || page.startsWith(`${part}/`));
  if (!published) return "leads to a file that is not published";
  return anchor === undefined || anchorsOf(page).has(anchor) ? undefined : "leads to no heading";
}

/** The anchors that GitHub, npm and JSR give the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of withoutCode(read(page)).matchAll(/^#+ (.+)$/gm)) {
    const slug = heading!.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Blocks of code have no links; in a line of text, code is left out where it could be taken for one. */
function withoutCode(text: string): string {
  return text.replaceAll(/^ *```.*?^ *```$/gms, "");
}

/** Whether the sources declare a name, and in the same file its member; `deno doc` wants `.prototype` for one of a class. */
function isDeclared(name: string, prototype: string | undefined, member: string | undefined): boolean {
  const kinds = prototype !== undefined
    ? "class"
    : `interface|type|const|function\\*?${member === undefined ? "|class" : ""}`;
  const declaration = new RegExp(`\\b(${kinds}) ${name}\\b`);
  const inside = new RegExp(`^ +(readonly |async |declare |override |get |\\*)*${member}\\??[(:<]`, "m");
  return codes.some((code) => declaration.test(code) && (member === undefined || inside.test(code)));
}

let count = 0;
let broken = 0;
function report(file: string, target: string, what: string | undefined): void {
  count++;
  if (what === undefined) return;
  broken++;
  console.log(`${file}: ${target} ${what}`);
}

for (const [file, text] of texts) {
  const prose = withoutCode(text);
  const plain = prose.replaceAll(/`[^`\n]*`/g, "");
  // [text](target), [text]: target, <target>, and an address as it is.
  for (const [, target] of plain.matchAll(/\]\(([^()\s]*)[^)]*\)/g)) report(file, target!, fault(file, target!));
  for (const [, target] of plain.matchAll(/^\s*\[[^\]]+\]: (\S+)/gm)) report(file, target!, fault(file, target!));
  for (const [target] of plain.matchAll(/(?<!\]\(|\]: )\bhttps?:\/\/[^\s<>)`]*[^\s<>)`.,;:]/g)) {
    report(file, target, fault(file, target));
  }
  for (const [, target, name, prototype, member] of prose.matchAll(LINK)) {
    report(file, target!, isDeclared(name!, prototype, member) ? undefined : "is declared nowhere");
  }
}
console.log(`${count} links, ${broken} broken`);
if (broken > 0) process.exitCode = 1;
