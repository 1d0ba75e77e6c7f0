/** What README's tables say to write instead of another library's call is there to be written. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { GearmanClient, GearmanWorker } from "../mod.ts";
import { GearmanAdmin } from "../src/admin/mod.ts";
import { JobServer } from "../src/server/mod.ts";

test("README's tables for those who come from elsewhere name no member that is not there", async () => {
  await using server = new JobServer();
  await using admin = new GearmanAdmin({ dial: server.dial });
  await using client = new GearmanClient({ dial: server.dial });
  await using worker = new GearmanWorker({ dial: server.dial });
  let assigned = {};
  worker.addFunction("any", (job) => {
    assigned = { ...members(job), reducer: true }; // only some jobs have one
  });
  worker.run();
  const job = client.do("any");
  await job;
  const jobs = { ...assigned, ...members(job), ...members(await client.doBackground("any")) };
  const there: Record<string, object> = { admin, client, job: jobs, worker };

  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
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

/** The names of an object's members, those of its class too. */
function members(object: object): Record<string, true> {
  const names = [object, Object.getPrototypeOf(object)].flatMap((each) => Object.getOwnPropertyNames(each));
  return Object.fromEntries(names.map((name) => [name, true]));
}
