// Leaves a client open, and lets jobs fail unhandled: the process must still end by itself, with code 0.
// `idle_client.ts SERVER`

import process from "node:process";
import { GearmanClient } from "../../mod.ts";

const client = new GearmanClient(process.argv[2]);
client.do("refused");
client.do("fails");
new GearmanClient("unix:/nowhere").do("unreachable");
const job = client.do("late", "", { signal: AbortSignal.timeout(60_000) });
await job.created();
process.stdout.write("waiting\n");
process.stdout.write(await job.text());
