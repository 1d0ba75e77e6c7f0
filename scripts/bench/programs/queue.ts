/** Measures our job server with QUEUED jobs in its queue, until 100,000 jobs are done: `queue.ts QUEUED`. */

import process from "node:process";
import { PacketType } from "../../../src/codec/mod.ts";
import { Connection } from "../../../src/connection/mod.ts";
import { JobServer } from "../../../src/server/mod.ts";
import { measure, WORKLOAD } from "./measure.ts";

const JOBS = 100_000;
const queued = Number(process.argv[2]);
const server = new JobServer();
const address = { hostname: "", port: 0 };
const client = new Connection(await server.dial(address, {}));
const worker = new Connection(await server.dial(address, {}));
worker.send(PacketType.CAN_DO, "bench");

/** Sends QUEUED requests, 1,000 at a time, and reads an answer of this type to each. */
async function ask(connection: Connection, answer: PacketType, send: () => void): Promise<void> {
  for (let sent = 0; sent < queued; sent += 1_000) {
    for (let i = 0; i < 1_000; i++) send();
    let answers = 0;
    for await (const packet of connection) {
      if (packet.type === PacketType.JOB_ASSIGN) connection.send(PacketType.WORK_COMPLETE, packet.args[0], "");
      if (packet.type === answer) answers++;
      if (answers === 1_000) break;
    }
  }
}

await measure(JOBS, async (jobs) => {
  for (let done = 0; done < jobs; done += queued) {
    await ask(client, PacketType.JOB_CREATED, () => client.send(PacketType.SUBMIT_JOB_BG, "bench", "", WORKLOAD));
    await ask(worker, PacketType.JOB_ASSIGN, () => worker.send(PacketType.GRAB_JOB));
  }
}, JOBS); // warmed up by as many, so that it has its memory already, as a server that has run for a while
process.exit();
