/** Measures our client: `submit.ts MODE SERVER JOBS [WARM_UP]`. */

import process from "node:process";
import { GearmanClient } from "../../../mod.ts";
import { inFlight, measure, WORKLOAD } from "./measure.ts";

const [mode, server, count, before] = process.argv.slice(2) as [string, string, string, string?];
const client = new GearmanClient(server);

/** The same workload as bytes. */
const BYTES = new TextEncoder().encode(WORKLOAD);

function* workloads(count: number): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield BYTES;
}

const MODES: Record<string, (jobs: number, counted: boolean) => Promise<void>> = {
  bytes: (jobs) => inFlight(jobs, 1_000, () => client.doBackground("bench", BYTES, { unique: "" })),
  all: async (jobs) => {
    for await (const _ of client.doBackgroundAll("bench", workloads(jobs), { unique: () => "" }));
  },
  pipelined: (jobs) => inFlight(jobs, 1_000, () => client.doBackground("bench", WORKLOAD, { unique: "" })),
  generated: (jobs) => inFlight(jobs, 1_000, () => client.doBackground("bench", WORKLOAD)),
  // Every unique makes gearmand slower, and libgearman begins with none: the warm-up uses one unique for all jobs.
  awaited: (jobs, counted) =>
    inFlight(jobs, 1, (i) => client.doBackground("bench", WORKLOAD, { unique: counted ? `u${i}` : "u" })),
  echo: (jobs) => inFlight(jobs, 1, () => client.echo(WORKLOAD)),
  foreground: (jobs) => inFlight(jobs, 100, () => client.do("echo", WORKLOAD)),
  sets: async (jobs) => {
    for (let i = 0; i < jobs; i += 100) {
      await Promise.all(Array.from({ length: 100 }, () => client.do("echo", WORKLOAD)));
    }
  },
};

if (mode === "foreground" || mode === "sets") await client.do("echo"); // waits for the worker
else await client.echo(""); // waits for the connection
await measure(Number(count), MODES[mode]!, before === undefined ? undefined : Number(before));
await client.close();
