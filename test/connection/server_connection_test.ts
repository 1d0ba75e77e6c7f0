/** Tests of the connection to one server: dialing, back-off, reading, keep-alive, loss and close(). */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeResponse, type Packet, PacketType } from "../../src/codec/mod.ts";
import {
  ConnectionError,
  type Dial,
  GearmanError,
  ProtocolError,
  type ServerAddress,
} from "../../src/connection/mod.ts";
import { ServerConnection } from "../../src/connection/server_connection.ts";
import { type ConnectOptions, type GearmanEvent, readConnectOptions } from "../../src/connection/options.ts";
import { deferred } from "../../src/internal/promises.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns, until } from "../support/wait.ts";
import { fakeClock, fakeTimers } from "../support/fake_timers.ts";
import { countedSignal } from "../support/signals.ts";

const timeout = 10_000;
const SERVER: ServerAddress = { hostname: "a", port: 1 };

/** A transport that records if it keeps the process alive, and how often it was told to. */
class HeldTransport extends FakeTransport {
  held = true;
  refs = 0;
  ref(): void {
    this.held = true;
    this.refs += 1;
  }
  unref(): void {
    this.held = false;
  }
}

/** A connection to one server, and everything that it reports. */
function connectionTo(dial: Dial, options: ConnectOptions = {}) {
  const seen = { packets: [] as Packet[], lost: [] as GearmanError[], silences: 0, events: [] as GearmanEvent[] };
  const onEvent = (event: GearmanEvent) => void seen.events.push(event);
  const user = {
    onPacket: (packet: Packet): void | Promise<void> => void seen.packets.push(packet),
    onLost: (error: GearmanError) => void seen.lost.push(error),
    onTick: ({ silent }: { silent: boolean }): void => void (silent && seen.silences++),
  };
  const { settings } = readConnectOptions({ dial, onEvent, minBackoff: 1_000_000, maxBackoff: 1_000_000, ...options });
  return { server: new ServerConnection(SERVER, settings, user), seen, user };
}

const echo = encodeResponse(PacketType.ECHO_RES, "x");

