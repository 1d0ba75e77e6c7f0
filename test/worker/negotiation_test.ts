/** Tests of how a worker finds out what a server knows: what it takes for a refusal, what not, and what it remembers. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServerError } from "../../mod.ts";
import type { GearmanEvent } from "../../mod.ts";
import { type Packet, packetName, PacketType } from "../../src/codec/packet.ts";
import { deferred } from "../../src/internal/promises.ts";
import { type FakePeer, FakeServer } from "../support/fake_server.ts";
import { turns, until } from "../support/wait.ts";
import { describePacket, sentPackets, startWorker } from "../support/workers.ts";

const timeout = 30_000;
const GRABS: readonly PacketType[] = [PacketType.GRAB_JOB_ALL, PacketType.GRAB_JOB_UNIQ, PacketType.GRAB_JOB];

/** Names the grabs of a connection, in order, each once. */
function grabsOf({ requests }: FakePeer): string[] {
  return [...new Set(requests.filter(({ type }) => GRABS.includes(type)).map(({ type }) => packetName(type)))];
}

/** True if the worker sleeps on the first connection, or has slept there. */
function hasSlept({ peers: [first] }: FakeServer): boolean {
  return first !== undefined && first.requests.some(({ type }) => type === PacketType.PRE_SLEEP);
}

/** Answers what every server knows; grabs are answered as `onGrab` says. */
function serverWith(onGrab: (packet: Packet, peer: FakePeer, index: number) => void): FakeServer {
  return new FakeServer((packet, peer, index) => {
    if (packet.type === PacketType.ECHO_REQ) peer.answer(PacketType.ECHO_RES, packet.args[0]);
    if (GRABS.includes(packet.type)) onGrab(packet, peer, index);
  });
}

