// deno-lint-ignore-file no-console -- prints the figures
/** Tests that a client keeps nothing: in the end its tables are empty, and its memory has not grown. */

import assert from "node:assert/strict";
import type net from "node:net";
import { after, before, test } from "node:test";
import { GearmanClient, GearmanError, GearmanWorker } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { join } from "../support/bytes.ts";
import { GREETING_ANSWERS } from "../support/fake_transport.ts";
import { withSocketServer } from "../support/socket_server.ts";
import { fullOrQuick } from "../support/requirements.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { until } from "../support/wait.ts";
import { type Program, runProgram, startProgram } from "../support/programs.ts";
import { onEveryServer } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";

const timeout = 60_000;
const ROUNDS = fullOrQuick(100, 30);
const LINES = fullOrQuick(200_000, 50_000);
const kib = (bytes: number[]) => bytes.map((one) => one >> 10).join(" ");

/** Asserts that memory does not grow. The first samples do not count: runtimes still compile code. */
function assertFlat(memory: number[]): void {
  assert.equal(memory.length, 10);
  const growth = Math.min(...memory.slice(-3)) / Math.max(...memory.slice(1, 4));
  assert.ok(growth < 1.15, `memory has grown ${growth.toFixed(2)} times: ${kib(memory)} KiB`);
}

onEveryServer("a client that runs for long", (kind) => {
  let server: TestServer;
  let worker: GearmanWorker;
  before(async () => {
    server = await kind.start();
    worker = new GearmanWorker({ ...server.connect, concurrency: 50, onEvent() {} });
    worker.addFunction("echo", (job) => job.workload);
    worker.run();
  });
  after(async () => {
    await worker.close();
    await server.stop();
  });

  test(
    `has empty tables and no more memory after ${ROUNDS * 100} jobs, ${ROUNDS * 5} aborts and ${ROUNDS} reconnects`,
    { timeout },
    async () => {
      const result = JSON.parse(await runProgram("client_tasks", ["rounds", `${server.port}`, `${ROUNDS}`]));
      const { memory, ...ended } = result;
      console.log(`${kind.name}: after each tenth of ${ROUNDS} rounds, each with a reconnect: ${kib(memory)} KiB`);
      const expected = { done: ROUNDS * 100, aborted: ROUNDS * 5, lost: ROUNDS * 3, reconnects: ROUNDS, size: 0 };
      assert.deepEqual(ended, expected);
      assertFlat(memory);
    },
  );

  test(`submits ${LINES} lines with doBackgroundAll() without using more memory`, { timeout }, async () => {
    const { done, rate, memory } = JSON.parse(
      await runProgram("client_tasks", ["lines", `${server.port}`, `${LINES}`]),
    );
    console.log(`${kind.name}: ${rate} lines a second; after each tenth of ${LINES}: ${kib(memory)} KiB`);
    assert.equal(done, LINES);
    assertFlat(memory);
  });

  test("fails a job at maxResultSize when a worker sends data without end, and works on", { timeout }, async () => {
    const raw = await RawWorker.open(server, "endless");
    const client = new GearmanClient({ ...server.connect, maxResultSize: 1_000_000 });
    const cutOff = assert.rejects(
      client.do("endless").text(),
      (error) => error instanceof GearmanError && /over 1000000 bytes \(maxResultSize\)$/.test(error.message),
    );
    const { handle } = await raw.grab();
    let over = false;
    cutOff.finally(() => over = true);
    let sent = 0;
    for (; !over; sent++) {
      raw.send(PacketType.WORK_DATA, handle, new Uint8Array(50_000));
      await raw.served();
    }
    await cutOff;
    // Later data is discarded, and does not block other calls.
    for (let i = 0; i < 100; i++) raw.send(PacketType.WORK_DATA, handle, new Uint8Array(50_000));
    raw.send(PacketType.WORK_COMPLETE, handle, "the end after all");
    await raw.served();
    assert.equal(await client.do("echo", "alive").text(), "alive");
    assert.ok(sent >= 20, `${sent}`);
    await client.close();
    await raw.close();
  });
}, { port: true });

test(
  "300 calls with 1 MB each to a server that never reads wait without using memory",
  { timeout },
  async () => {
    let program!: Program;
    const greet = (socket: net.Socket) => void socket.write(join(GREETING_ANSWERS)); // and then it never reads
    await withSocketServer(greet, async ({ port }) => {
      program = startProgram("client_tasks", ["stuck", `${port}`, "300"]);
      await Promise.race([until(() => program.output.includes("stuck ")), program.ended]);
    }, { pauseOnConnect: true });
    // The server is closed now.
    assert.equal(await program.ended, 0, program.errors);
    const { rss, growth, written, notSent, unknown } = JSON.parse(program.output.replace("stuck ", ""));
    console.log(
      `300 MB for a server that does not read: ${rss >> 10} KiB more resident, ${growth >> 10} KiB more in use`,
    );
    assert.ok(rss < 50_000_000 && growth < 10_000_000, `${rss} and ${growth} bytes more`);
    // A call is not-sent if none of its bytes was written: the greeting has 34 bytes, and 15 precede each MB.
    assert.deepEqual([notSent + unknown, unknown], [300, Math.ceil((written - 34) / 1_000_015)]);
  },
);