describe("opening", () => {
  test(
    "nothing is dialed before open(), and calls at the same time share an attempt",
    { timeout },
    async () => {
      const dialed: ServerAddress[] = [];
      const { server, seen } = connectionTo((server) => (dialed.push(server), new FakeTransport()));
      assert.equal(server.name, "a:1");
      assert.equal(server.connection, undefined);
      await turns();
      assert.deepEqual(dialed, []);
      const opened = await Promise.all([server.open(), server.open(), server.open(new AbortController().signal)]);
      assert.equal(new Set([...opened, server.connection, await server.open()]).size, 1);
      assert.deepEqual(dialed, [SERVER]);
      assert.deepEqual(seen.events, [{ type: "connected", server: "a:1" }]);
      await server.close();
    },
  );

  test(
    "a failure is a ConnectionError with its cause, and a back-off follows",
    { timeout },
    async () => {
      const cause = new Error("refused");
      const { server, seen } = connectionTo(() => Promise.reject(cause));
      const isRefusal = (error: unknown) => error instanceof ConnectionError && error.cause === cause;
      const opening = [server.open(), server.open()];
      for (const one of opening) await assert.rejects(one, isRefusal);
      assert.equal(server.failing, true);
      await assert.rejects(server.open(), isRefusal);
      assert.ok(server.retryDelay > 400_000 && server.retryDelay <= 1_000_000, `${server.retryDelay}`);
      assert.deepEqual(seen.events.map(({ type }) => type), ["error", "retrying"]);
    },
  );

  test("is tried again when the back-off is over", { timeout }, async () => {
    using clock = fakeClock();
    let dials = 0;
    const { server } = connectionTo(() => {
      dials += 1;
      return dials === 1 ? Promise.reject(new Error("refused")) : new FakeTransport();
    });
    await assert.rejects(server.open(), ConnectionError);
    clock.advance(1_000_001);
    assert.equal(server.retryDelay, 0);
    await server.open();
    assert.equal(server.retryDelay, 0);
    assert.equal(dials, 2);
    await server.close();
  });

  test("an abort ends its own call, and the dial when no other call waits for it", { timeout }, async () => {
    const signals: AbortSignal[] = [];
    const { server, seen } = connectionTo((_, { signal }) => {
      signals.push(signal!);
      return new Promise(() => {});
    });
    const [one, two] = [countedSignal(), countedSignal()];
    const opening = [server.open(one.signal), server.open(two.signal)];
    one.abort("one");
    await assert.rejects(opening[0]!, (reason) => reason === "one");
    assert.equal(signals[0]!.aborted, false);
    two.abort("two");
    await assert.rejects(opening[1]!, (reason) => reason === "two");
    assert.equal(signals[0]!.aborted, true);
    assert.deepEqual([one.listeners(), two.listeners()], [0, 0]);
    assert.equal(server.failing, false, "an abort is not a failure of the server");
    assert.deepEqual(seen.events, []);
    server.open().catch(() => {});
    assert.equal(signals.length, 2);
    await server.close();
  });

  test(
    "attempts that were aborted are a failure once they have taken connectTimeout together, without a success between",
    {
      timeout,
    },
    async () => {
      using clock = fakeClock();
      const transports: FakeTransport[] = [];
      const { server } = connectionTo((_, { signal }) => {
        if (signal!.aborted || transports.length === 1) return new Promise(() => {});
        const transport = new FakeTransport();
        transports.push(transport);
        return transport;
      }, { connectTimeout: 10_000 });
      const abortAfter = async (ms: number) => {
        const controller = new AbortController();
        const opening = server.open(controller.signal);
        clock.advance(ms);
        controller.abort("enough");
        await assert.rejects(opening, (reason) => reason === "enough");
        await turns();
        return server.failing;
      };
      await server.open();
      transports[0]!.receive(echo);
      await turns();
      transports[0]!.end();
      await until(() => server.connection === undefined);
      assert.equal(await abortAfter(6_000), false);
      transports.push(new FakeTransport()); // the next attempt succeeds
      await server.open();
      transports.at(-1)!.receive(echo);
      await turns();
      transports.at(-1)!.end();
      await until(() => server.connection === undefined);
      transports.length = 1; // and those after it hang
      assert.equal(await abortAfter(6_000), false);
      assert.equal(await abortAfter(6_000), true);
      await server.close();
    },
  );

  test("a transport that arrives too late is closed, and so is one that never opens", { timeout }, async () => {
    const late = deferred<FakeTransport>();
    const first = connectionTo(() => late.promise, { connectTimeout: 5 });
    await assert.rejects(first.server.open(), /no connection within 5 ms/);
    const transport = new FakeTransport();
    late.resolve(transport);
    await until(() => transport.closed > 0);
    assert.equal(first.server.connection, undefined);

    const stuck = new FakeTransport();
    const second = connectionTo(() => Object.assign(stuck, { opened: new Promise(() => {}) }), { connectTimeout: 5 });
    await assert.rejects(second.server.open(), /no connection within 5 ms/);
    await until(() => stuck.closed > 0);

    const broken = new FakeTransport();
    const third = connectionTo(() => Object.assign(broken, { opened: Promise.reject(new Error("proxy says no")) }));
    await assert.rejects(third.server.open(), /proxy says no/);
    await until(() => broken.closed > 0);
  });
});

test("the timer of connectTimeout exists only while a dial is under way", { timeout }, async () => {
  const connectTimeout = 123_457;
  using timers = fakeTimers(connectTimeout);
  let dials = 0;
  /** Dials; returns the number of timers during the dial, after it, and in all, and the outcome. */
  const during = async (dial: Dial, act = (_server: ServerConnection, _abort: () => void): unknown => undefined) => {
    const { server } = connectionTo(dial, { connectTimeout });
    const { signal, abort } = countedSignal();
    const opening = server.open(signal).then(() => "opened", (error) => error?.name ?? error);
    const before = timers.active;
    await act(server, () => abort("aborted"));
    const outcome = await opening;
    await turns();
    const seen = [before, timers.active, timers.set - dials, outcome];
    dials += 1;
    await server.close();
    return seen;
  };
  const never = () => new Promise<never>(() => {});
  assert.deepEqual(await during(() => new FakeTransport()), [1, 0, 1, "opened"]);
  assert.deepEqual(await during(() => Promise.resolve(new FakeTransport())), [1, 0, 1, "opened"]);
  assert.deepEqual(await during(() => Promise.reject(new Error("refused"))), [1, 0, 1, "ConnectionError"]);
  assert.deepEqual(await during(never, (_, abort) => abort()), [1, 0, 1, "aborted"]);
  assert.deepEqual(await during(never, (server) => server.close()), [1, 0, 1, "ConnectionError"]);
  assert.deepEqual(await during(never, () => timers.fire()), [1, 0, 1, "ConnectionError"]);
});

