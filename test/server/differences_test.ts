// Where gearmand crashes, hangs, loses or corrupts, and JobServer does not: the table in src/server/mod.ts, row by row.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType as P } from "../../src/codec/mod.ts";
import { dialTcp } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import type { JobServerOptions } from "../../src/server/mod.ts";
import { readable, request as r, Wire } from "./wire.ts";

type Connect = () => Promise<Wire>;

/** Runs with a server that is listened on: its timers alone do not keep the test alive. */
async function withServer(use: (connect: Connect, server: JobServer) => Promise<void>, options: JobServerOptions = {}) {
  const server = new JobServer({ handlePrefix: "H", ...options });
  const wires: Wire[] = [];
  try {
    const address = await server.listen();
    await use(async () => {
      const wire = new Wire(await dialTcp()(address, {}));
      wires.push(wire);
      return wire;
    }, server);
  } finally {
    for (const wire of wires) await wire.close();
    await server.close();
  }
}

/** Sends, and returns everything that has come until it is answered. */
async function say(wire: Wire, ...parts: string[]): Promise<string> {
  await wire.send(...parts);
  return readable(await wire.sync());
}

const grab = r(P.GRAB_JOB_UNIQ);
const canDo = r(P.CAN_DO, "f");
const submit = (unique: string, workload = "") => r(P.SUBMIT_JOB, "f", unique, workload);
const submitBg = (unique: string, workload = "") => r(P.SUBMIT_JOB_BG, "f", unique, workload);

