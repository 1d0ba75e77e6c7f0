/** Our client: `submit.ts MODE SERVER JOBS`. */

import process from "node:process";
import { GearmanClient } from "../../../mod.ts";
import { inFlight, measure, WORKLOAD } from "./measure.ts";

const [mode, server, count] = process.argv.slice(2) as [string, string, string];
const jobs = Number(count);
const client = new GearmanClient(server);

const MODES: Record<string, () => Promise<void>> = {
  pipelined: () => inFlight(jobs, 1_000, () => client.doBackground("bench", WORKLOAD, { unique: "" })),
  generated: () => inFlight(jobs, 1_000, () => client.doBackground("bench", WORKLOAD)),
  awaited: () => inFlight(jobs, 1, (i) => client.doBackground("bench", WORKLOAD, { unique: `u${i}` })),
  foreground: () => inFlight(jobs, 100, () => client.do("echo", WORKLOAD)),
  sets: async () => {
    for (let i = 0; i < jobs; i += 100) {
      await Promise.all(Array.from({ length: 100 }, () => client.do("echo", WORKLOAD)));
    }
  },
};

if (mode === "foreground" || mode === "sets") await client.do("echo"); // the worker is there
else await client.echo(""); // connected
await measure(jobs, MODES[mode]!);
await client.close();
