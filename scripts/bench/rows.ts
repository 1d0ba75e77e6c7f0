/** The rows of the table: each compares a side of a contest with a reference, and has a target for their ratio. */

import { LARGE, PEERS, type Round } from "./contests.ts";
import type { Measure } from "./programs/measure.ts";
import { type Runtime, RUNTIMES } from "./run.ts";

/** One row. */
export interface Row {
  readonly what: string;
  readonly reference: string;
  readonly contest: string;
  /** The target: a minimum or a maximum of the ratio. */
  readonly min?: number | Record<Runtime, number>;
  readonly max?: number | Record<Runtime, number>;
  /** The minimum of the ratio, with that of the raw socket in the same round as 1. */
  readonly minOfLimit?: number;
  /** The runtimes that it is measured on; default all. */
  readonly runtimes?: readonly Runtime[];
  /** The side that is measured on a runtime. */
  readonly side: (runtime: Runtime) => string;
  /** The sides that it is compared with; if there are several, the best counts. */
  readonly references: (runtime: Runtime) => readonly string[];
  /** The side of a raw socket, which no client can beat. For a large result, the socket keeps what it reads. */
  readonly limit?: (runtime: Runtime) => string;
  /** The figure of a measurement that counts, in `unit`. */
  readonly value: (measure: Measure) => number;
  readonly unit: string;
  /** Computes the ratio; default ours divided by the reference. */
  readonly ratio?: (ours: number, reference: number) => number;
}

/** Values and sides that several rows share. */
export const rate: Pick<Row, "value" | "unit"> = { value: ({ jobs, ms }) => jobs / ms * 1_000, unit: "/s" };
export const cpu: Pick<Row, "value" | "unit"> = { value: ({ jobs, cpu }) => cpu / jobs * 1_000, unit: " us" };
export const cost: Pick<Row, "value" | "unit"> = { value: ({ jobs, ms }) => ms / jobs * 1_000, unit: " us" };
const own = (runtime: Runtime) => `ours ${runtime}`;
const raw = (runtime: Runtime) => `raw ${runtime}`;
const on = (name: string) => (runtime: Runtime) => [`${name} ${runtime}`];
const libgearman = () => ["libgearman"];

export const ROWS: readonly Row[] = [
  ...["pipelined", "fast"].flatMap((contest): Row[] => [
    {
      what: `\`doBackground\`, a promise each, 1,000 in flight, \`unique: ""\`${
        contest === "fast" ? "; gearmand with its memory in large pieces" : ""
      }`,
      reference: "a raw socket with encoded packets, the same window",
      contest,
      min: { deno: 0.8, bun: 0.8, node: 0.7 },
      side: own,
      references: on("raw"),
      ...rate,
    },
    {
      what: "CPU of the same, a job",
      reference: "CPU of the raw socket's client",
      contest,
      max: 3,
      side: own,
      references: on("raw"),
      ...cpu,
    },
    {
      what: "the same",
      reference: "the best npm peer, 1,000 in flight too",
      contest,
      min: 20,
      side: own,
      references: () => PEERS,
      limit: raw,
      ...rate,
    },
  ]),
  {
    what:
      "`doBackground`, a promise each, 1,000 in flight, after 100,000 jobs; gearmand with its memory in large pieces",
    reference: "a raw socket with encoded packets, the same window",
    contest: "naive",
    min: 0.7,
    side: own,
    references: on("raw"),
    ...rate,
  },
  {
    what: "CPU of `doBackground`, a promise each, 1,000 in flight, after 100,000 jobs",
    reference: "CPU of a naive client",
    contest: "naive",
    max: { deno: 1.2, bun: 1.2, node: 1.35 },
    side: own,
    references: on("naive"),
    ...cpu,
  },
  {
    what: "CPU of `doBackgroundAll`, after 100,000 jobs",
    reference: "CPU of a naive client",
    contest: "naive",
    max: { deno: 1.2, bun: 1.2, node: 1.35 },
    side: (runtime) => `all ${runtime}`,
    references: on("naive"),
    ...cpu,
  },
  {
    what: "CPU of `doBackground`, a promise each, 1,000 in flight, the first 200,000 jobs of a process",
    reference: "CPU of a naive client",
    contest: "cold",
    max: { deno: 1.6, bun: 2.1, node: 1.6 },
    side: own,
    references: on("naive"),
    ...cpu,
  },
  {
    what: "`doBackground` as it comes (generated unique), 1,000 in flight",
    reference: "libgearman `do_background`",
    contest: "generated",
    min: 2,
    side: own,
    references: libgearman,
    ...rate,
  },
  {
    what: "`doBackground`, each awaited, a unique each",
    reference: "libgearman `do_background`, the same uniques",
    contest: "awaited",
    min: 0.8,
    side: own,
    references: libgearman,
    limit: raw,
    ...rate,
  },
  {
    what: "`echo`, each awaited",
    reference: "a round trip over a plain socket of `node:net`",
    contest: "echo",
    max: 1.6,
    side: own,
    references: on("raw"),
    ...cost,
  },
  {
    what: "`do`, 100 in flight, in sets as with the reference, a worker in C",
    reference: "libgearman `run_tasks` of 100",
    contest: "foreground",
    min: 1,
    side: own,
    references: on("libgearman"),
    limit: (runtime) => `raw sets ${runtime}`,
    ...rate,
  },
  {
    what: "`do`, 100 in flight, a new one for each that ends, a worker in C",
    reference: "libgearman `run_tasks` of 100",
    contest: "foreground",
    minOfLimit: 0.95,
    side: (runtime) => `sliding ${runtime}`,
    references: on("libgearman"),
    limit: raw,
    ...rate,
  },
  {
    what: "worker, concurrency 1, a client in C with 100 in flight",
    reference: "libgearman worker",
    contest: "worker",
    min: 0.95,
    side: own,
    references: on("libgearman"),
    limit: raw,
    ...rate,
  },
  {
    what: "worker, concurrency 100, background jobs that are queued",
    reference: "libgearman worker",
    contest: "concurrency",
    min: 5,
    side: own,
    references: libgearman,
    limit: raw,
    ...rate,
  },
  {
    what: "decode a packet of 64 bytes",
    reference: "`gearman-packet`",
    contest: "decode",
    min: 10,
    side: own,
    references: on("gearman-packet"),
    ...rate,
  },
  {
    what: "encode a packet of 64 bytes",
    reference: "`gearman-packet`",
    contest: "encode",
    min: 10,
    side: own,
    references: on("gearman-packet"),
    ...rate,
  },
  {
    what: "a result of 64 MiB, time",
    reference: "reading the same bytes raw",
    contest: "large",
    max: 2,
    side: own,
    references: on("raw"),
    limit: (runtime) => `kept ${runtime}`,
    value: ({ ms }) => ms,
    unit: " ms",
  },
  {
    what: "a result of 64 MiB, peak memory over that of reading raw, in payloads",
    reference: "the payload",
    contest: "large",
    max: 1.5,
    side: own,
    references: on("raw"),
    limit: (runtime) => `kept ${runtime}`,
    value: ({ peak }) => peak / 1_048_576,
    unit: " MiB",
    ratio: (ours, raw) => (ours - raw) * 1_048_576 / LARGE,
  },
  {
    what: "a result of 1 GiB, read as a stream, peak memory over that of an idle client",
    reference: "an idle client",
    contest: "stream",
    max: 96,
    side: own,
    references: on("idle"),
    limit: raw,
    value: ({ peak }) => peak / 1_000_000,
    unit: " MB",
    ratio: (ours, idle) => ours - idle,
  },
  {
    what: "import of `.` from the npm package",
    reference: "the same modules unbundled",
    contest: "import",
    runtimes: ["node"],
    max: 0.3,
    side: own,
    references: on("unbundled"),
    value: ({ ms }) => ms,
    unit: " ms",
  },
  {
    what: "1,000,000 jobs waiting for their result, cost of a job",
    reference: "100,000",
    contest: "waiting",
    max: 1.5,
    side: (runtime) => `many ${runtime}`,
    references: on("few"),
    ...cost,
  },
  {
    what: "1,000,000 jobs waiting, memory of a job",
    reference: "900 bytes",
    contest: "waiting",
    max: 1,
    side: (runtime) => `many ${runtime}`,
    references: on("few"),
    value: ({ each }) => each!,
    unit: " bytes",
    ratio: (bytes) => bytes / 900,
  },
  {
    what: "`JobServer`, pipelined background jobs",
    reference: 'gearmand, the same client, `unique: ""`',
    contest: "server",
    min: 0.5,
    side: own,
    references: on("gearmand"),
    ...rate,
  },
  {
    what: "CPU of the server for the same, a job",
    reference: "CPU of gearmand, as Debian ships it",
    contest: "server",
    max: 1,
    side: own,
    references: on("gearmand"),
    ...cpu,
  },
  {
    what: "`JobServer` with 100,000 queued, cost of a job",
    reference: "1,000 queued",
    contest: "queue",
    max: 1.5,
    side: (runtime) => `many ${runtime}`,
    references: on("few"),
    ...cost,
  },
];