/** Ends a connection, and waits until the server has noticed. */
async function leave(wire: Wire, server: JobServer): Promise<void> {
  const { connections } = server.inspect();
  await wire.close();
  while (server.inspect().connections === connections) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("GET_STATUS and GET_STATUS_UNIQUE of 64 bytes and more are answered", () =>
  withServer(async (connect) => {
    const long = "x".repeat(64);
    assert.equal(
      await say(await connect(), r(P.GET_STATUS, long), r(P.GET_STATUS_UNIQUE, long)),
      `[STATUS_RES ${long}|0|0|0|0][STATUS_RES_UNIQUE ${long}|0|0|0|0|0]`,
    );
  }));

test("a unique of 64 bytes is kept whole, and coalesces", () =>
  withServer(async (connect) => {
    const [wire, unique] = [await connect(), "u".repeat(64)];
    assert.equal(await say(wire, submit(unique, "load"), submit(unique)), "[JOB_CREATED H:1][JOB_CREATED H:1]");
    assert.equal(await say(wire, canDo, grab), `[JOB_ASSIGN_UNIQ H:1|f|${unique}|load]`);
  }));

test("the unique of a reduce job is checked too", () =>
  withServer(async (connect) => {
    const reduce = r(P.SUBMIT_REDUCE_JOB, "f", "u".repeat(65), "r", "", "");
    assert.equal(await say(await connect(), reduce), "[ERROR ARGUMENT_TOO_LARGE|Unique value too large]");
  }));

test("an epoch out of range is answered, and one that is far away is kept", () =>
  withServer(async (connect) => {
    const epoch = (time: string) => r(P.SUBMIT_JOB_EPOCH, "f", "", time, "");
    assert.equal(
      await say(
        await connect(),
        epoch("9".repeat(30)),
        epoch("9223372036854775000"),
        epoch("9".repeat(400)),
        canDo,
        grab,
      ),
      "[ERROR ARGUMENT_TOO_LARGE|Epoch value too large][JOB_CREATED H:1]" +
        "[ERROR ARGUMENT_TOO_LARGE|Epoch value too large][NO_JOB]",
    );
  }));

test("CAN_DO_TIMEOUT with a number of any length registers the function", () =>
  withServer(async (connect) => {
    const timeout = r(P.CAN_DO_TIMEOUT, "f", "9".repeat(30));
    assert.equal(await say(await connect(), timeout, submit(""), grab), "[JOB_CREATED H:1][JOB_ASSIGN_UNIQ H:1|f||]");
  }));

test("a WORK_STATUS with a long denominator is forwarded", () =>
  withServer(async (connect) => {
    const wire = await connect();
    await say(wire, canDo, submit(""), grab);
    assert.equal(await say(wire, r(P.WORK_STATUS, "H:1", "1", "10000000000.5")), "[WORK_STATUS H:1|1|10000000000.5]");
  }));

test("an abandoned job that is submitted again runs, in the foreground and in the background", () =>
  withServer(async (connect, server) => {
    const client = await connect();
    await say(client, submit("a"), submit("b"), submit("c"));
    await leave(client, server);
    const other = await connect();
    assert.equal(await say(other, submit("a"), submitBg("b")), "[JOB_CREATED H:1][JOB_CREATED H:2]");
    assert.equal(await say(other, "show jobs\n"), "H:1\\t0\\t0\\t0\\nH:2\\t0\\t0\\t1\\nH:3\\t0\\t1\\t0\\n.\\n");
    const worker = await connect();
    assert.equal(
      await say(worker, canDo, grab, grab, grab),
      "[JOB_ASSIGN_UNIQ H:1|f|a|][JOB_ASSIGN_UNIQ H:2|f|b|][NO_JOB]",
    );
    await say(worker, r(P.WORK_COMPLETE, "H:1", "done"));
    assert.equal(readable(await other.sync()), "[WORK_COMPLETE H:1|done]");
  }));

test("a running job that was abandoned and joined again survives its worker", () =>
  withServer(async (connect, server) => {
    const [client, worker, other] = [await connect(), await connect(), await connect()];
    await say(client, submit("a"));
    await say(worker, canDo, grab);
    await leave(client, server);
    await say(other, submit("a"));
    await leave(worker, server);
    assert.equal(await say(other, canDo, grab), "[JOB_ASSIGN_UNIQ H:1|f|a|]");
  }));

test("a background job that a foreground client joined and left runs nevertheless", () =>
  withServer(async (connect, server) => {
    const [client, other] = [await connect(), await connect()];
    await say(other, submitBg("a"));
    await say(client, submit("a"), submit("b"));
    await say(other, submitBg("b"));
    await leave(client, server);
    assert.equal(await say(other, canDo, grab, grab), "[JOB_ASSIGN_UNIQ H:1|f|a|][JOB_ASSIGN_UNIQ H:2|f|b|]");
  }));

test("a cancelled job fails once, and nothing comes after that", () =>
  withServer(async (connect) => {
    const [client, worker] = [await connect(), await connect()];
    await say(client, submit("a"));
    await say(worker, canDo, grab);
    assert.equal(await say(client, "cancel job H:1\n", "cancel job H:1\n"), "[WORK_FAIL H:1]OK\\r\\nOK\\r\\n");
    assert.equal(await say(worker, r(P.WORK_DATA, "H:1", "x"), r(P.WORK_COMPLETE, "H:1", "x"), "show jobs\n"), ".\\n");
    assert.equal(readable(await client.sync()), "");
  }));

test("a submission does not join a cancelled job", () =>
  withServer(async (connect) => {
    const wire = await connect();
    assert.equal(
      await say(wire, submit("a"), "cancel job H:1\n", submit("a"), canDo, grab, grab),
      "[JOB_CREATED H:1][WORK_FAIL H:1]OK\\r\\n[JOB_CREATED H:2][JOB_ASSIGN_UNIQ H:2|f|a|][NO_JOB]",
    );
  }));

test("a function with queued jobs is not dropped, and one with abandoned jobs is", () =>
  withServer(async (connect, server) => {
    const [client, other] = [await connect(), await connect()];
    await say(client, submit("a"));
    assert.match(await say(other, "drop function f\n"), /^ERR there are still/);
    await leave(client, server);
    assert.equal(await say(other, "drop function f\n", "status\n", "show jobs\n"), "OK\\r\\n.\\n.\\n");
  }));

test("create function takes the whole name, whatever ends the line", () =>
  withServer(async (connect) => {
    const wire = await connect();
    assert.equal(await say(wire, "create function abc\n", "status\n"), "OK\\r\\nabc\\t0\\t0\\t0\\n.\\n");
  }));

test("names and identifiers cannot break the lines that show them", () =>
  withServer(async (connect) => {
    const wire = await connect();
    assert.match(
      await say(wire, r(P.SET_CLIENT_ID, "a b\nc"), r(P.CAN_DO, "x\ny\tz"), "workers\nstatus\n"),
      /^\d+ \S+ a_b_c : x_y_z\\n\.\\nx_y_z\\t0\\t0\\t1\\n\.\\n$/,
    );
  }));

test(
  "an epoch job that waits hides no other job, and wakes a sleeper when it is due",
  { timeout: 30_000 },
  () =>
    withServer(async (connect) => {
      const [client, worker] = [await connect(), await connect()];
      const due = Math.ceil(Date.now() / 1_000) + 1;
      await say(client, r(P.SUBMIT_JOB_EPOCH, "f", "later", String(due), ""), r(P.SUBMIT_JOB_LOW_BG, "f", "low", ""));
      assert.equal(await say(worker, canDo, grab, grab, r(P.PRE_SLEEP)), "[JOB_ASSIGN_UNIQ H:2|f|low|][NO_JOB]");
      assert.equal(readable(await worker.until((received) => received !== "")), "[NOOP]");
      assert.ok(Date.now() >= due * 1_000);
      assert.equal(await say(worker, grab), "[JOB_ASSIGN_UNIQ H:1|f|later|]");
    }),
);

test(
  "a job that takes too long goes to another worker, whatever else its own does",
  { timeout: 30_000 },
  () =>
    withServer(async (connect) => {
      const [client, slow, other] = [await connect(), await connect(), await connect()];
      await say(client, submit("a"), submit("b"));
      // The time limit is the job's: neither another grab nor PRE_SLEEP takes it away.
      await say(slow, r(P.CAN_DO_TIMEOUT, "f", "1"), grab, grab, grab, r(P.PRE_SLEEP), r(P.WORK_COMPLETE, "H:2", ""));
      await say(other, canDo, r(P.PRE_SLEEP));
      assert.equal(readable(await other.until((received) => received !== "")), "[NOOP]");
      assert.equal(await say(other, grab, grab), "[JOB_ASSIGN_UNIQ H:1|f|a|][NO_JOB]");
      assert.match(
        await say(slow, r(P.WORK_COMPLETE, "H:1", "late")),
        /\[ERROR JOB_NOT_FOUND\|Job given in work result/,
      );
      assert.equal(
        await say(client, "show jobs\n", "status\n"),
        "[WORK_COMPLETE H:2|]H:1\\t1\\t0\\t0\\n.\\nf\\t1\\t1\\t2\\n.\\n",
      );
    }),
);

test("a job that took too long once too often fails", { timeout: 30_000 }, () =>
  withServer(async (connect) => {
    const [client, slow] = [await connect(), await connect()];
    await say(client, submit("a"));
    await say(slow, r(P.CAN_DO_TIMEOUT, "f", "1"), grab);
    assert.equal(readable(await client.until((received) => received !== "")), "[WORK_FAIL H:1]");
  }, { jobRetries: 1 }));

test("PRE_SLEEP after a NOOP is a new sleep, whether the worker has grabbed in between or not", () =>
  withServer(async (connect) => {
    const [client, sleeper, other] = [await connect(), await connect(), await connect()];
    await say(sleeper, canDo, r(P.PRE_SLEEP));
    await say(client, submit("a"));
    assert.equal(readable(await sleeper.sync()), "[NOOP]");
    await say(other, canDo, grab);
    assert.equal(await say(sleeper, r(P.PRE_SLEEP)), "");
    await say(client, submit("b"));
    assert.equal(readable(await sleeper.sync()), "[NOOP]");
  }));

test("a worker that was woken and leaves does not take the only NOOP with it", () =>
  withServer(async (connect, server) => {
    const [client, first, second] = [await connect(), await connect(), await connect()];
    await say(first, canDo, r(P.PRE_SLEEP));
    await say(second, canDo, r(P.PRE_SLEEP));
    await say(client, submit("a"));
    assert.equal(readable(await first.sync()), "[NOOP]");
    await leave(first, server);
    assert.equal(readable(await second.sync()), "[NOOP]");
  }, { workerWakeup: 1 }));
