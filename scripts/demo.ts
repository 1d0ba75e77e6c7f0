// deno-lint-ignore-file no-console -- it is there to print
/**
 * The main use of the library: starts a background job, prints its handle, and follows its progress until it is done.
 * The example of `GearmanClient::doBackground` in the PHP manual does the same.
 *
 *     deno task demo                           with its own job server and worker
 *     deno task demo --servers HOST:PORT       on a running gearmand, with any worker that has the function "reverse"
 */

import { parseArgs } from "node:util";
import process from "node:process";
import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
import type { JobStatus } from "@gearwire/gearman";
import { JobServer } from "@gearwire/gearman/server";

try {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: { servers: { type: "string" } },
  });
  if (values.servers === undefined) await runEverything();
  else await runClient(values.servers);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}

/** Starts a job server and a worker, and runs the client on them. */
async function runEverything(): Promise<void> {
  await using server = new JobServer();
  const { hostname, port } = await server.listen();

  await using worker = new GearmanWorker(`${hostname}:${port}`);
  worker.addFunction("reverse", async (job) => {
    const letters = [...job.text()];
    for (let done = 1; done <= letters.length; done++) {
      await new Promise((resolve) => setTimeout(resolve, 300)); // simulates work
      await job.sendStatus(done, letters.length);
    }
    return letters.reverse().join("");
  });
  worker.run();

  await runClient(`${hostname}:${port}`);
}

/** Starts the job, and prints its status until the server does not know it any more. */
async function runClient(servers: string): Promise<void> {
  await using client = new GearmanClient(servers);

  const job = await client.doBackground("reverse", "this is a test");
  console.log(`Job handle: ${job.handle}`);

  for await (const status of job.watch()) {
    if (process.stdout.isTTY) drawBar(status);
    else console.log(describe(status));
  }
  console.log("done!");
}

function describe({ running, numerator, denominator }: JobStatus): string {
  return `Running: ${running}, numerator: ${numerator}, denominator: ${denominator}`;
}

function drawBar({ known, numerator, denominator }: JobStatus): void {
  // A job that is not known any more has ended.
  const part = known ? Math.min(1, numerator / Math.max(denominator, 1)) : 1;
  const bar = "#".repeat(Math.round(40 * part)).padEnd(40);
  process.stdout.write(`\r[${bar}] ${Math.round(100 * part)} %${known ? "" : "\n"}`);
}