/** A cell of the table. */
export interface Cell {
  readonly runtime: Runtime;
  readonly ours: number;
  readonly reference: number;
  readonly ratio: number;
  /** The ratio of the raw socket, if the row has one. */
  readonly limit: number | undefined;
  readonly wanted: string;
  readonly met: boolean;
}

/** Returns the middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Computes the cells of a row: medians of the ratios and of the figures of all rounds. */
export function cells(row: Row, rounds: readonly Round[]): Cell[] {
  return (row.runtimes ?? RUNTIMES).map((runtime) => {
    const figures = rounds.map((round) => {
      const ours = row.value(round[row.side(runtime)]!);
      const references = row.references(runtime).map((side) => row.value(round[side]!));
      const reference = row.max === undefined ? Math.max(...references) : Math.min(...references);
      const ratio = row.ratio ?? ((ours: number, reference: number) => ours / reference);
      const limit = row.limit === undefined ? NaN : ratio(row.value(round[row.limit(runtime)]!), reference);
      return { ours, reference, limit, ratio: ratio(ours, reference) };
    });
    const ratio = median(figures.map((figure) => figure.ratio));
    return {
      runtime,
      ours: median(figures.map((figure) => figure.ours)),
      reference: median(figures.map((figure) => figure.reference)),
      ratio,
      limit: row.limit === undefined ? undefined : median(figures.map((figure) => figure.limit)),
      ...judge(row, runtime, ratio, median(figures.map(({ ratio, limit }) => ratio / limit))),
    };
  });
}

/** Compares a ratio, and that ratio divided by the raw socket's, with the target. */
function judge(row: Row, runtime: Runtime, ratio: number, ofLimit: number): Pick<Cell, "wanted" | "met"> {
  const bound = (target: number | Record<Runtime, number>) => typeof target === "number" ? target : target[runtime];
  if (row.max !== undefined) return { wanted: `<= ${bound(row.max)}`, met: ratio <= bound(row.max) };
  if (row.min !== undefined) return { wanted: `>= ${bound(row.min)}`, met: ratio >= bound(row.min) };
  return { wanted: `>= limit x ${row.minOfLimit}`, met: ofLimit >= row.minOfLimit! };
}
