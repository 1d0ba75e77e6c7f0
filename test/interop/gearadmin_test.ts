/** Tests of `gearadmin` with our worker, our client and our admin client. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GearmanClient, GearmanWorker } from "../../mod.ts";
import { GearmanAdmin } from "../../src/admin/mod.ts";
import { needs } from "../support/requirements.ts";
import { until } from "../support/wait.ts";
import { onEveryPort, Program, timeout } from "./foreign_programs.ts";
import type { TestServer } from "../support/servers.ts";

onEveryPort("gearadmin", needs("gearadmin"), (start) => {
  let server: TestServer;
  let client: GearmanClient;
  let worker: GearmanWorker;
  let running: Promise<void>;
  let release = () => {};
  const ask = (...args: string[]): Promise<string[]> =>
    new Program("gearadmin", ["-h", "127.0.0.1", "-p", String(server.port), ...args]).lines();
  const statusOf = async (functionName: string, option: string): Promise<string | undefined> =>
    (await ask(option)).find((line) => line.startsWith(`${functionName}\t`));
  before(async () => {
    server = await start();
    client = new GearmanClient(server.connect);
    worker = new GearmanWorker({ ...server.connect, id: "our-worker.1" });
    const released = new Promise<void>((resolve) => release = resolve);
    worker.addFunction("hold", () => released).addFunction("echo", (job) => job.workload);
    running = worker.run();
  });
  after(async () => {
    release();
    await worker.close();
    await running;
    await client.close();
    await server.stop();
  });

  test("--workers shows the id and the functions of our worker, the newest function first", { timeout }, async () => {
    assert.equal(await client.do("echo", "up").text(), "up");
    const lines = await ask("--workers");
    assert.equal(lines.at(-1), ".");
    assert.match(lines.find((line) => line.includes("our-worker.1")) ?? "", /^\d+ \S+ our-worker\.1 : echo hold$/);
    assert.ok(
      lines.some((line) => /^\d+ \S+ - :$/.test(line)),
      "it must show the client, without an id and without functions",
    );
  });

  test("--status and --priority-status count queued and running jobs", { timeout }, async () => {
    for (const priority of ["normal", "high", "low", "low"] as const) {
      await client.doBackground("hold", "x", { priority });
      await until(async () => (await statusOf("hold", "--status"))?.split("\t")[2] === "1");
    }
    assert.equal(await statusOf("hold", "--status"), "hold\t4\t1\t1");
    assert.equal(await statusOf("hold", "--priority-status"), "hold\t1\t0\t2\t1");
    assert.equal(await statusOf("echo", "--status"), "echo\t0\t0\t1");
  });

  test("--show-jobs and --show-unique-jobs show a job of our client", { timeout }, async () => {
    const job = await client.doBackground("queued", "x", { unique: "job-17" });
    assert.ok((await ask("--show-jobs")).includes(`${job.handle}\t0\t0\t1`));
    assert.ok((await ask("--show-unique-jobs")).includes("job-17"));
  });

  test("--cancel-job fails the job of our client", { timeout }, async () => {
    const job = client.do("queued", "");
    const failed = assert.rejects(job.bytes(), { name: "JobFailedError" });
    assert.deepEqual(await ask("--cancel-job", await job.created()), ["OK"]);
    await failed;
  });

  test("--create-function and --drop-function add and remove a function", { timeout }, async () => {
    await ask("--create-function", "made");
    assert.equal(await statusOf("made", "--status"), "made\t0\t0\t0");
    await ask("--drop-function", "made");
    assert.equal(await statusOf("made", "--status"), undefined);
  });

  test("--server-version and --getpid answer", { timeout }, async () => {
    assert.match((await ask("--server-version")).join("\n"), /^\d+\.\d+\S*$/);
    assert.match((await ask("--getpid")).join("\n"), /^\d+$/);
  });

  test("gearadmin prints what our admin client returns", { timeout }, async () => {
    await using admin = new GearmanAdmin(server.connect);
    await client.doBackground("queued", "x", { unique: "job-18", priority: "high" });
    const lists: Record<string, unknown[][]> = {
      "--status": (await admin.status()).map((row) => Object.values(row)),
      "--priority-status": (await admin.priorityStatus()).map((row) => Object.values(row)),
      // lines() leaves out empty lines.
      "--show-unique-jobs": (await admin.showUniqueJobs()).filter(Boolean).map((unique) => [unique]),
      "--show-jobs": (await admin.showJobs()).map((row) =>
        Object.values(row).map((value) => value === true ? 1 : value || 0)
      ),
    };
    for (const [option, rows] of Object.entries(lists)) {
      assert.ok(rows.length > 0);
      assert.deepEqual(rows.map((row) => row.join("\t")).sort(), (await ask(option)).slice(0, -1).sort(), option);
    }
    assert.deepEqual(await ask("--server-version"), [await admin.version()]);
    assert.deepEqual(await ask("--getpid"), [String(await admin.pid())]);
    const lines = (await admin.workers()).map(({ address, id, functionNames }) =>
      [address, id, ":", ...functionNames].join(" ")
    );
    // The file descriptors differ, and gearadmin prints its own connection too.
    const printed = (await ask("--workers")).map((line) => line.replace(/^\d+ /, ""));
    for (const line of lines.filter((line) => !line.endsWith("- :"))) {
      assert.ok(printed.includes(line), `${line}\n${printed.join("\n")}`);
    }
  });
}, { version: "1.1" });
