/** Tests of what can go wrong between an admin client and its server. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConnectionError, GearmanAdmin, type GearmanEvent } from "../../src/admin/mod.ts";
import { encodeLine, MixedDecoder, type Packet, PacketType, type TextLine } from "../../src/codec/mod.ts";
import { Connection, type Dial, memoryPipe } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { onEveryServer } from "../support/servers.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { countedSignal } from "../support/signals.ts";
import { turns, until } from "../support/wait.ts";

type Serve = (request: Packet | TextLine, peer: Connection<Packet | TextLine>) => void;

/** Dials a server that the test plays: `serve` gets each request and answers it. */
function dialTo(serve: Serve): Dial {
  return () => {
    const [here, there] = memoryPipe();
    const peer = new Connection(there, { magic: "RES", decoder: new MixedDecoder() });
    peer.pump((request) => serve(request, peer)).catch(() => {});
    return here;
  };
}

test("an argument that cannot be part of a command is refused before anything is sent", async () => {
  const admin = new GearmanAdmin({ dial: () => assert.fail("it dialed") });
  for (const name of ["", "a b", " a", "a ", "a\r\nshutdown", "a\nb", "a\0b", "x".repeat(513)]) {
    await assert.rejects(admin.createFunction(name), RangeError, JSON.stringify(name));
    await assert.rejects(admin.dropFunction(name), RangeError);
    await assert.rejects(admin.maxQueue(name, 1), RangeError);
    await assert.rejects(admin.cancelJob(name), RangeError);
  }
  await assert.rejects(admin.cancelJob("x".repeat(64)), RangeError);
  for (const limit of [-1, 1.5, NaN, 2_147_483_648]) {
    await assert.rejects(admin.maxQueue("f", limit), RangeError);
    await assert.rejects(admin.maxQueue("f", { high: 0, normal: limit, low: 0 }), RangeError);
  }
  for (const limits of ["7", true, [1, 2, 3], {}, { high: 5, normal: 5 }]) {
    await assert.rejects(admin.maxQueue("f", limits as never), RangeError, JSON.stringify(limits));
  }
  await assert.rejects(admin.createFunction(1 as never), TypeError);
  await assert.rejects(admin.status({ signal: {} as never }), TypeError);
  await assert.rejects(admin.watch({ interval: -1 }).next(), RangeError);
  await admin.close();
  assert.throws(() => new GearmanAdmin("a,b"), RangeError);
});

test("the address that listen() returns is one that can be used as a server", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gearwire-"));
  for (const options of [{}, { hostname: "localhost" }, { path: join(folder, "a, b.sock") }]) {
    await using server = new JobServer();
    const address = await server.listen(options);
    for (const servers of [address, [address]]) {
      await using admin = new GearmanAdmin({ servers });
      assert.deepEqual(await admin.status(), []);
    }
  }
  await rm(folder, { recursive: true, force: true });
});

test("an answer is read in whatever chunks it arrives", async () => {
  await using server = new JobServer({ fault: () => "split" });
  await using admin = new GearmanAdmin({ dial: server.dial });
  await admin.createFunction("one");
  await admin.createFunction("two");
  const [status, version] = await Promise.all([admin.status(), admin.version()]);
  assert.deepEqual(status.map(({ functionName }) => functionName), ["one", "two"]);
  assert.match(version, /^\d/);
});

test("ERR becomes a ServerError with the code and the decoded text", async () => {
  await using server = new JobServer({
    fault: (request) => request.magic === "TEXT" ? { error: ["SOME_CODE", "some text"] } : undefined,
  });
  await using admin = new GearmanAdmin({ dial: server.dial });
  for (const ask of [() => admin.status(), () => admin.version(), () => admin.workers(), () => admin.maxQueue("f")]) {
    await assert.rejects(ask, { name: "ServerError", code: "SOME_CODE", text: "some text" });
  }
});

