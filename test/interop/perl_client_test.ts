/** Tests of clients in Perl (Gearman::Client) with our worker. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, utf8 } from "../support/bytes.ts";
import type { TestServer } from "../support/servers.ts";
import { withOurWorker, workOff } from "./our_worker.ts";
import { ALL_BYTES, onEveryPort, perl, timeout, withoutPerl } from "./foreign_programs.ts";

// Without `exceptions` it cannot read the WORK_FAIL that gearmand sends instead of WORK_EXCEPTION, and dies.
const CLIENT = String.raw`
  use Gearman::Client;
  my $client = Gearman::Client->new(job_servers => ["127.0.0.1:$ARGV[0]"], exceptions => 1);
  my $all = join "", map { chr } 0 .. 255;
  sub say { print join(" ", @_), "\n" }
  sub hex_of { my $ref = shift; defined $ref ? unpack("H*", $$ref) . "." : "undefined" }
`;

onEveryPort("a client in Perl with our worker", withoutPerl(), (start) => {
  let server: TestServer;
  const run = (script: string): Promise<string[]> => perl(CLIENT + script, server.port).lines();
  withOurWorker(start, (given) => server = given);

  test("do_task() returns all bytes unchanged, and an empty result", { timeout }, async () => {
    const lines = await run(String.raw`
      say(hex_of($client->do_task("echo", $all)));
      say(hex_of($client->do_task("echo", $all, { priority => "high" })));
      say(hex_of($client->do_task("echo", $all, { priority => "low" })));
      say(hex_of($client->do_task("echo", "")));
      say(hex_of($client->do_task("nothing", "x")));
    `);
    const all = `${toHex(ALL_BYTES)}.`;
    assert.deepEqual(lines, [all, all, all, ".", "."]);
  });

  test("a megabyte comes back", { timeout }, async () => {
    const lines = await run(String.raw`
      my $megabyte = pack "N*", map { $_ * 40503 & 0xffffffff } 1 .. 1 << 18;
      my $result = $client->do_task("echo", $megabyte);
      say($$result eq $megabyte ? "the same" : "another");
    `);
    assert.deepEqual(lines, ["the same"]);
  });

  test("the unique reaches our worker", { timeout }, async () => {
    const lines = await run(String.raw`
      say(hex_of($client->do_task("unique", "x", { uniq => "job-17" })));
      say(hex_of($client->do_task("unique", "x")));
    `);
    assert.deepEqual(lines, [`${toHex(utf8("job-17"))}.`, "."]);
  });

  test("the callbacks of a task set receive every kind of event", { timeout }, async () => {
    const lines = await run(String.raw`
      sub callbacks {
        my $task = shift;
        return {
          on_data => sub { say($task, "data", hex_of(shift)) },
          on_warning => sub { say($task, "warning", hex_of(shift)) },
          on_status => sub { say($task, "status", join "/", @_) },
          on_complete => sub { say($task, "complete", hex_of(shift)) },
          on_exception => sub { say($task, "exception", unpack "H*", shift) },
          on_fail => sub { say($task, "fail") },
        };
      }
      my $set = $client->new_task_set;
      $set->add_task(story => $all, callbacks(1));
      $set->add_task(exception => "n\xc3\xb6\0way", callbacks(2));
      $set->add_task(fail => "", callbacks(3));
      $set->add_task(nothing => "", callbacks(4));
      $set->wait;
      say("waited");
      say(hex_of($client->do_task("echo", "still here")));
    `);
    const of = (task: string) => lines.filter((line) => line.startsWith(`${task} `)).map((line) => line.slice(2));
    assert.deepEqual(of("1"), [
      "status 1/4",
      "warning 7700ff.",
      `data ${toHex(ALL_BYTES)}.`,
      "data 00.",
      "status 3/4",
      `complete ${toHex(utf8("done"))}.`,
    ]);
    assert.deepEqual(of("2"), [`exception ${toHex(utf8("nö\0way"))}`]);
    assert.deepEqual(of("3"), [`data ${toHex(utf8("half"))}.`, "fail"]);
    assert.deepEqual(of("4"), ["complete ."]);
    assert.deepEqual(lines.slice(10), ["waited", `${toHex(utf8("still here"))}.`]);
  });

  test("a failed task is retried as often as its options say", { timeout }, async () => {
    const lines = await run(String.raw`
      my $result = $client->do_task("fail", "x", {
        retry_count => 2,
        on_retry => sub { say("retry", @_) },
        on_fail => sub { say("fail") },
      });
      say(hex_of($result));
    `);
    assert.deepEqual(lines, ["retry 1", "retry 2", "fail", "undefined"]);
  });

  test("dispatch_background() and get_status() follow a job from running to done", { timeout }, async () => {
    const lines = await run(String.raw`
      my $handle = $client->dispatch_background("hold", "x", { uniq => "to be held" });
      my $status;
      do { select(undef, undef, undef, 0.001); $status = $client->get_status($handle) } until $status->progress->[1];
      say($status->known, $status->running, join "/", @{ $status->progress });
      $client->do_task("release", "x");
      do { select(undef, undef, undef, 0.001); $status = $client->get_status($handle) } while $status->known;
      say("done");
    `);
    assert.deepEqual(lines, ["1 1 3/14", "done"]);
  });

  test("background jobs reach our worker by priority", { timeout }, async () => {
    const lines = await run(String.raw`
      for my $priority (qw(low normal high)) {
        for my $i (1, 2) {
          $client->dispatch_background("by-priority", "$priority $i", { priority => $priority }) or die;
        }
      }
      say("dispatched");
    `);
    assert.deepEqual(lines, ["dispatched"]);
    assert.deepEqual(await workOff(server, "by-priority", 6), [
      "high 1",
      "high 2",
      "normal 1",
      "normal 2",
      "low 1",
      "low 2",
    ]);
  });

  test("clients with one unique share one run of our worker", { timeout }, async () => {
    const script = String.raw`say(hex_of($client->do_task("shared", "3", { uniq => "one for all" })));`;
    const results = await Promise.all([run(script), run(script), run(script)]);
    assert.deepEqual(results, Array(3).fill([`${toHex(utf8("run 1"))}.`]));
  });
});