describe("a worker at a server that refuses GRAB_JOB_ALL", () => {
  test("asks by the next way at once, for each of its slots, and by that way alone on the next connection", {
    timeout,
  }, async () => {
    const events: GearmanEvent[] = [];
    const server = serverWith(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.answer(PacketType.ERROR, "server_error", "no such method");
      else peer.answer(PacketType.NO_JOB);
    });
    await using _worker = startWorker({
      dial: server.dial,
      concurrency: 3,
      onEvent: (event) => events.push(event),
    }, { f: () => {} });
    await until(() => hasSlept(server));
    const first = server.peers[0]!;
    assert.deepEqual(grabsOf(first), ["GRAB_JOB_ALL", "GRAB_JOB_UNIQ"]);
    assert.equal(first.requests.filter(({ type }) => type === PacketType.ECHO_REQ).length, 1, "one question for all");
    await first.end();
    await until(() => server.peers.length === 2 && grabsOf(server.peer).length > 0);
    assert.deepEqual(grabsOf(server.peer), ["GRAB_JOB_UNIQ"]);
    const told = events.filter(({ type }) => type === "serverLacks" || type === "error");
    assert.deepEqual(told.map((event) => event.type === "serverLacks" && event.packets), [["GRAB_JOB_ALL"]]);
  });

  test("finds out what the server knows on each connection: another one may have taken the place of the first", {
    timeout,
  }, async () => {
    const server = new FakeServer(({ type, args }, peer, index) => {
      const isRefused = type === PacketType.GRAB_JOB_ALL || type === PacketType.CAN_DO_TIMEOUT;
      if (type === PacketType.ECHO_REQ) peer.answer(PacketType.ECHO_RES, args[0]);
      else if (isRefused && index > 0) peer.answer(PacketType.ERROR, "server_error", "no such method");
      else if (GRABS.includes(type)) peer.answer(PacketType.NO_JOB);
    });
    await using worker = startWorker({ dial: server.dial, onEvent: () => {} }, {});
    worker.addFunction("f", () => {}, { timeout: 1_000 });
    await until(() => hasSlept(server));
    await worker.ready();
    await server.peer.end();
    await until(() => server.peers.length === 2 && grabsOf(server.peer).length === 2);
    assert.deepEqual(grabsOf(server.peer), ["GRAB_JOB_ALL", "GRAB_JOB_UNIQ"]);
    const announced = server.peer.requests.map(describePacket).filter((packet) => packet.startsWith("CAN_DO"));
    assert.deepEqual(announced, ["CAN_DO_TIMEOUT f 2000", "CAN_DO f"]);
  });

  test("withdraws a function that was removed while the refused grab was in flight, and grabs for the others", {
    timeout,
  }, async () => {
    const refused = deferred<void>();
    const server = serverWith(({ type }, peer) => {
      if (type !== PacketType.GRAB_JOB_ALL) return peer.answer(PacketType.NO_JOB);
      refused.promise.then(() => peer.answer(PacketType.ERROR, "server_error", "no such method"));
    });
    await using worker = startWorker({ dial: server.dial }, { f: () => {}, g: () => {} });
    await until(() => server.peers.length === 1 && grabsOf(server.peer).length === 1);
    worker.removeFunction("f");
    await turns();
    refused.resolve();
    await until(() => hasSlept(server));
    assert.deepEqual(sentPackets(server.peer), ["CAN_DO f", "CAN_DO g", "CANT_DO f", "GRAB_JOB_UNIQ"]);
  });

  test("reports an ERROR that is about something else, and grabs as before", { timeout }, async () => {
    const errors: Error[] = [];
    let grabs = 0;
    const server = serverWith((_, peer) => {
      grabs += 1;
      if (grabs > 1) return peer.answer(PacketType.NO_JOB);
      peer.answer(PacketType.ERROR, "JOB_NOT_FOUND", "too late");
      peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
    });
    await using _worker = startWorker({
      dial: server.dial,
      onEvent: (event) => {
        if (event.type === "error") errors.push(event.error);
      },
    }, { f: () => "done" });
    await until(() => hasSlept(server));
    assert.deepEqual(grabsOf(server.peer), ["GRAB_JOB_ALL"]);
    assert.deepEqual(errors.map((error) => error instanceof ServerError && error.code), ["JOB_NOT_FOUND"]);
  });

  test("does not hold back errors without end", { timeout }, async () => {
    let reported = 0;
    const server = new FakeServer();
    await using _worker = startWorker({
      dial: server.dial,
      drainTimeout: 0,
      onEvent: ({ type }) => {
        if (type === "error") reported += 1;
      },
    }, { f: () => {} });
    await until(() => server.peers.length === 1 && grabsOf(server.peer).length === 1);
    for (let i = 0; i < 1_000; i++) server.peer.answer(PacketType.ERROR, "BUSY", "");
    await until(() => reported === 999);
    await server.peer.end();
    await until(() => reported === 1_000);
  });
});

describe("a server that ends the connection on a grab", () => {
  test("is asked for less after a pause, which is reported", { timeout }, async () => {
    const delays: number[] = [];
    const server = serverWith(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB_ALL) peer.end();
      else peer.answer(PacketType.NO_JOB);
    });
    await using _worker = startWorker({
      dial: server.dial,
      minBackoff: 5,
      onEvent: (event) => {
        if (event.type === "retrying") delays.push(event.delay);
      },
    }, { f: () => {} });
    await until(() => server.peers.length === 2 && grabsOf(server.peer).length > 0);
    assert.deepEqual(server.peers.map(grabsOf), [["GRAB_JOB_ALL"], ["GRAB_JOB_UNIQ"]]);
    assert.equal(delays.length, 1);
    assert.ok(delays[0]! > 0, "there is a pause");
  });

  test("is asked as before if it cannot be reached then: it was stopped", { timeout }, async () => {
    const server = serverWith((_, peer, index) => {
      if (index === 0) peer.end();
      else peer.answer(PacketType.NO_JOB);
    });
    let refused = 0;
    server.refuse = () => {
      if (server.peers.length !== 1 || refused === 2) return undefined;
      refused += 1;
      return Promise.reject(new Error("down"));
    };
    await using _worker = startWorker({ dial: server.dial }, { f: () => {} });
    await until(() => server.peers.length === 2 && grabsOf(server.peer).length > 0);
    assert.deepEqual(server.peers.map(grabsOf), [["GRAB_JOB_ALL"], ["GRAB_JOB_ALL"]]);
  });

  test("is asked as before if it has answered a grab in that way before", { timeout }, async () => {
    let grabs = 0;
    const server = serverWith((_, peer) => {
      grabs += 1;
      if (grabs === 2) peer.end();
      else peer.answer(PacketType.NO_JOB);
      if (grabs === 1) peer.answer(PacketType.NOOP);
    });
    await using _worker = startWorker({ dial: server.dial }, { f: () => {} });
    await until(() => server.peers.length === 2 && grabsOf(server.peer).length > 0);
    assert.deepEqual(server.peers.map(grabsOf), [["GRAB_JOB_ALL"], ["GRAB_JOB_ALL"]]);
  });
});

