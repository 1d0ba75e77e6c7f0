/** Tests that a worker process that gets SIGTERM under load loses no job. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GearmanClient } from "../../mod.ts";
import { text } from "../support/bytes.ts";
import { runtime } from "../support/exceptions.ts";
import { until } from "../support/wait.ts";
import { startWorker } from "../support/workers.ts";
import { functionStatus } from "../support/server_commands.ts";
import { onEveryServer } from "../support/servers.ts";

/** Jobs that are submitted at the same time, so that there is work for the whole test. */
const LANES = 200;

/** Processes of a failed test would never end. */
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Starts a worker in a process of its own. */
function startProgram(server: string) {
  // Compiled for Node, the program is JavaScript too.
  const program = fileURLToPath(new URL(`../programs/worker.${import.meta.url.slice(-2)}`, import.meta.url));
  const args = runtime === "deno" ? ["run", "-A", "--no-check", program, server] : [program, server];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const said = { out: "", errors: "" };
  child.stdout.on("data", (chunk: Uint8Array) => said.out += text(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => said.errors += text(chunk));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  /** Counts the jobs that the process has reported. */
  const jobs = (what: "begun" | "done") => said.out.split("\n").filter((line) => line.startsWith(what)).length;
  return { child, said, ended, jobs };
}

onEveryServer("SIGTERM to a worker under load", (kind) => {
  test("loses no held job, and runs none twice", {
    timeout: 60_000,
  }, async () => {
    const server = await kind.start();
    const client = new GearmanClient(server.connect);
    const by = new Map<string, number>();
    let feeding = true;
    const feed = async (lane: number): Promise<void> => {
      for (let i = lane; feeding; i += LANES) {
        const [who, job] = (await client.do("f", String(i)).text()).split(": ") as [string, string];
        assert.equal(job, String(i));
        by.set(who, (by.get(who) ?? 0) + 1);
      }
    };
    const fed = Promise.all(Array.from({ length: LANES }, (_, lane) => feed(lane)));
    const programs = [startProgram(`127.0.0.1:${server.port}`), startProgram(`127.0.0.1:${server.port}`)] as const;
    const [one, two] = programs;
    // The first process stops in the middle of its work, and the second after a third worker has started.
    for (const program of programs) await until(() => program.jobs("begun") > 100 || program.child.exitCode !== null);
    process.kill(one.child.pid!, "SIGTERM");
    assert.equal(await one.ended, 0, one.said.errors);
    await using _last = startWorker({ ...server.connect, concurrency: 8 }, { f: (job) => `by me: ${job.text()}` });
    process.kill(two.child.pid!, "SIGTERM");
    assert.equal(await two.ended, 0, two.said.errors);
    await until(() => (by.get("by me") ?? 0) > 100);
    feeding = false;
    await fed;

    for (const { child, said, jobs } of programs) {
      assert.deepEqual(
        [jobs("begun"), jobs("done")],
        Array(2).fill(by.get(`by ${child.pid}`)),
        "each job that was begun is done, once",
      );
      assert.match(said.out, /\nended\n$/);
      assert.equal(said.errors, "", "nothing is written to the console");
    }
    await until(async () => String(await functionStatus(server, "f")) === "0,0,1");
    await client.close();
    await server.stop();
  });
}, { port: true });
