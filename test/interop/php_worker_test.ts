/** Tests of our client with workers in PHP (its extension gearman, on libgearman). */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { GearmanClient, JobFailedError } from "../../mod.ts";
import { pattern, toHex } from "../support/bytes.ts";
import { until } from "../support/wait.ts";
import {
  ALL_BYTES,
  eventsOf,
  failureOf,
  onEveryPort,
  php,
  type Program,
  timeout,
  withoutPhp,
} from "./foreign_programs.ts";
import { type TestServer, withClient } from "../support/servers.ts";

const WORKER = String.raw`
  $worker = new GearmanWorker();
  $worker->addServer("127.0.0.1", (int) $argv[1]);
  $worker->setId("php-worker");
  $worker->addFunction("echo", fn($job) => $job->workload());
  $worker->addFunction("unique", fn($job) => $job->unique());
  $worker->addFunction("pieces", function ($job) {
    foreach (str_split($job->workload(), 100) as $piece) $job->sendData($piece);
    $job->sendData("");
    return "\0end";
  });
  $worker->addFunction("story", function ($job) {
    $job->sendWarning("careful\0\xff");
    $job->sendData("piece");
    $job->sendStatus(3, 4);
    return "done";
  });
  $worker->addFunction("exception", function ($job) { $job->sendException($job->workload()); });
  $worker->addFunction("fail", function ($job) { $job->sendData("half"); $job->sendFail(); });
  $worker->addFunction("hold", function ($job) {
    $job->sendStatus(3, 14);
    while (!file_exists($job->workload())) { usleep(1000); clearstatcache(); }
    $job->sendStatus(14, 14);
  });
  while (@$worker->work() || $worker->returnCode() == GEARMAN_TIMEOUT);
  fwrite(STDERR, $worker->error());
`;

/** A worker that returns the number of its jobs so far, and the workload. */
const COUNTER = String.raw`
  $worker = new GearmanWorker();
  $worker->addServer("127.0.0.1", (int) $argv[1]);
  $count = 0;
  $worker->addFunction($argv[2], function ($job) use (&$count) { return ++$count . " " . $job->workload(); });
  while (@$worker->work());
`;

