/**
 * The contests: groups of measurements that are compared. In each round all sides of a contest run one after the other, or
 * take turns.
 */

import { buildNpm, compileUnbundled, moduleOf, PACKAGE } from "../build/npm.ts";
import { BUILD, install } from "../support/tools.ts";
import type { Measure } from "./programs/measure.ts";
import {
  beside,
  c,
  FAST,
  measured,
  ours,
  php,
  type Runtime,
  RUNTIMES,
  TurnTaker,
  withGearmand,
  withJobServer,
  withLargeResult,
  withPieces,
  withServerCpu,
} from "./run.ts";

/** The measurements of one round of a contest, by side. */
export type Round = Readonly<Record<string, Measure>>;
/** Makes the command of a program for a job server. */
type Command = (server: string, port: number) => string[];
/** The sides of a contest by name, each with the function that measures it. */
type Sides = Record<string, () => Promise<Measure>>;
/** Measures all sides, once or several times. Each time begins with another side, so that other load affects all alike. */
export type Contest = (time: number) => Promise<Round[]>;

/** The clients on npm that are measured. */
export const PEERS = ["abraxas", "gearman", "gearmanode", "node-gearman"] as const;
/** Size of the large result, in bytes. */
export const LARGE = 67_108_864;
/** Size of the result that is read as a stream, in bytes. */
export const STREAMED = 1_073_741_824;
/** Foreground jobs that are measured; as many before them are not counted. */
const FOREGROUND_JOBS = 20_000;
/** Number of imports of which the median counts. */
const IMPORTS = 9;

/** Makes a side for each runtime. */
function each(name: string, run: (runtime: Runtime) => Promise<Measure>): Sides {
  return Object.fromEntries(RUNTIMES.map((runtime) => [`${name} ${runtime}`, () => run(runtime)]));
}

