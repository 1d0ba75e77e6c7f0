/** Tests that a worker keeps nothing: its memory does not grow in a hundred thousand jobs. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GearmanClient } from "../../mod.ts";
import { text } from "../support/bytes.ts";
import { runtime } from "../support/exceptions.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";
import { functionStatus } from "../support/server_commands.ts";

const JOBS = 100_000;
const SAMPLES = 10;

const skip = needs("gearmand");
describe(`a worker with many jobs${skip === false ? "" : ` (${skip})`}`, { skip }, () => {
  test("keeps no timer and no listener, and its memory does not grow", { timeout: 120_000 }, async (t) => {
    const gearmand = await startGearmand();
    const { port } = gearmand;
    const address = `127.0.0.1:${port}`;
    // On Node the program is compiled to JavaScript too.
    const name = `../programs/worker_endurance.${import.meta.url.slice(-2)}`;
    const program = fileURLToPath(new URL(name, import.meta.url));
    const command = runtime === "deno" ? ["run", "-A", "--no-check", program] : [program];
    const args = [...command, address, String(JOBS), String(SAMPLES)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "", errors = "";
    child.stdout.on("data", (chunk: Uint8Array) => output += text(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => errors += text(chunk));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));

    const client = new GearmanClient(address);
    const workload = new Uint8Array(200);
    for (let left = JOBS; left > 0; left -= 1_000) {
      await Promise.all(Array.from({ length: 1_000 }, () => client.doBackground("f", workload, { unique: "" })));
    }
    await client.close();
    // It ends by itself, since nothing keeps the process alive.
    assert.equal(await ended, 0, errors);
    assert.equal(errors, "");
    const { done, heap, maxTimers, timers, listeners, rate } = JSON.parse(output);
    t.diagnostic?.(`${rate} jobs a second; heap in KiB: ${heap.map((bytes: number) => bytes >> 10).join(" ")}`);
    assert.deepEqual({ done, timers, listeners }, { done: JOBS, timers: 0, listeners: 0 });
    assert.ok(maxTimers > 0 && maxTimers <= 50, `${maxTimers} timers at a time`);
    assert.equal(heap.length, SAMPLES);
    // The first samples do not count: runtimes still compile code. 100 bytes a job would be 8 MB.
    const growth = Math.min(...heap.slice(-3)) / Math.max(...heap.slice(1, 4));
    assert.ok(growth < 1.2, `its heap has grown ${growth.toFixed(2)} times: ${heap}`);
    assert.deepEqual(await functionStatus({ connect: { servers: address }, port, stop: gearmand.stop }, "f"), [
      0,
      0,
      0,
    ]);
    await gearmand.stop();
  });
});
