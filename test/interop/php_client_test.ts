/** Tests of clients in PHP (its extension gearman, on libgearman) with our worker. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { toHex, utf8 } from "../support/bytes.ts";
import type { TestServer } from "../support/servers.ts";
import { startOurWorker, withOurWorker, workOff } from "./our_worker.ts";
import { ALL_BYTES, onEveryPort, php, timeout, withoutPhp } from "./foreign_programs.ts";

// It cannot send an empty workload: libgearman refuses it as invalid.
const CLIENT = String.raw`
  $client = new GearmanClient();
  $client->addServer("127.0.0.1", (int) $argv[1]);
  $all = implode("", array_map("chr", range(0, 255)));
  function say(...$words) { echo implode(" ", $words), "\n"; }
`;

/** The example of GearmanClient::doBackground in PHP's manual, with another server and a shorter sleep. */
const MANUAL = String.raw`
  /* create our object */
  $gmclient= new GearmanClient();

  /* add the default server */
  $gmclient->addServer("127.0.0.1", (int) $argv[1]);

  /* run reverse client */
  $job_handle = $gmclient->doBackground("reverse", "this is a test");

  if ($gmclient->returnCode() != GEARMAN_SUCCESS)
  {
    echo "bad return code\n";
    exit;
  }

  $done = false;
  do
  {
     usleep(3000);
     $stat = $gmclient->jobStatus($job_handle);
     if (!$stat[0]) // the job is known so it is not done
        $done = true;
     echo "Running: " . ($stat[1] ? "true" : "false") . ", numerator: " . $stat[2] . ", denominator: " . $stat[3] . "\n";
  }
  while(!$done);

  echo "done!\n";
`;

