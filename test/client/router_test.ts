/** Tests of a client with several servers, some of them down: fail-over, recovery, back-off, balance. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, dialTcp, GearmanClient, GearmanError } from "../../mod.ts";
import type { BackgroundJob, ClientOptions, Dial } from "../../mod.ts";
import type { Balance } from "../../src/client/balance.ts";
import { Router } from "../../src/client/router.ts";
import { AwaitedSubmission } from "../../src/client/submission.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { memoryPipe } from "../../src/connection/mod.ts";
import { readConnectOptions } from "../../src/connection/options.ts";
import { text } from "../support/bytes.ts";
import { freePort, withSocketServer } from "../support/socket_server.ts";
import { deferred } from "../../src/internal/promises.ts";
import { FakeTransport, GreetedTransport } from "../support/fake_transport.ts";
import { turns, until } from "../support/wait.ts";
import { answerEverything, FakeServer, isSubmission } from "../support/fake_server.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { countedSignal } from "../support/signals.ts";
import { onEveryServer } from "../support/servers.ts";

const timeout = 20_000;
const FOREVER = 1_000_000_000;

/** TCP servers by name; each can be down. */
class Fleet {
  readonly servers = new Map<string, FakeServer>();
  readonly down = new Set<string>();
  readonly dials: string[] = [];

  constructor(...names: string[]) {
    for (const name of names) this.servers.set(name, new FakeServer(answerEverything()));
  }

  readonly dial: Dial = (address, options) => {
    const name = `${address.hostname}:${address.port}`;
    this.dials.push(name);
    if (this.down.has(name)) throw new Error(`${name} is down`);
    return this.servers.get(name)!.dial(address, options);
  };

  client(options: ClientOptions = {}): GearmanClient {
    return new GearmanClient({ servers: [...this.servers.keys()], dial: this.dial, minBackoff: FOREVER, ...options });
  }

  /** Number of jobs that each server received. */
  jobs(): number[] {
    return [...this.servers.values()].map(({ peers }) =>
      peers.reduce((sum, { requests }) => sum + requests.filter(isSubmission).length, 0)
    );
  }

  /** Ends all connections of a server and refuses new ones. */
  async stop(name: string): Promise<void> {
    this.down.add(name);
    for (const peer of this.servers.get(name)!.peers) await peer.end();
  }
}

/** Submits a background job through a router. */
function submit(router: Router, signal?: AbortSignal): Promise<BackgroundJob> {
  const packet = { type: PacketType.SUBMIT_JOB_BG, args: ["f", "", "w"] };
  return new Promise((resolve, reject) => {
    router.send(new AwaitedSubmission(packet, resolve, reject), signal);
  });
}

/** The client of background jobs without a status: the tests do not ask for one. */
const NO_STATUS = undefined as never;

function routerOf(servers: string, dial: Dial, balance: Balance = "failover"): Router {
  const options = readConnectOptions({ servers, dial, minBackoff: 0, maxBackoff: 0 });
  return new Router(options.servers, { ...options.settings, id: undefined, statusSource: NO_STATUS }, balance);
}

