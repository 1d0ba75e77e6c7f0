/**
 * Tests of README: it is short, its tables fit a page, and those for users of other clients name members that exist, and
 * every function of PHP and C.
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { GearmanClient, GearmanWorker } from "../mod.ts";
import { GearmanAdmin } from "../src/admin/mod.ts";
import { JobServer } from "../src/server/mod.ts";
import { Program, timeout } from "./interop/foreign_programs.ts";
import { needs, REQUIRED } from "./support/requirements.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("README's tables for users of other clients name only members that exist", async () => {
  await using server = new JobServer();
  await using admin = new GearmanAdmin({ dial: server.dial });
  await using client = new GearmanClient({ dial: server.dial });
  await using worker = new GearmanWorker({ dial: server.dial });
  let assigned = {};
  worker.addFunction("any", (job) => {
    assigned = { ...members(job), reducer: true }; // an optional member
  });
  worker.run();
  const job = client.do("any");
  await job;
  const jobs = { ...assigned, ...members(job), ...members(await client.doBackground("any", "x")) };
  const there: Record<string, object> = { admin, client, job: jobs, worker };

  const missing: string[] = [];
  let count = 0;
  for (const [table] of readme.matchAll(/^\|[^|\n]*\| here +\|\n(?:\|.*\n)+/gm)) {
    for (const row of table.split("\n")) {
      const here = Array.from(row.split("|").at(-2)?.matchAll(/`[^`]*`/g) ?? []).join(" ");
      for (const [name, object, member] of here.matchAll(/\b(admin|client|job|worker)\.(\w+)/g)) {
        count++;
        if (!(member! in there[object!]!)) missing.push(name);
      }
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(count > 60, `only ${count} were found`);
});

test("what README shows without a click is at most 350 lines and 3,500 words", () => {
  const visible = readme.replaceAll(/^<details>.*?^<\/details>\n/gms, "");
  const lines = visible.split("\n").length - 1;
  assert.ok(lines <= 350, `there are ${lines} lines`);
  const prose = visible.replaceAll(/^```.*?^```$/gms, "");
  const words = prose.match(/\S*[\p{L}\p{N}]\S*/gu)?.length ?? 0;
  assert.ok(words <= 3_500, `there are ${words} words`);
});

test("no line of README, and no row of its tables, is longer than 120 characters", () => {
  assert.deepEqual(readme.split("\n").filter((line) => line.length > 120), []);
});

const LIST = `foreach (["GearmanClient", "GearmanWorker", "GearmanJob", "GearmanTask"] as $class)
  foreach ((new ReflectionClass($class))->getMethods() as $method)
    if (substr($method->name, 0, 2) !== "__") echo "$class $method->name\\n";`;

test("README lists every method of PHP's classes", { skip: needs("php"), timeout }, async () => {
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

/** The folder of the headers in Debian's libgearman-dev. */
const HEADERS = "/usr/include/libgearman-1.0/";
const noHeaders = existsSync(HEADERS) || REQUIRED ? false : "needs libgearman-dev, which is not installed";

test("README lists every function of libgearman", { skip: noHeaders }, () => {
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

/** Collects the names of an object's members, with those of its class. */
function members(object: object): Record<string, true> {
  const names = [object, Object.getPrototypeOf(object)].flatMap((each) => Object.getOwnPropertyNames(each));
  return Object.fromEntries(names.map((name) => [name, true]));
}
