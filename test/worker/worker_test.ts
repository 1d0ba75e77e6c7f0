/** Tests of the whole worker: options, slots, several servers, restarted servers, its end, and its events. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, dialTcp, GearmanClient, GearmanError, GearmanWorker } from "../../mod.ts";
import type { Dial, GearmanEvent } from "../../mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { parseServers } from "../../src/transport/addresses.ts";
import { deferred } from "../../src/internal/promises.ts";
import { turns, until } from "../support/wait.ts";
import { countJobs, functionStatus, textCommand } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { dialByPort, heldHandler, makeWorker, startWorker } from "../support/workers.ts";
import { onEveryServer } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";
import { countedSignal } from "../support/signals.ts";

const timeout = 30_000;
/** Dials the server that is current at the time of the call. */
function dialerOf(current: () => TestServer): Dial {
  return (_, options) => {
    const { dial = dialTcp(), servers = "127.0.0.1:1" } = current().connect;
    return dial(parseServers(servers)[0]!, options);
  };
}

describe("invalid arguments", () => {
  test("of the constructor throw", () => {
    const bad: [unknown, typeof TypeError | typeof RangeError][] = [
      ["", RangeError],
      [{ servers: "a:0" }, RangeError],
      [null, TypeError],
      [{ id: 5 }, TypeError],
      [{ id: null }, TypeError],
      ...["", "a b", "a\nb", "a\0", "tab\t", "\u007f", "x".repeat(128), "ö".repeat(64)].map((id) =>
        [{ id }, RangeError] as [unknown, never]
      ),
      ...[0, -1, 1.5, NaN, Infinity, "2", null].map((concurrency) => [{ concurrency }, RangeError] as [unknown, never]),
      ...[-1, 1.5, NaN, Infinity, "2", null, 2 ** 31].map((drainTimeout) =>
        [{ drainTimeout }, RangeError] as [unknown, never]
      ),
    ];
    for (const [options, error] of bad) {
      assert.throws(() => new GearmanWorker(options as never), error, String(options));
    }
    for (const id of ["x".repeat(127), "ö".repeat(63), "a:b"]) assert.ok(new GearmanWorker({ id, drainTimeout: 0 }));
  });

  test("of calls throw or reject: a wrong option would mean no time limit", async () => {
    const worker = new GearmanWorker({ dial: () => assert.fail("it dialed") });
    for (const options of [5_000, null, "x"]) {
      assert.throws(() => worker.addFunction("f", () => {}, options as never), TypeError, String(options));
    }
    await assert.rejects(worker.run({ signal: "x" as never }), TypeError);
  });

  test("of addFunction() throw", () => {
    const worker = new GearmanWorker();
    const add = (name: unknown, handler: unknown, limit?: unknown) => () =>
      worker.addFunction(name as never, handler as never, { timeout: limit as never });
    const handler = () => {};
    for (const name of ["", "x".repeat(513), "a\0b"]) assert.throws(add(name, handler), RangeError);
    for (const name of [5, undefined, null]) assert.throws(add(name, handler), TypeError);
    for (const wrong of [undefined, null, "code", {}]) assert.throws(add("f", wrong), TypeError);
    for (const limit of [0, -1, 1.5, NaN, Infinity, "5", 2 ** 31]) assert.throws(add("f", handler, limit), RangeError);
    assert.equal(worker.addFunction("f", handler, { timeout: 1 }).removeFunction("f").removeFunction("f"), worker);
  });
});

describe("run()", () => {
  test("rejects while the worker runs, and after it was closed", { timeout }, async () => {
    await using server = new JobServer();
    const worker = new GearmanWorker({ dial: server.dial });
    const running = worker.run();
    await assert.rejects(
      worker.run(),
      (error) => error instanceof GearmanError && /already running/.test(error.message),
    );
    await worker.close();
    await running;
    await assert.rejects(worker.run(), (error) => error instanceof GearmanError && /it is closed/.test(error.message));
    await assert.rejects(worker.run({ signal: AbortSignal.abort() }), /it is closed/);
  });

  test("resolves with a signal that has fired, without connecting", { timeout }, async () => {
    const worker = new GearmanWorker({ dial: () => assert.fail("it was dialed") });
    await worker.run({ signal: AbortSignal.abort() });
    await worker.close();
  });

  test("ends while it tries to connect, and leaves no listener on its signal", { timeout }, async () => {
    for (const answer of [() => Promise.reject(new Error("down")), () => new Promise<never>(() => {})]) {
      let dials = 0;
      const dial = () => {
        dials += 1;
        return answer();
      };
      const { signal, listeners, abort } = countedSignal();
      const worker = new GearmanWorker({ dial, minBackoff: 1_000_000, maxBackoff: 1_000_000 });
      const running = worker.run({ signal });
      assert.equal(listeners(), 1);
      await turns();
      abort("enough");
      await running;
      assert.equal(listeners(), 0);
      assert.equal(dials, 1);
    }
  });
});

