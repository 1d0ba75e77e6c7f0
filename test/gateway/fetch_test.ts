/** Tests of `Gateway.fetch`: what it refuses, what it hides, and every way in which an answer ends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRequest, type Packet, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { memoryPipe } from "../../src/connection/mod.ts";
import { Gateway, type GatewayCall, type GatewayEvent, type GatewayOptions } from "../../src/gateway/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { encode, header, join, pattern } from "../support/bytes.ts";
import { answerEverything, type FakePeer, FakeServer } from "../support/fake_server.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { turns, until } from "../support/wait.ts";
import { describePacket } from "../support/workers.ts";

const timeout = 10_000;
const ADDRESS = "http://gateway.example/gearman?token=1";
const CONTENT_TYPE = "application/vnd.gearman";
const { SUBMIT_JOB, SUBMIT_JOB_BG, GET_STATUS, ECHO_REQ, OPTION_REQ, CAN_DO, SET_CLIENT_ID } = PacketType;

function makeGateway(
  options: Partial<GatewayOptions> = {},
  onRequest: (packet: Packet, peer: FakePeer) => void = answerEverything(),
): { gateway: Gateway; server: FakeServer; events: GatewayEvent[] } {
  const server = new FakeServer(onRequest);
  const events: GatewayEvent[] = [];
  const onEvent = (event: GatewayEvent) => void events.push(event);
  return { gateway: new Gateway({ dial: server.dial, allow: () => true, onEvent, ...options }), server, events };
}

function post(body: Uint8Array | ReadableStream<Uint8Array> | null, init: RequestInit = {}): Request {
  const headers = { "content-type": CONTENT_TYPE };
  const stream = body instanceof ReadableStream ? { duplex: "half" } : {};
  return new Request(ADDRESS, { method: "POST", headers, body: body as BodyInit | null, ...stream, ...init });
}

/** Reads an answer as it comes. */
class Answer {
  readonly lines: string[] = [];
  readonly ended: Promise<"ended" | "cut">;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(response: Response) {
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), CONTENT_TYPE);
    this.#reader = response.body!.getReader();
    this.ended = this.#read().then(() => "ended" as const, () => "cut" as const);
  }

  async #read(): Promise<void> {
    const decoder = new PacketDecoder();
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      decoder.push(value);
      for (const packet of decoder) this.lines.push(describePacket(packet));
    }
    decoder.end();
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }
}

const background = encodeRequest(SUBMIT_JOB_BG, "f", "", "x");
const foreground = encodeRequest(SUBMIT_JOB, "f", "u", "x");

test("what is no POST of packets is refused, and nothing reaches the job server", { timeout }, async () => {
  const { gateway, server, events } = makeGateway({ maxWorkload: 1_000, maxRequests: 3 });
  const endless = () => new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(pattern(65_536)) });
  const endlessPacket = () => {
    let begun = false;
    return new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.enqueue(begun ? new Uint8Array(65_536) : header("\0REQ", ECHO_REQ, 0xffff_ffff));
        begun = true;
      },
    });
  };
  const many = (count: number) => join(Array.from({ length: count }, () => background));
  const cases: [number, Request][] = [
    [405, new Request(ADDRESS)],
    [405, post(background, { method: "PUT" })],
    [415, post(background, { headers: {} })],
    [415, post(background, { headers: { "content-type": "text/plain" } })],
    [415, post(background, { headers: { "content-type": "application/vnd.gearman2" } })],
    [400, post(null)],
    [400, post(new Uint8Array(0))],
    [400, post(background.slice(0, -1))],
    [400, post(pattern(100))],
    [400, post(endless())],
    [400, post(encodeRequest(CAN_DO, "f"))],
    [400, post(join([background, encodeRequest(CAN_DO, "f")]))],
    [400, post(encode("RES", PacketType.JOB_CREATED, ["H:1"]))],
    [400, post(header("\0REQ", 0x8000_0000, 0))],
    [400, post(encodeRequest(OPTION_REQ, "other"))],
    [400, post(encodeRequest(SET_CLIENT_ID, "alone"))],
    [413, post(encodeRequest(SUBMIT_JOB_BG, "f", "", pattern(1_001)))],
    [413, post(join([600, 600].map((size) => encodeRequest(SUBMIT_JOB_BG, "f", "", pattern(size)))))],
    [413, post(many(4))],
    [413, post(endlessPacket())],
    [413, post(background, { headers: { "content-type": CONTENT_TYPE, "content-length": "99999999" } })],
  ];
  for (const [status, request] of cases) {
    const response = await gateway.fetch(request);
    assert.equal(response.status, status, await response.clone().text());
    assert.equal(response.headers.get("allow"), status === 405 ? "POST" : null);
    assert.ok((await response.text()).length > 0);
  }
  assert.equal(server.peers.length, 0);
  assert.deepEqual(events.map((event) => event.type === "closed" && event.code), cases.map(([status]) => status));
  assert.equal(gateway.connections, 0);
  await gateway.close();
});

