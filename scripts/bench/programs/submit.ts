/** Measures our client: `submit.ts MODE SERVER JOBS`. */

import process from "node:process";
import { GearmanClient } from "../../../mod.ts";
import { inFlight, measure, WORKLOAD } from "./measure.ts";

const [mode, server, count] = process.argv.slice(2) as [string, string, string];
const client = new GearmanClient(server);

const MODES: Record<string, (jobs: number, counted: boolean) => Promise<void>> = {
  pipelined: (jobs) => inFlight(jobs, 1_000, () => client.doBackground("bench", WORKLOAD, { unique: "" })),
  generated: (jobs) => inFlight(jobs, 1_000, () => client.doBackground("bench", WORKLOAD)),
  // Every unique makes gearmand slower, and libgearman begins with none: the warm-up uses one unique for all jobs.
  awaited: (jobs, counted) =>
    inFlight(jobs, 1, (i) => client.doBackground("bench", WORKLOAD, { unique: counted ? `u${i}` : "u" })),
  foreground: (jobs) => inFlight(jobs, 100, () => client.do("echo", WORKLOAD)),
  sets: async (jobs) => {
    for (let i = 0; i < jobs; i += 100) {
      await Promise.all(Array.from({ length: 100 }, () => client.do("echo", WORKLOAD)));
    }
  },
};

if (mode === "foreground" || mode === "sets") await client.do("echo"); // waits for the worker
else await client.echo(""); // waits for the connection
await measure(Number(count), MODES[mode]!);
await client.close();
