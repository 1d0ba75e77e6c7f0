// Prints the job that a handler gets.
// `print_job.ts`

// deno-lint-ignore-file no-console -- it is there to print
import { GearmanClient, GearmanWorker } from "../../mod.ts";
import { JobServer } from "../../src/server/mod.ts";

await using server = new JobServer();
await using worker = new GearmanWorker({ dial: server.dial });
worker.addFunction("print", (job) => console.log(job));
worker.run();
await using client = new GearmanClient({ dial: server.dial });
await client.do("print", "work", { unique: "u", reducer: "r" });
