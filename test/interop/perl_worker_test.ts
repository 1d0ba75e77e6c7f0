/** Tests of our client with workers in Perl (Gearman::Worker). */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type GearmanClient, JobFailedError } from "../../mod.ts";
import { pattern, text, toHex, utf8 } from "../support/bytes.ts";
import { until } from "../support/wait.ts";
import {
  ALL_BYTES,
  eventsOf,
  failureOf,
  onEveryPort,
  perl,
  type Program,
  timeout,
  withoutPerl,
} from "./foreign_programs.ts";
import { type TestServer, withClient } from "../support/servers.ts";

// It cannot send an empty result or exception: Gearman::Worker then leaves out the NUL that ends the handle.
const WORKER = String.raw`
  use Gearman::Worker;
  my $worker = Gearman::Worker->new(job_servers => ["127.0.0.1:$ARGV[0]"], client_id => "perl-worker");
  $worker->register_function(echo => sub { $_[0]->arg });
  $worker->register_function(size => sub { length($_[0]->arg) . " bytes" });
  $worker->register_function(story => sub {
    my $job = shift;
    $worker->send_work_warning($job, "careful\0\xff");
    $worker->send_work_data($job, $job->arg);
    $worker->send_work_data($job, "\0");
    $job->set_status(3, 4);
    return "done";
  });
  $worker->register_function(exception => sub { $worker->send_work_exception($_[0], $_[0]->arg); return });
  $worker->register_function(fail => sub { $worker->send_work_data($_[0], "half"); return undef });
  $worker->register_function(hold => sub {
    my $job = shift;
    $job->set_status(3, 14);
    select(undef, undef, undef, 0.001) until -e $job->arg;
    $job->set_status(14, 14);
    return "done";
  });
  $worker->work;
`;

const DYING_WORKER = String.raw`
  use Gearman::Worker;
  my $worker = Gearman::Worker->new(job_servers => ["127.0.0.1:$ARGV[0]"]);
  $worker->register_function(dies => sub { die "out of camels\n" });
  $worker->work;
`;

onEveryPort("our client with a worker in Perl", withoutPerl(), (start) => {
  let server: TestServer;
  let client: GearmanClient;
  let worker: Program;
  let folder: string;
  withClient({ start }, (...given) => [server, client] = given);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "gearwire-"));
    worker = perl(WORKER, server.port);
  });
  after(() => rmSync(folder, { recursive: true }));

  test("all bytes come back unchanged, and an empty workload arrives", { timeout }, async () => {
    assert.equal(toHex(await worker.serves(client.do("echo", ALL_BYTES))), toHex(ALL_BYTES));
    assert.equal(await worker.serves(client.do("size", "").text()), "0 bytes");
    assert.equal(await worker.serves(client.do("size", ALL_BYTES).text()), "256 bytes");
  });

  test("a megabyte comes back", { timeout }, async () => {
    const megabyte = pattern(1_048_576);
    assert.deepEqual(await worker.serves(client.do("echo", megabyte).bytes()), megabyte);
  });

  test("warnings, data and statuses arrive in order", { timeout }, async () => {
    assert.deepEqual(await worker.serves(eventsOf(client.do("story", ALL_BYTES))), [
      `warning ${toHex(utf8("careful"))}00ff`,
      `data ${toHex(ALL_BYTES)}`,
      "data 00",
      "status 3/4",
      `complete ${toHex(utf8("done"))}`,
    ]);
  });

  test("send_work_exception() fails the job with its bytes, and the worker goes on", { timeout }, async () => {
    for (const exception of [ALL_BYTES, Uint8Array.of(0)]) {
      const error = await worker.serves(failureOf(client.do("exception", exception)));
      assert.ok(error instanceof JobFailedError);
      assert.equal(toHex(error.exception!), toHex(exception));
    }
    assert.equal(await worker.serves(client.do("echo", "still here").text()), "still here");
  });

  test("an undefined result fails the job, after its data", { timeout }, async () => {
    const events: string[] = [];
    const error = await worker.serves(failureOf(eventsOf(client.do("fail"), events)));
    assert.deepEqual(events, ["data 68616c66"]);
    assert.ok(error instanceof JobFailedError);
    assert.equal(error.exception, undefined);
  });

  test(
    "die fails the job with a frozen message, and the worker dies of the packet that it sends next",
    { timeout },
    async () => {
      const worker = perl(DYING_WORKER, server.port);
      const [error, { stderr }] = await Promise.all([failureOf(client.do("dies")), worker.ended]);
      assert.ok(error instanceof JobFailedError);
      assert.match(text(error.exception!), /out of camels/);
      // It sends WORK_FAIL for a job that has ended with its WORK_EXCEPTION.
      assert.match(stderr, /unexpected packet type: error \[JOB_NOT_FOUND -- Job given in work result not found\]/);
    },
  );

  test("the status of a background job can be queried until it is done", { timeout }, async () => {
    const gate = join(folder, "gate");
    const job = await client.doBackground("hold", gate);
    await worker.serves(until(async () => (await job.status()).denominator > 0));
    assert.deepEqual(await job.status(), {
      handle: job.handle,
      known: true,
      running: true,
      numerator: 3,
      denominator: 14,
    });
    writeFileSync(gate, "");
    let last;
    for await (const status of job.watch({ interval: 2 })) last = status;
    assert.equal(last?.known, false);
  });

  test("the worker does jobs of every priority", { timeout }, async () => {
    const priorities = ["low", "normal", "high"] as const;
    const jobs = priorities.map((priority) => client.do("echo", priority, { priority }).text());
    assert.deepEqual(await worker.serves(Promise.all(jobs)), priorities);
  });
});