describe("a connection that ends", () => {
  test("is reported once with its reason, and its transport is closed", { timeout }, async () => {
    const ends: [(transport: FakeTransport) => void, typeof ConnectionError | typeof ProtocolError][] = [
      [(transport) => transport.end(), ConnectionError],
      [(transport) => transport.break(new Error("reset")), ConnectionError],
      [(transport) => transport.receive(new TextEncoder().encode("HTTP/1.1 400 ")), ProtocolError],
    ];
    for (const [end, kind] of ends) {
      const transport = new FakeTransport();
      const { server, seen } = connectionTo(() => transport);
      await server.open();
      transport.receive(echo);
      await until(() => seen.packets.length === 1);
      end(transport);
      await until(() => seen.lost.length > 0);
      await turns();
      assert.equal(seen.lost.length, 1);
      assert.ok(seen.lost[0] instanceof kind);
      assert.equal(server.connection, undefined);
      assert.ok(transport.closed > 0);
      assert.deepEqual(seen.events.map(({ type }) => type), ["connected", "disconnected"]);
      assert.equal(server.retryDelay, 0, "a server that has answered may be dialed again at once");
    }
  });

  test(
    "by destroying its connection ends at once, and packets that arrive later are discarded",
    { timeout },
    async () => {
      const transport = new FakeTransport();
      const { server, seen, user } = connectionTo(() => transport);
      const reason = new GearmanError("enough");
      user.onPacket = (packet) => {
        seen.packets.push(packet);
        server.connection!.destroy(reason);
      };
      await server.open();
      transport.receive(encodeResponse(PacketType.ECHO_RES, "1"), echo);
      await until(() => seen.lost.length > 0);
      await turns();
      assert.equal(seen.packets.length, 1);
      assert.deepEqual(seen.lost, [reason]);
    },
  );

  test("because onPacket throws is reported with that error", { timeout }, async () => {
    const transport = new FakeTransport();
    const { server, seen, user } = connectionTo(() => transport);
    const error = new ProtocolError("unasked");
    user.onPacket = () => {
      throw error;
    };
    await server.open();
    transport.receive(echo);
    await until(() => seen.lost.length > 0);
    assert.deepEqual(seen.lost, [error]);
    assert.ok(transport.closed > 0);
  });

  test("without an answer costs no back-off the first time, and one the second time", { timeout }, async () => {
    const transports: FakeTransport[] = [];
    const { server, seen } = connectionTo(() => (transports.push(new FakeTransport()), transports.at(-1)!));
    for (const [i, backsOff] of [false, true].entries()) {
      await server.open();
      transports[i]!.end();
      await until(() => seen.lost.length === i + 1);
      assert.equal(server.retryDelay > 0, backsOff);
    }
  });
});