onEveryPort("our client with a worker in PHP", withoutPhp(), (start) => {
  let server: TestServer;
  let client: GearmanClient;
  let worker: Program;
  let folder: string;
  withClient({ start }, (...given) => [server, client] = given);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "gearwire-"));
    worker = php(WORKER, server.port);
  });
  after(() => rmSync(folder, { recursive: true }));

  test("all bytes come back unchanged, and so does an empty workload", { timeout }, async () => {
    assert.equal(toHex(await worker.serves(client.do("echo", ALL_BYTES))), toHex(ALL_BYTES));
    assert.equal((await worker.serves(client.do("echo", ""))).length, 0);
    assert.equal(await worker.serves(client.do("echo", "Grüße").text()), "Grüße");
  });

  test("a megabyte comes back", { timeout }, async () => {
    const megabyte = pattern(1_048_576);
    assert.deepEqual(await worker.serves(client.do("echo", megabyte).bytes()), megabyte);
  });

  test("each of hundreds of concurrent jobs gets its own result", { timeout }, async () => {
    const words = Array.from({ length: 300 }, (_, i) => `word ${i}`);
    const results = await worker.serves(Promise.all(words.map((word) => client.do("echo", word).text())));
    assert.deepEqual(results, words);
  });

  test("data of sendData() arrives piece by piece, and joined", { timeout }, async () => {
    const hex = toHex(ALL_BYTES);
    assert.deepEqual(await worker.serves(eventsOf(client.do("pieces", ALL_BYTES))), [
      `data ${hex.slice(0, 200)}`,
      `data ${hex.slice(200, 400)}`,
      `data ${hex.slice(400)}`,
      "data",
      "complete 00656e64",
    ]);
    assert.equal(toHex(await worker.serves(client.do("pieces", ALL_BYTES))), `${hex}00656e64`);
  });

  test("events of sendWarning(), sendData() and sendStatus() arrive in order", { timeout }, async () => {
    assert.deepEqual(await worker.serves(eventsOf(client.do("story"))), [
      `warning ${toHex(new TextEncoder().encode("careful"))}00ff`,
      `data ${toHex(new TextEncoder().encode("piece"))}`,
      "status 3/4",
      `complete ${toHex(new TextEncoder().encode("done"))}`,
    ]);
  });

  test("each status of sendStatus() arrives while the job runs", { timeout }, async () => {
    const gate = join(folder, "open at the first status");
    const seen: string[] = [];
    const follow = async () => {
      for await (const event of client.do("hold", gate)) {
        seen.push(event.type === "status" ? `${event.numerator} of ${event.denominator}` : event.type);
        if (event.type === "status" && event.numerator === 3) writeFileSync(gate, "");
      }
    };
    await worker.serves(follow());
    assert.deepEqual(seen, ["created", "3 of 14", "14 of 14", "complete"]);
  });

  test("sendException() fails the job with its bytes, and the worker goes on", { timeout }, async () => {
    for (const exception of [ALL_BYTES, Uint8Array.of(0)]) {
      const error = await worker.serves(failureOf(client.do("exception", exception)));
      assert.ok(error instanceof JobFailedError);
      assert.equal(error.functionName, "exception");
      assert.equal(toHex(error.exception!), toHex(exception));
    }
    assert.equal(await worker.serves(client.do("echo", "still here").text()), "still here");
  });

  test("sendFail() fails the job without an exception, after its data", { timeout }, async () => {
    const events: string[] = [];
    const error = await worker.serves(failureOf(eventsOf(client.do("fail"), events)));
    assert.deepEqual(events, ["data 68616c66"]);
    assert.ok(error instanceof JobFailedError);
    assert.equal(error.exception, undefined);
  });

  test("the worker receives the unique", { timeout }, async () => {
    for (const unique of ["", "job-17", "é".repeat(31)]) {
      assert.equal(await worker.serves(client.do("unique", "x", { unique }).text()), unique);
    }
  });

  test("the status of a background job can be queried until it is done", { timeout }, async () => {
    const gate = join(folder, "gate");
    const job = await client.doBackground("hold", gate);
    await worker.serves(until(async () => (await job.status()).denominator > 0));
    assert.deepEqual(await client.jobStatus(job.toString()), {
      handle: job.handle,
      known: true,
      running: true,
      numerator: 3,
      denominator: 14,
    });
    assert.equal((await client.jobStatusByUnique(job.unique)).numerator, 3);
    writeFileSync(gate, "");
    let last;
    for await (const status of job.watch({ interval: 2 })) last = status;
    assert.equal(last?.known, false);
  });

  test("jobs reach the worker by priority, and then in the order of submission", { timeout }, async () => {
    const priorities = ["low", "normal", "high", "low", "normal", "high"] as const;
    const jobs = priorities.map((priority) => client.do("by-priority", priority, { priority }));
    await Promise.all(jobs.map((job) => job.created()));
    const worker = php(COUNTER, server.port, "by-priority");
    assert.deepEqual(await worker.serves(Promise.all(jobs.map((job) => job.text()))), [
      "5 low",
      "3 normal",
      "1 high",
      "6 low",
      "4 normal",
      "2 high",
    ]);
  });

  test("submissions with one unique run once, with the workload of the first", { timeout }, async () => {
    const other = new GearmanClient(server.connect);
    const jobs = [client, other, client].map((from, i) => from.do("by-unique", `job ${i}`, { unique: "one" }));
    for (const job of jobs) await job.created();
    const worker = php(COUNTER, server.port, "by-unique");
    const results = await worker.serves(Promise.all(jobs.map((job) => job.text())));
    assert.match(results[0]!, /^1 job [012]$/);
    assert.deepEqual(results, Array(3).fill(results[0]));
    await other.close();
  });
});
