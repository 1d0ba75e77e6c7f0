/** Tests of a client over a gateway and real WebSockets, on every kind of job server, with and without acknowledgements. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ConnectionError, type GearmanClient, JobFailedError, ServerError } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { pattern, text } from "../support/bytes.ts";
import { startGateway, type TestGateway } from "../support/gateways.ts";
import { describeEvents } from "../support/job_events.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { countJobs, untilAbandoned } from "../support/server_commands.ts";
import { onEveryServer, type TestServer } from "../support/servers.ts";
import { heldHandler, startWorker } from "../support/workers.ts";

const timeout = 30_000;

onEveryServer("a client over a gateway", (kind) => {
  for (const protocol of ["gearman", null]) {
    describe(protocol === null ? "without acknowledgements" : "with acknowledgements", () => {
      let server: TestServer;
      let gateway: TestGateway;
      let client: GearmanClient;
      before(async () => {
        server = await kind.start();
        const { servers, dial } = server.connect;
        gateway = await startGateway({
          servers,
          dial,
          allow: (call) => call.kind === "status" || call.functionName !== "forbidden",
        }, { protocol });
        client = gateway.client();
      });
      after(async () => {
        await client.close();
        await gateway.stop();
        await server.stop();
      });

      test("data, warnings, progress and a result arrive in order", { timeout }, async () => {
        const worker = startWorker(server.connect, {
          async chatty(job) {
            await job.sendStatus(1, 2);
            await job.sendWarning("careful");
            await job.sendData(job.workload);
            return "end";
          },
        });
        const events = await describeEvents(client.do("chatty", "input"));
        assert.deepEqual(events, ["created", "status", "warning careful", "data input", "complete end"]);
        await worker.close();
      });

      test("5 MB go to a worker and come back, as one result and in pieces", { timeout }, async () => {
        const worker = startWorker(server.connect, {
          same: (job) => job.workload,
          async *pieces(job) {
            for (let at = 0; at < job.workload.length; at += 100_000) yield job.workload.subarray(at, at + 100_000);
          },
        });
        const bytes = pattern(5_000_000);
        for (const name of ["same", "pieces"]) {
          const result = await client.do(name, bytes);
          assert.equal(result.length, bytes.length);
          assert.ok(result.every((byte, i) => byte === bytes[i]), name);
        }
        await worker.close();
      });

      test("1,000 jobs at once, and their status", { timeout }, async () => {
        const worker = startWorker({ ...server.connect, concurrency: 10 }, {
          upper: (job) => job.text().toUpperCase(),
        });
        const numbers = Array.from({ length: 1_000 }, (_, i) => `job ${i}`);
        const results = await Promise.all(numbers.map((name) => client.do("upper", name).text()));
        assert.deepEqual(results, numbers.map((name) => name.toUpperCase()));
        await worker.close();
        const jobs = await Promise.all(numbers.map((name) => client.doBackground("background", name)));
        const statuses = await Promise.all(jobs.map((job) => client.jobStatus(job)));
        assert.ok(statuses.every(({ known, running }) => known && !running));
      });

      test("an exception, and a failure", { timeout }, async () => {
        const worker = startWorker(server.connect, {
          throws: () => {
            throw new Error("broken");
          },
          fails: () => {
            throw new JobFailedError();
          },
        });
        await assert.rejects(async () => await client.do("throws"), (error) => {
          return error instanceof JobFailedError && text(error.exception!).includes("broken");
        });
        await assert.rejects(async () => await client.do("fails"), (error) => {
          return error instanceof JobFailedError && error.exception === undefined;
        });
        await worker.close();
      });

      test("a call that is not allowed fails with NOT_ALLOWED, and the others do not", { timeout }, async () => {
        const worker = startWorker(server.connect, { upper: (job) => job.text().toUpperCase() });
        const calls = [client.do("upper", "a").text(), client.do("forbidden").text(), client.do("upper", "b").text()];
        const [first, refused, last] = await Promise.allSettled(calls);
        assert.deepEqual([first, last].map((each) => each?.status === "fulfilled" && each.value), ["A", "B"]);
        const { reason } = refused as PromiseRejectedResult;
        assert.ok(reason instanceof ServerError);
        assert.equal(reason.code, "NOT_ALLOWED");
        await worker.close();
      });

      test("an aborted job leaves the others, and its connection, alone", { timeout }, async () => {
        const { handler, started, release } = heldHandler();
        const worker = startWorker({ ...server.connect, concurrency: 2 }, { held: handler, upper: () => "UPPER" });
        const controller = new AbortController();
        const held = client.do("held", "", { signal: controller.signal });
        await started.promise;
        controller.abort();
        await assert.rejects(async () => await held, { name: "AbortError" });
        assert.equal(await client.do("upper").text(), "UPPER");
        release.resolve("");
        await worker.close();
      });

      test(
        "a client that goes away takes its queued jobs with it, and leaves those of others",
        { timeout },
        async () => {
          const leaving = gateway.client();
          const job = leaving.do("queued", "its own", { unique: "leaving" });
          await job.created();
          const other = client.do("queued", "another's");
          await other.created();
          const failed = assert.rejects(async () => await job, ConnectionError);
          await leaving.close();
          await failed;
          await untilAbandoned(server, "leaving");
          const worker = await RawWorker.open(server, "queued");
          const grabbed = await worker.grab();
          assert.equal(text(grabbed.workload), "another's");
          worker.send(PacketType.WORK_COMPLETE, grabbed.handle, "done");
          assert.equal(await other.text(), "done");
          assert.equal(await worker.tryGrab(), undefined);
          assert.equal(await countJobs(server, "queued"), 0);
          await worker.close();
        },
      );

      test("a lost gateway is a ConnectionError, with the delivery that is known", { timeout }, async () => {
        const { servers, dial } = server.connect;
        const mortal = await startGateway({ servers, dial }, { protocol });
        const own = mortal.client({ minBackoff: 0 });
        const job = own.do("never", "x");
        await job.created();
        await mortal.gateway.close();
        await assert.rejects(async () => await job, (error) => {
          return error instanceof ConnectionError && error.delivery === "accepted";
        });
        await mortal.server.stop();
        await assert.rejects(async () => await own.do("never", "x"), (error) => {
          return error instanceof ConnectionError && error.delivery === "not-sent";
        });
        await own.close();
      });
    });
  }
});
