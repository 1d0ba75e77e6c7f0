/** README's tables for those who come from libgearman have every function of its clients, workers, jobs and tasks. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { REQUIRED } from "../support/gearmand.ts";

const HEADERS = "/usr/include/libgearman-1.0/";
const skip = existsSync(HEADERS) || REQUIRED ? false : "needs the headers of libgearman (Debian: libgearman-dev)";

test("README says what each function of libgearman is here", { skip }, () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const said = new Set<string>();
  for (const [, table] of readme.matchAll(/^\| libgearman's .*\n((?:\|.*\n)+)/gm)) {
    for (const row of table!.split("\n")) {
      for (const [, name] of row.split("|")[1]?.matchAll(/`(gearman_[\w*]+)`/g) ?? []) said.add(name!);
    }
  }
  const patterns = Array.from(said, (name) => new RegExp(`^${name.replaceAll("*", "\\w*")}$`));
  const there = new Set<string>();
  for (const file of readdirSync(HEADERS).filter((file) => file.endsWith(".h"))) {
    const header = readFileSync(`${HEADERS}${file}`, "utf8").replaceAll(/\/\*[^]*?\*\//g, "");
    for (const [, name] of header.matchAll(/\b(gearman_(?:client|worker|job|task)_\w+) ?\(/g)) there.add(name!);
    for (const [, name] of header.matchAll(/\b(gearman_execute\w*) ?\(/g)) there.add(name!);
  }
  const types = [...there].filter((name) =>
    /_(?:fn|t)$/.test(name) && !name.includes("_set_") && !name.includes("clear")
  );
  for (const type of types) there.delete(type);
  assert.ok(there.size > 120, `libgearman has only ${there.size} functions`);
  assert.deepEqual([...there].filter((name) => !patterns.some((pattern) => pattern.test(name))), [], "not in README");
  const families = [...there, "gearman_parse_servers", "gearman_status_x", "gearman_function_create"];
  families.push("gearman_argument_make", "gearman_result_x");
  assert.deepEqual([...said].filter((_, i) => !families.some((name) => patterns[i]!.test(name))), [], "not there");
});
