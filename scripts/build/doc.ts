// deno-lint-ignore-file no-console -- it is there to print
/**
 * Renders the documentation of every entry point into pages, as JSR shows them: `.build/doc/index.html`.
 *
 *     deno task doc
 */

import { mkdirSync, rmSync } from "node:fs";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };
import { BUILD, must } from "../support/tools.ts";

const PAGES = `${BUILD}doc`;
rmSync(PAGES, { recursive: true, force: true });
mkdirSync(BUILD, { recursive: true });
must(process.execPath, [
  "doc",
  "--html",
  `--name=${config.name}`,
  `--output=${PAGES}`,
  ...Object.values(config.exports),
]);
console.log(`${PAGES}/index.html`);
