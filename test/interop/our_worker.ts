/** The worker of this package that other clients are tested with. */

import { after, before } from "node:test";
import { GearmanClient, GearmanWorker, JobFailedError } from "../../mod.ts";
import { until } from "../support/wait.ts";
import type { TestServer } from "../support/servers.ts";

/** A running worker. */
export interface OurWorker {
  /** Releases the jobs of `hold`, also later ones. */
  release(): void;
  stop(): Promise<void>;
}

/** Starts a worker with functions for everything that a client can receive. */
export function startOurWorker(server: TestServer): OurWorker {
  const client = new GearmanClient(server.connect);
  const worker = new GearmanWorker({ ...server.connect, id: "our-worker", concurrency: 8, onEvent() {} });
  let release = () => {};
  const released = new Promise<void>((resolve) => release = resolve);
  let runs = 0;

  worker.addFunction("echo", (job) => job.workload);
  worker.addFunction("nothing", () => {});
  worker.addFunction("unique", (job) => job.unique);
  worker.addFunction("story", async function* (job) {
    await job.sendStatus(1, 4);
    await job.sendWarning(Uint8Array.of(0x77, 0, 0xff));
    yield job.workload;
    yield "\0";
    await job.sendStatus(3, 4);
    return "done";
  });
  worker.addFunction("exception", (job) => {
    throw new Error(job.text());
  });
  worker.addFunction("fail", async (job) => {
    await job.sendData("half");
    throw new JobFailedError();
  });
  // Returns the number of its runs, once as many clients wait for the job as its workload says.
  worker.addFunction("shared", async (job) => {
    const clients = Number(job.text());
    await until(async () => (await client.jobStatusByUnique(job.unique)).clients === clients);
    runs++;
    return `run ${runs}`;
  });
  worker.addFunction("hold", async (job) => {
    await job.sendStatus(3, 14);
    await released;
  });
  worker.addFunction("release", () => release());
  worker.addFunction("reverse", async (job) => {
    await job.sendStatus(3, 14);
    await released;
    return [...job.text()].reverse().join("");
  });
  const running = worker.run();
  return {
    release,
    stop: async () => {
      await worker.close();
      await running;
      await client.close();
    },
  };
}

/**
 * Starts a server and the worker before the tests of a suite, passes the server to `use`, and stops both after the
 * tests.
 */
export function withOurWorker(start: () => Promise<TestServer>, use: (server: TestServer) => void): void {
  let server: TestServer;
  let worker: OurWorker;
  before(async () => {
    server = await start();
    worker = startOurWorker(server);
    use(server);
  });
  after(async () => {
    worker.release();
    await worker.stop();
    await server.stop();
  });
}

/** Runs the queued jobs of a function one after the other, and returns their workloads in this order. */
export async function workOff(server: TestServer, functionName: string, count: number): Promise<string[]> {
  const workloads: string[] = [];
  const worker = new GearmanWorker({ ...server.connect, onEvent() {} });
  worker.addFunction(functionName, (job) => {
    workloads.push(job.text());
    if (workloads.length === count) worker.close();
  });
  await worker.run();
  return workloads;
}
