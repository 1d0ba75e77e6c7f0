/** Tests of a worker that loses its server in various ways: it connects again without end, and serves. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { ConnectionError, dialTcp, GearmanClient } from "../../mod.ts";
import type { Dial, GearmanEvent } from "../../mod.ts";
import { PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { pattern, toHex } from "../support/bytes.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns, until } from "../support/wait.ts";
import { freePort } from "../support/socket_server.ts";
import { countPackets, heldHandler, serverWithJobs, startWorker } from "../support/workers.ts";
import { FakeServer } from "../support/fake_server.ts";
import { Proxy } from "../support/proxy.ts";
import { onEveryServer } from "../support/servers.ts";

const timeout = 30_000;

describe("a server that cannot be reached", () => {
  test("is dialed without end, with a back-off that doubles up to maxBackoff, with jitter", { timeout }, async () => {
    const events: GearmanEvent[] = [];
    const server = new FakeServer();
    server.refuse = () => Promise.reject(new Error("refused"));
    await using _worker = startWorker({
      dial: server.dial,
      minBackoff: 4,
      maxBackoff: 20,
      drainTimeout: 0,
      onEvent: (event) => events.push(event),
    }, { f: () => {} });
    await until(() => server.dials.length > 24);
    const delays = events.flatMap((event) => event.type === "retrying" ? [event.delay] : []);
    for (const [i, delay] of delays.entries()) {
      const max = Math.min(20, 4 * 2 ** i);
      assert.ok(delay >= max / 2 && delay <= max, `attempt ${i + 1}: ${delay} ms, not ${max / 2} to ${max}`);
    }
    assert.ok(new Set(delays.slice(3)).size > 3, `no jitter: ${delays}`);
    assert.equal(events.filter(({ type }) => type === "error").length, delays.length, "each has its reason");
    server.refuse = () => undefined;
    await until(() => server.peers.length === 1);
  });

  test("has a short back-off again after it has answered", { timeout }, async () => {
    const delays: number[] = [];
    const server = serverWithJobs();
    await using _worker = startWorker({
      dial: server.dial,
      minBackoff: 1,
      maxBackoff: 64,
      drainTimeout: 0,
      onEvent: (event) => {
        if (event.type === "retrying") delays.push(event.delay);
      },
    }, { f: () => {} });
    for (let round = 0; round < 2; round++) {
      await until(() => server.peers.length === round + 1);
      await turns();
      delays.length = 0;
      server.refuse = () => Promise.reject(new Error("refused"));
      await server.peer.end();
      await until(() => delays.length > 4);
      assert.ok(delays[0]! <= 1 && delays[3]! >= 4, `${delays}`);
      server.refuse = () => undefined;
    }
  });

  test("may have another address when it returns: its name is resolved for each attempt", { timeout }, async () => {
    const names: string[] = [];
    const first = new JobServer();
    let address = await first.listen();
    const dial = dialTcp();
    await using _worker = startWorker({
      servers: "jobs.example:4730",
      dial: ({ hostname, port }, options) => {
        names.push(`${hostname}:${port}`);
        return dial(address, options); // what a resolver does
      },
    }, { f: () => "served" });
    await using second = new JobServer();
    for (const server of [first, second]) {
      await using client = new GearmanClient({ dial: server.dial });
      assert.equal(await client.do("f").text(), "served");
      if (server === second) break;
      address = await second.listen();
      await first.close();
    }
    assert.ok(names.length >= 2 && new Set(names).size === 1, `${names}`);
  });
});

const noProc = existsSync("/proc/net/tcp") ? false : "only Linux shows the timers of its sockets";
test("a worker's connection is kept alive by TCP", { timeout, skip: noProc }, async () => {
  await using server = new JobServer();
  const { port } = await server.listen();
  await using _worker = startWorker({ servers: `127.0.0.1:${port}` }, {});
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  // "sl local_address rem_address st tx_queue:rx_queue tr:tm->when": timer 2 is that of SO_KEEPALIVE.
  await until(() =>
    readFileSync("/proc/net/tcp", "utf8").split("\n").map((line) => line.trim().split(/\s+/)).some((fields) =>
      fields[2] === remote && fields[5]?.startsWith("02:")
    )
  );
});

onEveryServer("a worker behind a proxy", (kind) => {
  /** A test with a server, a client of its own, and a proxy for the worker. */
  const withProxy = (
    name: string,
    run: (proxy: Proxy, client: GearmanClient) => Promise<void>,
  ) =>
    test(name, { timeout }, async () => {
      const server = await kind.start();
      const proxy = await Proxy.start(server.port);
      const client = new GearmanClient(server.connect);
      try {
        await run(proxy, client);
      } finally {
        await client.close();
        await proxy.close();
        await server.stop();
      }
    });

  const ends = { "ends it": "endAll", "resets it": "resetAll", "stalls it": "stall" } as const;
  for (const [name, end] of Object.entries(ends)) {
    withProxy(`that ${name} aborts its job, connects again, registers, and serves`, async (proxy, client) => {
      const events: GearmanEvent[] = [];
      const { handler, started, release } = heldHandler();
      let holds = 0;
      await using _worker = startWorker({
        servers: `127.0.0.1:${proxy.port}`,
        id: "behind",
        concurrency: 2,
        probeInterval: 100,
        onEvent: (event) => events.push(event),
      }, { f: (job) => job.text(), hold: (job) => holds++ === 0 ? handler(job) : "held again" });
      const held = client.do("hold").text();
      const { signal } = await started.promise;
      assert.equal(await client.do("f", "1").text(), "1");
      proxy[end]();
      await until(() => signal.aborted);
      assert.ok(signal.reason instanceof ConnectionError);
      if (end === "stall") proxy.resetAll(); // the server notices only now
      release.resolve("dropped");
      assert.equal(await held, "held again");
      assert.equal(await client.do("f", "2").text(), "2");
      const lost = events.find(({ type }) => type === "disconnected") as { error?: Error };
      assert.ok(lost.error instanceof Error, "its cause is reported");
      if (end === "stall") assert.match(lost.error.message, /did not answer within 100 ms/);
    });
  }

  test(
    "serves the server that is up, and the other one as soon as it is up",
    { timeout },
    async () => {
      const one = await kind.start();
      const down = await freePort();
      const names = [`127.0.0.1:${down}`, `127.0.0.1:${one.port}`] as const;
      const events: GearmanEvent[] = [];
      await using _worker = startWorker({
        servers: names,
        maxBackoff: 20,
        onEvent: (event) => events.push(event),
      }, { f: (job) => job.text() });
      await using first = new GearmanClient(one.connect);
      assert.equal(await first.do("f", "1").text(), "1");
      await until(() => events.filter(({ type }) => type === "retrying").length >= 3);
      const two = await kind.start(down);
      await using second = new GearmanClient(two.connect);
      assert.equal(await second.do("f", "2").text(), "2");
      assert.equal(await first.do("f", "1").text(), "1");
      const connected = events.filter(({ type }) => type === "connected").map((event) => event.server);
      assert.deepEqual(connected, names.toReversed());
      for (const event of events) {
        if (event.type === "retrying" || event.type === "error") assert.equal(event.server, names[0]);
        if (event.type === "retrying") assert.ok(event.delay > 0 && event.delay <= 20, String(event.delay));
      }
      await Promise.all([one.stop(), two.stop()]);
    },
  );

  withProxy("that splits the stream gets and sends every byte", async (proxy, client) => {
    proxy.faults = () => ({ split: true, delay: 0 });
    await using _worker = startWorker({ servers: `127.0.0.1:${proxy.port}`, concurrency: 4 }, {
      f: async function* (job) {
        await job.sendStatus(1, 2);
        yield job.workload;
        return job.workload;
      },
    });
    const bytes = pattern(40);
    const results = await Promise.all(Array.from({ length: 4 }, (_, i) => client.do("f", bytes.subarray(i))));
    const expected = results.map((_, i) => toHex(bytes.subarray(i)).repeat(2));
    assert.deepEqual(results.map(toHex), expected);
    assert.equal(proxy.accepted, 1);
  });

  withProxy("that breaks each connection after some bytes serves in the end", async (proxy, client) => {
    const kinds = ["resetAfter", "endAfter", "stallAfter"] as const;
    // A header has 12 bytes: connections break inside and between packets.
    proxy.faults = (i) => {
      proxy.resetAll(); // the worker has closed the last connection: let the server notice
      return i < 24 ? { [kinds[i % 3]!]: 1 + 7 * i } : {};
    };
    await using _worker = startWorker({
      servers: `127.0.0.1:${proxy.port}`,
      probeInterval: 30,
      concurrency: 2,
    }, { f: (job) => job.text() });
    const jobs = Array.from({ length: 40 }, (_, i) => client.do("f", String(i)).text());
    assert.deepEqual(await Promise.all(jobs), Array.from({ length: 40 }, (_, i) => String(i)));
    await until(() => proxy.accepted > 8);
  });
}, { port: true });