describe("several servers", () => {
  test("share the slots", { timeout }, async () => {
    const servers = [new JobServer(), new JobServer()];
    let running = 0, max = 0;
    await using _worker = startWorker({
      servers: ["a:1", "b:2"],
      dial: (address, options) => servers[address.port - 1]!.dial(address, options),
      concurrency: 2,
    }, {
      f: async () => {
        running += 1;
        max = Math.max(max, running);
        await turns(1);
        running--;
      },
    });
    await Promise.all(servers.map(async ({ dial }) => {
      await using client = new GearmanClient({ dial });
      await Promise.all(Array.from({ length: 10 }, () => client.do("f")));
    }));
    assert.equal(max, 2);
    for (const server of servers) await server.close();
  });
});

onEveryServer("several servers", (kind) => {
  test("get a free slot in turn, and all slots while the other servers have no jobs", { timeout }, async () => {
    const servers = [await kind.start(), await kind.start(), await kind.start()];
    const clients = servers.map((server) => new GearmanClient(server.connect));
    for (const [i, count] of [10, 20, 10].entries()) {
      for (let job = 0; job < count; job++) await clients[i]!.doBackground("f", String(i));
    }
    const order: string[] = [];
    const worker = makeWorker({ servers: ["one:1", "two:2", "three:3"], dial: dialByPort(servers) }, {
      // The first job waits until the worker has registered with all servers.
      first: () =>
        until(async () => (await Promise.all(servers.map((server) => functionStatus(server, "f")))).every(isThere)),
      f: (job) => void order.push(job.text()),
    });
    const isThere = ([, , workers]: readonly number[]) => workers === 1;
    const first = clients[0]!.do("first", "", { priority: "high" });
    await first.created();
    worker.run();
    await first;
    await until(() => order.length >= 40 - 3);
    for (const i of ["0", "1", "2"]) {
      const turns = order.slice(3, 24).filter((other) => other === i).length;
      assert.ok(turns >= 6 && turns <= 8, `${turns} of 21 turns: ${order}`);
    }
    await until(() => order.length === 40);
    await worker.close();
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(servers.map((server) => server.stop()));
  });
});