test("a body may have 2 MiB beside its workloads, and not a byte more", { timeout }, async () => {
  const { gateway, server } = makeGateway({ maxWorkload: 1_000_000 });
  const limit = 1_000_000 + 2_097_152;
  for (const excess of [0, 1]) {
    const parts = [background];
    for (let rest = limit + excess - background.length; rest > 0; rest -= parts.at(-1)!.length) {
      parts.push(encodeRequest(SET_CLIENT_ID, "x".repeat(Math.min(rest - 12, 900_000))));
    }
    const body = join(parts);
    assert.equal(body.length, limit + excess);
    const response = await gateway.fetch(post(body));
    assert.equal(response.status, excess === 0 ? 200 : 413);
    await response.body!.cancel();
  }
  assert.deepEqual(server.peers.length, 1);
  await gateway.close();
});

test("a request that cannot be copied is answered like any other", { timeout }, async () => {
  // Deno.serve lets TRACE through, for which no Request can be made.
  const { gateway, events } = makeGateway();
  const traced = Object.defineProperty(new Request(ADDRESS), "method", { value: "TRACE" });
  const refusal = await gateway.fetch(traced);
  assert.deepEqual([refusal.status, refusal.headers.get("allow")], [405, "POST"]);
  const named = Object.defineProperty(post(background), "url", { value: "http://user:secret@gateway.example/" });
  const answer = new Answer(await gateway.fetch(named));
  assert.equal(await answer.ended, "ended");
  await turns();
  assert.deepEqual(events.map((event) => event.type === "closed" ? event.code : event.type), [405, "opened", 200]);
  await gateway.close();
});

test("the body of a refused POST is not cancelled", { timeout }, async () => {
  // Node 20, 22 and 24 end the process if the stream of a body is cancelled that still arrives (Readable.toWeb).
  const { gateway } = makeGateway();
  for (const init of [{ method: "PUT" }, { headers: { "content-type": "text/plain" } }, {}]) {
    let cancelled = 0;
    const bytes = encodeRequest(CAN_DO, "f"); // a client does not send it
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes),
      cancel: () => void (cancelled += 1),
    });
    const response = await gateway.fetch(post(body, init));
    assert.ok(response.status >= 400);
    await turns();
    assert.equal(cancelled, 0);
  }
  await gateway.close();
});

