/** Runs our job server until it is killed, and prints a line when it listens: `job_server.ts PORT`. */

import process from "node:process";
import { JobServer } from "../../../src/server/mod.ts";

const server = new JobServer();
await server.listen({ port: Number(process.argv[2]) });
process.stdout.write("listening\n");
