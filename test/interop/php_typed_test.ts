/** Tests of typed functions with PHP (its extension gearman) on the other side: JSON, and PHP's own serialize(). */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serialize, unserialize } from "php-serialize";
import { z } from "zod";
import { defineFunction, type GearmanClient, GearmanWorker, JobFailedError, ValidationError } from "../../mod.ts";
import { text } from "../support/bytes.ts";
import { type TestServer, withClient } from "../support/servers.ts";
import { failureOf, onEveryPort, php, type Program, timeout, withoutPhp } from "./foreign_programs.ts";

const resize = defineFunction("resize", {
  input: z.object({ name: z.string(), width: z.number().default(100) }),
  output: z.object({ url: z.string() }),
});
const serialized = defineFunction("serialized", {
  input: z.object({ name: z.string(), sizes: z.array(z.number()) }),
  output: z.object({ total: z.number() }),
  serializer: { encode: (value) => serialize(value ?? null), decode: (bytes) => unserialize(text(bytes)) },
});
const clock = defineFunction("clock", { output: z.object({ hour: z.number() }) });

// Beyond ASCII, the scripts use escapes of PHP: Bun changes such characters in String.raw.
const CLIENT = String.raw`
  $client = new GearmanClient();
  $client->addServer("127.0.0.1", (int) $argv[1]);
  $exceptions = "";
  $client->setExceptionCallback(function ($task) use (&$exceptions) { $exceptions .= $task->data(); });
  function say(...$words) { echo implode(" ", $words), "\n"; }
`;

const WORKER = String.raw`
  $worker = new GearmanWorker();
  $worker->addServer("127.0.0.1", (int) $argv[1]);
  $worker->addFunction("resize", function ($job) {
    $input = json_decode($job->workload(), true);
    $job->sendStatus(1, 2);
    if ($input["name"] === "list") return json_encode([]);
    if ($input["name"] === "text") return "ok";
    if ($input["name"] === "mark") return "\xef\xbb\xbf" . json_encode(["url" => "/marked"]);
    if ($input["name"] === "exception") { $job->sendException("no such picture"); return; }
    return json_encode(["url" => "/" . ($input["width"] ?? "none") . "/" . $input["name"]]);
  });
  $worker->addFunction("clock", fn($job) => json_encode(["hour" => strlen($job->workload())]));
  $worker->addFunction("serialized", function ($job) {
    $input = unserialize($job->workload());
    return serialize(["total" => array_sum($input["sizes"]) + strlen($input["name"])]);
  });
  while (@$worker->work() || $worker->returnCode() == GEARMAN_TIMEOUT);
  fwrite(STDERR, $worker->error());
`;

onEveryPort("a typed worker with a client in PHP", withoutPhp(), (start) => {
  let server: TestServer;
  let worker: GearmanWorker;
  const run = (script: string): Promise<string[]> => php(CLIENT + script, server.port).lines();
  before(async () => {
    server = await start();
    worker = new GearmanWorker({ ...server.connect, onEvent() {} });
    worker.addFunction(resize, async ({ name, width }, job) => {
      await job.sendStatus(1, 2);
      return { url: `/${width}/${name}` };
    });
    worker.addFunction(serialized, ({ name, sizes }) => ({
      total: sizes.reduce((sum, size) => sum + size, new TextEncoder().encode(name).length),
    }));
    worker.run();
  });
  after(async () => {
    await worker.close();
    await server.stop();
  });

  test("a job in JSON gets the defaults of the schema at the worker, and a result in JSON", { timeout }, async () => {
    const lines = await run(String.raw`
      say($client->doNormal("resize", json_encode(["name" => "Gr\u{fc}\u{df}e.png"])));
      say(json_decode($client->doNormal("resize", json_encode(["name" => "b", "width" => 5])), true)["url"]);
    `);
    assert.deepEqual(lines, ['{"url":"/100/Grüße.png"}', "/5/b"]);
  });

  test("an invalid input fails the job, and PHP sees why", { timeout }, async () => {
    const lines = await run(String.raw`
      $client->addTask("resize", json_encode(["name" => 5]));
      $client->runTasks();
      say($exceptions);
      $exceptions = "";
      $client->addTask("resize", json_encode([]));
      $client->runTasks();
      say($exceptions);
    `);
    assert.deepEqual(lines, [
      'The input of "resize" is invalid: name: Invalid input: expected string, received number',
      'The input of "resize" is invalid: Invalid input: expected object, received array',
    ]);
  });

  test("a job in PHP's own format", { timeout }, async () => {
    const lines = await run(String.raw`
      $input = serialize(["name" => "\u{e9}", "sizes" => [1, 2.5]]);
      say(unserialize($client->doNormal("serialized", $input))["total"]);
    `);
    assert.deepEqual(lines, ["5.5"]);
  });
});

onEveryPort("a typed client with a worker in PHP", withoutPhp(), (start) => {
  let server: TestServer;
  let client: GearmanClient;
  let worker: Program;
  withClient({ start }, (...given) => [server, client] = given);
  before(() => {
    worker = php(WORKER, server.port);
  });

  test("PHP gets the input as it was given, without the defaults of the schema", { timeout }, async () => {
    const statuses: string[] = [];
    const onStatus = (status: { numerator: number; denominator: number }) => {
      statuses.push(`${status.numerator}/${status.denominator}`);
    };
    assert.deepEqual(await worker.serves(client.do(resize, { name: "é.png" }, { onStatus })), { url: "/none/é.png" });
    assert.deepEqual(await worker.serves(client.do(resize, { name: "a", width: 5 })), { url: "/5/a" });
    assert.deepEqual(statuses, ["1/2"]);
  });

  test("an output that the schema refuses, or that is no JSON, is a ValidationError", { timeout }, async () => {
    const list = await failureOf(worker.serves(client.do(resize, { name: "list" })));
    assert.ok(list instanceof ValidationError);
    assert.equal(list.part, "output");
    assert.match(list.message, /^The output of "resize" is invalid: Invalid input: expected object, received array/);
    const ok = await failureOf(worker.serves(client.do(resize, { name: "text" })));
    assert.ok(ok instanceof ValidationError);
    assert.ok(ok.cause instanceof SyntaxError);
  });

  test("a byte order mark before the output is skipped", { timeout }, async () => {
    assert.deepEqual(await worker.serves(client.do(resize, { name: "mark" })), { url: "/marked" });
  });

  test("an exception of PHP is a JobFailedError", { timeout }, async () => {
    const error = await failureOf(worker.serves(client.do(resize, { name: "exception" })));
    assert.ok(error instanceof JobFailedError);
    assert.equal(text(error.exception!), "no such picture");
  });

  test("a function without input gets no bytes in the foreground", { timeout }, async () => {
    assert.deepEqual(await worker.serves(client.do(clock)), { hour: 0 });
  });

  test("a job in PHP's own format", { timeout }, async () => {
    assert.deepEqual(await worker.serves(client.do(serialized, { name: "é", sizes: [1, 2.5] })), { total: 5.5 });
  });
});
