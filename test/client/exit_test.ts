/** Tests of a program with a client: pending calls keep it alive, and an idle client does not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { until } from "../support/wait.ts";
import { startProgram } from "../support/programs.ts";

test("pending calls keep a program alive, and it ends by itself although its client is open", {
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
  const program = startProgram("idle_client", [address]);
  await Promise.race([until(() => program.output.includes("waiting")), program.ended]);
  const worker = await RawWorker.open(
    { connect: { servers: address }, port, stop: () => server.close() },
    "late",
    "fails",
  );
  for (let i = 0; i < 2; i++) {
    const { handle, functionName } = await worker.grab();
    if (functionName === "fails") worker.send(PacketType.WORK_EXCEPTION, handle, "unread");
    else worker.send(PacketType.WORK_COMPLETE, handle, "the end");
  }
  assert.equal(await program.ended, 0, program.errors);
  assert.equal(program.output, "waiting\nthe end");
  assert.equal(program.errors, "");
  await worker.close();
  await server.close();
});
