/** Tests of a worker at a server that the test plays, which sends anything at any time, or nothing. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dialTcp, GearmanClient, type GearmanWorker, ServerError } from "../../mod.ts";
import type { GearmanEvent, WorkerOptions } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { header } from "../support/bytes.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns, until } from "../support/wait.ts";
import { countPackets, type Functions, serverWithJobs, startWorker, untilSent } from "../support/workers.ts";
import { type FakePeer, FakeServer } from "../support/fake_server.ts";
import { onEveryServer } from "../support/servers.ts";

const timeout = 30_000;

function start(server: FakeServer, functions: Functions, options: WorkerOptions = {}): GearmanWorker {
  return startWorker({ dial: server.dial, ...options }, functions);
}

describe("unexpected packets", () => {
  test("NOOP may arrive at any time: grabs and jobs never exceed the slots", { timeout }, async () => {
    let open = 0, max = 0;
    let jobs = 0;
    const noise = (peer: FakePeer) => {
      for (let i = 0; i < 3; i++) peer.answer(PacketType.NOOP);
    };
    const server: FakeServer = new FakeServer(({ type }, peer) => {
      if (type === PacketType.WORK_COMPLETE) open--;
      if (jobs < 30) noise(peer);
      if (type !== PacketType.GRAB_JOB_ALL) return;
      open += 1;
      max = Math.max(max, open);
      jobs += 1;
      if (jobs <= 30) {
        peer.answer(PacketType.JOB_ASSIGN, `H:${jobs}`, "f", "");
      } else {
        open--;
        return peer.answer(PacketType.NO_JOB);
      }
      noise(peer);
    });
    await using _worker = start(server, { f: () => turns(1) }, { concurrency: 3 });
    await until(() => countPackets(server, PacketType.WORK_COMPLETE) === 30);
    assert.equal(max, 3);
  });

  test(
    "errors are reported, unrequested answers are ignored, and the connection stays open",
    { timeout },
    async () => {
      const server = serverWithJobs();
      const events: GearmanEvent[] = [];
      await using _worker = start(server, { f: () => "done" }, { onEvent: (event) => events.push(event) });
      await untilSent(server, "PRE_SLEEP");
      const { peer } = server;
      peer.answer(PacketType.ERROR, "JOB_NOT_FOUND", "Job given in work result not found");
      peer.answer(PacketType.ERROR, "", "");
      peer.answer(PacketType.ECHO_RES, "what?");
      peer.answer(PacketType.OPTION_RES, "exceptions");
      peer.answer(PacketType.STATUS_RES, "H:1", "0", "0", "0", "0");
      peer.answer(PacketType.JOB_CREATED, "H:1");
      peer.answer(PacketType.WORK_COMPLETE, "H:1", "");
      peer.answer(PacketType.CAN_DO, "f");
      peer.answer(PacketType.NOOP);
      await until(() => countPackets(server, PacketType.PRE_SLEEP) === 2);
      assert.equal(server.peers.length, 1);
      assert.deepEqual(events.map(({ type }) => type), ["connected", "error", "error"]);
      const [, first] = events as [unknown, { error: ServerError; server: string }];
      assert.ok(first.error instanceof ServerError && first.server !== undefined);
      assert.deepEqual([first.error.code, first.error.text], ["JOB_NOT_FOUND", "Job given in work result not found"]);
    },
  );

  test(
    "an answer to a grab that was never sent, or bytes that are not a packet, end the connection",
    { timeout },
    async () => {
      const wrongs: ((peer: FakePeer) => void)[] = [
        (peer) => peer.answer(PacketType.NO_JOB),
        (peer) => peer.answer(PacketType.JOB_ASSIGN, "H:9", "f", ""),
        (peer) => void peer.transport.write(header("\0RES", 43, 0)),
        (peer) => void peer.transport.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")),
      ];
      for (const wrong of wrongs) {
        const server = serverWithJobs();
        const lost: unknown[] = [];
        let runs = 0;
        await using _worker = start(server, { f: () => void runs++ }, {
          onEvent: (event) => {
            if (event.type === "disconnected" && "error" in event) lost.push(event.error);
          },
        });
        await untilSent(server, "PRE_SLEEP");
        wrong(server.peer);
        await until(() => server.peers.length === 2 && countPackets(server, PacketType.PRE_SLEEP) === 1);
        assert.equal(runs, 0);
        assert.equal((lost[0] as Error).name, "ProtocolError");
      }
    },
  );

  test("false alarms do not cause a busy loop: sleep is delayed longer and longer", {
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
    // In a busy loop there is no pause like this, and never two in a row.
    const long = (i: number) => sleeps[i]! - sleeps[i - 1]! > 100;
    await until(() => sleeps.some((_, i) => i > 1 && long(i) && long(i - 1)));
    await worker.close();
    const more = countPackets(server, PacketType.GRAB_JOB_ALL) - sleeps.length;
    assert.ok(more === 0 || more === 1, `one grab for each alarm, not ${more} more`);
  });

  test("NOOP after every packet does not cause a busy loop", { timeout }, async () => {
    let grabs = 0;
    const server = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) {
        grabs++;
        peer.answer(PacketType.NO_JOB);
      }
      for (let i = 0; i < 3; i++) peer.answer(PacketType.NOOP);
    });
    await using _worker = start(server, { f: () => {} });
    await until(() => grabs >= 5);
    // In a busy loop there are thousands of grabs in this time; with delayed sleep there are a few.
    const before = grabs;
    await turns(20);
    assert.ok(grabs - before <= 5, `${grabs - before} grabs`);
  });

  test("a job resets the delay of sleep", { timeout }, async () => {
    let grabs = 0;
    const server = new FakeServer(({ type }, peer) => {
      if (type === PacketType.PRE_SLEEP) peer.answer(PacketType.NOOP);
      if (type !== PacketType.GRAB_JOB_ALL) return;
      grabs += 1;
      if (grabs % 9 === 0) peer.answer(PacketType.JOB_ASSIGN, `H:${grabs}`, "f", "");
      else peer.answer(PacketType.NO_JOB);
    });
    const delays: number[] = [];
    const { setTimeout } = globalThis;
    globalThis.setTimeout = ((run: () => void, ms: number) => {
      delays.push(ms);
      return setTimeout(run, ms);
    }) as never;
    try {
      await using _worker = start(server, { f: () => {} });
      // The shortest delay comes again after a longer one.
      while (delays.lastIndexOf(16) <= delays.indexOf(32)) await new Promise((resolve) => setTimeout(resolve, 0));
    } finally {
      globalThis.setTimeout = setTimeout;
    }
  });

  test("a server that answers and then ends each connection is backed off from too", { timeout }, async () => {
    const server: FakeServer = new FakeServer(({ type }, peer) => {
      if (type !== PacketType.GRAB_JOB_ALL) return;
      peer.answer(PacketType.NO_JOB);
      peer.end();
    });
    await using _worker = start(server, { f: () => {} }, { minBackoff: 1_000_000, maxBackoff: 1_000_000 });
    await until(() => server.peers.length === 1);
    await server.peer.ended;
    await turns(20);
    assert.equal(server.dials.length, 1);
  });
});

describe("an empty server", () => {
  test("is asked again, or can wake the worker, while another server always has jobs", { timeout }, async () => {
    let jobs = 0;
    const busy = new FakeServer(({ type }, peer) => {
      if (type !== PacketType.GRAB_JOB_ALL) return;
      jobs += 1;
      peer.answer(PacketType.JOB_ASSIGN, `H:${jobs}`, "f", "");
    });
    const quiet = serverWithJobs();
    await using _worker = start(busy, { f: () => turns(1) }, {
      servers: ["busy:1", "quiet:2"],
      dial: (address, options) => (address.port === 1 ? busy : quiet).dial(address, options),
    });
    await until(() => countPackets(quiet, PacketType.GRAB_JOB_ALL) > 0);
    const before = jobs;
    await until(() => jobs > before + 30);
    const chances = countPackets(quiet, PacketType.PRE_SLEEP) + countPackets(quiet, PacketType.GRAB_JOB_ALL) - 1;
    assert.ok(chances > 0, `it had no chance while the other server assigned ${jobs - before} jobs`);
  });
});

describe("a silent connection", () => {
  test("is probed and polled for jobs, and kept while the server answers", { timeout }, async () => {
    const server = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.NO_JOB);
      if (type === PacketType.ECHO_REQ) peer.answer(PacketType.ECHO_RES, "");
    });
    await using _worker = start(server, { f: () => {} }, { probeInterval: 200 });
    await until(() =>
      countPackets(server, PacketType.GRAB_JOB_ALL) >= 3 && countPackets(server, PacketType.ECHO_REQ) >= 2
    );
    assert.equal(server.peers.length, 1);
  });

  test("is asked for jobs again: one without NOOP is found", { timeout }, async () => {
    let due = false;
    const server = new FakeServer(({ type }, peer) => {
      if (type !== PacketType.GRAB_JOB_ALL) return;
      if (due) peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
      else peer.answer(PacketType.NO_JOB);
    });
    const done = deferred<void>();
    await using _worker = start(server, { f: () => done.resolve() }, {
      probeInterval: 50,
      pollInterval: 0,
      drainTimeout: 0,
    });
    await untilSent(server, "PRE_SLEEP");
    due = true;
    await done.promise;
  });

  test("is probed too while the worker is busy or has no function", { timeout }, async () => {
    const functions: Functions[] = [{ f: () => new Promise(() => {}) }, {}];
    for (const given of functions) {
      const server = serverWithJobs(["H:1", "f"]);
      await using _worker = start(server, given, { probeInterval: 20, drainTimeout: 0 });
      await untilSent(server, "ECHO_REQ ");
    }
  });

  test("is lost if the server does not answer, and the worker connects again", { timeout }, async () => {
    const server = new FakeServer();
    await using _worker = start(server, { f: () => {} }, { probeInterval: 20, drainTimeout: 0 });
    await until(() => server.peers.length >= 2);
  });
});

onEveryServer("a job that is due later", (kind) => {
  test("runs when it is due, and does not cause a busy loop before", { timeout }, async () => {
    const server = await kind.start();
    await using client = new GearmanClient(server.connect);
    const { dial = dialTcp() } = server.connect;
    let writes = 0;
    const done = { later: deferred<number>(), low: deferred<number>() };
    await using _worker = startWorker({
      ...server.connect,
      probeInterval: 100,
      dial: async (address, options) => {
        const transport = await dial(address, options);
        const write = transport.write.bind(transport);
        transport.write = (bytes) => {
          writes += 1;
          return write(bytes);
        };
        return transport;
      },
    }, { f: (job) => done[job.text() as keyof typeof done].resolve(Date.now()) });
    const due = Date.now() + 400; // in whole seconds, rounded up
    await client.doBackground("f", "later", { at: new Date(due) });
    // gearmand 1.1 does not assign this job before the other one, and wakes the worker for it at each PRE_SLEEP.
    await client.doBackground("f", "low", { priority: "low" });
    assert.ok(await done.later.promise >= due, "not before");
    await done.low.promise;
    // In a busy loop it grabs thousands of times until then.
    assert.ok(writes < 500, `${writes} writes`);
    await server.stop();
  });
});