test("a lost connection rejects the pending calls, and the next call connects again", async () => {
  let drop = true;
  await using server = new JobServer({ fault: () => drop ? "drop-before" : undefined });
  await using admin = new GearmanAdmin({ dial: server.dial, minBackoff: 0 });
  const calls = await Promise.allSettled([admin.status(), admin.version()]);
  assert.deepEqual(calls.map((call) => call.status === "rejected" && call.reason.name), [
    "ConnectionError",
    "ConnectionError",
  ]);
  drop = false;
  assert.deepEqual(await admin.status(), []);
});

test("the connection to a silent server is lost after two probe intervals", { timeout: 30_000 }, async () => {
  await using server = new JobServer({ fault: () => "stall" });
  await using admin = new GearmanAdmin({ dial: server.dial, probeInterval: 20 });
  await assert.rejects(admin.status(), { name: "ConnectionError", message: /did not answer/ });
});

test("an aborted call rejects with the reason, and the other calls get their own answers", async () => {
  await using server = new JobServer();
  await using admin = new GearmanAdmin({ dial: server.dial });
  await admin.version();
  const controller = new AbortController();
  const aborted = admin.pid({ signal: controller.signal });
  const version = admin.version();
  controller.abort(new Error("changed my mind"));
  await assert.rejects(aborted, { message: "changed my mind" });
  assert.match(await version, /^\d+\.\d+/);
  await assert.rejects(admin.status({ signal: AbortSignal.abort(new Error("before")) }), { message: "before" });
});

test("close() rejects pending and later calls", async () => {
  await using server = new JobServer({ fault: () => "stall" });
  const admin = new GearmanAdmin({ dial: server.dial });
  const calls = Promise.allSettled([admin.status(), admin.version()]);
  setTimeout(() => void admin.close(), 0);
  for (const call of await calls) assert.equal(call.status === "rejected" && call.reason.name, "ConnectionError");
  await assert.rejects(admin.status(), { name: "ConnectionError" });
  await admin.close();
});

test("an answer that breaks the protocol is a ProtocolError", async () => {
  const echo: Serve = (request, peer) => request.magic !== "TEXT" && peer.send(PacketType.ECHO_RES, "");
  const answers: Record<string, Serve> = {
    "a list without its dot": (request, peer) => {
      if (request.magic === "TEXT") peer.sendBytes(encodeLine("f\t1\t1\t1"));
      echo(request, peer);
    },
    "a value of two lines": (request, peer) => {
      if (request.magic === "TEXT") {
        peer.sendBytes(encodeLine("OK 1"));
        peer.sendBytes(encodeLine("OK 2"));
      }
      echo(request, peer);
    },
    "no answer but the echo": echo,
    "a packet that no command asked for": (_, peer) => peer.send(PacketType.NO_JOB),
    "text behind the last row of a table": (request, peer) => {
      if (request.magic === "TEXT") {
        for (const line of ["f\t1\t1\t1", "g\t1\t1", "."]) peer.sendBytes(encodeLine(line));
      }
      echo(request, peer);
    },
    "a value that is not a number": (request, peer) => {
      if (request.magic === "TEXT") peer.sendBytes(encodeLine("OK 1.1.20"));
      echo(request, peer);
    },
    "empty lines beyond maxPacketSize": (_, peer) => {
      for (let i = 0; i < 1_000; i++) peer.sendBytes(encodeLine(""));
    },
    "lines beyond maxPacketSize": (_, peer) => {
      for (let i = 0; i < 100; i++) peer.sendBytes(encodeLine("x".repeat(100)));
    },
  };
  for (const [name, serve] of Object.entries(answers)) {
    await using admin = new GearmanAdmin({ dial: dialTo(serve), maxPacketSize: 5_000 });
    await assert.rejects(name.includes("value") ? admin.pid() : admin.status(), { name: "ProtocolError" }, name);
  }
});

