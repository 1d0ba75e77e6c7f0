import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType as P } from "../../src/codec/mod.ts";
import { memoryPipe } from "../../src/connection/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import type { Fault, JobServerOptions } from "../../src/server/mod.ts";
import { readable, request as r, Wire } from "../conformance/wire.ts";

const HELLO = r(P.ECHO_REQ, "hello");
const SUBMIT = r(P.SUBMIT_JOB_BG, "f", "", "work");

/** Creates a server with a fault for SUBMIT_JOB_BG and for `version`, and for nothing else. */
function serverWith(fault: Fault): { server: JobServer; connect(): Promise<Wire> } {
  const options: JobServerOptions = {
    fault: (request) => {
      const isMeant = request.magic === "TEXT" ? request.line === "version" : request.type === P.SUBMIT_JOB_BG;
      return isMeant ? fault : undefined;
    },
  };
  const server = new JobServer(options);
  return { server, connect: async () => new Wire(await server.dial({ hostname: "", port: 0 }, {})) };
}

const toEnd = async (wire: Wire) => readable(await wire.until(() => false));

test('"drop-before" closes the connection without serving the request or what follows it', async () => {
  const { server, connect } = serverWith("drop-before");
  const wire = await connect();
  await wire.send(HELLO, SUBMIT, HELLO);
  assert.equal(await toEnd(wire), "[ECHO_RES hello](end)");
  assert.deepEqual(server.inspect().jobs, []);
  assert.equal(readable(await (await connect()).sync()), "");
  await server.close();
});

test('"drop-after" serves the request, lets the answer go out, and closes', async () => {
  const { server, connect } = serverWith("drop-after");
  const wire = await connect();
  await wire.send(HELLO, SUBMIT, HELLO);
  assert.equal(await toEnd(wire), "[ECHO_RES hello][JOB_CREATED H:gearwire:1](end)");
  assert.equal(server.inspect().jobs.length, 1);
  await server.close();
});

test('"drop-after" of a text command lets its answer go out', async () => {
  const { server, connect } = serverWith("drop-after");
  const wire = await connect();
  await wire.send("version\nstatus\n");
  assert.match(await toEnd(wire), /^OK [\w.-]+\\n\(end\)$/);
  await server.close();
});

test('"stall" serves and sends nothing more, and leaves the connection open', async () => {
  const { server, connect } = serverWith("stall");
  const [wire, other] = [await connect(), await connect()];
  await wire.send(r(P.CAN_DO, "g"), r(P.PRE_SLEEP), HELLO, SUBMIT, HELLO, "status\n");
  await other.send(r(P.SUBMIT_JOB, "g", "", "")); // would wake the stalled connection
  assert.equal(readable(await other.sync()), "[JOB_CREATED H:gearwire:1]");
  assert.equal(server.inspect().connections, 2);
  await server.close();
  assert.equal(await toEnd(wire), "[ECHO_RES hello](end)");
});

test("the jobs of a stalled connection are queued again when its peer ends it", async () => {
  const { server, connect } = serverWith("stall");
  const [wire, other] = [await connect(), await connect()];
  await other.send(r(P.SUBMIT_JOB, "f", "", ""), r(P.CAN_DO, "f"));
  await other.sync();
  await wire.send(r(P.CAN_DO, "f"), r(P.GRAB_JOB), SUBMIT);
  assert.match(readable(await wire.until((received) => received.endsWith("f\0"))), /JOB_ASSIGN/);
  assert.equal(server.inspect().jobs[0]!.running, true);
  await other.send(r(P.PRE_SLEEP));
  await wire.close();
  assert.equal(readable(await other.until((received) => received !== "")), "[NOOP]");
  await server.close();
});

test('"split" sends what the request causes, and nothing else, in writes of 1 to 7 bytes', async () => {
  const server = new JobServer({ fault: (request) => request.magic === "TEXT" ? undefined : "split" });
  const [here, there] = memoryPipe();
  const sizes: number[] = [];
  const counted: Transport = {
    write: (bytes) => {
      sizes.push(bytes.length);
      return there.write(bytes);
    },
    close: () => there.close(),
    [Symbol.asyncIterator]: () => there[Symbol.asyncIterator](),
  };
  server.accept(counted);
  const wire = new Wire(here);
  const data = "x".repeat(100);
  await wire.send("verbose\n", r(P.ECHO_REQ, data), "verbose\n");
  assert.equal(
    readable(await wire.until((received) => received.split("INFO\n").length === 3)),
    `OK INFO\\n[ECHO_RES ${data}]OK INFO\\n`,
  );
  assert.deepEqual([sizes.shift(), sizes.pop()], [8, 8]);
  assert.equal(sizes.reduce((sum, size) => sum + size), 112);
  assert.deepEqual([...new Set(sizes)].sort(), [1, 2, 3, 4, 5, 6, 7]);
  await server.close();
});

test("{ error } answers ERROR, or ERR to a line, instead of serving", async () => {
  const { server, connect } = serverWith({ error: ["QUEUE_ERROR", "No room today"] });
  const wire = await connect();
  await wire.send(HELLO, SUBMIT, "version\n", HELLO);
  assert.equal(
    readable(await wire.sync()),
    "[ECHO_RES hello][ERROR QUEUE_ERROR|No room today]ERR QUEUE_ERROR No+room+today\\r\\n[ECHO_RES hello]",
  );
  assert.deepEqual(server.inspect().jobs, []);
  await server.close();
});

test("fault is called once for each request, in order, as a method of its options", async () => {
  const seen: (number | string)[] = [];
  const options = {
    seen,
    fault(request: Parameters<NonNullable<JobServerOptions["fault"]>>[0]): undefined {
      this.seen.push(request.magic === "TEXT" ? request.line : request.type);
    },
  };
  const server = new JobServer(options);
  const wire = new Wire(await server.dial({ hostname: "", port: 0 }, {}));
  await wire.send(HELLO, "status\r\n", SUBMIT);
  await wire.sync();
  assert.deepEqual(seen, [P.ECHO_REQ, "status", P.SUBMIT_JOB_BG, P.ECHO_REQ]);
  await server.close();
});
