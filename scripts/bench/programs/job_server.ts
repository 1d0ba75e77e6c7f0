/** Our job server, until it is killed: `job_server.ts PORT`; prints a line when it listens. */

import process from "node:process";
import { JobServer } from "../../../src/server/mod.ts";

const server = new JobServer();
await server.listen({ port: Number(process.argv[2]) });
process.stdout.write("listening\n");
