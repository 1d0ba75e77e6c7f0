/** Our client with the worker in C: `gearman -w`, which runs a command for each job. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GearmanClient, JobFailedError } from "../../mod.ts";
import { pattern, toHex, utf8 } from "../fixtures/bytes.ts";
import { needs } from "../support/gearmand.ts";
import { until } from "../support/peers.ts";
import type { TestServer } from "../support/servers.ts";
import { ALL_BYTES, eventsOf, failureOf, gearman, onEveryPort, timeout } from "./programs.ts";
import type { Program } from "./programs.ts";

onEveryPort("our client with the worker in C", needs("gearman"), (start) => {
  let server: TestServer;
  let client: GearmanClient;
  /** Starts a worker that runs a command for each job: the workload is its input, and its output the result. */
  const work = (functionName: string, command: readonly string[], ...options: string[]): Program => {
    return gearman(server.port, ["-w", ...options, "-f", functionName, "--", ...command]);
  };
  before(async () => {
    server = await start();
    client = new GearmanClient(server.connect);
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  test("every byte goes through a command and comes back, and so does nothing", { timeout }, async () => {
    const worker = work("cat", ["cat"]);
    assert.equal(toHex(await worker.serves(client.do("cat", ALL_BYTES))), toHex(ALL_BYTES));
    assert.equal((await worker.serves(client.do("cat", ""))).length, 0);
    assert.equal(await worker.serves(client.do("cat", "third").text()), "third");
  });

  test("a megabyte comes back", { timeout }, async () => {
    // It writes all of the input before it reads: the command must not answer earlier.
    const worker = work("last", ["tail", "-c", "1048576"]);
    const megabyte = pattern(1_048_576);
    assert.deepEqual(await worker.serves(client.do("last", megabyte).bytes()), megabyte);
  });

  test("with -n each line arrives as data", { timeout }, async () => {
    const worker = work("line", ["cat"], "-n");
    assert.deepEqual(await worker.serves(eventsOf(client.do("line", "only\n"))), [
      `data ${toHex(utf8("only\n"))}`,
      "complete",
    ]);
  });

  test("a command that fails, fails the job after its output", { timeout }, async () => {
    const worker = work("false", ["sh", "-c", "cat; exit 3"]);
    for (const workload of ["half", "another half"]) {
      const events: string[] = [];
      const error = await worker.serves(failureOf(eventsOf(client.do("false", workload), events)));
      assert.deepEqual(events, [`data ${toHex(utf8(workload))}`]);
      assert.ok(error instanceof JobFailedError);
      assert.equal(error.exception, undefined);
    }
  });

  test("background jobs run by priority, and are over when the worker has done them", { timeout }, async () => {
    const jobs = [];
    for (const priority of ["low", "normal", "high"] as const) {
      jobs.push(await client.doBackground("by-priority", `${priority} `, { priority }));
    }
    for (const job of jobs) assert.equal((await job.status()).known, true);
    // What the command says beside its output is what the worker in C says.
    const worker = work("by-priority", ["sh", "-c", "cat >&2"], "-c", "3");
    const { status, stderr } = await worker.ended;
    assert.equal(stderr, "high normal low ");
    assert.equal(status, 0);
    for (const job of jobs) await until(async () => !(await job.status()).known);
  });

  test("submissions with one unique run once", { timeout }, async () => {
    const jobs = ["a", "b", "c"].map((workload) => client.do("once", workload, { unique: "one" }));
    for (const job of jobs) await job.created();
    const worker = work("once", ["cat"], "-c", "1");
    const [, ...results] = await Promise.all([worker.output(), ...jobs.map((job) => job.text())]);
    assert.deepEqual(results, ["a", "a", "a"]);
  });
});
