/** Tests of packets over maxPacketSize: only the job that they belong to fails. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GearmanClient, JobFailedError, ProtocolError } from "../../mod.ts";
import type { GearmanEvent, JobHandler } from "../../mod.ts";
import { encodeResponse, PacketType } from "../../src/codec/mod.ts";
import { text } from "../support/bytes.ts";
import { FakeServer } from "../support/fake_server.ts";
import { countJobs } from "../support/server_commands.ts";
import { onEveryServer } from "../support/servers.ts";
import { turns, until } from "../support/wait.ts";
import { countPackets, heldHandler, serverWithJobs, startWorker, untilSent } from "../support/workers.ts";

const timeout = 30_000;
const maxPacketSize = 100_000;

/** Returns the exception of a failed job. */
async function exceptionOf(job: PromiseLike<unknown>): Promise<string> {
  const error = await job.then(() => undefined, (error) => error);
  assert.ok(error instanceof JobFailedError, String(error));
  return text(error.exception!);
}

onEveryServer("a worker with a maxPacketSize", (kind) => {
  test("fails a job that is larger, in the foreground and in the background, and ends the long one beside it, once", {
    timeout,
  }, async () => {
    const server = await kind.start();
    const { handler, started, release } = heldHandler();
    const events: GearmanEvent[] = [];
    let runs = 0;
    const worker = startWorker({
      ...server.connect,
      concurrency: 2,
      maxPacketSize,
      onEvent: (event) => events.push(event),
    }, {
      long: (job) => {
        runs += 1;
        return handler(job);
      },
      size: (job) => String(job.workload.length),
    });
    await using client = new GearmanClient(server.connect);
    const long = client.do("long");
    await started.promise;
    const message = /^Cannot receive the job: its packet has 300\d\d\d bytes, and maxPacketSize is 100000$/;
    for (let i = 0; i < 3; i++) assert.match(await exceptionOf(client.do("size", new Uint8Array(300_000))), message);
    await client.doBackground("size", new Uint8Array(5_000_000));
    assert.equal(await client.do("size", new Uint8Array(90_000)).text(), "90000");
    await until(async () => await countJobs(server, "size") === 0);
    release.resolve("ended");
    assert.equal(await long.text(), "ended");
    assert.equal(runs, 1);
    const failed = events.filter((event) => event.type === "jobEnded" && event.error !== undefined);
    assert.equal(failed.length, 4);
    assert.deepEqual(events.filter(({ type }) => type === "disconnected"), []);
    await worker.close();
    await server.stop();
  });

  test("fails the job of a larger result, chunk, warning or exception, and sends no byte of that", {
    timeout,
  }, async () => {
    const server = await kind.start();
    const large = new Uint8Array(100_000);
    const functions: Record<string, JobHandler> = {
      result: () => large,
      "later result": () => Promise.resolve("x".repeat(100_000)),
      "text result": () => "ö".repeat(50_000),
      chunk: async (job) => {
        await job.sendData("before");
        await job.sendData(large);
      },
      yielded: async function* () {
        yield "before";
        yield large;
      },
      warning: async (job) => {
        await job.sendWarning(large);
      },
      exception: () => Promise.reject(new Error("x".repeat(100_000))),
    };
    const worker = startWorker({ ...server.connect, maxPacketSize }, {
      ...functions,
      fits: () => new Uint8Array(99_900),
    });
    await using client = new GearmanClient(server.connect);
    for (const name of Object.keys(functions)) {
      const received: string[] = [];
      const what = name.match(/result|chunk|warning|exception|yielded/)![0].replace("yielded", "chunk");
      const message = new RegExp(
        `^Cannot send the ${what}: its packet has 1000\\d\\d bytes, and maxPacketSize is 100000$`,
      );
      const job = client.do(name);
      const error = await (async () => {
        for await (const event of job) received.push(event.type);
      })().then(() => undefined, (error) => error);
      assert.ok(error instanceof JobFailedError, name);
      assert.match(text(error.exception!), message, name);
      assert.deepEqual(received.filter((type) => type !== "created"), what === "chunk" ? ["data"] : [], name);
    }
    assert.equal((await client.do("fits")).length, 99_900);
    await worker.close();
    await server.stop();
  });
});

describe("a packet over maxPacketSize", () => {
  test("that assigns a job fails it once all of the packet has arrived: gearmand frees the workload of a failed job", {
    timeout,
  }, async () => {
    const server = new FakeServer();
    await using _worker = startWorker({ dial: server.dial, maxPacketSize, drainTimeout: 0 }, { f: () => {} });
    await untilSent(server, "GRAB_JOB_ALL");
    const assignment = encodeResponse(PacketType.JOB_ASSIGN, "H:1", "f", new Uint8Array(2 * maxPacketSize));
    const { transport } = server.peer;
    await transport.write(assignment.subarray(0, 2 * maxPacketSize));
    await untilSent(server, "ECHO_REQ ");
    await turns();
    assert.equal(countPackets(server, PacketType.WORK_EXCEPTION), 0);
    await transport.write(assignment.subarray(2 * maxPacketSize));
    server.peer.answer(PacketType.ECHO_RES, "");
    await until(() => countPackets(server, PacketType.WORK_EXCEPTION) === 1);
  });

  test("is one byte longer than a result that is still sent", { timeout }, async () => {
    const room = maxPacketSize - "H:1\0".length;
    const server = serverWithJobs(["H:1", "f"], ["H:2", "g"]);
    await using _worker = startWorker({ dial: server.dial, maxPacketSize }, {
      f: () => new Uint8Array(room),
      g: () => new Uint8Array(room + 1),
    });
    await untilSent(server, "PRE_SLEEP");
    assert.equal(countPackets(server, PacketType.WORK_COMPLETE), 1);
    assert.equal(countPackets(server, PacketType.WORK_EXCEPTION), 1);
  });

  test("that belongs to no job ends the connection", { timeout }, async () => {
    const large = "x".repeat(maxPacketSize + 1);
    for (const type of [PacketType.ECHO_RES, PacketType.OPTION_RES]) {
      const lost: (Error | undefined)[] = [];
      const server = new FakeServer();
      await using _worker = startWorker({
        dial: server.dial,
        maxPacketSize,
        drainTimeout: 0,
        onEvent: (event) => {
          if (event.type === "disconnected") lost.push(event.error);
        },
      }, { f: () => {} });
      await until(() => server.peers.length === 1 && countPackets(server, PacketType.GRAB_JOB_ALL) === 1);
      server.peer.answer(type, large);
      await until(() => lost.length > 0);
      assert.ok(lost[0] instanceof ProtocolError);
      assert.match(
        lost[0].message,
        /^Cannot receive (ECHO|OPTION)_RES: its packet has 100001 bytes, and maxPacketSize is /,
      );
    }
  });
});
