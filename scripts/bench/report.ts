/** What was measured, as Markdown. */

import { cpus, release, totalmem } from "node:os";
import { must } from "../support/tools.ts";
import type { Round } from "./contests.ts";
import { type Cell, cells, median, type Row, ROWS } from "./rows.ts";
import { COMMANDS, RUNTIMES } from "./run.ts";

/** The rounds of each contest that was run. */
export type Results = Readonly<Record<string, readonly Round[]>>;

/** What the machine is. */
export function machine(): string {
  const versions = RUNTIMES.map((runtime) => {
    const version = must(COMMANDS[runtime][0]!, ["--version"]).match(/\d+\.\d+\.\d+/)![0];
    return `${runtime[0]!.toUpperCase()}${runtime.slice(1)} ${version}`;
  });
  const gearmand = must("gearmand", ["--version"]).match(/\d+\.\d+\.\d+/)![0];
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores of a virtual machine (${
    cpus()[0]!.model.trim()
  }, ${memory} GiB, Linux ${release()}), ` +
    `${versions.join(", ")}, gearmand and libgearman ${gearmand}`;
}

/** The whole report of so many rounds. */
export function markdown(results: Results, rounds: number): string {
  const rows = ROWS.filter(({ contest }) => contest in results);
  return [
    "# Speed",
    "",
    "Made by `deno task bench`; do not edit.",
    "",
    `On ${machine()}.`,
    "",
    "Client, worker and gearmand share the cores with whatever else runs, so that the figures are noisy: what takes 0.9 us a",
    "job takes 1.8 us minutes later. Read the ratios: every side of a contest runs once in each round, one right after the",
    `other, with a gearmand of its own, and a ratio is the median of those of ${rounds} round${
      rounds === 1 ? "" : "s"
    }.`,
    "",
    "What runs on a JIT does 20,000 jobs first, which are not counted: ours, the raw socket, the packages of npm (10,000).",
    "A background job costs gearmand 8 us here, most of them in the kernel, for memory that it takes 4 KiB at a time; it is",
    "then the limit of all who submit many. So these rows are there twice, once with its memory in large pieces",
    "(`GLIBC_TUNABLES` in run.ts).",
    "",
    "In brackets are ours, the reference, and, as `limit`, the ratio of a raw socket that sends encoded packets and counts",
    "the answers (for the large result: that copies what it reads into one array made in advance).",
    "",
    "What was missed on such a machine, and why. 20 times the best npm peer is more than gearmand takes from a raw socket. A",
    "`do` for each that ends costs client, gearmand and worker a wake-up each, the raw socket's too. On Bun, touching 64 MiB",
    "of memory for the first time, 16,384 page faults of 17 to 25 us, takes longer than the raw read, which keeps nothing. And",
    "a job costs our JavaScript 1 us (Bun 1.4) with no hot spot over a tenth of it, where the raw socket only counts answers.",
    "",
    "| what | reference | wanted | Deno | Bun | Node |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => line(row, cells(row, results[row.contest]!))),
    "",
    "## Every figure",
    "",
    "Medians. CPU is that of the measured process alone (for workers: of the client), memory the most that it ever had.",
    "",
    ...Object.entries(results).flatMap(([contest, rounds]) => [
      `| ${contest} | jobs | jobs/s | us a job | CPU us a job | MiB |`,
      "| --- | --: | --: | --: | --: | --: |",
      ...Object.keys(rounds[0]!).map((side) => {
        const of = (value: (round: Round) => number) => figure(median(rounds.map(value)));
        return `| ${side} | ${figure(rounds[0]![side]!.jobs)} | ${
          of((round) => round[side]!.jobs / round[side]!.ms * 1e3)
        } ` +
          `| ${of((round) => round[side]!.ms / round[side]!.jobs * 1e3)} ` +
          `| ${of((round) => round[side]!.cpu / round[side]!.jobs * 1e3)} | ${
            of((round) => round[side]!.peak / 2 ** 20)
          } |`;
      }),
      "",
    ]),
  ].join("\n");
}

function line(row: Row, cells: readonly Cell[]): string {
  const wanted = [...new Set(cells.map(({ wanted }) => wanted))];
  const bounds = wanted.length === 1 ? wanted[0]! : cells.map(({ wanted }) => wanted).join(", ");
  const columns = cells.map((cell) =>
    `${cell.met ? "" : "misses: "}**${figure(cell.ratio)}** (${figure(cell.ours)}${row.unit}, ` +
    `${figure(cell.reference)}${row.unit}${cell.floor === undefined ? "" : `; limit ${figure(cell.floor)}`})`
  );
  return `| ${row.what} | ${row.reference} | ${bounds} | ${columns.join(" | ")} |`;
}

/** Three digits that count. */
export function figure(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 3 });
}