describe("a router", () => {
  test("has the names of its servers, and round-robin begins with the first of them", { timeout }, async () => {
    const fleet = new Fleet("a:1", "b:2", "c:3");
    const router = routerOf("a:1,b:2,c:3", fleet.dial, "round-robin");
    assert.deepEqual(router.names, ["a:1", "b:2", "c:3"]);
    const servers: string[] = [];
    for (let i = 0; i < 4; i++) servers.push((await submit(router)).server);
    assert.deepEqual(servers, ["a:1", "b:2", "c:3", "a:1"]);
    await router.close();
  });

  test("encodes a request at the call where its server is connected, whatever the policy", { timeout }, async () => {
    for (const balance of ["failover", "round-robin", "unique"] as const) {
      const fleet = new Fleet("a:1", "b:2");
      const router = routerOf("a:1,b:2", fleet.dial, balance);
      for (let i = 0; i < 2; i++) await submit(router);
      const packet = { type: PacketType.SUBMIT_JOB_BG, args: ["f", "", "w"] };
      const accepted = new Promise<BackgroundJob>((resolve, reject) => {
        const submission = new AwaitedSubmission(packet, resolve, reject);
        router.send(submission, undefined);
        assert.notEqual(submission.packet, packet, `${balance}: the packet is dropped once it is encoded`);
      });
      assert.equal((await accepted).server, "a:1");
      await router.close();
    }
  });

  test("closes the connections to all of its servers", { timeout }, async () => {
    const fleet = new Fleet("a:1", "b:2", "c:3");
    const router = routerOf("a:1,b:2,c:3", fleet.dial, "round-robin");
    for (let i = 0; i < 3; i++) await submit(router);
    await Promise.all([router.close(), router.close()]);
    for (const { peer } of fleet.servers.values()) await peer.ended;
  });

  test("that is closing sends what came before, and nothing more", { timeout }, async () => {
    for (const balance of ["failover", "round-robin"] as const) {
      const transport = new GreetedTransport();
      const write = deferred<void>();
      transport.answers.push(write.promise);
      const router = routerOf("a:1,b:2", () => transport, balance);
      const before = [submit(router)];
      await until(() => transport.writes.length === 1);
      if (balance === "failover") before.push(submit(router));
      const closing = router.close();
      await assert.rejects(submit(router), { name: "GearmanError", message: "Cannot send: the client is closed" });
      await turns();
      assert.equal(transport.closed, 0, "the connection still has something to write");
      write.resolve();
      for (const call of before) await assert.rejects(call, { delivery: "unknown" });
      await closing;
      assert.equal(transport.writes.length, before.length);
    }
  });

  test("does not dial further servers for a request that was aborted", { timeout }, async () => {
    const dials: string[] = [];
    const router = routerOf("a:1,b:2", ({ hostname }) => {
      dials.push(hostname);
      return new Promise(() => {});
    });
    const { signal, abort } = countedSignal();
    const call = submit(router, signal);
    await until(() => dials.length > 0);
    abort("enough");
    await assert.rejects(call, (reason) => reason === "enough");
    await turns();
    assert.deepEqual(dials, ["a"]);
    await router.close();
  });

  test("aborts the dials of failing servers with the request, if there are no others", { timeout }, async () => {
    const signals: AbortSignal[] = [];
    let refuses = true;
    const router = routerOf("a:1,b:2", (_, { signal }) => {
      if (refuses) throw new Error("refused");
      signals.push(signal!);
      return new Promise(() => {});
    });
    await assert.rejects(submit(router), { delivery: "not-sent", message: /refused$/ });
    refuses = false;
    const { signal, abort } = countedSignal();
    const call = submit(router, signal);
    await until(() => signals.length === 2);
    assert.deepEqual(signals.map(({ aborted }) => aborted), [false, false]);
    abort("enough");
    await assert.rejects(call, (reason) => reason === "enough");
    await turns();
    assert.deepEqual(signals.map(({ aborted }) => aborted), [true, true]);
    await router.close();
  });

  test("fails a request after two reroutes for each server, with the last loss as its cause", { timeout }, async () => {
    let dials = 0;
    const router = routerOf("a:1", () => {
      dials += 1;
      return new RejectingTransport();
    });
    await assert.rejects(submit(router), (error) => {
      assert.ok(error instanceof ConnectionError && error.cause instanceof ConnectionError, String(error));
      assert.equal(error.delivery, "not-sent");
      assert.match(error.message, /a:1 ended it$/);
      return true;
    });
    assert.equal(dials, 3);
    await router.close();
  });
});

/** A server that may reject the connection, and does so at the first bytes. */
class RejectingTransport extends FakeTransport {
  override write(bytes: Uint8Array): void | Promise<void> {
    this.end();
    return super.write(bytes);
  }
}