onEveryPort("a client in PHP with our worker", withoutPhp(), (start) => {
  let server: TestServer;
  const run = (script: string, ...args: string[]): Promise<string[]> =>
    php(CLIENT + script, server.port, ...args).lines();
  withOurWorker(start, (given) => server = given);

  test(
    "doNormal(), doHigh() and doLow() return all bytes unchanged, and an empty result",
    { timeout },
    async () => {
      const lines = await run(String.raw`
      foreach (["doNormal", "doHigh", "doLow"] as $do) {
        foreach (["echo" => $all, "nothing" => "x"] as $function => $workload) {
          $result = $client->$do($function, $workload);
          say($do, $client->returnCode(), bin2hex($result) . ".");
        }
      }
    `);
      const each = (name: string) => [`${name} 0 ${toHex(ALL_BYTES)}.`, `${name} 0 .`];
      assert.deepEqual(lines, [...each("doNormal"), ...each("doHigh"), ...each("doLow")]);
    },
  );

  test("a megabyte comes back", { timeout }, async () => {
    const lines = await run(String.raw`
      $megabyte = random_bytes(1 << 20);
      say($client->doNormal("echo", $megabyte) === $megabyte ? "the same" : "another");
    `);
    assert.deepEqual(lines, ["the same"]);
  });

  test("doNormal() returns the data and the result joined", { timeout }, async () => {
    const lines = await run(String.raw`say(bin2hex($client->doNormal("story", $all)), $client->returnCode());`);
    assert.deepEqual(lines, [`${toHex(ALL_BYTES)}00${toHex(utf8("done"))} 0`]);
  });

  test("doNormal() reports exceptions and failures by their return codes", { timeout }, async () => {
    const lines = await run(String.raw`
      $client->doNormal("exception", "no");
      say($client->returnCode() == GEARMAN_WORK_EXCEPTION ? "exception" : $client->error());
      $client->doNormal("fail", "x");
      say($client->returnCode() == GEARMAN_WORK_FAIL ? "fail" : $client->error());
      say($client->doNormal("echo", "still here"));
    `);
    assert.deepEqual(lines, ["exception", "fail", "still here"]);
  });

  test("the unique reaches our worker", { timeout }, async () => {
    const lines = await run(String.raw`
      say($client->doNormal("unique", "x", "job-17"));
      say($client->doHigh("unique", "x", "job-18"));
      say($client->doNormal("unique", "x") === "" ? "none" : "one of its own");
    `);
    assert.deepEqual(lines, ["job-17", "job-18", "one of its own"]);
  });

  test("the callbacks of tasks receive every kind of event", { timeout }, async () => {
    const lines = await run(String.raw`
      $report = fn($what) => function ($task) use ($what) {
        say($task->unique(), $what, bin2hex($task->data()));
        return GEARMAN_SUCCESS;
      };
      $client->setCreatedCallback(function ($task) { say($task->unique(), "created"); });
      $client->setDataCallback($report("data"));
      $client->setWarningCallback($report("warning"));
      $client->setCompleteCallback($report("complete"));
      $client->setExceptionCallback($report("exception"));
      $client->setFailCallback(function ($task) { say($task->unique(), "fail"); });
      $client->setStatusCallback(function ($task) {
        say($task->unique(), "status", $task->taskNumerator() . "/" . $task->taskDenominator());
      });
      $context = null;
      $client->addTask("story", $all, $context, "1");
      $client->addTaskHigh("exception", "n\u{f6}\0way", $context, "2");
      $client->addTaskLow("fail", "x", $context, "3");
      $client->addTask("nothing", "x", $context, "4");
      $client->addTaskBackground("echo", "x", $context, "5");
      $client->runTasks();
    `);
    const of = (unique: string) => lines.filter((line) => line[0] === unique).map((line) => line.slice(2).trimEnd());
    assert.deepEqual(of("1"), [
      "created",
      "status 1/4",
      "warning 7700ff",
      `data ${toHex(ALL_BYTES)}`,
      "data 00",
      "status 3/4",
      `complete ${toHex(utf8("done"))}`,
    ]);
    assert.deepEqual(of("2"), ["created", `exception ${toHex(utf8("nö\0way"))}`]);
    assert.deepEqual(of("3"), ["created", `data ${toHex(utf8("half"))}`, "fail"]);
    assert.deepEqual(of("4"), ["created", "complete"]);
    assert.deepEqual(of("5"), ["created"]);
    assert.equal(lines.length, 15);
  });

  test("each of hundreds of concurrent tasks gets its own result", { timeout }, async () => {
    const lines = await run(String.raw`
      $results = [];
      $client->setCompleteCallback(function ($task) use (&$results) { $results[$task->unique()] = $task->data(); });
      for ($i = 0; $i < 300; $i++) $client->addTask("echo", "word $i", null, "unique $i");
      say($client->runTasks() ? "ran" : $client->error());
      for ($i = 0; $i < 300; $i++) if ($results["unique $i"] !== "word $i") say("wrong: $i");
      say(count($results));
    `);
    assert.deepEqual(lines, ["ran", "300"]);
  });

  test("doBackground() and jobStatus() follow a job from running to done", { timeout }, async () => {
    const lines = await run(String.raw`
      $handle = $client->doBackground("hold", "x", "to be held");
      say($client->returnCode());
      do { usleep(1000); $status = $client->jobStatus($handle); } while (!$status[2]);
      say(json_encode($status));
      // After this query the client hangs in its next call, with any worker: so it is a second client.
      $asker = new GearmanClient();
      $asker->addServer("127.0.0.1", (int) $argv[1]);
      say(json_encode($asker->jobStatusByUniqueKey("to be held")));
      $client->doNormal("release", "x");
      do { usleep(1000); $status = $client->jobStatus($handle); } while ($status[0]);
      say(json_encode($status));
    `);
    assert.deepEqual(lines, ["0", "[true,true,3,14]", "[true,true,3,14]", "[false,false,0,0]"]);
  });

  test("background jobs reach our worker by priority, with their workloads", { timeout }, async () => {
    const lines = await run(String.raw`
      foreach (["doLowBackground", "doBackground", "doHighBackground"] as $do) {
        foreach ([1, 2] as $i) $client->$do("by-priority", "$do $i");
        say($client->returnCode());
      }
    `);
    assert.deepEqual(lines, ["0", "0", "0"]);
    assert.deepEqual(await workOff(server, "by-priority", 6), [
      "doHighBackground 1",
      "doHighBackground 2",
      "doBackground 1",
      "doBackground 2",
      "doLowBackground 1",
      "doLowBackground 2",
    ]);
  });

  test("clients with one unique share one run of our worker", { timeout }, async () => {
    const script = String.raw`say($client->doNormal("shared", "3", "one for all"));`;
    const results = await Promise.all([run(script), run(script), run(script)]);
    assert.deepEqual(results, [["run 1"], ["run 1"], ["run 1"]]);
  });
});

/** The example in README, with the same changes, and for the function of the worker here. */
const README = /```php\n(.*?)```/s.exec(readFileSync(new URL("../../README.md", import.meta.url), "utf8"))![1]!
  .replace("4730", "(int) $argv[1]").replace("sleep(1)", "usleep(3000)").replace('"count"', '"reverse"');

onEveryPort("the example in PHP's manual with our worker", withoutPhp(), (start) => {
  for (const [where, script] of [["the manual says", MANUAL], ["README shows", README]] as const) {
    test(`GearmanClient::doBackground() runs as ${where}`, { timeout }, async () => {
      const server = await start();
      const worker = startOurWorker(server);
      try {
        const program = php(script, server.port);
        await program.printed("Running: true, numerator: 3, denominator: 14\n");
        worker.release();
        const lines = await program.lines();
        assert.deepEqual(lines.filter((line) => !line.startsWith("Running: ")), ["done!"]);
        assert.deepEqual(lines.slice(-3), [
          "Running: true, numerator: 3, denominator: 14",
          "Running: false, numerator: 0, denominator: 0",
          "done!",
        ]);
      } finally {
        worker.release();
        await worker.stop();
        await server.stop();
      }
    });
  }
});
