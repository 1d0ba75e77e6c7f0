/** Makes the pages of the documentation in `.build/doc`, and checks every link in them, in README and in CHANGELOG. */

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import config from "../deno.json" with { type: "json" };
import { check, closeChecks } from "./support/checks.ts";
import { BUILD, must, ROOT } from "./support/tools.ts";

const PAGES = `${BUILD}doc`;
/** Where links may lead outside: no check here asks another machine. */
const ELSEWHERE = ["http://gearman.org", "https://github.com/gearwire/gearman", "https://deno.land/api"];

/** What a link may name in a page: its ids. */
const ids = new Map<string, Set<string>>();
function idsOf(file: string): Set<string> {
  let known = ids.get(file);
  if (known === undefined) {
    const text = readFileSync(file, "utf8");
    const found = file.endsWith(".md")
      ? Array.from(
        text.matchAll(/^#+ (.*)$/gm),
        ([_, title]) => title!.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-"),
      )
      : Array.from(text.matchAll(/\bid="([^"]*)"/g), ([_, id]) => unescaped(id!));
    ids.set(file, known = new Set(found));
  }
  return known;
}

function unescaped(text: string): string {
  return text.replaceAll("&#x2F;", "/").replaceAll("&amp;", "&").replaceAll("&quot;", '"');
}

/** What is wrong with the links of a file; `links` finds them. */
function dead(file: string, links: RegExp): string[] {
  return Array.from(readFileSync(file, "utf8").matchAll(links), ([_, link]) => unescaped(link!)).filter((link) => {
    if (link.startsWith("#type_param_")) return false; // of a mapped type: deno doc makes the link, and not its target
    if (link.startsWith("file:")) return !existsSync(new URL(link)); // a source
    if (/^\w+:/.test(link)) return !ELSEWHERE.some((start) => link.startsWith(start));
    const [path = "", id = ""] = link.split("#");
    const target = path === "" ? file : join(dirname(file), decodeURIComponent(path));
    return !existsSync(target) || (id !== "" && !idsOf(target).has(decodeURIComponent(id)));
  });
}

function assertNone(dead: string[]): void {
  if (dead.length > 0) throw new Error(`they lead nowhere:\n${dead.join("\n")}`);
}

rmSync(PAGES, { recursive: true, force: true });
must(process.execPath, [
  "doc",
  "--html",
  "--name=@gearwire/gearman",
  `--output=${PAGES}`,
  ...Object.values(config.exports),
], {
  cwd: ROOT,
});
const pages = readdirSync(PAGES, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
await check("the links of README and CHANGELOG", () => {
  for (const file of ["README.md", "CHANGELOG.md"]) assertNone(dead(`${ROOT}${file}`, /\]\(([^)\s]+)\)/g));
});
await check(`the links of ${pages.length} pages`, () => {
  assertNone(pages.flatMap((page) => dead(`${PAGES}/${page}`, /\bhref="([^"]+)"/g).map((link) => `${page}: ${link}`)));
});
await check("what {@linkcode} names in the sources", () => {
  const named = new Set(pages.map((page) => page.slice(page.lastIndexOf("/") + 1, -".html".length)));
  const sources = readdirSync(`${ROOT}src`, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts")
  );
  assertNone(["../mod.ts", ...sources].flatMap((file) => {
    const text = readFileSync(`${ROOT}src/${file}`, "utf8");
    return Array.from(text.matchAll(/\{@link(?:code)? ([^\s}]+)/g), ([_, name]) => name!).filter((name) => {
      // What is not exported has no page, and its name is to be found beside the link.
      return !named.has(name) && (name.includes(".") || text.split(new RegExp(`\\b${name}\\b`)).length < 3);
    }).map((name) => `${file}: ${name}`);
  }));
});
closeChecks();