describe("fail-over", () => {
  test("the first server receives all jobs while it is up, and the others are not dialed", { timeout }, async () => {
    const fleet = new Fleet("a:1", "b:2", "c:3");
    await using client = fleet.client();
    for (let i = 0; i < 5; i++) assert.equal((await client.doBackground("f", "x")).server, "a:1");
    assert.deepEqual(fleet.dials, ["a:1"]);
  });

  test(
    "the next server serves while the first is down, and the first again when it has recovered",
    { timeout },
    async () => {
      const fleet = new Fleet("a:1", "b:2");
      fleet.down.add("a:1");
      await using client = fleet.client({ minBackoff: 1, maxBackoff: 1 });
      assert.equal((await client.doBackground("f", "x")).server, "b:2");
      assert.equal((await client.doBackground("f", "x")).server, "b:2");
      fleet.down.clear();
      await until(async () => (await client.doBackground("f", "x")).server === "a:1");
      await fleet.stop("a:1");
      await until(async () => (await client.doBackground("f", "x").catch(() => undefined))?.server === "b:2");
      assert.equal(text(await client.echo("up")), "up");
    },
  );

  /** Makes a client that has found the first of two servers down. `refuse` decides its further dials, which are counted. */
  const recovering = async (refuse: () => Promise<void>): Promise<[client: GearmanClient, dials: () => number]> => {
    const fleet = new Fleet("a:1", "b:2");
    fleet.down.add("a:1");
    const client = fleet.client({ minBackoff: 1, maxBackoff: 1 });
    await client.doBackground("f", "x");
    fleet.down.clear();
    fleet.servers.get("a:1")!.refuse = refuse;
    return [client, () => fleet.dials.filter((name) => name === "a:1").length];
  };

  test("while a server that failed is dialed again, jobs go to one that is up", { timeout }, async () => {
    const [made, dials] = await recovering(() => new Promise(() => {})); // dials never settle now
    await using client = made;
    await until(async () => (await client.doBackground("f", "x")).server === "b:2" && dials() === 2);
    for (let i = 0; i < 10; i++) assert.equal((await client.doBackground("f", "x")).server, "b:2");
    assert.equal(dials(), 2, "one dial under way is enough");
  });

  test("the dial of a server that recovers slowly outlives the calls that began it", { timeout }, async () => {
    const recovered = deferred<void>();
    const [made, dials] = await recovering(() => recovered.promise);
    await using client = made;
    const controller = new AbortController();
    await until(async () => (await client.doBackground("f", "x", { signal: controller.signal })) && dials() === 2);
    controller.abort();
    await turns(1);
    recovered.resolve();
    await until(async () => (await client.doBackground("f", "x")).server === "a:1");
    assert.equal(dials(), 2);
  });

  test("a job that no server takes is not-sent, with the last server's error as its cause", { timeout }, async () => {
    const fleet = new Fleet("a:1", "b:2");
    fleet.down.add("a:1").add("b:2");
    await using client = fleet.client();
    await assert.rejects(client.doBackground("f", "x"), (error) => {
      assert.ok(error instanceof ConnectionError && error.cause instanceof ConnectionError);
      assert.equal(error.delivery, "not-sent");
      assert.equal(error.cause.server, "b:2");
      return /b:2 is down/.test(error.message);
    });
  });

  test("every server is asked about a bare handle, and those that are down or do not know it are ignored", {
    timeout,
  }, async () => {
    const fleet = new Fleet("a:1", "b:2", "c:3");
    fleet.down.add("a:1");
    const knowing = new FakeServer(({ type, args }, peer) => {
      if (type === PacketType.GET_STATUS) peer.answer(PacketType.STATUS_RES, args[0]!, "1", "1", "3", "4");
      else peer.answer(PacketType.STATUS_RES_UNIQUE, args[0]!, "1", "0", "0", "0", "2");
    });
    fleet.servers.set("c:3", knowing);
    await using client = fleet.client();
    assert.deepEqual(await client.jobStatus("H:x:1"), {
      handle: "H:x:1",
      known: true,
      running: true,
      numerator: 3,
      denominator: 4,
    });
    assert.deepEqual((await client.jobStatusByUnique("u")).clients, 2);
    await fleet.stop("c:3");
    await until(async () => !(await client.jobStatus("H:x:1")).known);
    await fleet.stop("b:2");
    await until(() => client.jobStatus("H:x:1").then(() => false, (error) => error instanceof ConnectionError));
    await assert.rejects(client.jobStatus("a:1//H:x:1"), { name: "ConnectionError", server: "a:1" });
  });
});