test("requests and answers pass, and the gateway's own question does not", { timeout }, async () => {
  const calls: [GatewayCall, string][] = [];
  const { gateway, server, events } = makeGateway({
    allow: (call, request) => {
      calls.push([call, `${request.url} ${request.headers.get("x-user")}`]);
      return true;
    },
  });
  const body = join([background, encodeRequest(GET_STATUS, "H:9"), encodeRequest(ECHO_REQ, "hello")]);
  const request = post(body, { headers: { "content-type": `${CONTENT_TYPE}; x=y`, "x-user": "anna" } });
  const answer = new Answer(await gateway.fetch(request));
  assert.equal(await answer.ended, "ended");
  assert.deepEqual(answer.lines, ["JOB_CREATED H:1", "STATUS_RES H:9 0 0 0 0", "ECHO_RES hello"]);
  assert.deepEqual(server.peer.options, ["exceptions"]);
  assert.deepEqual(calls, [
    [{ kind: "background", functionName: "f", unique: "", size: 1 }, `${ADDRESS} anna`],
    [{ kind: "status", handle: "H:9" }, `${ADDRESS} anna`],
  ]);
  await server.peer.ended;
  await turns();
  assert.deepEqual(events.map(({ type }) => type), ["opened", "closed"]);
  assert.equal(gateway.connections, 0);
  await gateway.close();
});

test("the hidden reply may come in chunks, be an error, or be missing", { timeout }, async () => {
  const option = encode("RES", PacketType.OPTION_RES, ["exceptions"]);
  const error = encode("RES", PacketType.ERROR, ["UNKNOWN_OPTION", "none"]);
  const reply = encode("RES", PacketType.JOB_CREATED, ["H:1"]);
  for (const [name, first] of Object.entries({ option, error, missing: new Uint8Array(0) })) {
    for (const step of [1, 7, 1_000]) {
      const answered = join([first, reply]);
      const [client, server] = memoryPipe();
      const gateway = new Gateway({ dial: () => client, allow: () => true });
      const answer = new Answer(await gateway.fetch(post(background)));
      for (let at = 0; at < answered.length; at += step) await server.write(answered.slice(at, at + step));
      assert.equal(await answer.ended, "ended");
      assert.deepEqual(answer.lines, ["JOB_CREATED H:1"], `${name}, ${step}`);
      await gateway.close();
    }
  }
});

test("an answer stays open until its jobs have ended, and shows life", { timeout }, async () => {
  using timers = fakeTimers(7_500);
  const { gateway, server } = makeGateway();
  const answer = new Answer(await gateway.fetch(post(join([foreground, foreground]))));
  await until(() => answer.lines.length === 2);
  timers.fire(); // something was written since the last look
  await turns();
  assert.equal(answer.lines.length, 2);
  for (const expected of [3, 3, 4]) {
    timers.fire();
    await turns();
    assert.equal(answer.lines.length, expected);
  }
  assert.deepEqual(answer.lines.slice(2), ["NOOP", "NOOP"]);
  // A NOOP must not stand inside a packet.
  const data = encode("RES", PacketType.WORK_DATA, ["H:1", "abc"]);
  await server.peer.transport.write(data.slice(0, 14));
  await turns();
  for (let i = 0; i < 4; i++) timers.fire();
  await server.peer.transport.write(data.slice(14));
  for (const handle of ["H:1", "H:2"]) server.peer.answer(PacketType.WORK_COMPLETE, handle, "");
  assert.equal(await answer.ended, "ended");
  assert.equal(answer.lines.at(-3), "WORK_DATA H:1 abc");
  assert.equal(timers.active, 0);
  await gateway.close();
});

test("a refused call is an error in its place, and the answer ends", { timeout }, async () => {
  const { gateway, events } = makeGateway({
    allow: (call) => Promise.resolve(call.kind === "background" && call.functionName === "f" || "Not this"),
  });
  const answer = new Answer(await gateway.fetch(post(join([foreground, background, foreground]))));
  assert.equal(await answer.ended, "ended");
  const refused = "ERROR NOT_ALLOWED Not this";
  assert.deepEqual(answer.lines, [refused, "JOB_CREATED H:1", refused]);
  assert.equal(events.filter(({ type }) => type === "refused").length, 2);
  await gateway.close();
});

