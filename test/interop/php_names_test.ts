/** README's tables for those who come from PHP have every method of PHP's classes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { needs } from "../support/gearmand.ts";
import { Program, timeout } from "./programs.ts";

const LIST = `foreach (["GearmanClient", "GearmanWorker", "GearmanJob", "GearmanTask"] as $class)
  foreach ((new ReflectionClass($class))->getMethods() as $method)
    if (substr($method->name, 0, 2) !== "__") echo "$class $method->name\\n";`;

test("README says what each method of PHP's classes is here", { skip: needs("php"), timeout }, async () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const said = new Set<string>();
  for (const [, name, table] of readme.matchAll(/^\| PHP's `(\w+)`.*\n((?:\|.*\n)+)/gm)) {
    for (const row of table!.split("\n").slice(1)) {
      for (const [, method] of row.split("|")[1]?.matchAll(/`(\w+)`/g) ?? []) said.add(`${name} ${method}`);
    }
  }
  const there = (await new Program("php", ["-r", LIST]).lines()).filter((line) => line !== "");
  assert.ok(there.length > 80, `PHP has only ${there.length} methods`);
  assert.deepEqual([...said].sort(), there.sort());
});
