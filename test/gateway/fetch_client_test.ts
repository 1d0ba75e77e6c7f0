/** Tests of a client over `fetch` and a gateway, on every kind of job server and behind every kind of HTTP server. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ConnectionError, type GearmanClient, JobFailedError, ServerError } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { pattern, text } from "../support/bytes.ts";
import { HTTP_SERVERS, type HttpGateway, startHttpGateway } from "../support/http_gateways.ts";
import { describeEvents } from "../support/job_events.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { countJobs, untilAbandoned } from "../support/server_commands.ts";
import { onEveryServer, type TestServer } from "../support/servers.ts";
import { until } from "../support/wait.ts";
import { heldHandler, startWorker } from "../support/workers.ts";

const timeout = 30_000;

onEveryServer("a client over fetch", (kind) => {
  for (const [name, start] of Object.entries(HTTP_SERVERS)) {
    describe(`behind ${name}`, () => {
      let server: TestServer;
      let gateway: HttpGateway;
      let client: GearmanClient;
      before(async () => {
        server = await kind.start();
        const { servers, dial } = server.connect;
        gateway = await startHttpGateway({
          servers,
          dial,
          allow: (call) => call.kind === "status" || call.functionName !== "forbidden",
        }, start);
        client = gateway.client();
      });
      after(async () => {
        await client.close();
        await gateway.stop();
        await server.stop();
      });

      test("a first submission is one POST", { timeout }, async () => {
        const { requests } = gateway;
        const own = gateway.client();
        await own.doBackground("stored", "x");
        assert.equal(gateway.requests - requests, 1);
        await own.close();
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
        // At once, so that the long packets of one answer meet those of the other.
        const results = await Promise.all(["same", "pieces"].map((name) => client.do(name, bytes).bytes()));
        for (const result of results) {
          assert.equal(result.length, bytes.length);
          assert.ok(result.every((byte, i) => byte === bytes[i]));
        }
        await worker.close();
      });

      test("1,000 jobs at once are one POST, and so are the questions about 1,000", { timeout }, async () => {
        const worker = startWorker({ ...server.connect, concurrency: 10 }, {
          upper: (job) => job.text().toUpperCase(),
        });
        const numbers = Array.from({ length: 1_000 }, (_, i) => `job ${i}`);
        const { requests } = gateway;
        const results = await Promise.all(numbers.map((name) => client.do("upper", name).text()));
        assert.deepEqual(results, numbers.map((name) => name.toUpperCase()));
        assert.equal(gateway.requests - requests, 1);
        await worker.close();
        const jobs = await Promise.all(numbers.map((name) => client.doBackground("background", name)));
        const statuses = await Promise.all(jobs.map((job) => client.jobStatus(job)));
        assert.ok(statuses.every(({ known, running }) => known && !running));
        assert.equal(gateway.requests - requests, 3);
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

      test("a slow worker's five pieces reach both POSTs of one unique", { timeout }, async () => {
        const first = client.do("slow", "x", { unique: "shared" });
        await first.created();
        const second = client.do("slow", "x", { unique: "shared" });
        await second.created();
        assert.notEqual(first.handle, second.handle);
        const worker = await RawWorker.open(server, "slow");
        const { handle } = await worker.grab();
        const events = [first, second].map(async (job) => {
          let received = "";
          for await (const event of job) {
            if (event.type === "data" || event.type === "complete") received += text(event.data);
          }
          return received;
        });
        for (let i = 0; i < 5; i++) {
          worker.send(PacketType.WORK_DATA, handle, String(i));
          await worker.served();
        }
        worker.send(PacketType.WORK_COMPLETE, handle, "!");
        assert.deepEqual(await Promise.all(events), ["01234!", "01234!"]);
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

      test("a call, aborted, aborts its POST, and its queued job alone is discarded", { timeout }, async () => {
        const own = gateway.client();
        const other = own.do("aborted", "kept");
        await other.created();
        const controller = new AbortController();
        const job = own.do("aborted", "x", { unique: "aborted", signal: controller.signal });
        await job.created();
        assert.equal(await countJobs(server, "aborted"), 2);
        controller.abort();
        await assert.rejects(async () => await job, { name: "AbortError" });
        await untilAbandoned(server, "aborted");
        const worker = await RawWorker.open(server, "aborted");
        const kept = await worker.grab();
        assert.equal(text(kept.workload), "kept");
        worker.send(PacketType.WORK_COMPLETE, kept.handle, "done");
        assert.equal(await other.text(), "done");
        assert.equal(await worker.tryGrab(), undefined);
        await worker.close();
        await own.close();
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

      test("a job in the background is stored, although its client is closed at once", { timeout }, async () => {
        const before = await countJobs(server, "kept");
        const { requests } = gateway;
        const own = gateway.client();
        const submitted = own.doBackground("kept", "x").catch(() => {});
        await until(() => gateway.requests > requests);
        await own.close();
        await submitted;
        await until(async () => await countJobs(server, "kept") === before + 1);
      });

      test("a lost gateway is a ConnectionError, with the delivery that is known", { timeout }, async () => {
        const { servers, dial } = server.connect;
        const mortal = await startHttpGateway({ servers, dial }, start);
        const own = mortal.client({ minBackoff: 0 });
        const job = own.do("never", "x");
        await job.created();
        const lost = assert.rejects(async () => await job, (error) => {
          return error instanceof ConnectionError && error.delivery === "accepted";
        });
        await mortal.gateway.close();
        await lost;
        await mortal.stop();
        await assert.rejects(async () => await own.do("never", "x"), (error) => {
          return error instanceof ConnectionError && error.delivery === "unknown";
        });
        await own.close();
      });

      test("without a job server the answer is HTTP_503, and nothing is queued", { timeout }, async () => {
        const unreachable = await startHttpGateway({ dial: () => Promise.reject(new Error("secret address")) }, start);
        const own = unreachable.client();
        await assert.rejects(own.doBackground("f", "x"), (error) => {
          return error instanceof ServerError && error.code === "HTTP_503" && !error.message.includes("secret");
        });
        await own.close();
        await unreachable.stop();
      });
    });
  }
});
