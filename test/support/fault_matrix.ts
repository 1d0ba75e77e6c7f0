// The fault matrix: every call of a client with every fault, each on a client of its own, with what came of it.

import assert from "node:assert/strict";
import { ConnectionError, GearmanClient, ProtocolError, ServerError } from "../../mod.ts";
import type { AssignedJob, ClientOptions, Dial, JobHandler } from "../../mod.ts";
import { type Packet, PacketType } from "../../src/codec/mod.ts";
import { text } from "./bytes.ts";
import { isSubmission } from "./fake_server.ts";
import { PacketRecorder } from "./packet_recorder.ts";

/** A way in which things go wrong. */
export interface Fault {
  readonly name: string;
  /** Sets it up for one cell; `dial` is what the client connects with. */
  start(): Promise<{ dial: Dial; stop(): Promise<void> }>;
  readonly options?: ClientOptions;
  /** Whether nothing but silence gives it away: what waits is then not waited for before it is aborted or closed. */
  readonly silent?: boolean;
  /** Whether connections after the first are good: questions then succeed, and so does the next call. */
  readonly passes?: boolean;
  /** Whether it is none that a caller should notice. */
  readonly harmless?: boolean;
  /** The code of the server's refusal, where that is the fault. */
  readonly code?: string;
}

/** What the worker of the matrix does for "work"; nobody does "hold". */
export const work: JobHandler = async function* (job: AssignedJob): AsyncGenerator<string, string, undefined> {
  await job.sendStatus(1, 2);
  await job.sendWarning("careful");
  yield "da";
  yield "ta";
  return `!${job.text()}`;
};
const RESULT = "data!of it";
const REASON = new Error("the caller has enough");

interface Row {
  /** Makes the call; where it is to be ended early, it is once `begun` has resolved. */
  call(client: GearmanClient, begun: (created: Promise<unknown>) => Promise<unknown>): Promise<unknown>;
  /** What it resolves to. */
  readonly result: unknown;
  /** Of a question, which is asked again by itself: its packet, and that of its answer. */
  readonly question?: readonly [asked: PacketType, answer: PacketType];
}

/** Resolves when the promise has settled, or after a while in which nothing has come of it. */
async function settledOrQuiet(promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const quiet = new Promise((resolve) => timer = setTimeout(resolve, 30));
  await Promise.race([promise.catch(() => {}), quiet]);
  clearTimeout(timer);
}

const submit = (client: GearmanClient) => client.do("work", "of it");

const CALLS: Record<string, Row> = {
  "await": { call: async (client) => text(await submit(client)), result: RESULT },
  "text": { call: (client) => submit(client).text(), result: RESULT },
  "iterate": {
    call: async (client) => {
      let data = "";
      for await (const event of submit(client)) {
        if (event.type === "data" || event.type === "complete") data += text(event.data);
      }
      return data;
    },
    result: RESULT,
  },
  "stream": { call: async (client) => await new Response(submit(client).stream()).text(), result: RESULT },
  "created": { call: async (client) => typeof await client.do("hold").created(), result: "string" },
  "background": { call: async (client) => (await client.doBackground("hold")).server, result: "127.0.0.1:4730" },
  "all": {
    call: async (client) => {
      let count = 0;
      for await (const _ of client.doBackgroundAll("hold", ["a", "b", "c", "d"], { inFlight: 2 })) count++;
      return count;
    },
    result: 4,
  },
  "status": {
    call: async (client) => (await client.jobStatus("H:none:1")).known,
    result: false,
    question: [PacketType.GET_STATUS, PacketType.STATUS_RES],
  },
  "byUnique": {
    call: async (client) => (await client.jobStatusByUnique("none")).known,
    result: false,
    question: [PacketType.GET_STATUS_UNIQUE, PacketType.STATUS_RES_UNIQUE],
  },
  "watch": {
    call: async (client) => {
      const seen: boolean[] = [];
      for await (const { known } of client.watch("H:none:1")) seen.push(known);
      return seen.join();
    },
    result: "false",
    question: [PacketType.GET_STATUS, PacketType.STATUS_RES],
  },
  "echo": {
    call: async (client) => text(await client.echo("there?")),
    result: "there?",
    question: [PacketType.ECHO_REQ, PacketType.ECHO_RES],
  },
  "abort": {
    call: async (client, begun) => {
      const controller = new AbortController();
      const job = client.do("hold", "", { signal: controller.signal });
      const outcome = job.text();
      await begun(job.created());
      controller.abort(REASON);
      return await outcome;
    },
    result: undefined,
  },
  "close": {
    call: async (client, begun) => {
      const job = client.do("hold");
      const outcome = job.text();
      await begun(job.created());
      await Promise.all([client.close(), client.close()]);
      return await outcome;
    },
    result: undefined,
  },
};

/** The names of the calls, in the order of the table's columns. */
export const NAMES: readonly string[] = Object.keys(CALLS);