describe("back-off", () => {
  test("a server that is down is dialed once in a back-off, not once in a call", { timeout }, async () => {
    const fleet = new Fleet("a:1");
    fleet.down.add("a:1");
    await using client = fleet.client();
    const atOnce = Array.from({ length: 10 }, () => client.doBackground("f", "x"));
    for (const call of atOnce) await assert.rejects(call, { delivery: "not-sent" });
    for (let i = 0; i < 10; i++) {
      await assert.rejects(client.doBackground("f", "x"), { delivery: "not-sent", message: /a:1 is down/ });
      await assert.rejects(client.echo("x"), { name: "ConnectionError", message: /a:1 is down/ });
    }
    assert.equal(fleet.dials.length, 1);
  });

  test(
    "it doubles up to maxBackoff, with an event each time, and a working connection ends it",
    { timeout },
    async () => {
      const fleet = new Fleet("a:1");
      fleet.down.add("a:1");
      const delays: number[] = [];
      await using client = fleet.client({
        minBackoff: 4,
        maxBackoff: 16,
        onEvent: (event) => void (event.type === "retrying" && delays.push(event.delay)),
      });
      const attempt = () => client.echo("x").then(() => true, () => false);
      await until(async () => (await attempt(), delays.length === 5));
      for (const [i, max] of [4, 8, 16, 16, 16].entries()) {
        assert.ok(delays[i]! >= max / 2 && delays[i]! <= max, `${delays[i]} ms after failure ${i + 1}`);
      }
      fleet.down.clear();
      await until(attempt);
      await fleet.stop("a:1");
      await until(async () => (await attempt(), delays.length === 6));
      assert.ok(delays[5]! <= 4);
    },
  );

  test(
    "it begins with the second connection that ends without an answer",
    { timeout },
    async () => {
      let dials = 0;
      const dial: Dial = () => {
        dials++;
        const [here, there] = memoryPipe();
        void there.close();
        return here;
      };
      await using client = new GearmanClient({ dial, minBackoff: FOREVER, maxBackoff: FOREVER });
      for (let i = 0; i < 10; i++) await assert.rejects(client.doBackground("f", "x"), ConnectionError);
      assert.equal(dials, 2);
    },
  );
});

describe("an attempt to connect", () => {
  test("ends after connectTimeout with an error that says so, whatever the dialer does", { timeout }, async () => {
    const dials: Dial[] = [
      () => new Promise(() => {}),
      (_, { signal }) => new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason))),
      () => ({ ...new SilentTransport(), opened: new Promise(() => {}) }),
    ];
    for (const dial of dials) {
      await using client = new GearmanClient({ dial, connectTimeout: 10 });
      await assert.rejects(client.doBackground("f", "x"), (error) => {
        assert.ok(error instanceof ConnectionError);
        assert.match(error.message, /no connection within 10 ms/);
        assert.equal(error.delivery, "not-sent");
        assert.ok(error.cause instanceof ConnectionError, "the error of the attempt");
        assert.equal(error.cause.server, "127.0.0.1:4730");
        assert.ok(error.cause.cause instanceof DOMException);
        assert.equal(error.cause.cause.name, "TimeoutError");
        return true;
      });
    }
  });

  test("to a host that does not exist fails with the runtime's error as its cause", { timeout }, async () => {
    await using client = new GearmanClient("no-such-host.invalid");
    await assert.rejects(client.doBackground("f", "x"), (error) => {
      assert.ok(error instanceof ConnectionError);
      assert.equal(error.delivery, "not-sent");
      assert.match(error.message, /no-such-host\.invalid:4730/);
      assert.ok(error.cause instanceof ConnectionError, "the error of the attempt");
      assert.equal(error.cause.server, "no-such-host.invalid:4730");
      assert.ok(isLookupError(error.cause.cause), `${error.cause.cause}`);
      return true;
    });
  });

  test(
    "that meets an end or a reset instead of an answer leaves the call unsent, and does not break later calls",
    { timeout },
    async () => {
      for (const end of ["FIN", "RST"]) {
        let accepted = 0;
        const server = new FakeServer(answerEverything());
        await withSocketServer((socket) => {
          accepted++;
          socket.once("data", () => end === "FIN" ? socket.end() : socket.resetAndDestroy());
        }, async (address) => {
          let broken = true;
          const tcp = dialTcp();
          const dial: Dial = (other, options) => broken ? tcp(address, options) : server.dial(other, options);
          await using client = new GearmanClient({ dial, minBackoff: 1, maxBackoff: 1 });
          await assert.rejects(client.doBackground("f", "x"), { name: "ConnectionError", delivery: "not-sent" });
          assert.ok(accepted > 1, "it was dialed again");
          broken = false;
          await until(() => client.doBackground("f", "x").then(() => true, () => false));
          assert.deepEqual(server.peer.options, ["exceptions"], "the option is requested again");
        });
      }
    },
  );
});

