/** Tests of background jobs on every job server (order, status, watching, due times, uniques), and of their tokens. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanClient, type JobStatus, type Priority } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { type BackgroundJob, ClientBackgroundJob, parseJobReference } from "../../src/client/background_job.ts";
import { formatServer, parseServers } from "../../src/transport/addresses.ts";
import { text, utf8 } from "../support/bytes.ts";
import { countJobs } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { until } from "../support/wait.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";

const timeout = 30_000;

onEveryServer("jobs in the background", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test("a worker that starts later receives jobs by priority, and then in their order", { timeout }, async () => {
    const priorities: Priority[] = ["low", "normal", "high"];
    const submitted: Promise<unknown>[] = [];
    for (const round of [1, 2]) {
      for (const priority of priorities) {
        submitted.push(client.doBackground("order", `background ${priority} ${round}`, { priority }));
        submitted.push(client.do("order", `foreground ${priority} ${round}`, { priority }).created());
      }
    }
    await Promise.all(submitted);
    const worker = await RawWorker.open(server, "order");
    const seen: string[] = [];
    await worker.serve(12, ({ workload }) => (seen.push(text(workload)), ""));
    const expected = ["high", "normal", "low"].flatMap((priority) =>
      [1, 2].flatMap((round) => [`background ${priority} ${round}`, `foreground ${priority} ${round}`])
    );
    assert.deepEqual(seen, expected);
    await worker.close();
  });

  test("the status of a job is right at every stage, by job, handle, token and unique", { timeout }, async () => {
    const job = await client.doBackground("status", "x", { unique: "status-unique" });
    await using stranger = new GearmanClient(server.connect);
    const { handle } = job;
    assert.match(handle, /^H:.+:\d+$/);
    assert.equal(job.token, `${job.server}//${handle};${job.unique}`);
    assert.equal(`${job}`, job.token);
    assert.equal(job.unique, "status-unique");

    const expectStatus = async (rest: Omit<JobStatus, "handle">) => {
      const expected = { handle, ...rest };
      assert.deepEqual(await job.status(), expected, "by the job");
      assert.deepEqual(await client.jobStatus(job), expected, "by the job, at the client");
      assert.deepEqual(await client.jobStatus(handle), expected, "by the handle");
      assert.deepEqual(await stranger.jobStatus(job.toString()), expected, "by the token, at another client");
      assert.deepEqual(await stranger.jobStatus({ ...job, handle, server: job.server }), expected, "by a copy");
      assert.deepEqual(
        await stranger.jobStatusByUnique(job.unique),
        { unique: job.unique, ...rest, clients: 0 },
        "by the unique",
      );
    };
    await expectStatus({ known: true, running: false, numerator: 0, denominator: 0 });
    const worker = await RawWorker.open(server, "status");
    await worker.grab();
    await expectStatus({ known: true, running: true, numerator: 0, denominator: 0 });
    worker.send(PacketType.WORK_STATUS, handle, "3", "10");
    await until(async () => (await job.status()).denominator === 10);
    await expectStatus({ known: true, running: true, numerator: 3, denominator: 10 });
    worker.send(PacketType.WORK_COMPLETE, handle, "");
    await until(async () => !(await job.status()).known);
    await expectStatus({ known: false, running: false, numerator: 0, denominator: 0 });
    await worker.close();
  });

  test("the status of a job that never existed equals that of one that is over", { timeout }, async () => {
    const nothing = { known: false, running: false, numerator: 0, denominator: 0 };
    assert.deepEqual(await client.jobStatus("H:unknown:1"), { handle: "H:unknown:1", ...nothing });
    assert.deepEqual(await client.jobStatusByUnique("unknown"), { unique: "unknown", ...nothing, clients: 0 });
  });

  test("the status of a foreground job counts the clients that wait for it", { timeout }, async () => {
    await using other = new GearmanClient(server.connect);
    const jobs = [client, client, other].map((one) => one.do("count", "", { unique: "count-unique" }));
    const background = await client.doBackground("count", "x", { unique: "count-unique" });
    assert.deepEqual(await Promise.all(jobs.map((job) => job.created())), Array(3).fill(background.handle));
    const status = await client.jobStatusByUnique("count-unique");
    assert.equal(status.clients, 3);
    assert.equal((await client.jobStatus(jobs[0]!.handle!)).known, true);
    const worker = await RawWorker.open(server, "count");
    await worker.serve(1);
    await Promise.all(jobs);
    await worker.close();
  });

  test("watch() yields a status at once and at intervals, until the job is not known", { timeout }, async () => {
    const worker = await RawWorker.open(server, "watch");
    const job = await client.doBackground("watch", "x");
    await worker.grab();
    const seen: JobStatus[] = [];
    for await (const status of job.watch({ interval: 0 })) {
      seen.push(status);
      if (seen.length === 1) worker.send(PacketType.WORK_STATUS, job.handle, "1", "2");
      if (status.denominator === 2) worker.send(PacketType.WORK_COMPLETE, job.handle, "");
    }
    assert.deepEqual([seen[0]!.known, seen[0]!.running], [true, true]);
    assert.ok(seen.some(({ numerator, denominator }) => numerator === 1 && denominator === 2));
    assert.equal(seen.at(-1)!.known, false);
    assert.equal(seen.filter(({ known }) => !known).length, 1);
    await worker.close();
  });

  test("watch() of another client's token can be left, and ends with the signal's reason", { timeout }, async () => {
    const job = await client.doBackground("left", "x");
    await using other = new GearmanClient(server.connect);
    for await (const status of other.watch(`${job}`)) {
      assert.equal(status.known, true);
      break;
    }
    const controller = new AbortController();
    await assert.rejects(async () => {
      for await (const _ of other.watch(job, { signal: controller.signal })) controller.abort("enough");
    }, (reason) => reason === "enough");
  });

  test(
    "a job with a time is queued until then, and assigned afterwards",
    { timeout },
    async (t) => {
      // The clock of a server in this process is advanced.
      const advances = kind.name !== "gearmand";
      const due = Date.now() + (advances ? 3_600_000 : 300);
      const job = await client.doBackground("later", "soup", { at: new Date(due), unique: "later-unique" });
      assert.deepEqual([(await job.status()).known, (await job.status()).running], [true, false]);
      assert.equal(await countJobs(server, "later"), 1);
      const worker = await RawWorker.open(server, "later");
      if (advances) {
        assert.equal(await worker.tryGrab(), undefined);
        const { now } = Date;
        t.after(() => void (Date.now = now));
        Date.now = () => due + 1_000; // in whole seconds, rounded up
      }
      const assigned = await worker.grab();
      assert.ok(Date.now() >= due, "assigned before its time");
      assert.deepEqual([assigned.handle, assigned.unique, text(assigned.workload)], [
        job.handle,
        "later-unique",
        "soup",
      ]);
      worker.send(PacketType.WORK_COMPLETE, job.handle, "");
      const past = await client.doBackground("later", "cold", { at: new Date(-1) });
      assert.equal((await worker.grab()).handle, past.handle, "a job with a past time is assigned at once");
      await worker.close();
    },
  );

  test("the worker receives the reducer", { timeout }, async () => {
    const background = await client.doBackground("map", "1", { reducer: "sum", unique: "map-1" });
    const foreground = client.do("map", "2", { reducer: "sum" });
    const plain = client.do("map", "3");
    await Promise.all([foreground.created(), plain.created()]);
    const worker = await RawWorker.open(server, "map");
    const first = await worker.grab();
    assert.deepEqual([first.handle, first.unique, first.reducer], [background.handle, "map-1", "sum"]);
    const second = await worker.grab();
    assert.deepEqual([text(second.workload), second.reducer, second.unique], ["2", "sum", ""]);
    const third = await worker.grab();
    assert.deepEqual([text(third.workload), third.reducer], ["3", undefined]);
    worker.send(PacketType.WORK_COMPLETE, second.handle, "8");
    assert.equal(await foreground.text(), "8");
    await worker.close();
  });

  test(
    "a background job has a generated unique, the given one, or none if that is empty",
    { timeout },
    async () => {
      const jobs = await Promise.all([
        ...Array.from({ length: 100 }, () => client.doBackground("unique", "same")),
        client.doBackground("unique", "given", { unique: "g".repeat(63) }),
        client.doBackground("unique", "none", { unique: "" }),
      ]);
      assert.equal(new Set(jobs.map(({ unique }) => unique)).size, 102);
      for (const { unique } of jobs) assert.ok(utf8(unique).length <= 63);
      const worker = await RawWorker.open(server, "unique");
      const uniques: string[] = [];
      await worker.serve(jobs.length, ({ unique }) => (uniques.push(unique), ""));
      assert.deepEqual(uniques, jobs.map(({ unique }) => unique));
      assert.deepEqual(uniques.slice(100), ["g".repeat(63), ""]);
      await worker.close();
    },
  );

  test(
    "jobs with equal uniques coalesce, - stands for the workload, and the empty unique never coalesces",
    { timeout },
    async () => {
      const submit = (workload: string, unique: string) => client.doBackground("coalesce", workload, { unique });
      const [a, b, c, d, e, f, g] = await Promise.all([
        submit("1", "same"),
        submit("2", "same"),
        submit("3", "-"),
        submit("3", "-"),
        submit("4", "-"),
        submit("5", ""),
        submit("5", ""),
      ]);
      assert.equal(a.handle, b.handle);
      assert.equal(c.handle, d.handle);
      assert.equal(new Set([a, c, e, f, g].map((job) => job.handle)).size, 5);
      assert.equal(await countJobs(server, "coalesce"), 5);
    },
  );
});

test("parseJobReference() takes handles, tokens and jobs, and refuses objects without a server or a handle", () => {
  const handle = "H:a:1";
  assert.deepEqual(parseJobReference(handle), { server: undefined, handle, unique: undefined });
  const job = { server: "a:1", handle, unique: "u" } as BackgroundJob;
  assert.deepEqual(parseJobReference(job), { server: "a:1", handle, unique: "u" });
  for (const bad of [undefined, null, 5, {}, { handle: "H:1" }, { server: "a:1" }, { handle: 1, server: "a:1" }]) {
    assert.throws(() => parseJobReference(bad as never), TypeError);
  }
});

test("a token is split at its last // and then at its last ;, and a bare handle is not split at all", () => {
  const tokens: [string, server: string | undefined, handle: string, unique?: string][] = [
    ["H:box:1", undefined, "H:box:1"],
    ["H:box;1;2", undefined, "H:box;1;2"],
    ["a:4730//H:box:1", "a:4730", "H:box:1"],
    ["a:4730//H:box:1;u", "a:4730", "H:box:1", "u"],
    ["a:4730//H:box;1;%3B%20%2F%2F", "a:4730", "H:box;1", "; //"],
    ["a:4730//H:box:1;", "a:4730", "H:box:1"],
    ["a:4730//H:box:1;-", "a:4730", "H:box:1"],
    ["[::1]:4730//H:box:1", "[::1]:4730", "H:box:1"],
    ["unix:/run//gearman.sock//H:box:1;u", "unix:/run//gearman.sock", "H:box:1", "u"],
    ["unix:/run/a/b", undefined, "unix:/run/a/b"],
    ["//H:1", "", "H:1"],
  ];
  for (const [token, server, handle, unique] of tokens) {
    assert.deepEqual(parseJobReference(token), { server, handle, unique }, token);
  }
});

test("a token with an empty handle, a bad unique, a broken escape, or over 512 characters is a RangeError", () => {
  for (const token of ["", "a:1//", "a:1//;u", "a:1//H:1;%", "a:1//H:1;%00", `a:1//H:1;${"u".repeat(64)}`]) {
    assert.throws(() => parseJobReference(token), RangeError, token);
  }
  assert.throws(() => parseJobReference(`${"a".repeat(510)}:1//H:box:1`), /over 512 characters/);
});

test("a token holds any unique, and none that a server cannot find", () => {
  const tokenOf = (unique: string) => new ClientBackgroundJob({} as never, "H:1", "a:1", unique).token;
  assert.deepEqual(["", "-"].map(tokenOf), ["a:1//H:1", "a:1//H:1"]);
  for (const unique of ["u", "a;b//c", " \u00e4\u{1f600}", "\t%"]) {
    assert.deepEqual(parseJobReference(tokenOf(unique)), { server: "a:1", handle: "H:1", unique });
  }
});

test("parseJobReference() and parseServers() read what formatServer() and a handle make", () => {
  for (const server of parseServers("a,[::1]:5,unix:/run/x,127.0.0.1:99")) {
    const token = parseJobReference(`${formatServer(server)}//H:box:1`);
    assert.equal(token.handle, "H:box:1");
    assert.deepEqual(parseServers(token.server!), [server]);
  }
});