test("an answer may have as many bytes as maxPacketSize, with 16 for each line", async () => {
  const lines = ["f\t1\t1\t1", "."];
  const serve: Serve = (request, peer) => {
    if (request.magic !== "TEXT") return peer.send(PacketType.ECHO_RES, "");
    for (const line of lines) peer.sendBytes(encodeLine(line));
  };
  const size = lines.reduce((sum, line) => sum + line.length + 16, 0);
  await using fits = new GearmanAdmin({ dial: dialTo(serve), maxPacketSize: size });
  assert.equal((await fits.status()).length, 1);
  await using exceeds = new GearmanAdmin({ dial: dialTo(serve), maxPacketSize: size - 1 });
  await assert.rejects(exceeds.status(), { name: "ProtocolError", message: /longer than maxPacketSize/ });
});

test("text of the server is escaped and cut in messages", async () => {
  const evil = `\u001b[2J\u009b\u2028${"x".repeat(10_000)}`;
  const serve: Serve = (request, peer) => {
    if (request.magic !== "TEXT") peer.send(PacketType.ECHO_RES, "");
    else peer.sendBytes(encodeLine(request.line === "version" ? `ERR ${evil}` : evil));
  };
  await using admin = new GearmanAdmin({ dial: dialTo(serve), maxPacketSize: 100_000 });
  const calls = [
    () => admin.version(),
    () => admin.pid(),
    () => admin.status(),
    () => admin.workers(),
    () => admin.dropFunction("a\u001b\u009b"),
    () => admin.maxQueue("a\u001b\u009b"),
  ];
  for (const call of calls) {
    await assert.rejects(call, ({ message }: Error) => {
      // deno-lint-ignore no-control-regex -- they would reach a terminal
      assert.doesNotMatch(message, /[\u0000-\u001f\u007f-\u009f\u2028]/);
      assert.ok(message.length < 600, message);
      return true;
    });
  }
});

onEveryServer("a watch", (kind) => {
  test("goes on when its server restarts, and reports the loss", { timeout: 60_000 }, async () => {
    let server = await kind.start();
    const { port } = server;
    const events: GearmanEvent[] = [];
    const onEvent = (event: GearmanEvent) => {
      events.push(event);
    };
    await using admin = new GearmanAdmin({ ...server.connect, minBackoff: 1, maxBackoff: 5, onEvent });
    await admin.createFunction("before");
    const seen: string[] = [];
    for await (const functions of admin.watch({ interval: 1 })) {
      const names = functions.map(({ functionName }) => functionName).join();
      if (names === seen.at(-1)) continue;
      seen.push(names);
      if (seen.length === 2) break;
      await server.stop();
      await until(() => events.some(({ type }) => type === "disconnected"));
      server = await kind.start(port);
    }
    assert.deepEqual(seen, ["before", ""]);
    assert.equal(events[0]?.type, "connected");
    assert.equal(events.at(-1)?.type, "connected");
    const lost = events.find((event) => event.type === "disconnected");
    assert.equal(lost?.error?.name, "ConnectionError");
    await admin.close();
    await server.stop();
  });
}, { port: true });

test("a watch asks a server that cannot be reached only after its back-off, until its signal fires", async () => {
  const controller = new AbortController();
  let dials = 0;
  const dial = () => {
    dials += 1;
    if (dials === 3) controller.abort(new Error("enough"));
    return Promise.reject(new Error("refused"));
  };
  const events: GearmanEvent[] = [];
  const onEvent = (event: GearmanEvent) => {
    events.push(event);
  };
  await using admin = new GearmanAdmin({ dial, minBackoff: 20, maxBackoff: 20, onEvent });
  await assert.rejects(admin.watch({ interval: 0, signal: controller.signal }).next(), { message: "enough" });
  assert.equal(dials, 3);
  const delays = events.filter((event) => event.type === "retrying");
  assert.ok(delays.length >= 2, "each failure is reported");
});