describe("balance", () => {
  const names = ["a:1", "b:2", "c:3"];

  test("round-robin gives each server its turn, and skips a server that is down", { timeout }, async () => {
    const fleet = new Fleet(...names);
    await using client = fleet.client({ balance: "round-robin" });
    for (let i = 0; i < 30; i++) await client.doBackground("f", "x");
    assert.deepEqual(fleet.jobs(), [10, 10, 10]);
    await fleet.stop("b:2");
    await client.doBackground("f", "x").catch(() => {});
    await until(() => client.doBackground("f", "x").then(({ server }) => server === "c:3", () => false));
    const [a, b, c] = fleet.jobs();
    for (let i = 0; i < 30; i++) await client.doBackground("f", "x");
    assert.deepEqual(fleet.jobs(), [a! + 10, b, c! + 20]);
  });

  test(
    "unique sends equal uniques of all clients to one server, and spreads the others",
    { timeout },
    async () => {
      const fleet = new Fleet(...names);
      await using one = fleet.client({ balance: "unique" });
      await using two = fleet.client({ balance: "unique", servers: [...names].reverse() });
      const servers = new Map<string, string>();
      for (let i = 0; i < 300; i++) {
        const unique = `job ${i}`;
        const { server } = await one.doBackground("f", "x", { unique });
        assert.equal((await two.doBackground("g", "other", { unique })).server, server);
        servers.set(unique, server);
      }
      for (const jobs of fleet.jobs()) assert.ok(jobs > 130 && jobs < 270, `${fleet.jobs()}`);

      // Without one server, only its share moves.
      await fleet.stop("b:2");
      await using three = fleet.client({ balance: "unique" });
      let moved = 0;
      for (const [unique, server] of servers) {
        const now = (await three.doBackground("f", "x", { unique })).server;
        if (server === "b:2") moved++;
        else assert.equal(now, server, unique);
      }
      assert.ok(moved > 60 && moved < 140, `${moved}`);
    },
  );

  test("unique uses the workload for the unique -, and turns for a job without a unique", { timeout }, async () => {
    const fleet = new Fleet(...names);
    await using client = fleet.client({ balance: "unique" });
    const serverOf = async (workload: string | Uint8Array, unique: string) =>
      (await client.doBackground("f", workload, { unique })).server;
    for (const workload of ["one", "two", "three"]) {
      const bytes = new TextEncoder().encode(workload);
      assert.equal(await serverOf(workload, "-"), await serverOf(bytes, "-"));
      assert.equal(await serverOf(workload, "-"), await serverOf("x", workload));
    }
    const turns = new Set<string>();
    for (let i = 0; i < 3; i++) turns.add(await serverOf("same", ""));
    assert.equal(turns.size, 3);
  });
});

/** True if it is the runtime's error for a host name that does not exist. */
function isLookupError(error: unknown): boolean {
  return error instanceof Error && !(error instanceof GearmanError) && /ENOTFOUND|EAI_AGAIN|lookup/.test(error.message);
}

/** A transport that stays silent. */
class SilentTransport {
  write = () => {};
  close = () => {};
  [Symbol.asyncIterator] = () => ({ next: () => new Promise<never>(() => {}) });
}

onEveryServer("a client with a first server that refuses connections", (kind) => {
  test("is served by the second, also when asked with a token or a bare handle", { timeout }, async () => {
    const server = await kind.start();
    const refused = `127.0.0.1:${await freePort()}`;
    const { dial, servers = "127.0.0.1:1" } = server.connect;
    const dialing: Dial = (address, options) =>
      dial === undefined || `127.0.0.1:${address.port}` === refused
        ? dialTcp()(address, options)
        : dial(address, options);
    await using client = new GearmanClient({ servers: [refused, servers as string], dial: dialing });
    const job = client.do("f", "fine");
    const handle = await job.created();
    const background = await client.doBackground("f", "x");
    assert.equal(background.server, servers);
    assert.equal((await client.jobStatus(handle)).known, true);
    assert.equal((await client.jobStatus(`${background}`)).known, true);
    await assert.rejects(client.jobStatus(`${refused}//${handle}`), { name: "ConnectionError", server: refused });
    const worker = await RawWorker.open(server, "f");
    await worker.serve(2);
    assert.equal(await job.text(), "fine");
    await worker.close();
    await client.close();
    await server.stop();
  });
});

test(
  "calls fail with a TypeError as the root cause if dial() does not return a transport",
  { timeout },
  async () => {
    await using client = new GearmanClient({ dial: () => ({}) as never });
    for (const call of [client.doBackground("f", "x"), client.echo("x")]) {
      const error: unknown = await call.catch((error: unknown) => error);
      assert.ok(error instanceof ConnectionError && error.cause instanceof ConnectionError, String(error));
      assert.ok(error.message.endsWith(error.cause.message), error.message);
      assert.ok(error.cause.cause instanceof TypeError);
    }
  },
);
