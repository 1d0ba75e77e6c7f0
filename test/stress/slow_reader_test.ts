/** A test of a long result for a slow reader, over a gateway: neither of them holds it in memory. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { startGearmand } from "../support/gearmand.ts";
import { runProgram, startProgram } from "../support/programs.ts";
import { fullOrQuick, needs } from "../support/requirements.ts";
import { until } from "../support/wait.ts";
import { startWorker } from "../support/workers.ts";

/** A megabyte of data, and one of memory, which the system counts in units of 1,024 bytes. */
const MB = 1_000_000;
const MB_OF_MEMORY = 1_048_576;

test("a result of 200 MB for a reader that takes 5 ms a piece needs less than 150 MB, in client and gateway", {
  skip: needs("gearmand"),
  timeout: 120_000,
}, async () => {
  const gearmand = await startGearmand();
  const servers = `127.0.0.1:${gearmand.port}`;
  const worker = startWorker({ servers }, {
    async *pieces(job) {
      for (let left = Number(job.text()); left > 0; left -= 100_000) yield new Uint8Array(100_000);
    },
  });
  const gateway = startProgram("gateway", [servers]);
  await until(() => gateway.output.endsWith("\n"));

  try {
    const size = fullOrQuick(200, 50) * MB;
    const { size: read, peak } = JSON.parse(await runProgram("slow_reader", [gateway.output.trim(), String(size)]));
    assert.equal(read, size);
    const [, gatewayPeak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${gateway.child.pid}/status`, "utf8"))!;
    assert.ok(peak < 150 * MB_OF_MEMORY, `the client has used ${peak} bytes`);
    assert.ok(Number(gatewayPeak) * 1_024 < 150 * MB_OF_MEMORY, `the gateway has used ${gatewayPeak} KiB`);
  } finally {
    gateway.child.kill("SIGTERM");
    await gateway.ended;
    await worker.close();
    await gearmand.stop();
  }
});