describe("a server that has failed", () => {
  test("must answer something before functions and grabs are sent", { timeout }, async () => {
    const server = serverWith((_, peer) => peer.answer(PacketType.NO_JOB));
    let dials = 0;
    server.refuse = () => {
      dials += 1;
      return dials === 1 ? Promise.reject(new Error("down")) : undefined;
    };
    await using _worker = startWorker({ dial: server.dial, id: "me" }, { f: () => {} });
    await until(() => server.peers.length === 1 && grabsOf(server.peer).length > 0);
    await turns();
    assert.deepEqual(server.peer.options, ["exceptions"]);
    assert.deepEqual(server.peer.requests.map(describePacket).slice(0, 4), [
      "SET_CLIENT_ID me",
      "ECHO_REQ ",
      "CAN_DO f",
      "GRAB_JOB_ALL",
    ]);
  });
});

test(
  "a request in doubt has one fence, however often it is sent before the fence has passed",
  { timeout },
  async () => {
    let assigned = false;
    const server = new FakeServer(({ type }, peer) => {
      if (!GRABS.includes(type)) return;
      if (assigned) peer.answer(PacketType.NO_JOB);
      else peer.answer(PacketType.JOB_ASSIGN, "H:1", "f", "");
      assigned = true;
    });
    await using _worker = startWorker({ dial: server.dial }, {
      f: async (job) => {
        for (let i = 0; i < 100; i++) await job.sendData("x");
      },
    });
    await until(() => hasSlept(server));
    const count = (type: PacketType) => server.peer.requests.filter((packet) => packet.type === type).length;
    assert.deepEqual([count(PacketType.WORK_DATA), count(PacketType.ECHO_REQ)], [100, 1]);
  },
);

describe("a server that answers ECHO_REQ with ERROR", () => {
  test("is asked by the next way for jobs, and holds no worker that is closed", { timeout }, async () => {
    const server = new FakeServer(({ type }, peer) => {
      if (type === PacketType.GRAB_JOB) peer.answer(PacketType.NO_JOB);
      else if (GRABS.includes(type) || type === PacketType.ECHO_REQ) peer.answer(PacketType.ERROR, "unknown", "");
    });
    const worker = startWorker({ dial: server.dial, probeInterval: 30, onEvent: () => {} }, { f: () => {} });
    await until(() => hasSlept(server));
    assert.deepEqual(grabsOf(server.peer), ["GRAB_JOB_ALL", "GRAB_JOB_UNIQ", "GRAB_JOB"]);
    await worker.close();
  });

  test("is left, after a pause, if it refuses every request for a job", { timeout }, async () => {
    const server = new FakeServer((_, peer) => peer.answer(PacketType.ERROR, "unknown", ""));
    const errors: string[] = [];
    const worker = startWorker({
      dial: server.dial,
      probeInterval: 30,
      minBackoff: 1,
      onEvent: (event) => {
        if (event.type === "disconnected" && event.error !== undefined) errors.push(event.error.name);
      },
    }, { f: () => {} });
    await until(() => errors.includes("ProtocolError") && server.peers.length > 1);
    await worker.close();
  });
});

test("a worker that is closed does not wait for a grab that the server ignores", { timeout }, async () => {
  const server = serverWith(() => {});
  const worker = startWorker({ dial: server.dial, drainTimeout: 1_000_000, probeInterval: 1_000_000 }, { f: () => {} });
  await until(() => server.peers.length === 1 && grabsOf(server.peer).length > 0);
  await worker.close();
});