describe("an open connection", () => {
  test("is ready while no question is unanswered", { timeout }, async () => {
    using timers = fakeTimers(12_345);
    const transport = new FakeTransport();
    const { server } = connectionTo(() => transport, { probeInterval: 12_345 });
    const connection = await server.open();
    assert.equal(server.ready, connection);
    server.setWaiting(true);
    timers.fire(); // silent for an interval
    assert.equal(server.ready, undefined);
    assert.equal(server.connection, connection);
    transport.receive(echo);
    await turns();
    assert.equal(server.ready, connection);
    await server.close();
    assert.equal(server.ready, undefined);
  });

  test("pauses reading until the promise that onPacket returns has settled", { timeout }, async () => {
    const transport = new FakeTransport();
    const { server, seen, user } = connectionTo(() => transport);
    const pause = deferred<void>();
    user.onPacket = (packet) => {
      seen.packets.push(packet);
      return pause.promise;
    };
    await server.open();
    transport.receive(echo, echo);
    await turns();
    assert.equal(seen.packets.length, 1);
    pause.resolve();
    await until(() => seen.packets.length === 2);
    await server.close();
  });

  test("keeps the process alive only while something waits for it", { timeout }, async () => {
    const transport = new HeldTransport();
    const { server } = connectionTo(() => transport);
    await server.open();
    assert.equal(transport.held, false);
    server.setWaiting(true);
    assert.equal(transport.held, true);
    server.setWaiting(false);
    await turns();
    assert.equal(transport.held, false);
    await server.close();
  });

  test(
    "is watched on between calls that are awaited one after the other, without a new timer",
    { timeout },
    async () => {
      const transport = new HeldTransport();
      const probeInterval = 12_345;
      using probes = fakeTimers(probeInterval);
      const { server } = connectionTo(() => transport, { probeInterval });
      await server.open();
      for (let i = 0; i < 50; i++) {
        server.setWaiting(true);
        await undefined;
        server.setWaiting(false);
        for (let tick = 0; tick < 9; tick++) await undefined;
        assert.deepEqual([probes.set, transport.refs, transport.held], [1, 1, true]);
      }
      await turns();
      assert.deepEqual([probes.active, transport.held], [0, false]);
      await server.close();
    },
  );

  test("is probed once if it is silent, and lost if no answer comes", { timeout }, async () => {
    const transport = new FakeTransport();
    const { server, seen, user } = connectionTo(() => transport, { probeInterval: 10, connectTimeout: 10 });
    user.onTick = ({ silent }) => {
      if (!silent) return;
      seen.silences += 1;
      if (seen.silences === 1) transport.receive(echo);
    };
    await server.open();
    server.setWaiting(true);
    await until(() => seen.silences === 2);
    await until(() => seen.lost.length === 1);
    assert.equal(seen.silences, 2, "it is probed once");
    assert.match(seen.lost[0]!.message, /a:1 did not answer within 10 ms/);
    assert.ok(transport.closed > 0);
  });

  test("is watched only while something waits for it", { timeout }, async () => {
    const transport = new FakeTransport();
    const probeInterval = 12_345;
    using probes = fakeTimers(probeInterval);
    const { server, seen } = connectionTo(() => transport, { probeInterval });
    server.setWaiting(true);
    assert.equal(probes.active, 0, "there is nothing to watch yet");
    await server.open();
    assert.equal(probes.active, 1);
    for (let i = 0; i < 50; i++) {
      server.setWaiting(true);
      assert.equal(probes.active, 1);
      server.setWaiting(false);
      await turns();
      assert.equal(probes.active, 0);
    }
    server.setWaiting(true);
    transport.end();
    await until(() => seen.lost.length > 0);
    assert.equal(probes.active, 0, "the connection has ended");
    assert.equal(seen.silences, 0);
    await server.close();
  });
});

describe("close()", () => {
  test(
    "may be called again, is reported without an error, and prevents further connections",
    { timeout },
    async () => {
      const transport = new FakeTransport();
      const { server, seen } = connectionTo(() => transport);
      await server.open();
      await Promise.all([server.close(), server.close()]);
      await server.close();
      await turns();
      assert.equal(seen.lost.length, 1);
      assert.match(seen.lost[0]!.message, /closed here/);
      assert.deepEqual(seen.events.at(-1), { type: "disconnected", server: "a:1" });
      await assert.rejects(server.open(), { name: "ConnectionError", message: /closed/ });
      assert.equal(seen.events.length, 2);
    },
  );

  test("ends a dial that is under way, for callers with and without a signal", { timeout }, async () => {
    let dialed: AbortSignal | undefined;
    const { server } = connectionTo((_, { signal }) => {
      dialed = signal;
      return new Promise(() => {});
    });
    const opening = [server.open(), server.open(new AbortController().signal)];
    await server.close();
    for (const one of opening) await assert.rejects(one, ConnectionError);
    assert.equal(dialed!.aborted, true);
  });
});
