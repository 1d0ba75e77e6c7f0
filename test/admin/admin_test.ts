/** Tests of the admin client's commands, on every job server. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GearmanClient, GearmanWorker, ServerError } from "../../mod.ts";
import { GearmanAdmin } from "../../src/admin/mod.ts";
import { PacketType as P } from "../../src/codec/mod.ts";
import { dialTcp } from "../../src/connection/mod.ts";
import { until } from "../support/wait.ts";
import { onEveryServer, type TestServer } from "../support/servers.ts";
import { request as r, Wire } from "../conformance/wire.ts";

onEveryServer("an admin client", (kind) => {
  let server: TestServer;
  let admin: GearmanAdmin;
  let client: GearmanClient;
  let worker: GearmanWorker;
  let running: Promise<void>;
  let release = () => {};
  before(async () => {
    server = await kind.start();
    admin = new GearmanAdmin(server.connect);
    client = new GearmanClient(server.connect);
    worker = new GearmanWorker({ ...server.connect, id: "worker-1" });
    const released = new Promise<void>((resolve) => release = resolve);
    worker.addFunction("hold", () => released).addFunction("echo", (job) => job.workload);
    running = worker.run();
    await client.do("echo").bytes();
  });
  after(async () => {
    release();
    await worker.close();
    await running;
    await client.close();
    await admin.close();
    await server.stop();
  });
  const statusOf = async (name: string) => (await admin.status()).find(({ functionName }) => functionName === name);

  test("lists functions with their jobs, in all and by priority", async () => {
    for (const priority of ["normal", "high", "low", "low"] as const) {
      await client.doBackground("hold", "x", { priority });
      await until(async () => (await statusOf("hold"))?.running === 1);
    }
    assert.deepEqual(await statusOf("hold"), { functionName: "hold", total: 4, running: 1, workers: 1 });
    const byPriority = (await admin.priorityStatus()).find(({ functionName }) => functionName === "hold");
    assert.deepEqual(byPriority, { functionName: "hold", high: 1, normal: 0, low: 2, workers: 1 });
  });

  test("lists all connections: a worker with its functions, a client, and the admin client", async () => {
    const connections = await admin.workers();
    const found = connections.find(({ id }) => id === "worker-1")!;
    assert.deepEqual(found.functionNames, ["echo", "hold"]);
    assert.match(found.address, /^(127\.0\.0\.1|-)$/);
    assert.ok(Number.isInteger(found.fd));
    const others = connections.filter(({ id, functionNames }) => id === "-" && functionNames.length === 0);
    assert.ok(others.length >= 2, "the client and the admin client");
  });

  test("returns the version, the process id and the log level", async () => {
    const [version, pid, verbose] = await Promise.all([admin.version(), admin.pid(), admin.verbose()]);
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.ok(pid > 0);
    assert.match(verbose, /^[A-Z]+$/);
  });

  test("lists jobs and their uniques, also a unique that is a dot or empty", async () => {
    const submit = (unique: string) => client.doBackground("without worker", "x", { unique });
    const jobs = await Promise.all([".", "", "ERR 1", "job-17"].map(submit));
    const uniques = await admin.showUniqueJobs();
    for (const { unique } of jobs) assert.ok(uniques.includes(unique), unique);
    const shown = (await admin.showJobs()).filter(({ handle }) => jobs.some((job) => job.handle === handle));
    assert.deepEqual(
      shown.sort((a, b) => a.handle.localeCompare(b.handle, "en", { numeric: true })),
      jobs.map(({ handle }) => ({ handle, retries: 0, ignored: false, background: true })),
    );
  });

  test("cancels a job, which fails for its client", async () => {
    const job = client.do("without worker", "", { unique: "cancelled" });
    await admin.cancelJob(await job.created());
    await assert.rejects(job.bytes(), { name: "JobFailedError" });
    const shown = (await admin.showJobs()).find(({ handle }) => handle === job.handle);
    assert.deepEqual(shown, { handle: job.handle, retries: 0, ignored: true, background: false });
    await assert.rejects(admin.cancelJob("H:none:1"), (error: ServerError) => {
      assert.ok(error instanceof ServerError);
      assert.deepEqual([error.code, error.text], ["UNKNOWN_JOB", ""]);
      return true;
    });
  });

  test("creates a function and drops it", async () => {
    await admin.createFunction("made");
    assert.deepEqual(await statusOf("made"), { functionName: "made", total: 0, running: 0, workers: 0 });
    await admin.dropFunction("made");
    assert.equal(await statusOf("made"), undefined);
    await assert.rejects(admin.dropFunction("made"), { name: "ServerError", code: "", text: "function not found" });
    await assert.rejects(admin.dropFunction("echo"), {
      text: "there are still connected workers or executing clients",
    });
  });

  test("limits the queue of a function in all or by priority, and removes the limit", async () => {
    await admin.createFunction("limited");
    await admin.maxQueue("limited", 1);
    await client.doBackground("limited", "x");
    await assert.rejects(client.doBackground("limited", "x"), { code: "QUEUE_ERROR" });
    await admin.maxQueue("limited", { high: 2, normal: 1, low: 0 });
    await assert.rejects(client.doBackground("limited", "x"), { code: "QUEUE_ERROR" });
    await client.doBackground("limited", "x", { priority: "high" });
    await client.doBackground("limited", "x", { priority: "low" });
    await admin.maxQueue("limited");
    await client.doBackground("limited", "x");
    assert.equal((await statusOf("limited"))?.total, 4);
  });

  test("answers each of a thousand overlapping calls with its own answer", async () => {
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => i % 2 === 0 ? admin.version() : admin.verbose()),
    );
    assert.equal(new Set(answers.filter((_, i) => i % 2 === 0)).size, 1);
    assert.equal(new Set(answers).size, 2);
  });

  test("reads names that hold tabs, spaces and line feeds", async () => {
    const dial = server.connect.dial ?? dialTcp();
    const wire = new Wire(await dial({ hostname: "127.0.0.1", port: server.port }, {}));
    await wire.send(r(P.SET_CLIENT_ID, "an id"), r(P.CAN_DO, "tab\tand\nline"), r(P.CAN_DO, "plain"));
    await wire.sync();
    // JobServer shows these as `_`, gearmand as they are.
    const [name, id] = kind.name === "gearmand" ? ["tab\tand\nline", "an id"] : ["tab_and_line", "an_id"];
    assert.deepEqual(await statusOf(name!), { functionName: name, total: 0, running: 0, workers: 1 });
    assert.equal((await admin.workers()).find((connection) => connection.id === id)?.functionNames[0], "plain");
    await wire.close();
  });

  test("watches the functions until the loop is left or the signal fires", async () => {
    let count = 0;
    for await (const functions of admin.watch({ interval: 0 })) {
      assert.ok(functions.some(({ functionName }) => functionName === "hold"));
      count += 1;
      if (count === 3) break;
    }
    const controller = new AbortController();
    const watching = admin.watch({ interval: 1_000_000, signal: controller.signal });
    await watching.next();
    const next = watching.next();
    controller.abort(new Error("enough"));
    await assert.rejects(next, { message: "enough" });
  });
});