test("a watch ends with the reason of its signal, whatever it waits for, and leaves no listener behind", async () => {
  await using server = new JobServer();
  const stalled: Dial = () => memoryPipe()[0];
  for (
    const dial of [server.dial, stalled, () => Promise.reject(new Error("refused")), () => new Promise<never>(() => {})]
  ) {
    await using admin = new GearmanAdmin({ dial });
    const { signal, abort, listeners } = countedSignal();
    const watching = admin.watch({ interval: 1_000_000, signal });
    if (dial === server.dial) await watching.next();
    const next = watching.next();
    await turns();
    abort(new ConnectionError("the reason"));
    await assert.rejects(next, { message: "the reason" });
    assert.equal(listeners(), 0);
    assert.deepEqual(await watching.next(), { done: true, value: undefined });
  }
});

test("a watch asks each second by default", async () => {
  using timers = fakeTimers(1_000);
  await using server = new JobServer();
  await using admin = new GearmanAdmin({ dial: server.dial });
  const watching = admin.watch();
  await watching.next();
  const next = watching.next();
  await until(() => timers.active === 1);
  timers.fire();
  assert.deepEqual(await next, { done: false, value: [] });
  await watching.return();
});

test("a watch that is left leaves no listener behind", async () => {
  await using server = new JobServer();
  await using admin = new GearmanAdmin({ dial: server.dial });
  const { signal, listeners } = countedSignal();
  for await (const _ of admin.watch({ signal })) {
    assert.equal(listeners(), 1);
    break;
  }
  assert.equal(listeners(), 0);
});

test("nothing is sent for a call whose signal has fired before", async () => {
  const requests: string[] = [];
  const serve: Serve = (request, peer) => {
    if (request.magic !== "TEXT") return peer.send(PacketType.ECHO_RES, "");
    requests.push(request.line);
    peer.sendBytes(encodeLine("OK 1"));
  };
  await using admin = new GearmanAdmin({ dial: dialTo(serve) });
  await admin.version();
  await assert.rejects(admin.createFunction("f", { signal: AbortSignal.abort(new Error("before")) }), /before/);
  await admin.pid();
  assert.deepEqual(requests, ["version", "getpid"]);
});

test("the connection is watched only while an answer is awaited", async () => {
  using timers = fakeTimers(12_345);
  const peers: Connection<Packet | TextLine>[] = [];
  const serve: Serve = (request, peer) => request.magic === "TEXT" && peers.push(peer);
  await using admin = new GearmanAdmin({ dial: dialTo(serve), probeInterval: 12_345 });
  const calls = [admin.version(), admin.pid()];
  for (const [i, call] of calls.entries()) {
    await until(() => peers.length === calls.length);
    assert.equal(timers.active, 1);
    peers[i]!.sendBytes(encodeLine("OK 1"));
    peers[i]!.send(PacketType.ECHO_RES, "");
    await call;
  }
  await turns(); // calls that are awaited one after the other keep the timer
  assert.equal(timers.active, 0);
});

test("close() ends watches, and a watch after it ends at once", async () => {
  await using server = new JobServer();
  const admin = new GearmanAdmin({ dial: server.dial });
  const watching = admin.watch({ interval: 1_000_000 });
  await watching.next();
  const next = watching.next();
  await turns();
  await admin.close();
  await assert.rejects(next, { name: "ConnectionError", message: "The admin client was closed" });
  await assert.rejects(admin.watch().next(), { name: "ConnectionError", message: "The admin client was closed" });
});

test("a watch ends with the error of a server that refuses it, or that breaks the protocol", async () => {
  for (const [line, name] of [["ERR unknown_command", "ServerError"], ["what", "ProtocolError"]] as const) {
    const serve: Serve = (request, peer) => {
      if (request.magic === "TEXT") peer.sendBytes(encodeLine(line));
      else peer.send(PacketType.ECHO_RES, "");
    };
    await using admin = new GearmanAdmin({ dial: dialTo(serve) });
    await assert.rejects(admin.watch().next(), { name });
  }
});
