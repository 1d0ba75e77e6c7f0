// deno-lint-ignore-file no-console -- prints the table
/**
 * Tests of servers that do not know a request of a worker: they answer ERROR, ignore it, or end the connection. The worker
 * serves with what the server knows, or backs off; it never hangs, and it can always be closed.
 */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { GearmanClient, GearmanWorker, type JobHandler } from "../../mod.ts";
import type { GearmanEvent } from "../../mod.ts";
import { packetName, PacketType } from "../../src/codec/packet.ts";
import { text } from "../support/bytes.ts";
import { limitServer, type Reaction } from "../support/limited_server.ts";
import { until } from "../support/wait.ts";

const timeout = 60_000;
const REACTIONS: readonly Reaction[] = ["ERROR", "silence", "end"];
const { GRAB_JOB, GRAB_JOB_ALL, GRAB_JOB_UNIQ, OPTION_REQ, SET_CLIENT_ID, CAN_DO_TIMEOUT, WORK_DATA, WORK_WARNING } =
  PacketType;

const FUNCTIONS: Record<string, JobHandler> = {
  echo: (job) => job.text(),
  pieces: async function* (job) {
    await job.sendWarning("careful");
    yield "a";
    yield "b";
    return "c";
  },
  fails: () => Promise.reject(new Error("broken")),
};

/** What the worker did: the results of its jobs, or "backs off", and what it says that the server lacks. */
interface Outcome {
  readonly served: string;
  readonly lacks: string;
  /** Warnings that reached the client, and warnings that became an event. */
  readonly warnings: string;
  readonly connections: number;
}

/** Runs every kind of job on a limited server, twice, and closes the worker. */
async function play(requests: readonly PacketType[], reaction: Reaction): Promise<Outcome> {
  await using server = limitServer(requests, reaction);
  const events: GearmanEvent[] = [];
  const backsOff = () => events.some((event) => event.type === "retrying" && event.delay >= 32);
  const worker = new GearmanWorker({
    dial: server.limited,
    id: "limited",
    minBackoff: 1,
    maxBackoff: 64,
    probeInterval: 40,
    onEvent: (event) => events.push(event),
  });
  for (const [name, handler] of Object.entries(FUNCTIONS)) worker.addFunction(name, handler);
  worker.addFunction("timed", (job) => job.text(), { timeout: 60_000 });
  const running = worker.run();
  const client = new GearmanClient({ dial: server.complete });
  const results: string[] = [];
  let warnings = 0;
  const run = async (name: string) => {
    let result = "";
    for await (const event of client.do(name, name)) {
      if (event.type === "warning") warnings += 1;
      if (event.type === "data" || event.type === "complete") result += text(event.data);
    }
    return result;
  };
  const names = ["echo", "pieces", "fails", "pieces"];
  // A function whose announcement is ignored is not found out.
  if (!requests.includes(CAN_DO_TIMEOUT) || reaction !== "silence") names.push("timed");
  const all = (async () => {
    for (const name of names) results.push(await run(name).catch((error) => error.message.split(": ").at(-1)));
  })();
  await until(() => results.length === names.length || backsOff());
  await worker.close();
  await running;
  await client.close();
  await all;
  const served = results.length === names.length && results.every((result) => !/closed/.test(result));
  const lacks = events.filter((event) => event.type === "serverLacks").map(({ packets }) => packets.join(" "));
  assert.ok(lacks.length <= 1, "one event for a server");
  const told = events.filter(({ type }) => type === "jobWarning").length;
  return {
    served: served ? results.join(" ") : "backs off",
    lacks: lacks.join() || "-",
    warnings: `${warnings}+${told}`,
    connections: server.connections,
  };
}

const OLD = "GRAB_JOB_ALL GRAB_JOB_UNIQ WORK_DATA WORK_WARNING";
const SERVED = "echo abc broken abc timed";

interface Row {
  readonly unknown: readonly PacketType[];
  /** What is expected, for ERROR, silence and the end of the connection. */
  readonly expected: readonly [string, string, string];
}

const ROWS: readonly Row[] = [
  { unknown: [], expected: Array(3).fill(`${SERVED} | - | 2+0`) as never },
  { unknown: [GRAB_JOB_ALL], expected: Array(3).fill(`${SERVED} | GRAB_JOB_ALL | 2+0`) as never },
  { unknown: [GRAB_JOB_ALL, GRAB_JOB_UNIQ], expected: Array(3).fill(`${SERVED} | ${OLD} | 0+2`) as never },
  { unknown: [GRAB_JOB_ALL, GRAB_JOB_UNIQ, GRAB_JOB], expected: Array(3).fill("backs off | - | 0+0") as never },
  {
    unknown: [SET_CLIENT_ID],
    expected: [`${SERVED} | SET_CLIENT_ID | 2+0`, `${SERVED} | - | 2+0`, `${SERVED} | SET_CLIENT_ID | 2+0`],
  },
  {
    unknown: [CAN_DO_TIMEOUT],
    expected: [
      `${SERVED} | CAN_DO_TIMEOUT | 2+0`,
      "echo abc broken abc | - | 2+0",
      `${SERVED} | CAN_DO_TIMEOUT | 2+0`,
    ],
  },
  {
    // Servers that know GRAB_JOB_UNIQ know WORK_DATA and WORK_WARNING, which are older: no worker expects this one.
    unknown: [WORK_DATA],
    expected: [
      "echo c broken abc timed | WORK_DATA | 2+0",
      "echo c broken c timed | - | 2+0",
      `${SERVED} | WORK_DATA | 3+0`,
    ],
  },
  {
    unknown: [WORK_WARNING],
    expected: [`${SERVED} | WORK_WARNING | 0+1`, `${SERVED} | - | 0+0`, `${SERVED} | WORK_WARNING | 0+2`],
  },
  { unknown: [OPTION_REQ], expected: [`${SERVED} | OPTION_REQ | 2+0`, `${SERVED} | - | 2+0`, "backs off | - | 0+0"] },
];

describe("a worker on a server that does not know a request", () => {
  const table: string[] = [];
  after(() => console.log(table.join("\n")));

  for (const { unknown, expected } of ROWS) {
    for (const [i, reaction] of REACTIONS.entries()) {
      const name = unknown.map(packetName).join(" ") || "none";
      test(`serves, or backs off: ${name}, ${reaction}`, { timeout }, async () => {
        const { served, lacks, warnings, connections } = await play(unknown, reaction);
        const outcome = `${served} | ${lacks} | ${warnings}`;
        table.push(`${name.padEnd(40)} ${reaction.padEnd(8)} ${outcome}, ${connections} connections`);
        assert.equal(outcome, expected[i]);
        // Each refusal costs a connection at most; a server that cannot be served is tried again with longer delays.
        assert.ok(connections <= (served === "backs off" ? 40 : 1 + unknown.length), `${connections} connections`);
      });
    }
  }
});
