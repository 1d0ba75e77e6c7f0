/** Tests of a worker at a server that the test plays: which packets it sends, and when. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, type GearmanWorker } from "../../mod.ts";
import type { AssignedJob, Dial, GearmanEvent, WorkerOptions } from "../../mod.ts";
import { PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns, until } from "../support/wait.ts";
import {
  countPackets,
  describePacket,
  type Functions,
  sentPackets,
  serverWithJobs,
  startWorker,
  untilSent,
} from "../support/workers.ts";
import { FakeServer } from "../support/fake_server.ts";

const timeout = 30_000;

/** Starts a worker at the server that the test plays. */
function start(server: FakeServer, functions: Functions, options: WorkerOptions = {}): GearmanWorker {
  return startWorker({ dial: server.dial, ...options }, functions);
}

describe("a worker on a new connection", () => {
  test("sends its id and functions before it grabs, and sleeps after NO_JOB", { timeout }, async () => {
    const server = serverWithJobs();
    await using worker = start(server, { a: () => {} }, { id: "my-worker" });
    worker.addFunction("b", () => {}, { timeout: 1_500 });
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(server.peer.requests.map(describePacket), [
      "SET_CLIENT_ID my-worker",
      "ECHO_REQ ",
      "CAN_DO a",
      "CAN_DO_TIMEOUT b 2500",
      "ECHO_REQ ",
      "GRAB_JOB_ALL",
      "PRE_SLEEP",
    ]);
  });

  test("registers and grabs in one write, and requests exceptions each time", { timeout }, async () => {
    const server = serverWithJobs();
    const writes = countedWrites(server);
    await using _worker = start({ dial: writes.dial } as FakeServer, { a: () => {}, b: () => {} }, { id: "me" });
    await untilSent(server, "PRE_SLEEP");
    const packets = "OPTION_REQ, SET_CLIENT_ID, ECHO_REQ, two CAN_DO and the grab; then PRE_SLEEP";
    assert.deepEqual(writes.packets(), [6, 1], packets);
    await server.peer.end();
    await until(() => server.peers.length === 2 && countPackets(server, PacketType.PRE_SLEEP) === 1);
    assert.deepEqual(server.peers.map(({ options }) => options), [["exceptions"], ["exceptions"]]);
  });

  test("announces time limits only with a concurrency of 1", { timeout }, async () => {
    const server = serverWithJobs();
    await using worker = start(server, {}, { concurrency: 2 });
    worker.addFunction("b", () => {}, { timeout: 1_500 });
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(server.peer.requests.map(describePacket), [
      "CAN_DO b",
      "GRAB_JOB_ALL",
      "GRAB_JOB_ALL",
      "PRE_SLEEP",
    ]);
  });

  test("does not grab while it has no function", { timeout }, async () => {
    const server = serverWithJobs();
    await using worker = start(server, {});
    await until(() => server.peers.length === 1);
    server.peer.answer(PacketType.NOOP);
    await turns();
    assert.deepEqual(server.peer.requests, []);
    worker.addFunction("late", () => {});
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO late"]);
  });

  test("sends RESET_ABILITIES when it is closed, after the last result", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const release = deferred<string>();
    const worker = start(server, { f: () => release.promise });
    await until(() => countPackets(server, PacketType.GRAB_JOB_ALL) === 1);
    await turns();
    const closing = worker.close();
    release.resolve("last");
    await closing;
    await server.peer.ended;
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 last", "RESET_ABILITIES"]);
  });
});