onEveryServer("a worker", (kind) => {
  /** A test with a server and a client of its own. */
  const withServer = (name: string, run: (server: TestServer, client: GearmanClient) => Promise<void>) =>
    test(name, { timeout }, async () => {
      const server = await kind.start();
      const client = new GearmanClient({ ...server.connect, maxBackoff: 1 });
      try {
        await run(server, client);
      } finally {
        await client.close();
        await server.stop();
      }
    });

  withServer("never holds more jobs than it has slots, and uses all of them", async (server, client) => {
    for (const concurrency of [1, 3]) {
      let running = 0, max = 0;
      const full = deferred<void>();
      await using _worker = startWorker({ ...server.connect, concurrency }, {
        f: async (job) => {
          running += 1;
          max = Math.max(max, running);
          if (running === concurrency) full.resolve();
          await full.promise;
          await turns(1);
          running--;
          return job.text();
        },
      });
      const jobs = Array.from({ length: 20 }, (_, i) => client.do("f", String(i)).text());
      assert.deepEqual(await Promise.all(jobs), Array.from({ length: 20 }, (_, i) => String(i)));
      assert.equal(max, concurrency);
    }
  });

  withServer("wakes for each job that is submitted after a pause", async (server, client) => {
    await using _worker = startWorker(server.connect, { f: (job) => job.text() });
    for (let i = 0; i < 20; i++) {
      assert.equal(await client.do("f", `${i}`).text(), `${i}`);
      await turns(i % 3);
    }
  });

  withServer(
    "adds and removes functions while it runs, and finishes the job of a removed function",
    async (server, client) => {
      const { handler, started, release } = heldHandler();
      await using worker = startWorker({ ...server.connect, concurrency: 2 }, { f: () => "f" });
      assert.equal(await client.do("f").text(), "f");
      const held = client.do("late");
      await held.created();
      worker.addFunction("late", handler);
      await started.promise;
      worker.removeFunction("late");
      await turns(5);
      release.resolve("finished");
      assert.equal(await held.text(), "finished");
      await until(async () => (await functionStatus(server, "late"))[2] === 0);
      const waiting = client.do("late");
      await waiting.created();
      assert.equal(await countJobs(server, "late"), 1);
      worker.addFunction("f", () => "new f").addFunction("late", () => "late again");
      assert.equal(await client.do("f").text(), "new f");
      assert.equal(await waiting.text(), "late again");
    },
  );

  withServer("still serves after a function was added and removed at once", async (server, client) => {
    await using worker = startWorker(server.connect, { f: () => "f" });
    assert.equal(await client.do("f").text(), "f");
    worker.addFunction("g", () => "g").removeFunction("g");
    const signal = AbortSignal.timeout(5_000);
    assert.equal(await client.do("f", "", { signal }).text(), "f");
    await until(async () => signal.aborted || (await functionStatus(server, "g"))[2] === 0);
    assert.equal((await functionStatus(server, "g"))[2], 0);
  });

  test("aborts its job when the server is stopped, and registers again when it is restarted", {
    timeout,
  }, async () => {
    let server = await kind.start();
    const { handler, started, release } = heldHandler();
    const dial = dialerOf(() => server);
    await using _worker = startWorker({ dial, id: "phoenix" }, { f: () => "served", hold: handler });
    {
      await using client = new GearmanClient(server.connect);
      await client.doBackground("hold", "x");
      const { signal } = await started.promise;
      await server.stop();
      await until(() => signal.aborted);
      assert.ok(signal.reason instanceof ConnectionError);
    }
    server = await kind.start();
    const line = async () =>
      (await textCommand(server, "workers", { list: true })).find((line) => line.includes("phoenix")) ?? "";
    await until(async () => /hold/.test(await line()));
    assert.deepEqual((await line()).split(" : ").pop()?.replace(/^.*:/, "").trim().split(" ").sort(), ["f", "hold"]);
    await using client = new GearmanClient(server.connect);
    assert.equal(await client.do("f").text(), "served");
    release.resolve("");
    await server.stop();
  });

  for (const how of ["abort", "close()"] as const) {
    withServer(`finishes the held job after ${how}, grabs no more, and run() resolves`, async (server, client) => {
      const { handler, started, release } = heldHandler();
      const stop = new AbortController();
      const worker = makeWorker({ ...server.connect, drainTimeout: timeout }, { f: handler });
      let ended = false;
      const running = worker.run({ signal: stop.signal }).then(() => ended = true);
      const held = client.do("f");
      const { signal } = await started.promise;
      const waiting = client.do("f");
      await waiting.created();
      const closing = how === "abort" ? stop.abort() : worker.close();
      await turns(10);
      assert.deepEqual([ended, signal.aborted], [false, false]);
      release.resolve("finished");
      await running;
      await closing;
      assert.equal(await held.text(), "finished");
      assert.equal(await countJobs(server, "f"), 1);
      assert.equal(signal.aborted, false);
    });
  }

  for (const how of ["destroy()", "drainTimeout"] as const) {
    withServer(`drops the held job after ${how}, and another worker gets it`, async (server, client) => {
      const { handler, started, release } = heldHandler();
      const ended: GearmanEvent[] = [];
      const worker = makeWorker({
        ...server.connect,
        drainTimeout: how === "drainTimeout" ? 10 : timeout,
        onEvent: (event) => {
          if (event.type === "jobEnded") ended.push(event);
        },
      }, { f: handler });
      const running = worker.run();
      const held = client.do("f", "work");
      const { signal } = await started.promise;
      const closing = worker.close();
      if (how === "destroy()") await worker.destroy();
      await closing;
      await running;
      assert.ok(signal.reason instanceof GearmanError);
      assert.match(signal.reason.message, /stopped before the job was finished/);
      release.resolve("discarded");
      const other = await RawWorker.open(server, "f");
      await other.serve(1, () => "by another");
      assert.equal(await held.text(), "by another");
      await other.close();
      assert.equal(ended.length, 1, "its end is reported");
    });
  }

  withServer("finishes the held job at the end of its block", async (server, client) => {
    let running: Promise<void>;
    let result: Promise<string>;
    {
      await using worker = makeWorker(server.connect, {});
      const started = deferred<void>();
      worker.addFunction("f", async () => {
        started.resolve();
        await turns(5);
        return "finished";
      });
      running = worker.run();
      result = client.do("f").text();
      await started.promise;
    }
    assert.equal(await result, "finished");
    await running;
    await until(async () => (await functionStatus(server, "f"))[2] === 0);
  });

  withServer("reports events in order, also to a listener that throws", async (server, client) => {
    const events: GearmanEvent[] = [];
    {
      await using _worker = startWorker({
        ...server.connect,
        onEvent: (event) => {
          events.push(event);
          throw new Error("from the listener");
        },
      }, {
        good: () => "done",
        bad: () => Promise.reject(new Error("bad")),
      });
      const good = client.do("good");
      assert.equal(await good.text(), "done");
      await assert.rejects(client.do("bad").text(), /bad/);
      const [, started, ended] = events as [unknown, GearmanEvent, GearmanEvent];
      assert.ok(started.type === "jobStarted" && ended.type === "jobEnded");
      const { functionName, handle } = started;
      assert.deepEqual([functionName, handle, ended.handle], ["good", good.handle, good.handle]);
      assert.ok(ended.duration >= 0 && !("error" in ended));
    }
    const types = ["connected", "jobStarted", "jobEnded", "jobStarted", "jobEnded", "disconnected"];
    assert.deepEqual(events.map(({ type }) => type), types);
    assert.match(String((events[4] as { error?: unknown }).error), /Error: bad/);
    assert.equal("error" in events[5]!, false);
    assert.equal(new Set(events.map((event) => event.server)).size, 1);
  });
});