test(
  "a client that leaves, by its signal or its answer, ends the connection to the job server",
  { timeout },
  async () => {
    for (const how of ["signal", "cancel", "signal while dialing"] as const) {
      const { gateway, server, events } = makeGateway();
      const controller = new AbortController();
      const dialing = deferred<void>();
      if (how === "signal while dialing") server.refuse = () => dialing.promise;
      const responding = gateway.fetch(post(foreground, { signal: controller.signal }));
      if (how === "signal while dialing") {
        await until(() => server.dials.length > 0);
        controller.abort();
        assert.equal((await responding).status, 503);
        dialing.resolve();
      } else {
        const answer = new Answer(await responding);
        await until(() => answer.lines.length === 1);
        if (how === "signal") controller.abort();
        else await answer.leave();
        await server.peer.ended;
      }
      await until(() => gateway.connections === 0);
      await turns();
      assert.equal(events.at(-1)!.type, "closed");
      await gateway.close();
    }
  },
);

test("a lost job server cuts the answer off, and tells no address", { timeout }, async () => {
  const { gateway, server, events } = makeGateway();
  const answer = new Answer(await gateway.fetch(post(foreground)));
  await until(() => answer.lines.length === 1);
  await server.peer.end();
  assert.equal(await answer.ended, "cut");
  await turns();
  const [end] = events.filter((event) => event.type === "closed");
  assert.equal(end!.reason, "The connection to the job server was lost");
  await gateway.close();
});

test(
  "without a job server, over maxConnections and after close() it is 503 with Retry-After",
  { timeout },
  async () => {
    const { gateway, server, events } = makeGateway({ maxConnections: 1 });
    server.refuse = () => Promise.reject(new Error("10.0.0.5 is down"));
    const down = await gateway.fetch(post(background));
    assert.deepEqual([down.status, down.headers.get("retry-after")], [503, "1"]);
    assert.doesNotMatch(await down.text(), /10\.0/);
    assert.match(String((events.at(-1) as { error?: unknown }).error), /10\.0\.0\.5 is down/);
    server.refuse = () => undefined;
    const answer = new Answer(await gateway.fetch(post(foreground)));
    const second = await gateway.fetch(post(background));
    assert.deepEqual([second.status, second.headers.get("retry-after")], [503, "1"]);
    await gateway.close();
    assert.equal(await answer.ended, "cut");
    assert.equal((await gateway.fetch(post(background))).status, 503);
  },
);

test("a body that does not end in time is 408, and close() does not wait for one", { timeout }, async () => {
  using timers = fakeTimers(1_234);
  const { gateway, server } = makeGateway({ idleTimeout: 1_234 });
  const responding = gateway.fetch(post(new ReadableStream()));
  await turns();
  timers.fire();
  assert.equal((await responding).status, 408);
  const second = gateway.fetch(post(new ReadableStream()));
  await turns();
  await gateway.close();
  assert.equal((await second).status, 503);
  assert.equal(server.peers.length, 0);
});

test(
  "a client that does not take its answers holds up the job server, and nothing is piled up",
  { timeout },
  async () => {
    const size = 20_000_000;
    let taken = 0;
    const { gateway } = makeGateway({}, (packet, peer) => {
      if (packet.type !== SUBMIT_JOB) return;
      peer.answer(PacketType.JOB_CREATED, "H:1");
      (async () => {
        const piece = pattern(100_000);
        for (; taken < size; taken += piece.length) {
          peer.answer(PacketType.WORK_DATA, "H:1", piece);
          await peer.flush();
        }
        peer.answer(PacketType.WORK_COMPLETE, "H:1", "");
      })();
    });
    const response = await gateway.fetch(post(foreground));
    let last = -1;
    await until(async () => {
      const before = last;
      last = taken;
      await turns(20);
      return taken > 0 && taken === before;
    });
    assert.ok(taken < 3_000_000, `${taken} bytes were taken`);
    const answer = new Answer(response);
    assert.equal(await answer.ended, "ended");
    assert.equal(answer.lines.length, 202);
    await gateway.close();
  },
);
