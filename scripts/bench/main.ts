// deno-lint-ignore-file no-console -- it is there to print
/**
 * Measures this library against raw sockets, libgearman, PHP and clients on npm, and compares the ratios with their
 * targets.
 *
 *     deno task bench                         five rounds; writes results.md and chart.svg beside this file
 *     deno task bench --quick                 one round with a fifth of the jobs; writes nothing
 *     deno task bench --only=large,worker     only these contests; writes nothing
 *     deno task bench --rounds=9
 *
 * It needs gearmand, gcc, libgearman-dev and php8.2-gearman. Packages of npm are installed into `.build/`.
 */

import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { must, ROOT } from "../support/tools.ts";
import { chart } from "./chart.ts";
import { contests, type Round } from "./contests.ts";
import { figure, markdown } from "./report.ts";
import { cells, cost, cpu, median, ROWS } from "./rows.ts";

const FOLDER = `${ROOT}scripts/bench/`;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { quick: { type: "boolean", default: false }, rounds: { type: "string" }, only: { type: "string" } },
});
const { quick, only } = values;
const rounds = Number(values.rounds ?? (quick ? 1 : 5));
const all = contests({ quick });
const names = only === undefined ? Object.keys(all) : only.split(",");

const results: Record<string, Round[]> = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 1; round <= rounds; round++) {
  for (const name of names) {
    const contest = all[name];
    if (contest === undefined) throw new Error(`Unknown contest "${name}"; known are ${Object.keys(all).join(", ")}`);
    const measured = await contest(round);
    for (const side of Object.keys(measured[0]!)) {
      const each = median(measured.map((round) => cost.value(round[side]!)));
      const used = median(measured.map((round) => cpu.value(round[side]!)));
      console.log(`round ${round}, ${name}: ${side}: ${figure(each)} us a job, ${figure(used)} us of CPU`);
    }
    results[name]!.push(...measured);
  }
  if (!quick && only === undefined) {
    // After each round, so that an interrupted run leaves its results.
    const files = { "results.md": markdown(results, round), "chart.svg": chart(results)! };
    for (const [name, text] of Object.entries(files)) writeFileSync(`${FOLDER}${name}`, text);
    must(process.execPath, ["fmt", "-q", ...Object.keys(files).map((name) => `${FOLDER}${name}`)]);
  }
}

const rows = ROWS.filter(({ contest }) => contest in results);
console.log("");
for (const row of rows) {
  for (const { runtime, ratio, limit, wanted, met } of cells(row, results[row.contest]!)) {
    console.log(
      `${met ? "meets " : "MISSES"} ${runtime.padEnd(4)} ${figure(ratio)} (${wanted}${
        limit === undefined ? "" : `, limit ${figure(limit)}`
      })  ${row.what}`,
    );
  }
}
