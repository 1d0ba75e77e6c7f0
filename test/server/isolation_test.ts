// Whatever goes wrong while one peer is served ends that peer's connection, and no other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketEncoder, PacketType as P } from "../../src/codec/mod.ts";
import { memoryPipe } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import type { JobServerOptions } from "../../src/server/mod.ts";
import { fakeTimers } from "../support/fake_timers.ts";
import { until } from "../support/wait.ts";
import { readable, request as r, Wire } from "../conformance/wire.ts";

const HELLO = r(P.ECHO_REQ, "hello");
const toEnd = async (wire: Wire) => readable(await wire.until(() => false));

/** Runs a test with a server and the errors that it reports. */
async function withServer(
  use: (connect: () => Promise<Wire>, errors: unknown[], server: JobServer) => Promise<void>,
  options: JobServerOptions = {},
): Promise<void> {
  const errors: unknown[] = [];
  await using server = new JobServer({ onError: (error) => void errors.push(error), ...options });
  await use(async () => new Wire(await server.dial({ hostname: "", port: 0 }, {})), errors, server);
}

/** Makes sending one type of packet fail until it is disposed of, as when there is no memory for it. */
function failToEncode(type: P, error: Error): Disposable {
  const { writePacket } = PacketEncoder.prototype;
  PacketEncoder.prototype.writePacket = function (packet) {
    if (packet.type === type) throw error;
    writePacket.call(this, packet);
  };
  return { [Symbol.dispose]: () => void (PacketEncoder.prototype.writePacket = writePacket) };
}

test("an error of `fault` is reported and ends that connection, and the others are served", () => {
  const error = new Error("not today");
  return withServer(async (connect, errors) => {
    const [wire, other] = [await connect(), await connect()];
    await wire.send(HELLO, r(P.SUBMIT_JOB_BG, "f", "", ""), HELLO);
    assert.equal(await toEnd(wire), "[ECHO_RES hello](end)");
    assert.deepEqual(errors, [error]);
    assert.equal(readable(await other.sync()), "");
  }, {
    fault(request) {
      if (request.magic === "REQ" && request.type === P.SUBMIT_JOB_BG) throw error;
      return undefined;
    },
  });
});

test("a wrong fault is reported as a TypeError and ends that connection", () =>
  withServer(async (connect, errors) => {
    const [wire, other] = [await connect(), await connect()];
    await wire.send("version\n");
    assert.equal(await toEnd(wire), "(end)");
    assert.ok(errors.length === 1 && errors[0] instanceof TypeError);
    assert.equal(readable(await other.sync()), "");
  }, { fault: (request) => request.magic === "TEXT" ? "explode" as never : undefined }));

test("without onError, an error is written to the console", async (t) => {
  const { console } = globalThis;
  const written: unknown[][] = [];
  const { error } = console;
  t.after(() => void (console.error = error));
  console.error = (...args: unknown[]) => void written.push(args);
  const reason = new Error("not today");
  await using server = new JobServer({
    fault() {
      throw reason;
    },
  });
  const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
  await wire.send(HELLO);
  assert.equal(await toEnd(wire), "(end)");
  assert.deepEqual(written, [["The job server closed a connection, because serving it failed:", reason]]);
});

test("what onError throws is ignored", () =>
  withServer(async (connect) => {
    const wire = await connect();
    await wire.send("version\n");
    assert.equal(await toEnd(wire), "(end)");
    assert.equal(readable(await (await connect()).sync()), "");
  }, {
    fault: (request) => request.magic === "TEXT" ? "explode" as never : undefined,
    onError() {
      throw new Error("not now either");
    },
  }));

test("a packet that cannot be sent to another peer ends that peer's connection, and not the sender's", () =>
  withServer(async (connect, errors, server) => {
    const error = new RangeError("Array buffer allocation failed");
    const [client, worker] = [await connect(), await connect()];
    await worker.send(r(P.CAN_DO, "f"), r(P.GRAB_JOB), r(P.PRE_SLEEP));
    assert.equal(readable(await worker.sync()), "[NO_JOB]");
    using _failing = failToEncode(P.NOOP, error);
    await client.send(r(P.SUBMIT_JOB, "f", "", ""));
    assert.equal(readable(await client.sync()), "[JOB_CREATED H:gearwire:1]");
    assert.equal(await toEnd(worker), "(end)");
    assert.deepEqual(errors, [error]);
    assert.equal(server.inspect().connections, 1);
  }));

test("a packet that cannot be sent when a timer fires ends that peer's connection", () =>
  withServer(async (connect, errors) => {
    using timers = fakeTimers(5_000);
    const [client, worker] = [await connect(), await connect()];
    await client.send(r(P.SUBMIT_JOB, "f", "", ""));
    await client.sync();
    await worker.send(r(P.CAN_DO_TIMEOUT, "f", "5000"), r(P.GRAB_JOB));
    assert.match(readable(await worker.sync()), /JOB_ASSIGN/);
    using _failing = failToEncode(P.WORK_FAIL, new Error("no memory"));
    timers.fire();
    assert.equal(await toEnd(client), "(end)");
    assert.equal(errors.length, 1);
    assert.equal(readable(await worker.sync()), "");
  }, { jobRetries: 1 }));

test("a transport that throws from all of its methods ends its own connection", () =>
  withServer(async (connect, errors, server) => {
    const [here, there] = memoryPipe();
    const fail = () => {
      throw new Error("broken");
    };
    server.accept({ write: fail, close: fail, [Symbol.asyncIterator]: fail });
    server.accept({ write: fail, close: fail, [Symbol.asyncIterator]: () => there[Symbol.asyncIterator]() });
    const wire = await connect();
    assert.equal(readable(await wire.sync()), "");
    await here.close();
    await until(() => server.inspect().connections === 1);
    assert.deepEqual(errors, []);
  }));
