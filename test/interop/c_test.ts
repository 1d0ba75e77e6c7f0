/**
 * Tests of `gearman`, the tool in C: as a client with our worker, and with -w as a worker that runs a command for each
 * job.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanClient, JobFailedError } from "../../mod.ts";
import { pattern, text, toHex, utf8 } from "../support/bytes.ts";
import { needs } from "../support/requirements.ts";
import { until } from "../support/wait.ts";
import { ALL_BYTES, eventsOf, failureOf, gearman, onEveryPort, type Program, timeout } from "./foreign_programs.ts";
import { type TestServer, withClient } from "../support/servers.ts";
import { withOurWorker, workOff } from "./our_worker.ts";

// No test throws in our worker: for a client that has not requested exceptions, gearmand turns WORK_EXCEPTION into a
// WORK_FAIL that ends in a NUL, and this client ignores it and waits for another one.
onEveryPort("the client in C with our worker", needs("gearman"), (start) => {
  let server: TestServer;
  withOurWorker(start, (given) => server = given);

  test("all bytes come back unchanged, and an empty result is empty", { timeout }, async () => {
    for (const option of ["-f", "-If", "-Lf"]) {
      assert.equal(toHex(await gearman(server.port, [option, "echo"], ALL_BYTES).output()), toHex(ALL_BYTES));
    }
    assert.equal((await gearman(server.port, ["-f", "nothing", "x"]).output()).length, 0);
    assert.equal((await gearman(server.port, ["-s", "-f", "echo"]).output()).length, 0);
  });

  test("a megabyte comes back", { timeout }, async () => {
    const megabyte = pattern(1_048_576);
    assert.deepEqual(await gearman(server.port, ["-f", "echo"], megabyte).output(), megabyte);
  });

  test("it prints data, statuses and the result, and warnings on its standard error", { timeout }, async () => {
    const { status, stdout, stderr } = await gearman(server.port, ["-f", "story", "the tale "]).ended;
    assert.equal(status, 0);
    // It writes data to a pipe at once, and statuses when it ends.
    assert.equal(text(stdout), "the tale \0done25% Complete\n75% Complete\n");
    assert.match(stderr, /^w\0/);
  });

  test("a failed job sets the exit status, after its data was printed", { timeout }, async () => {
    const { status, stdout, stderr } = await gearman(server.port, ["-f", "fail", "x"]).ended;
    assert.equal(status, 1);
    assert.equal(text(stdout), "half");
    assert.match(stderr, /Job failed/);
  });

  test("with -n each line is a job, and with several functions each gets the job", { timeout }, async () => {
    const lines = await gearman(server.port, ["-n", "-f", "echo"], "one\ntwo\nthree\n").output();
    assert.equal(text(lines), "one\ntwo\nthree\n");
    const several = await gearman(server.port, ["-P", "-f", "echo", "-f", "nothing", "word"]).output();
    assert.match(text(several), /echo: word/);
  });

  test("the unique reaches our worker", { timeout }, async () => {
    assert.equal(text(await gearman(server.port, ["-u", "job-17", "-f", "unique", "x"]).output()), "job-17");
  });

  test("background jobs reach our worker by priority, and their status can be followed", { timeout }, async () => {
    for (const option of ["-Lbf", "-bf", "-Ibf"]) {
      const output = await gearman(server.port, [option, "by-priority", `with ${option}`]).output();
      assert.equal(text(output), "");
    }
    assert.deepEqual(await workOff(server, "by-priority", 3), ["with -Ibf", "with -bf", "with -Lbf"]);

    const client = new GearmanClient(server.connect);
    const report = text(await gearman(server.port, ["-v", "-b", "-u", "held", "-f", "hold", "x"]).output());
    const handle = /^Task created: (\S+)$/m.exec(report)?.[1] ?? "";
    assert.equal((await client.jobStatus(handle)).known, true, report);
    await until(async () => (await client.jobStatus(handle)).numerator === 3);
    await client.do("release");
    await until(async () => !(await client.jobStatus(handle)).known);
    await client.close();
  });

  test("clients with one unique share one run of our worker", { timeout }, async () => {
    const run = () => gearman(server.port, ["-u", "one for all", "-f", "shared", "3"]).output();
    const results = await Promise.all([run(), run(), run()]);
    assert.deepEqual(results.map(text), ["run 1", "run 1", "run 1"]);
  });
});

onEveryPort("our client with the worker in C", needs("gearman"), (start) => {
  let server: TestServer;
  let client: GearmanClient;
  /** Starts a worker that runs a command for each job; its input is the workload, its output the result. */
  const work = (functionName: string, command: readonly string[], ...options: string[]): Program => {
    return gearman(server.port, ["-w", ...options, "-f", functionName, "--", ...command]);
  };
  withClient({ start }, (...given) => [server, client] = given);

  test("all bytes pass through a command and come back, and so does an empty workload", { timeout }, async () => {
    const worker = work("cat", ["cat"]);
    assert.equal(toHex(await worker.serves(client.do("cat", ALL_BYTES))), toHex(ALL_BYTES));
    assert.equal((await worker.serves(client.do("cat", ""))).length, 0);
    assert.equal(await worker.serves(client.do("cat", "third").text()), "third");
  });

  test("a megabyte comes back", { timeout }, async () => {
    // The worker writes all of the input before it reads: the command must not write earlier.
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

  test("background jobs run by priority, and are unknown after the worker has done them", { timeout }, async () => {
    const jobs = [];
    for (const priority of ["low", "normal", "high"] as const) {
      jobs.push(await client.doBackground("by-priority", `${priority} `, { priority }));
    }
    for (const job of jobs) assert.equal((await job.status()).known, true);
    // The standard error of the command is that of the worker.
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
