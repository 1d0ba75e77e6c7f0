/** Tests of a worker at one server, which the test plays: what it says and when, and what it makes of noise. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, GearmanWorker } from "../../mod.ts";
import type { AssignedJob, GearmanEvent, JobHandler, WorkerOptions } from "../../mod.ts";
import { type Packet, PacketType } from "../../src/codec/mod.ts";
import { packetName } from "../../src/codec/packet.ts";
import { header, text } from "../fixtures/bytes.ts";
import { deferred, turns } from "../fixtures/transports.ts";
import { type FakePeer, FakeServer } from "../support/fake_server.ts";
import { until } from "../support/peers.ts";

const timeout = 30_000;

type Functions = Record<string, JobHandler>;

function start(server: FakeServer, functions: Functions, options: WorkerOptions = {}): GearmanWorker {
  const worker = new GearmanWorker({
    dial: server.dial,
    minBackoff: 1,
    maxBackoff: 1,
    drainTimeout: 1_000,
    ...options,
  });
  for (const [name, handler] of Object.entries(functions)) worker.addFunction(name, handler);
  worker.run();
  return worker;
}

/** A server that assigns jobs of these handles and functions, and has nothing after them. */
function serverOf(...jobs: [handle: string, functionName: string][]): FakeServer {
  return new FakeServer(({ type }, peer) => {
    if (type !== PacketType.GRAB_JOB_ALL) return;
    const job = jobs.shift();
    if (job === undefined) peer.answer(PacketType.NO_JOB);
    else peer.answer(PacketType.JOB_ASSIGN_UNIQ, ...job, "", "");
  });
}

/** A packet in words: its name and arguments. */
function show({ type, args }: Packet): string {
  return [packetName(type), ...(args as readonly Uint8Array[]).map(text)].join(" ");
}

/** What a connection was sent, without grabs and sleep. */
function said(peer: FakePeer): string[] {
  return peer.requests.map(show).filter((line) => line !== "GRAB_JOB_ALL" && line !== "PRE_SLEEP");
}

/** How many packets of a type came on the last connection. */
function count({ peers }: FakeServer, type: PacketType): number {
  return peers.at(-1)?.requests.filter((packet) => packet.type === type).length ?? 0;
}

/** Waits until the worker has sent something that reads so. */
async function heard(server: FakeServer, line: string): Promise<void> {
  await until(() => server.peers.some(({ requests }) => requests.map(show).includes(line)));
}

