/** Tests of a program with a client: what it waits for keeps it alive, what it does not wait for lets it end. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { runtime } from "../support/exceptions.ts";
import { RawWorker } from "../support/peers.ts";

test("a program is kept alive by what it waits for, and ends by itself although its client is open", {
  timeout: 60_000,
}, async () => {
  const refused = ["QUEUE_ERROR", "full"] as [string, string];
  const isRefused = (arg: Uint8Array | undefined) => new TextDecoder().decode(arg) === "refused";
  const server = new JobServer({
    fault: (request) =>
      request.magic === "REQ" && request.type === PacketType.SUBMIT_JOB && isRefused(request.args[0])
        ? { error: refused }
        : undefined,
  });
  const { port } = await server.listen();
  const address = `127.0.0.1:${port}`;
  // Compiled for Node the program is JavaScript too.
  const program = fileURLToPath(new URL(`../support/idle_program.${import.meta.url.slice(-2)}`, import.meta.url));
  const args = runtime === "deno" ? ["run", "-A", "--no-check", program, address] : [program, address];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stderr.on("data", (chunk) => errors += chunk);
  const waiting = new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      if (output.includes("waiting")) resolve();
    });
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await Promise.race([waiting, ended]);
  const worker = await RawWorker.open(
    { connect: { servers: address }, port, stop: () => server.close() },
    "late",
    "fails",
  );
  for (let i = 0; i < 2; i++) {
    const { handle, functionName } = await worker.grab();
    if (functionName === "fails") worker.send(PacketType.WORK_EXCEPTION, handle, "nobody looks");
    else worker.send(PacketType.WORK_COMPLETE, handle, "the end");
  }
  assert.equal(await ended, 0, errors);
  assert.equal(output, "waiting\nthe end");
  assert.equal(errors, "");
  await worker.close();
  await server.close();
});