/** Makes all contests; a quick run does a fifth of the jobs. */
export function contests({ quick }: { readonly quick: boolean }): Record<string, Contest> {
  const some = (jobs: number) => quick ? jobs / 5 : jobs;
  const background = (program: string, mode: string, jobs: number, env = {}) => (runtime: Runtime) =>
    withGearmand((server) => measured(ours(runtime, program, mode, server, some(jobs))), env);
  const pipelined = (env: Record<string, string>): Sides => ({
    ...each("raw", background("raw.ts", "pipelined", 500_000, env)),
    ...each("ours", background("submit.ts", "pipelined", 500_000, env)),
    ...Object.fromEntries(PEERS.map((name) => [
      name,
      () => withGearmand((server) => measured(ours("node", "peer.ts", name, server, some(20_000), install(name))), env),
    ])),
    "PHP's task sets": () => withGearmand((_, port) => measured(php("background.php", port, some(200_000))), env),
  });
  const besideWorker = (worker: Command, client: Command) => () =>
    withGearmand((server, port) => beside(worker(server, port), () => measured(client(server, port))));
  const libgearmanWorker: Command = (_, port) => c("worker", port);
  const libgearmanTasks: Command = (_, port) => c("tasks", port, some(FOREGROUND_JOBS), some(FOREGROUND_JOBS));
  const foreground = (runtime: Runtime, program: string, mode: string) =>
    besideWorker(
      libgearmanWorker,
      (server) => ours(runtime, program, mode, server, some(FOREGROUND_JOBS), some(FOREGROUND_JOBS)),
    );
  const worker = (command: Command) => besideWorker(command, libgearmanTasks);
  const submitted = (runtime: Runtime, server: string, pid: number) =>
    withServerCpu(pid, () => measured(ours(runtime, "submit.ts", "pipelined", server, some(200_000))));
  const queued = (command: (server: string, port: number, jobs: number) => string[]) => () =>
    withGearmand(async (server, port) => {
      const jobs = some(100_000);
      await measured(ours("deno", "raw.ts", "queued", server, jobs));
      return await measured(command(server, port, jobs));
    });

  const first = (runtime: Runtime, program: string, ...args: string[]) =>
    withGearmand((server) => measured(ours(runtime, program, ...args, server, some(200_000), 0)), FAST);

  const sequences: Record<string, Sides> = {
    "pipelined": pipelined({}),
    "fast": pipelined(FAST),
    "generated": {
      "libgearman": () => withGearmand((_, port) => measured(c("background", port, some(50_000)))),
      ...each("ours", background("submit.ts", "generated", 50_000)),
    },
    "awaited": {
      "libgearman": () => withGearmand((_, port) => measured(c("background", port, some(50_000), "unique"))),
      ...each("raw", background("raw.ts", "awaited", 50_000)),
      ...each("ours", background("submit.ts", "awaited", 50_000)),
    },
    "echo": {
      ...each("raw", background("raw.ts", "echo", 50_000)),
      ...each("ours", background("submit.ts", "echo", 50_000)),
    },
    "concurrency": {
      "libgearman": queued((_, port, jobs) => c("worker", port, jobs)),
      ...each("raw", (runtime) => queued((server, _, jobs) => ours(runtime, "raw_worker.ts", server, 100, jobs))()),
      ...each("ours", (runtime) => queued((server, _, jobs) => ours(runtime, "worker.ts", server, 100, jobs))()),
    },
    "decode": codec("decode", some),
    "encode": codec("encode", some),
    "large": Object.assign(
      {},
      ...["raw", "ours", "kept"].map((what) =>
        each(
          what,
          (runtime) => withLargeResult(LARGE, (server) => measured(ours(runtime, "large.ts", what, server, LARGE))),
        )
      ),
    ),
    "stream": {
      ...each(
        "raw",
        (runtime) => withPieces(STREAMED, (server) => measured(ours(runtime, "large.ts", "raw", server, STREAMED))),
      ),
      ...each("idle", (runtime) => withPieces(0, (server) => measured(ours(runtime, "stream.ts", server, 0)))),
      ...each(
        "ours",
        (runtime) => withPieces(STREAMED, (server) => measured(ours(runtime, "stream.ts", server, STREAMED))),
      ),
    },
    "import": {
      "unbundled node": () => imported(`${modules().unbundled}/mod.js`),
      "ours node": () => imported(`${modules().bundled}/${moduleOf(".")}`),
    },
    "waiting": {
      ...each("few", (runtime) => measured(ours(runtime, "waiting.ts", some(100_000)))),
      ...each("many", (runtime) => measured(ours(runtime, "waiting.ts", some(1_000_000)))),
    },
    "server": {
      ...each("gearmand", (runtime) => withGearmand((server, _, pid) => submitted(runtime, server, pid))),
      ...each("ours", (runtime) => withJobServer(runtime, (server, pid) => submitted(runtime, server, pid))),
    },
    "queue": {
      ...each("few", (runtime) => measured(ours(runtime, "queue.ts", 1_000))),
      ...each("many", (runtime) => measured(ours(runtime, "queue.ts", 100_000))),
    },
  };
  const foregroundSides = (runtime: Runtime) => ({
    [`libgearman ${runtime}`]: worker(libgearmanWorker),
    [`ours ${runtime}`]: foreground(runtime, "submit.ts", "sets"),
    [`sliding ${runtime}`]: foreground(runtime, "submit.ts", "foreground"),
    [`raw ${runtime}`]: foreground(runtime, "raw.ts", "foreground"),
    [`raw sets ${runtime}`]: foreground(runtime, "raw.ts", "sets"),
  });
  const workerSides = (runtime: Runtime) => ({
    [`libgearman ${runtime}`]: worker(libgearmanWorker),
    [`raw ${runtime}`]: worker((server) => ours(runtime, "raw_worker.ts", server, 1)),
    [`ours ${runtime}`]: worker((server) => ours(runtime, "worker.ts", server, 1)),
  });
  const coldSides = (runtime: Runtime) => ({
    [`naive ${runtime}`]: () => first(runtime, "naive.ts"),
    [`ours ${runtime}`]: () => first(runtime, "submit.ts", "bytes"),
  });
  const several = (times: number, sidesOf: (runtime: Runtime) => Sides) =>
    repeated(quick ? 1 : times, inSequence(...RUNTIMES.map(sidesOf)));
  return {
    ...Object.fromEntries(Object.entries(sequences).map(([name, sides]) => [name, inSequence(sides)])),
    "foreground": several(2, foregroundSides),
    "worker": several(2, workerSides),
    "naive": inTurns(quick ? 3 : 12, some(100_000), 100_000),
    "cold": several(12, coldSides),
  };
}