describe("a job", () => {
  test("may be assigned by each of the three packets", { timeout }, async () => {
    const seen: (string | undefined)[][] = [];
    let grabs = 0;
    const server = new FakeServer(({ type }, peer) => {
      if (type !== PacketType.GRAB_JOB_ALL) return;
      grabs++;
      if (grabs === 1) peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "one");
      else if (grabs === 2) peer.answer(PacketType.JOB_ASSIGN_UNIQ, "H:2", "f", "u", "two");
      else if (grabs === 3) peer.answer(PacketType.JOB_ASSIGN_ALL, "H:3", "f", "u", "r", "three");
      else peer.answer(PacketType.NO_JOB);
    });
    const handler = (job: AssignedJob) => {
      seen.push([job.handle, job.functionName, job.unique, job.reducer, job.text()]);
    };
    await using _worker = start(server, { f: handler });
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(seen, [
      ["H:1", "f", "", undefined, "one"],
      ["H:2", "f", "u", undefined, "two"],
      ["H:3", "f", "u", "r", "three"],
    ]);
  });

  test("of an unknown function fails", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "other"], ["H:2", "f"]);
    await using _worker = start(server, { f: () => "done" });
    await untilSent(server, "WORK_COMPLETE H:2 done");
    assert.deepEqual(sentPackets(server.peer).slice(1), [
      'WORK_EXCEPTION H:1 This worker has no function "other"',
      "WORK_COMPLETE H:2 done",
    ]);
  });

  test("sends its final packet before the next grab, and nothing after that", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"], ["H:2", "f"]);
    const handler = async function* (job: AssignedJob) {
      yield "x";
      job.sendWarning("w");
    };
    await using _worker = start(server, { f: handler });
    await untilSent(server, "PRE_SLEEP");
    const lines = ["WORK_DATA H:1 x", "WORK_WARNING H:1 w", "WORK_COMPLETE H:1 "];
    const sent = server.peer.requests.map(describePacket).filter((line) => line !== "ECHO_REQ ");
    const again = lines.map((line) => line.replace("H:1", "H:2"));
    const grab = "GRAB_JOB_ALL";
    assert.deepEqual(sent.slice(1), [
      grab,
      ...lines,
      grab,
      ...again,
      grab,
      "PRE_SLEEP",
    ]);
  });

  test(
    "sends its result in one write with the next grab, whether the handler is synchronous or not",
    { timeout },
    async () => {
      for (const handler of [() => "done", () => turns(2).then(() => "done")]) {
        const server = serverWithJobs(["H:1", "f"], ["H:2", "f"]);
        const writes = countedWrites(server);
        await using _worker = start({ dial: writes.dial } as FakeServer, { f: handler });
        await untilSent(server, "PRE_SLEEP");
        assert.deepEqual(writes.packets(), [3, 2, 2, 1]);
      }
    },
  );

  test("that failed with `throw undefined` is reported with an error, a completed one without", {
    timeout,
  }, async () => {
    const events: GearmanEvent[] = [];
    const server = serverWithJobs(["H:1", "f"], ["H:2", "g"]);
    await using _worker = start(server, { f: () => Promise.reject(undefined), g: () => {} }, {
      onEvent: (event) => {
        if (event.type === "jobEnded") events.push(event);
      },
    });
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(events.map((event) => "error" in event), [true, false]);
    assert.deepEqual(sentPackets(server.peer).slice(2), ["WORK_EXCEPTION H:1 undefined", "WORK_COMPLETE H:2 "]);
  });

  test("sends every status, from 0 to the maximum of gearmand, in order with other packets", { timeout }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const handler = (job: AssignedJob) => {
      job.sendStatus(0, 0);
      job.sendStatus(3, 2);
      job.sendData("x");
      job.sendStatus(4_294_967_295, 4_294_967_295);
    };
    await using _worker = start(server, { f: handler });
    await untilSent(server, "PRE_SLEEP");
    assert.deepEqual(sentPackets(server.peer).slice(1), [
      "WORK_STATUS H:1 0 0",
      "WORK_STATUS H:1 3 2",
      "WORK_DATA H:1 x",
      "WORK_STATUS H:1 4294967295 4294967295",
      "WORK_COMPLETE H:1 ",
    ]);
  });

  test("is aborted when the connection is lost; its result is discarded, and the worker registers again", {
    timeout,
  }, async () => {
    const server = serverWithJobs(["H:1", "f"]);
    const events: GearmanEvent[] = [];
    const release = deferred<string>();
    let job: AssignedJob | undefined;
    await using worker = start(server, {
      f: (given) => {
        job = given;
        return release.promise;
      },
      gone: () => {},
    }, {
      id: "me",
      onEvent: (event) => events.push(event),
    });
    await until(() => job !== undefined);
    const { signal } = job!;
    assert.equal(signal.aborted, false);
    worker.removeFunction("gone");
    await server.peer.end();
    await until(() => signal.aborted);
    assert.ok(signal.reason instanceof ConnectionError);
    assert.match(signal.reason.message, /another worker/);
    await until(() => server.peers.length === 2 && countPackets(server, PacketType.PRE_SLEEP) === 1);
    release.resolve("discarded");
    await turns();
    assert.deepEqual(server.peer.requests.map(describePacket), [
      "SET_CLIENT_ID me",
      "ECHO_REQ ", // it may be another server by now, which does not know ids
      "CAN_DO f",
      "GRAB_JOB_ALL",
      "PRE_SLEEP",
    ]);
    const ended = events.filter(({ type }) => type === "jobEnded");
    assert.equal(ended.length, 1);
    assert.equal((ended[0] as { error?: unknown }).error, signal.reason);
  });
});

/** Dials a server, and counts the packets of each write. */
function countedWrites(server: FakeServer): { dial: Dial; packets(): number[] } {
  const writes: Uint8Array[] = [];
  return {
    dial: async (address, options) => {
      const transport = await server.dial(address, options);
      const write = transport.write.bind(transport);
      transport.write = (bytes) => {
        writes.push(bytes);
        return write(bytes);
      };
      return transport;
    },
    packets: () => writes.map((bytes) => [...decode(bytes)].length),
  };
}

/** Decodes the packets of one write. */
function decode(bytes: Uint8Array): PacketDecoder {
  const decoder = new PacketDecoder();
  decoder.push(bytes);
  return decoder;
}
