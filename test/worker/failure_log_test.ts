/** Tests of what a worker without `onEvent` writes to `console.error`. */

// deno-lint-ignore-file no-console -- these tests read what is written there
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GearmanWorker, JobFailedError } from "../../mod.ts";
import { FailureLog } from "../../src/worker/failure_log.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { FakeServer } from "../support/fake_server.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { runProgram } from "../support/programs.ts";
import { unusedAddress } from "../support/socket_server.ts";
import { turns, until } from "../support/wait.ts";
import { countPackets, serverWithJobs, untilSent } from "../support/workers.ts";

const timeout = 30_000;

/** Collects what is written to `console.error`, until it is disposed of. */
function writtenErrors(): Disposable & { readonly lines: string[] } {
  const real = console.error;
  const lines: string[] = [];
  console.error = (...words: unknown[]) => void lines.push(words.join(" "));
  return {
    lines,
    [Symbol.dispose]() {
      console.error = real;
    },
  };
}

/** Reports a job that failed. */
function fail(log: FailureLog, error: unknown, handle = "H:1"): void {
  log.report({ type: "jobEnded", server: "s:1", handle, functionName: "f", duration: 1, error });
}

describe("the log of a worker without onEvent", () => {
  test("has one line for each failed job, and none for another event", () => {
    using written = writtenErrors();
    const hostile = Object.defineProperty(new Error(), "message", { get: () => assert.fail() });
    const cases: [error: unknown, line: string][] = [
      [new Error("broken"), "broken"],
      [new TypeError("broken"), "TypeError: broken"],
      [new RangeError(), "RangeError without a message"],
      [new JobFailedError(), "JobFailedError without a message"],
      [new JobFailedError("quota exceeded"), "quota exceeded"],
      ["words", "words"],
      [undefined, "undefined"],
      [hostile, "unknown error"],
    ];
    for (const [error] of cases) {
      const log = new FailureLog();
      log.report({ type: "connected", server: "s:1" });
      log.report({ type: "jobStarted", server: "s:1", handle: "H:1", functionName: "f" });
      log.report({ type: "jobEnded", server: "s:1", handle: "H:1", functionName: "f", duration: 1 });
      log.report({ type: "retrying", server: "s:1", delay: 1 });
      log.report({ type: "disconnected", server: "s:1" });
      fail(log, error);
      log.close();
    }
    assert.deepEqual(written.lines, cases.map(([, line]) => `GearmanWorker: Job H:1 ("f") on s:1 failed: ${line}`));
  });

  test("has one line for a lost server, which is reported as an error and as a disconnection", () => {
    using written = writtenErrors();
    const log = new FailureLog();
    const error = new Error("s:1 ended it");
    log.report({ type: "error", server: "s:1", error });
    log.report({ type: "disconnected", server: "s:1", error });
    log.report({ type: "disconnected", server: "s:2", error: new Error("reset") });
    log.close();
    assert.deepEqual(written.lines, ["GearmanWorker: s:1 ended it", "GearmanWorker: s:2: reset"]);
  });

  test("tells what a server does not know, and a warning that no client gets", () => {
    using written = writtenErrors();
    const log = new FailureLog();
    log.report({ type: "serverLacks", server: "s:1", packets: ["WORK_DATA", "WORK_WARNING"] });
    const job = { server: "s:1", handle: "H:1", functionName: "f" };
    for (const data of ["careful", new TextEncoder().encode("careful")]) {
      log.report({ type: "jobWarning", ...job, data });
    }
    log.close();
    const warning = 'GearmanWorker: Job H:1 ("f") on s:1 has sent a warning, which the server does not know: careful';
    assert.deepEqual(written.lines, ["GearmanWorker: s:1 does not know WORK_DATA, WORK_WARNING", warning, warning]);
  });

  test("has at most 10 lines in 10 s, then one with the number of those that were left out", () => {
    using written = writtenErrors();
    using timers = fakeTimers(10_000);
    const log = new FailureLog();
    for (let period = 0; period < 2; period++) {
      for (let i = 0; i < 25; i++) fail(log, "broken", `H:${i}`);
      assert.equal(written.lines.length, 10);
      timers.fire();
      assert.equal(written.lines.at(-1), "GearmanWorker: 15 more failures were left out");
      assert.equal(written.lines.splice(0).length, 11);
    }
    fail(log, "broken");
    timers.fire();
    assert.equal(written.lines.splice(0).length, 1, "nothing was left out");
    for (let i = 0; i < 12; i++) fail(log, "broken");
    log.close();
    assert.equal(written.lines.at(-1), "GearmanWorker: 2 more failures were left out");
    assert.deepEqual([written.lines.length, timers.active], [11, 0]);
    log.close();
    assert.equal(written.lines.length, 11);
  });

  test("does not harm the worker if the console throws", () => {
    using written = writtenErrors();
    console.error = () => assert.fail("the console is closed");
    const log = new FailureLog();
    fail(log, "broken");
    log.close();
    assert.deepEqual(written.lines, []);
  });
});

describe("a worker without onEvent", () => {
  test("writes its failed jobs, a lost server and an unreachable one, and what it left out when it is closed", {
    timeout,
  }, async () => {
    using written = writtenErrors();
    const { hostname, port } = await unusedAddress() as { hostname: string; port: number };
    const unreachable = new GearmanWorker({ servers: `${hostname}:${port}` });
    unreachable.run();
    await until(() => written.lines.length > 0);
    assert.match(written.lines.splice(0).join("\n"), /^GearmanWorker: Cannot connect to 127.0.0.1:\d+: .*REFUSED.*$/);
    await unreachable.close();

    const jobs = Array.from({ length: 15 }, (_, i) => [`H:${i}`, "f"] as [string, string]);
    const server = serverWithJobs(...jobs);
    const worker = new GearmanWorker({ dial: server.dial, servers: "here:1" });
    worker.addFunction("f", (job) => Promise.reject(new JobFailedError(job.handle === "H:0" ? undefined : "full")));
    worker.run();
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(written.lines.slice(0, 2), [
      'GearmanWorker: Job H:0 ("f") on here:1 failed: JobFailedError without a message',
      'GearmanWorker: Job H:1 ("f") on here:1 failed: full',
    ]);
    assert.equal(written.lines.length, 10);
    await worker.close();
    assert.equal(written.lines.splice(0)[10], "GearmanWorker: 5 more failures were left out");

    const ending = new FakeServer();
    await using other = new GearmanWorker({ dial: ending.dial, servers: "here:1" });
    other.run();
    await until(() => ending.peers.length === 1);
    ending.peer.answer(PacketType.NOOP);
    await turns();
    await ending.peer.end();
    await until(() => written.lines.length > 0);
    assert.deepEqual(written.lines, ["GearmanWorker: The connection was lost: here:1 ended it"]);
  });

  test("writes nothing if it has one", { timeout }, async () => {
    using written = writtenErrors();
    const server = serverWithJobs(["H:1", "f"]);
    let ended = 0;
    await using worker = new GearmanWorker({
      dial: server.dial,
      onEvent: ({ type }) => {
        if (type === "jobEnded") ended += 1;
      },
    });
    worker.addFunction("f", () => Promise.reject(new Error("broken")));
    worker.run();
    await until(() => countPackets(server, PacketType.PRE_SLEEP) > 0);
    assert.deepEqual([ended, written.lines], [1, []]);
  });

  test("does not keep a program alive by what it left out", { timeout }, async () => {
    // It would end with the number of lines that were left out if it lived on for 10 s.
    assert.equal(await runProgram("failure_log", []), "10 lines");
  });
});
