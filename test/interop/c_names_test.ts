/** README's tables for those who come from libgearman have every function of its headers, and no other. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { REQUIRED } from "../support/gearmand.ts";

/** Where Debian's libgearman-dev has them. */
const HEADERS = "/usr/include/libgearman-1.0/";
const skip = existsSync(HEADERS) || REQUIRED ? false : "needs libgearman-dev, which is not installed";

test("README says what each function of libgearman is here", { skip }, () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const said: string[] = [];
  for (const [, prefix, table] of readme.matchAll(/^\| `(gearman_\w*)…`.*\n((?:\|.*\n)+)/gm)) {
    for (const row of table!.split("\n").slice(1)) {
      for (const [, name] of row.split("|")[1]?.matchAll(/`(\w+)`/g) ?? []) said.push(prefix! + name);
    }
  }
  const there = new Set<string>();
  for (const file of readdirSync(HEADERS, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".h")) continue;
    const code = readFileSync(`${HEADERS}${file}`, "utf8").replaceAll(/\/\*.*?\*\/|\/\/.*?$|^\s*#.*?$/gms, "");
    for (const [, name] of code.matchAll(/\b(gearman_\w+)\s*\(/g)) if (!name!.endsWith("_t")) there.add(name!);
  }
  assert.ok(there.size > 170, `libgearman has only ${there.size} functions`);
  assert.deepEqual(said.sort(), [...there].sort());
});
