// Looks into a job server, mostly with commands of the text protocol.

import assert from "node:assert/strict";
import { GearmanClient } from "../../mod.ts";
import { encodeLine, MixedDecoder } from "../../src/codec/mod.ts";
import type { RawWorker } from "./raw_worker.ts";
import { openConnection, type TestServer } from "./servers.ts";
import { until } from "./wait.ts";

/** Sends a command of the text protocol, and reads its answer: one line, or with `list` all lines before `.`. */
export async function textCommand(
  server: TestServer,
  line: string,
  { list = false }: { readonly list?: boolean } = {},
): Promise<string[]> {
  const connection = await openConnection(server, { decoder: new MixedDecoder() });
  try {
    connection.sendBytes(encodeLine(line));
    const lines: string[] = [];
    for await (const item of connection) {
      if (item.magic !== "TEXT" || item.line === ".") break;
      lines.push(item.line);
      if (!list) break;
    }
    return lines;
  } finally {
    await connection.close();
  }
}

/**
 * Limits the queue of a function. The worker must have registered it: gearmand answers OK for unknown functions too.
 */
export async function limitQueue(server: TestServer, worker: RawWorker, name: string, max: number): Promise<void> {
  await worker.served();
  const functions = (await textCommand(server, "status", { list: true })).map((line) => line.split("\t")[0]);
  assert.ok(functions.includes(name), `the server does not know ${name}, only ${functions}`);
  assert.deepEqual(await textCommand(server, `maxqueue ${name} ${max}`), ["OK"]);
}

/** Counts the jobs of a function, with those that run; 0 if the server does not know the function. */
export async function countJobs(server: TestServer, functionName: string): Promise<number> {
  const lines = await textCommand(server, "status", { list: true });
  const line = lines.find((line) => line.startsWith(`${functionName}\t`));
  return Number(line?.split("\t")[1] ?? 0);
}

/** Reads a function's line of `status`: the numbers of its jobs, running jobs, and registered workers. */
export async function functionStatus(
  server: TestServer,
  functionName: string,
): Promise<[jobs: number, running: number, workers: number]> {
  const lines = await textCommand(server, "status", { list: true });
  const line = lines.find((line) => line.startsWith(`${functionName}\t`));
  const [, jobs = "0", running = "0", workers = "0"] = line?.split("\t") ?? [];
  return [Number(jobs), Number(running), Number(workers)];
}

/** Waits until a server has noticed that all clients of a foreground job have left. */
export async function untilAbandoned(server: TestServer, unique: string): Promise<void> {
  await using client = new GearmanClient(server.connect);
  await until(async () => (await client.jobStatusByUnique(unique)).clients === 0);
}