/** Runs all sides one after the other, those of a group side by side: each time in another order. */
function inSequence(...groups: readonly Sides[]): Contest {
  const names = groups.flatMap(Object.keys);
  return async (time) => {
    const measured: Record<string, Measure> = {};
    for (const group of rotated(groups, time)) {
      for (const [side, run] of rotated(Object.entries(group), time)) measured[side] = await run();
    }
    return [Object.fromEntries(names.map((side) => [side, measured[side]!]))];
  };
}

/** Runs a contest several times in each round: one measurement is short, and the machine differs from second to second. */
function repeated(times: number, contest: Contest): Contest {
  return async (round) => {
    const rounds: Round[] = [];
    for (let time = 0; time < times; time++) rounds.push(...await contest(round + time));
    return rounds;
  };
}

/**
 * Has a raw socket, the naive client and ours take turns, after jobs that are not counted. All programs of a runtime share
 * a gearmand.
 */
function inTurns(turns: number, before: number, jobs: number): Contest {
  const programs = {
    raw: ["raw.ts", "pipelined"],
    naive: ["naive.ts"],
    ours: ["submit.ts", "bytes"],
    all: ["submit.ts", "all"],
  };
  return async () => {
    const rounds: Record<string, Measure>[] = Array.from({ length: turns }, () => ({}));
    for (const runtime of RUNTIMES) {
      await withGearmand(async (server) => {
        const takers = Object.entries(programs).map(([side, [file, ...args]]) => {
          return [`${side} ${runtime}`, new TurnTaker(ours(runtime, file!, ...args, server, jobs, before))] as const;
        });
        try {
          for (const [, taker] of takers) await taker.ready();
          for (const [time, round] of rounds.entries()) {
            for (const [side, taker] of rotated(takers, time)) round[side] = await taker.takeTurn();
          }
        } finally {
          for (const [, taker] of takers) taker.end();
        }
      }, FAST);
    }
    return rounds;
  };
}

/** Returns the items, beginning with another one each time. */
function rotated<T>(items: readonly T[], time: number): T[] {
  const first = time % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

function codec(what: "decode" | "encode", some: (packets: number) => number): Sides {
  const folder = install("gearman-packet");
  return {
    ...each("gearman-packet", (runtime) => measured(ours(runtime, "peer_codec.ts", what, some(100_000), folder))),
    ...each("ours", (runtime) => measured(ours(runtime, "codec.ts", what, some(5_000_000)))),
  };
}

/** Measures imports of a module of the npm package. */
async function imported(module: string): Promise<Measure> {
  const measures: Measure[] = [];
  for (let i = 0; i < IMPORTS; i++) measures.push(await measured(ours("node", "import.ts", module)));
  return measures.toSorted((a, b) => a.ms - b.ms)[IMPORTS >> 1]!;
}

let built: { readonly bundled: string; readonly unbundled: string } | undefined;

/** Builds the npm package, and the same modules unbundled; returns their folders. */
function modules(): { readonly bundled: string; readonly unbundled: string } {
  if (built !== undefined) return built;
  buildNpm();
  const unbundled = `${BUILD}bench/unbundled`;
  compileUnbundled(unbundled);
  return built = { bundled: PACKAGE, unbundled };
}
