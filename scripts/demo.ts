// deno-lint-ignore-file no-console -- it is there to print
/**
 * The main job: a background job, its handle, and its progress until it is done; what the PHP manual's example for
 * `GearmanClient::doBackground` does.
 *
 *     deno task demo                              on a job server and a worker of its own
 *     deno task demo -- --servers HOST:PORT       on a real gearmand, and whatever worker is there
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

/** A job server and a worker, for want of others, and then the client. */
async function runEverything(): Promise<void> {
  await using server = new JobServer();
  const { hostname, port } = await server.listen();

  await using worker = new GearmanWorker(`${hostname}:${port}`);
  worker.addFunction("reverse", async (job) => {
    const letters = [...job.text()];
    for (let done = 1; done <= letters.length; done++) {
      await new Promise((resolve) => setTimeout(resolve, 300)); // as if it were hard work
      await job.sendStatus(done, letters.length);
    }
    return letters.reverse().join("");
  });
  worker.run();

  await runClient(`${hostname}:${port}`);
}

/** Starts the job, and asks how it is doing until the server no longer knows it. */
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
  const part = known ? Math.min(1, numerator / Math.max(denominator, 1)) : 1; // what is no longer known is over
  const bar = "#".repeat(Math.round(40 * part)).padEnd(40);
  process.stdout.write(`\r[${bar}] ${Math.round(100 * part)} %${known ? "" : "\n"}`);
}
