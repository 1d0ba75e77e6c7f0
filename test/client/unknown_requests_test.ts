// deno-lint-ignore-file no-console -- prints the table
/**
 * Tests of servers that do not know a request of a client: they answer ERROR, ignore it, or end the connection. Each call
 * ends, a call of a known kind works behind it, and a status falls back to the handle.
 */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ConnectionError, GearmanClient, GearmanError, ServerError } from "../../mod.ts";
import { packetName, PacketType } from "../../src/codec/packet.ts";
import { limitServer, type Reaction } from "../support/limited_server.ts";

const timeout = 60_000;
const REACTIONS: readonly Reaction[] = ["ERROR", "silence", "end"];

/** A call, the request of it that the server does not know, and its outcome for each reaction. */
interface Row {
  readonly type: PacketType;
  readonly call: (client: GearmanClient) => Promise<unknown>;
  readonly outcomes: Record<Reaction, string>;
}

const submit = (client: GearmanClient) => client.doBackground("f", "x");
const SUBMISSION = { ERROR: "ServerError", silence: "unknown", end: "unknown" };

const ROWS: Record<string, Row> = {
  "the option": {
    type: PacketType.OPTION_REQ,
    call: submit,
    outcomes: { ERROR: "ok", silence: "ok", end: "not-sent" },
  },
  "the id": {
    type: PacketType.SET_CLIENT_ID,
    call: submit,
    outcomes: { ERROR: "ok", silence: "ok", end: "not-sent" },
  },
  "a high priority": {
    type: PacketType.SUBMIT_JOB_HIGH_BG,
    call: (client) => client.doBackground("f", "x", { priority: "high" }),
    outcomes: SUBMISSION,
  },
  "a low priority": {
    type: PacketType.SUBMIT_JOB_LOW_BG,
    call: (client) => client.doBackground("f", "x", { priority: "low" }),
    outcomes: SUBMISSION,
  },
  "a time": {
    type: PacketType.SUBMIT_JOB_EPOCH,
    call: (client) => client.doBackground("f", "x", { at: new Date(0) }),
    outcomes: SUBMISSION,
  },
  "a reducer": {
    type: PacketType.SUBMIT_REDUCE_JOB_BACKGROUND,
    call: (client) => client.doBackground("f", "x", { reducer: "r" }),
    outcomes: SUBMISSION,
  },
  "a status by unique": {
    type: PacketType.GET_STATUS_UNIQUE,
    call: (client) => client.jobStatusByUnique("u"),
    outcomes: { ERROR: "ServerError", silence: "ProtocolError", end: "lost" },
  },
  "a status of a job": {
    type: PacketType.GET_STATUS_UNIQUE,
    call: async (client) => {
      const job = await client.doBackground("f", "x", { unique: "u" });
      for (let i = 0; i < 2; i++) assert.equal((await job.status()).known, true, "by its handle alone");
    },
    outcomes: { ERROR: "ok", silence: "ok", end: "ok" },
  },
  "an echo": {
    type: PacketType.ECHO_REQ,
    call: (client) => client.echo("data"),
    outcomes: { ERROR: "ServerError", silence: "lost", end: "lost" },
  },
};

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    assert.ok(error instanceof GearmanError, `${error}`);
    if (error instanceof ServerError) return "ServerError";
    return error instanceof ConnectionError ? error.delivery ?? "lost" : error.name;
  }
}

describe("a client of a server that does not know", () => {
  const table: string[] = [];
  after(() => console.log(table.join("\n")));

  for (const [name, { type, call, outcomes }] of Object.entries(ROWS)) {
    test(name, { timeout }, async () => {
      const seen: Record<string, string> = {};
      for (const reaction of REACTIONS) {
        await using server = limitServer([type], reaction);
        const options = { id: "limited", probeInterval: 40, connectTimeout: 60, minBackoff: 1, maxBackoff: 5 };
        await using client = new GearmanClient({ dial: server.limited, ...options });
        seen[reaction] = await outcomeOf(call(client));
        // A server that ends each connection at the greeting serves nothing.
        const serves = !(reaction === "end" && outcomes.end === "not-sent") && type !== PacketType.ECHO_REQ;
        if (serves) assert.equal(await outcomeOf(client.jobStatus("H:1")), "ok", "another call works");
      }
      const cells = REACTIONS.map((reaction) => `${reaction}: ${seen[reaction]}`);
      table.push(`${name.padEnd(20)} ${packetName(type).padEnd(30)} ${cells.join(", ")}`);
      assert.deepEqual(seen, outcomes);
    });
  }
});