describe("a worker at a new connection", () => {
  test("says its id and functions before it asks for a job, and sleeps when there is none", { timeout }, async () => {
    const server = serverOf();
    await using worker = start(server, { a: () => {} }, { id: "my-worker" });
    worker.addFunction("b", () => {}, { timeout: 1_500 });
    await heard(server, "PRE_SLEEP");
    assert.deepEqual(server.peer.requests.map(show), [
      "SET_CLIENT_ID my-worker",
      "CAN_DO a",
      "CAN_DO_TIMEOUT b 2500",
      "GRAB_JOB_ALL",
      "PRE_SLEEP",
    ]);
  });

  test("has its time limit watched there only when it does one job at a time", { timeout }, async () => {
    const server = serverOf();
    await using worker = start(server, {}, { concurrency: 2 });
    worker.addFunction("b", () => {}, { timeout: 1_500 });
    await heard(server, "PRE_SLEEP");
    assert.deepEqual(server.peer.requests.map(show), ["CAN_DO b", "GRAB_JOB_ALL", "GRAB_JOB_ALL", "PRE_SLEEP"]);
  });

  test("asks for nothing while it has no function", { timeout }, async () => {
    const server = serverOf();
    await using worker = start(server, {});
    await until(() => server.peers.length === 1);
    server.peer.answer(PacketType.NOOP);
    await turns();
    assert.deepEqual(server.peer.requests, []);
    worker.addFunction("late", () => {});
    await heard(server, "PRE_SLEEP");
    assert.deepEqual(said(server.peer), ["CAN_DO late"]);
  });

  test("says goodbye when it is closed, after the last result", { timeout }, async () => {
    const server = serverOf(["H:1", "f"]);
    const release = deferred<string>();
    const worker = start(server, { f: () => release.promise });
    await until(() => count(server, PacketType.GRAB_JOB_ALL) === 1);
    await turns();
    const closing = worker.close();
    release.resolve("last");
    await closing;
    await server.peer.ended;
    assert.deepEqual(said(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 last", "RESET_ABILITIES"]);
  });
});

describe("a job", () => {
  test("may come in each of the three packets", { timeout }, async () => {
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
    await heard(server, "PRE_SLEEP");
    assert.deepEqual(seen, [
      ["H:1", "f", "", undefined, "one"],
      ["H:2", "f", "u", undefined, "two"],
      ["H:3", "f", "u", "r", "three"],
    ]);
  });

  test("of a function that it does not have fails", { timeout }, async () => {
    const server = serverOf(["H:1", "other"], ["H:2", "f"]);
    await using _worker = start(server, { f: () => "done" });
    await heard(server, "WORK_COMPLETE H:2 done");
    assert.deepEqual(said(server.peer).slice(1), [
      'WORK_EXCEPTION H:1 This worker has no function "other"',
      "WORK_COMPLETE H:2 done",
    ]);
  });

  test("has its final packet before the next grab, and nothing after it", { timeout }, async () => {
    const server = serverOf(["H:1", "f"], ["H:2", "f"]);
    const handler = async function* (job: AssignedJob) {
      yield "x";
      job.sendWarning("w");
    };
    await using _worker = start(server, { f: handler });
    await heard(server, "PRE_SLEEP");
    const lines = ["WORK_DATA H:1 x", "WORK_WARNING H:1 w", "WORK_COMPLETE H:1 "];
    const again = lines.map((line) => line.replace("H:1", "H:2"));
    const grab = "GRAB_JOB_ALL";
    assert.deepEqual(server.peer.requests.map(show).slice(1), [grab, ...lines, grab, ...again, grab, "PRE_SLEEP"]);
  });

  test("has every progress, from 0 to what gearmand can keep, and other packets between", { timeout }, async () => {
    const server = serverOf(["H:1", "f"]);
    const handler = (job: AssignedJob) => {
      job.sendStatus(0, 0);
      job.sendStatus(3, 2);
      job.sendData("x");
      job.sendStatus(4_294_967_295, 4_294_967_295);
    };
    await using _worker = start(server, { f: handler });
    await heard(server, "PRE_SLEEP");
    assert.deepEqual(said(server.peer).slice(1), [
      "WORK_STATUS H:1 0 0",
      "WORK_STATUS H:1 3 2",
      "WORK_DATA H:1 x",
      "WORK_STATUS H:1 4294967295 4294967295",
      "WORK_COMPLETE H:1 ",
    ]);
  });

  test("is aborted when the connection is lost; its result is dropped, and all is registered again", {
    timeout,
  }, async () => {
    const server = serverOf(["H:1", "f"]);
    const events: GearmanEvent[] = [];
    const release = deferred<string>();
    let job: AssignedJob | undefined;
    await using worker = start(server, { f: (given) => (job = given, release.promise), gone: () => {} }, {
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
    await until(() => server.peers.length === 2 && count(server, PacketType.PRE_SLEEP) === 1);
    release.resolve("nobody wants it");
    await turns();
    assert.deepEqual(server.peer.requests.map(show), ["SET_CLIENT_ID me", "CAN_DO f", "GRAB_JOB_ALL", "PRE_SLEEP"]);
    const ended = events.filter(({ type }) => type === "jobEnded");
    assert.equal(ended.length, 1);
    assert.equal((ended[0] as { error?: unknown }).error, signal.reason);
  });
});

describe("functions that come and go", () => {
  test("CANT_DO is never sent while a job of the function runs", { timeout }, async () => {
    const server = serverOf(["H:1", "f"], ["H:2", "g"]);
    const release = deferred<string>();
    await using worker = start(server, { f: () => release.promise, g: () => "after" });
    await until(() => count(server, PacketType.GRAB_JOB_ALL) === 1);
    await turns();
    worker.removeFunction("f").removeFunction("never there");
    await turns();
    assert.deepEqual(said(server.peer), ["CAN_DO f", "CAN_DO g"]);
    release.resolve("done");
    await heard(server, "PRE_SLEEP");
    const expected = ["WORK_COMPLETE H:1 done", "CANT_DO f", "WORK_COMPLETE H:2 after"];
    assert.deepEqual(said(server.peer).slice(2), expected);
  });

  test("a function that is removed and added again before its job ends is never given up", { timeout }, async () => {
    const server = serverOf(["H:1", "f"], ["H:2", "f"]);
    const release = deferred<string>();
    await using worker = start(server, { f: () => release.promise });
    await until(() => count(server, PacketType.GRAB_JOB_ALL) === 1);
    await turns();
    worker.removeFunction("f").addFunction("f", () => "new");
    release.resolve("old");
    await heard(server, "WORK_COMPLETE H:2 new");
    assert.deepEqual(said(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 old", "WORK_COMPLETE H:2 new"]);
  });

  test("a function that is removed while a job is asked for still has it done", { timeout }, async () => {
    const server = new FakeServer();
    await using worker = start(server, { f: () => "done" });
    await heard(server, "GRAB_JOB_ALL");
    worker.removeFunction("f");
    server.peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
    await heard(server, "CANT_DO f");
    assert.deepEqual(said(server.peer), ["CAN_DO f", "WORK_COMPLETE H:1 done", "CANT_DO f"]);
  });

  test("a function that is removed while a job is asked for is given up when there is none", { timeout }, async () => {
    const server = new FakeServer();
    await using worker = start(server, { f: () => "done", g: () => "done" });
    await heard(server, "GRAB_JOB_ALL");
    worker.removeFunction("f");
    server.peer.answer(PacketType.NO_JOB);
    await turns(50);
    assert.deepEqual(said(server.peer), ["CAN_DO f", "CAN_DO g", "CANT_DO f"]);
    assert.ok(count(server, PacketType.PRE_SLEEP) + count(server, PacketType.GRAB_JOB_ALL) > 1);
  });
});

describe("noise", () => {
  test("NOOP may come at any time: there is never a grab more than there are slots", { timeout }, async () => {
    let open = 0, most = 0;
    let jobs = 0;
    const noise = (peer: FakePeer) => {
      for (let i = 0; i < 3; i++) peer.answer(PacketType.NOOP);
    };
    const server: FakeServer = new FakeServer(({ type }, peer) => {
      if (type === PacketType.WORK_COMPLETE) open--;
      if (jobs < 30) noise(peer);
      if (type !== PacketType.GRAB_JOB_ALL) return;
      most = Math.max(most, ++open);
      if (++jobs <= 30) {
        peer.answer(PacketType.JOB_ASSIGN, `H:${jobs}`, "f", "");
      } else {
        open--;
        return peer.answer(PacketType.NO_JOB);
      }
      noise(peer);
    });
    await using _worker = start(server, { f: () => turns(1) }, { concurrency: 3 });
    await until(() => count(server, PacketType.WORK_COMPLETE) === 30);
    assert.equal(most, 3);
  });

  test("errors and answers to nothing that was asked are ignored", { timeout }, async () => {
    const server = serverOf();
    const events: string[] = [];
    await using _worker = start(server, { f: () => "done" }, { onEvent: ({ type }) => events.push(type) });
    await heard(server, "PRE_SLEEP");
    const { peer } = server;
    peer.answer(PacketType.ERROR, "JOB_NOT_FOUND", "Job given in work result not found");
    peer.answer(PacketType.ECHO_RES, "what?");
    peer.answer(PacketType.OPTION_RES, "exceptions");
    peer.answer(PacketType.STATUS_RES, "H:1", "0", "0", "0", "0");
    peer.answer(PacketType.JOB_CREATED, "H:1");
    peer.answer(PacketType.WORK_COMPLETE, "H:1", "");
    peer.answer(PacketType.CAN_DO, "f");
    peer.answer(PacketType.NOOP);
    await until(() => count(server, PacketType.PRE_SLEEP) === 2);
    assert.equal(server.peers.length, 1);
    assert.deepEqual(events, ["connected"]);
  });

  test("an answer to a grab that was never sent, or no packet at all, costs the connection", { timeout }, async () => {
    const wrongs: ((peer: FakePeer) => void)[] = [
      (peer) => peer.answer(PacketType.NO_JOB),
      (peer) => peer.answer(PacketType.JOB_ASSIGN, "H:9", "f", ""),
      (peer) => void peer.transport.write(header("\0RES", 43, 0)),
      (peer) => void peer.transport.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")),
    ];
    for (const wrong of wrongs) {
      const server = serverOf();
      const lost: unknown[] = [];
      let runs = 0;
      await using _worker = start(server, { f: () => void runs++ }, {
        onEvent: (event) => void (event.type === "disconnected" && "error" in event && lost.push(event.error)),
      });
      await heard(server, "PRE_SLEEP");
      wrong(server.peer);
      await until(() => server.peers.length === 2 && count(server, PacketType.PRE_SLEEP) === 1);
      assert.equal(runs, 0);
      assert.equal((lost[0] as Error).name, "ProtocolError");
    }
  });

  test("being woken again and again for nothing makes no busy loop: it sleeps in, longer and longer", {
    timeout,
  }, async () => {
    const sleeps: number[] = [];
    const server = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.NO_JOB);
      if (type !== PacketType.PRE_SLEEP) return;
      sleeps.push(performance.now());
      peer.answer(PacketType.NOOP);
    });
    const worker = start(server, { f: () => {} });
    // In a loop without naps there is no pause like this, let alone two in a row.
    const long = (i: number) => sleeps[i]! - sleeps[i - 1]! > 100;
    await until(() => sleeps.some((_, i) => i > 1 && long(i) && long(i - 1)));
    await worker.close();
    const more = count(server, PacketType.GRAB_JOB_ALL) - sleeps.length;
    assert.ok(more === 0 || more === 1, `one grab for each alarm, not ${more} more`);
  });
});

describe("a server that had nothing", () => {
  test("is asked again, or may wake the worker, while another has jobs without end", { timeout }, async () => {
    let jobs = 0;
    const busy = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.JOB_ASSIGN, `H:${++jobs}`, "f", "");
    });
    const quiet = serverOf();
    await using _worker = start(busy, { f: () => turns(1) }, {
      servers: ["busy:1", "quiet:2"],
      dial: (address, options) => (address.port === 1 ? busy : quiet).dial(address, options),
    });
    await until(() => count(quiet, PacketType.GRAB_JOB_ALL) > 0);
    const before = jobs;
    await until(() => jobs > before + 30);
    const chances = count(quiet, PacketType.PRE_SLEEP) + count(quiet, PacketType.GRAB_JOB_ALL) - 1;
    assert.ok(chances > 0, `it had no chance while the other gave ${jobs - before} jobs`);
  });
});

describe("silence", () => {
  test("a server that answers is asked from time to time, also for jobs, and kept", { timeout }, async () => {
    const server = serverOf();
    await using _worker = start(server, { f: () => {} }, { probeInterval: 200 });
    await until(() => count(server, PacketType.GRAB_JOB_ALL) >= 3);
    assert.equal(server.peers.length, 1);
  });

  test("a server that answers no more is left, and dialed again", { timeout }, async () => {
    const server = new FakeServer();
    await using _worker = start(server, { f: () => {} }, { probeInterval: 20, drainTimeout: 0 });
    await until(() => server.peers.length >= 2);
  });
});
