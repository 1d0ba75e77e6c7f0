// deno-lint-ignore-file no-console -- it is there to print
/**
 * Checks every link of README.md, CHANGELOG.md, src/README.md and the documentation comments, without a network. `deno task check`
 * runs it.
 *
 * - A relative link must lead to a file that is published.
 * - An anchor must lead to a heading.
 * - `{@link}` must name a declaration.
 * - An absolute link must be one of the known addresses.
 * - A path in src/README.md, such as `codec/packet.ts`, must be that of a file, under src/ or the root.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };

/** The absolute addresses that may be linked to. Visit a new address before you add it. */
const KNOWN = [
  "https://gearman.org",
  "https://github.com/gearman/gearmand",
  "https://github.com/gearwire/gearman/blob/main/scripts/bench/results.md",
  "https://raw.githubusercontent.com/gearwire/gearman/main/scripts/bench/chart.svg",
  "https://raw.githubusercontent.com/gearwire/gearman/main/scripts/pictures/job.svg",
  "https://www.npmjs.com/package/p-retry",
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

/** The texts to check: the pages, and the comments of each source. */
const texts = new Map(["README.md", "CHANGELOG.md", "src/README.md"].map((file) => [file, read(file)]));
for (const [i, file] of sources.entries()) {
  const comments = Array.from(codes[i]!.matchAll(/\/\*\*.*?\*\//gs), ([comment]) => comment.replaceAll(/^ *\*/gm, ""));
  texts.set(file, comments.join("\n"));
}

/** Describes what is wrong with a link; returns `undefined` if nothing is. */
function faultOf(file: string, target: string): string | undefined {
  if (/^[a-z][a-z\d+.-]*:/i.test(target)) {
    if (!URL.canParse(target)) return "is not a valid address";
    return KNOWN.includes(target) ? undefined : "is not a known address";
  }
  const [path = "", anchor] = target.split("#");
  const page = path === "" ? file : posix.join(posix.dirname(file), path);
  if (!existsSync(new URL(page, ROOT))) return "leads to a missing file";
  const published = config.publish.include.some((part) => page === part || page.startsWith(`${part}/`));
  if (!published) return "leads to a file that is not published";
  return anchor === undefined || anchorsOf(page).has(anchor) ? undefined : "leads to a missing heading";
}

/** Lists the anchors that GitHub, npm and JSR give the headings of a page. */
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

/** Removes the blocks of code, in which nothing is a link. */
function withoutCode(text: string): string {
  return text.replaceAll(/^ *```.*?^ *```$/gms, "");
}

/**
 * Returns true if a source declares a name, and its member in the same file. `deno doc` needs `.prototype` before a
 * member of a class.
 */
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
function report(file: string, target: string, fault: string | undefined): void {
  count++;
  if (fault === undefined) return;
  broken++;
  console.log(`${file}: ${target} ${fault}`);
}

for (const [file, text] of texts) {
  const prose = withoutCode(text);
  const plain = prose.replaceAll(/`[^`\n]*`/g, "");
  // The kinds of links are [text](target), [text]: target, <target>, and a plain address.
  for (const [, target] of plain.matchAll(/\]\(([^()\s]*)[^)]*\)/g)) report(file, target!, faultOf(file, target!));
  for (const [, target] of plain.matchAll(/^\s*\[[^\]]+\]: (\S+)/gm)) report(file, target!, faultOf(file, target!));
  for (const [target] of plain.matchAll(/(?<!\]\(|\]: )\bhttps?:\/\/[^\s<>)`]*[^\s<>)`.,;:]/g)) {
    report(file, target, faultOf(file, target));
  }
  for (const [, target, name, prototype, member] of prose.matchAll(LINK)) {
    report(file, target!, isDeclared(name!, prototype, member) ? undefined : "is not declared");
  }
}
for (const [, path] of texts.get("src/README.md")!.matchAll(/`([\w/]+\/\w+\.ts)`/g)) {
  const exists = existsSync(new URL(`src/${path}`, ROOT)) || existsSync(new URL(path!, ROOT));
  report("src/README.md", path!, exists ? undefined : "is not a file");
}
console.log(`${count} links, ${broken} broken`);
if (broken > 0) process.exitCode = 1;
