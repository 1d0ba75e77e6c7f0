/** Measures a client of npm on Node; FOLDER is the package's folder: `peer.ts PACKAGE SERVER JOBS FOLDER`. */

import { createRequire } from "node:module";
import process from "node:process";
import { inFlight, measure, portOf, WORKLOAD } from "./measure.ts";

const [name, server, count, folder] = process.argv.slice(2) as [string, string, string, string];
const port = portOf(server);
// deno-lint-ignore no-explicit-any -- none of them has types
const peer = createRequire(import.meta.url)(folder) as any;

/** Connects each client, and makes a function that submits a background job and resolves when it is accepted. */
const PEERS: Record<string, () => Promise<() => PromiseLike<unknown>>> = {
  abraxas: async () => {
    // deno-lint-ignore no-explicit-any -- as above
    const client = await new Promise<any>((resolve, reject) => {
      const client = peer.Client.connect(
        { host: "127.0.0.1", port },
        (error: unknown) => error ? reject(error) : resolve(client),
      );
    });
    return () => client.submitJobBg("bench", WORKLOAD);
  },
  gearman: async () => {
    const client = peer("127.0.0.1", port);
    const waiting: (() => void)[] = [];
    client.on("JOB_CREATED", () => waiting.shift()!());
    await new Promise<void>((resolve) => client.connect(resolve));
    return () =>
      new Promise<void>((resolve) => {
        waiting.push(resolve);
        client.submitJob("bench", WORKLOAD, { background: true });
      });
  },
  gearmanode: async () => {
    const winston = createRequire(`${folder}/`)("winston");
    for (const logger of winston.loggers.loggers.values()) logger.silent = true;
    const client = peer.client({ host: "127.0.0.1", port });
    const submit = () =>
      new Promise<void>((resolve) => {
        client.submitJob("bench", WORKLOAD, { background: true }).once("created", resolve);
      });
    await submit(); // connected
    return submit;
  },
  "node-gearman": async () => {
    const client = new peer("127.0.0.1", port);
    await new Promise<void>((resolve) => {
      client.on("connect", resolve);
      client.connect();
    });
    // Its submitJob does not report that a background job was accepted; its sendCommand does.
    return () => new Promise((resolve) => client.sendCommand("SUBMIT_JOB_BG", "bench", "", WORKLOAD, resolve));
  },
};

const submit = await PEERS[name]!();
await measure(Number(count), (jobs) => inFlight(jobs, 1_000, submit));
process.exit();