test("a worker whose connection is lost while it holds no job grabs again at once", { timeout }, async () => {
  const server = new FakeServer(({ type }, peer) => {
    if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.NO_JOB);
  });
  await using _worker = startWorker({ dial: server.dial, drainTimeout: 0 }, { f: () => {} });
  for (let i = 1; i <= 5; i++) {
    await until(() => server.peers.length === i && countPackets(server, 39) === 1);
    await server.peer.end();
  }
});

test(
  "a server that was silent is not asked for jobs before it answers: other servers get the slots",
  { timeout },
  async () => {
    const silent: FakeTransport[] = [];
    await using well = new JobServer();
    const dial: Dial = (server, options) =>
      server.hostname === "well" ? well.dial(server, options) : silent[silent.push(new FakeTransport()) - 1]!;
    await using _worker = startWorker({ servers: "silent:1,well:2", dial, probeInterval: 20 }, { f: () => {} });
    await using client = new GearmanClient({ servers: "well:2", dial });
    while (silent.length < 4) {
      await client.do("f");
      await turns(1);
    }
    const asked = silent.slice(0, 3).map(({ writes }) => {
      const decoder = new PacketDecoder();
      for (const bytes of writes) decoder.push(bytes);
      return [...decoder].some(({ type }) => type === PacketType.GRAB_JOB_ALL);
    });
    assert.deepEqual(asked, [true, false, false]);
  },
);