/** What came of a call, in a word. */
function wordOf(error: unknown): string {
  if (error === REASON) return "aborted";
  if (error instanceof ConnectionError) return error.delivery ?? "lost";
  if (error instanceof ServerError) return error.code;
  if (error instanceof ProtocolError) return "protocol";
  throw new Error(`a surprise: ${error}`, { cause: error });
}

/** One cell: makes the call, and asserts that it ended as it should have. */
export async function runCell(fault: Fault, name: string): Promise<string> {
  const { dial, stop } = await fault.start();
  try {
    return await judge(fault, name, dial);
  } finally {
    await stop(); // or what is left open keeps the process alive
  }
}

async function judge(fault: Fault, name: string, dial: Dial): Promise<string> {
  const { call, result, question } = CALLS[name]!;
  const recorder = new PacketRecorder(dial);
  const client = new GearmanClient({
    ...{ dial: recorder.dial, minBackoff: 0, maxBackoff: 0, connectTimeout: 5_000, probeInterval: 10_000 },
    ...fault.options,
  });
  const begun = (created: Promise<unknown>) =>
    fault.silent === true ? settledOrQuiet(created) : created.catch(() => {});
  const outcome = await inTime(
    call(client, begun).then((value) => (assert.equal(value, result), "ok"), wordOf),
    `${name} under "${fault.name}" hangs`,
  );
  const submissions = recorder.requests.filter(isSubmission);
  const count = (type: PacketType) => recorder.answers.filter((packet) => packet.type === type).length;
  const created = count(PacketType.JOB_CREATED);
  const what = `${name} under "${fault.name}" ended as ${outcome}: ${show(recorder.requests)} / ${
    show(recorder.answers)
  }`;

  // Nothing is sent twice, whatever happens.
  const workloads = submissions.map(({ args }) => text([...args].at(-1)!));
  assert.equal(new Set(workloads).size, workloads.length, `sent twice: ${what}`);
  const delivery = submissions.length === 0 ? "not-sent" : created < submissions.length ? "unknown" : "accepted";
  const allowed = new Set<string>();
  if (name === "abort" && (fault.code === undefined || created > 0)) allowed.add("aborted");
  if (name === "close") allowed.add(delivery);
  if (fault.harmless === true && name !== "abort" && name !== "close") allowed.add("ok");
  if (fault.code !== undefined) allowed.add(fault.code);
  if (fault.harmless !== true && fault.code === undefined) {
    // What has come decides, and nothing else.
    const whole = name === "background" || name === "created"
      ? created === 1
      : name === "all"
      ? created === 4
      : count(PacketType.WORK_COMPLETE) === 1;
    if (question === undefined) allowed.add(whole ? "ok" : delivery);
    else if (count(question[1]) > 0) allowed.add("ok");
    else {
      // It was never sent, or asked twice; the second time in vain only if that connection was bad as well, or late.
      const asked = recorder.requests.filter(({ type }) => type === question[0]).length;
      // Of a server that has failed, nothing is asked before it has answered the option.
      const greeted = recorder.requests.filter(({ type }) => type === PacketType.OPTION_REQ).length;
      if (asked === 0 || ((asked > 1 || greeted > asked) && (fault.passes !== true || fault.silent === true))) {
        allowed.add("lost").add("protocol");
      }
    }
  }
  assert.ok(allowed.has(outcome), `expected ${[...allowed].join(" or ")}; ${what}`);

  // The client is as good as new, unless it was closed.
  if ((fault.passes === true || fault.harmless === true) && name !== "close") {
    const next = (): Promise<Uint8Array> => {
      // Where the client is told to take silence for death soon, a busy machine is taken for dead too.
      return client.echo("next").catch((error) => fault.silent === true ? next() : Promise.reject(error));
    };
    assert.equal(text(await inTime(next(), `the call after ${what} hangs`)), "next");
  }
  await inTime(client.close(), `close() after ${what} hangs`);
  return outcome;
}

/** A hang is a failure of its own, with a name; no pass depends on the time. */
async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hang = new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error(what)), 20_000));
  try {
    return await Promise.race([promise, hang]);
  } finally {
    clearTimeout(timer);
  }
}

function show(packets: readonly Packet[]): string {
  return packets.map(({ type }) => type).join(" ") || "nothing";
}

/** One row of the table: the fault with every call, all at once. */
export async function runRow(fault: Fault): Promise<string[]> {
  return await Promise.all(NAMES.map((name) => runCell(fault, name)));
}

/** The table as text. */
export function tableOf(title: string, rows: ReadonlyMap<string, readonly string[]>): string {
  const width = Math.max(title.length, ...[...rows.keys()].map(({ length }) => length));
  const line = (name: string, cells: readonly string[]) =>
    `${name.padEnd(width)}  ${cells.map((cell) => cell.slice(0, 10).padEnd(10)).join(" ")}`.trimEnd();
  return [line(title, NAMES), ...[...rows].map(([name, cells]) => line(name, cells))].join("\n");
}
