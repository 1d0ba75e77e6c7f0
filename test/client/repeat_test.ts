/** Tests of what the README says about repeating a submission: under which unique it is run, and under which it is lost. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionError, GearmanClient } from "../../mod.ts";
import { text } from "../fixtures/bytes.ts";
import { needs, startGearmand } from "../support/gearmand.ts";
import { command, RawWorker, until } from "../support/peers.ts";

const timeout = 30_000;

const skip = needs("gearmand");
describe(`a submission that is repeated, on gearmand${skip === false ? "" : ` (${skip})`}`, { skip }, () => {
  test("is lost with the abandoned job of its unique, and runs under a fresh one", { timeout }, async () => {
    const { port, stop } = await startGearmand();
    const server = { connect: { servers: `127.0.0.1:${port}` }, port, stop };
    const gone = new GearmanClient(server.connect);
    const abandoned = await gone.do("f", "the first", { unique: "u" }).created();
    await gone.close();
    await until(async () => (await command(server, "show jobs", true)).some((line) => line.split("\t")[2] === "1"));

    await using client = new GearmanClient({ ...server.connect, probeInterval: 100 });
    const same = client.do("f", "the same unique", { unique: "u" });
    assert.equal(await same.created(), abandoned);
    const background = await client.doBackground("f", "the same unique in the background", { unique: "u" });
    assert.equal(background.handle, abandoned);
    const fresh = client.do("f", "a fresh unique", { unique: "v" });
    await fresh.created();

    const worker = await RawWorker.open(server, "f");
    const ran: string[] = [];
    await worker.serve(1, ({ workload }) => (ran.push(text(workload)), "done"));
    assert.equal(await fresh.text(), "done");
    assert.equal(await worker.tryGrab(), undefined);
    assert.deepEqual(ran, ["a fresh unique"]);
    await assert.rejects(same.text(), (error) => error instanceof ConnectionError && error.delivery === "accepted");
    assert.equal((await background.status()).known, false);
    await worker.close();
    await stop();
  });

  test("in the background joins the first while that is queued, and runs again after it", { timeout }, async () => {
    const { port, stop } = await startGearmand();
    const server = { connect: { servers: `127.0.0.1:${port}` }, port, stop };
    const gone = new GearmanClient(server.connect);
    const first = await gone.doBackground("f", "once", { unique: "u" });
    await gone.close();
    await using client = new GearmanClient(server.connect);
    assert.equal((await client.doBackground("f", "once", { unique: "u" })).handle, first.handle);
    const worker = await RawWorker.open(server, "f");
    await worker.serve(1);
    assert.equal(await worker.tryGrab(), undefined);
    assert.notEqual((await client.doBackground("f", "once", { unique: "u" })).handle, first.handle);
    await worker.serve(1);
    await worker.close();
    await stop();
  });
});
