// The fault matrix: every kind of call under every fault, each on a new client, and the outcome.

import assert from "node:assert/strict";
import { ConnectionError, GearmanClient, GearmanError, ProtocolError, ServerError } from "../../mod.ts";
import type { AssignedJob, ClientOptions, Dial, JobHandler } from "../../mod.ts";
import { type Packet, PacketType } from "../../src/codec/mod.ts";
import { text } from "./bytes.ts";
import { isSubmission } from "./fake_server.ts";
import { PacketRecorder } from "./packet_recorder.ts";

/** A fault of a connection or a server. */
export interface Fault {
  readonly name: string;
  /** Prepares the fault for one cell; the client connects with `dial`. */
  start(): Promise<{ dial: Dial; stop(): Promise<void> }>;
  readonly options?: ClientOptions;
  /** True if only silence reveals the fault: a job is then aborted or closed before it is created. */
  readonly silent?: boolean;
  /** True if only the first connection has the fault: queries then succeed, and so does the next call. */
  readonly passes?: boolean;
  /** True if the caller must not notice the fault. */
  readonly harmless?: boolean;
  /** The code of the ERROR with which the server refuses the call, if that is the fault. */
  readonly code?: string;
}

/** The handler of "work". No worker has the function "hold". */
export const work: JobHandler = async function* (job: AssignedJob): AsyncGenerator<string, string, undefined> {
  await job.sendStatus(1, 2);
  await job.sendWarning("careful");
  yield "da";
  yield "ta";
  return `!${job.text()}`;
};
const RESULT = "data!of it";
const REASON = new Error("the caller has aborted");

interface Row {
  /** Makes the call. A call that is ended early waits for `begun` first. */
  call(client: GearmanClient, begun: (created: Promise<unknown>) => Promise<unknown>): Promise<unknown>;
  /** The expected result. */
  readonly result: unknown;
  /** The packets of a query, which the client repeats by itself, and of its answer. */
  readonly question?: readonly [asked: PacketType, answer: PacketType];
}

/** Resolves when the promise has settled, or after 30 ms. */
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
  "background": { call: async (client) => (await client.doBackground("hold", "x")).server, result: "127.0.0.1:4730" },
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

/** The names of the calls: the columns of the table. */
export const NAMES: readonly string[] = Object.keys(CALLS);

/** Returns true if a packet belongs to a client's greeting or keep-alive: an echo without data. */
export function isKeepAlive({ type, args }: Packet): boolean {
  return (type === PacketType.ECHO_REQ || type === PacketType.ECHO_RES) && args[0].length === 0;
}

/** Names the outcome of a failed call in one word. */
function wordOf(error: unknown): string {
  if (error === REASON) return "aborted";
  if (error instanceof ConnectionError) return error.delivery ?? "lost";
  if (error instanceof ServerError) return error.code;
  if (error instanceof ProtocolError) return "protocol";
  if (error instanceof GearmanError && error.message.endsWith("the client is closed")) return "closed";
  throw new Error(`Unexpected error: ${error}`, { cause: error });
}

/** Runs one cell: makes the call, and asserts that its outcome is an expected one. */
export async function runCell(fault: Fault, name: string): Promise<string> {
  const { dial, stop } = await fault.start();
  try {
    return await judge(fault, name, dial);
  } finally {
    await stop(); // an open socket would keep the process alive
  }
}

async function judge(fault: Fault, name: string, dial: Dial): Promise<string> {
  const { call, result, question } = CALLS[name]!;
  const recorder = new PacketRecorder(dial);
  const client = new GearmanClient({
    ...{ dial: recorder.dial, minBackoff: 0, maxBackoff: 0, connectTimeout: 1_000, probeInterval: 10_000 },
    ...fault.options,
  });
  const begun = (created: Promise<unknown>) =>
    fault.silent === true ? settledOrQuiet(created) : created.catch(() => {});
  const outcome = await inTime(
    call(client, begun).then((value) => (assert.equal(value, result), "ok"), wordOf),
    `${name} under "${fault.name}" hangs`,
  );
  const submissions = recorder.requests.filter(isSubmission);
  const ofType = (type: PacketType) => (packet: Packet) => packet.type === type && !isKeepAlive(packet);
  const count = (type: PacketType) => recorder.answers.filter(ofType(type)).length;
  const created = count(PacketType.JOB_CREATED);
  const what = `${name} under "${fault.name}" ended as ${outcome}: ${show(recorder.requests)} / ${
    show(recorder.answers)
  }`;

  // No job is sent twice under any fault.
  const workloads = submissions.map(({ args }) => text([...args].at(-1)!));
  assert.equal(new Set(workloads).size, workloads.length, `sent twice: ${what}`);
  const delivery = submissions.length === 0 ? "not-sent" : created < submissions.length ? "unknown" : "accepted";
  const allowed = new Set<string>();
  if (name === "abort" && (fault.code === undefined || created > 0)) allowed.add("aborted");
  if (name === "close") allowed.add(delivery === "not-sent" ? "closed" : delivery);
  if (fault.harmless === true && name !== "abort" && name !== "close") allowed.add("ok");
  if (fault.code !== undefined) allowed.add(fault.code);
  if (fault.harmless !== true && fault.code === undefined) {
    // The packets that were read decide.
    const whole = name === "background" || name === "created"
      ? created === 1
      : name === "all"
      ? created === 4
      : count(PacketType.WORK_COMPLETE) === 1;
    if (question === undefined) allowed.add(whole ? "ok" : delivery);
    else if (count(question[1]) > 0) allowed.add("ok");
    else {
      // The query was never sent, or repeated in vain, because the second connection was bad or late too.
      const asked = recorder.requests.filter(ofType(question[0])).length;
      // A server that has failed gets no query before it has answered the option.
      const optionRequests = recorder.requests.filter(({ type }) => type === PacketType.OPTION_REQ).length;
      if (asked === 0 || ((asked > 1 || optionRequests > asked) && (fault.passes !== true || fault.silent === true))) {
        allowed.add("lost").add("protocol");
      }
    }
  }
  assert.ok(allowed.has(outcome), `expected ${[...allowed].join(" or ")}; ${what}`);

  // The client still works, unless it was closed.
  if ((fault.passes === true || fault.harmless === true) && name !== "close") {
    const next = (): Promise<Uint8Array> => {
      // With a short probeInterval, a busy machine looks like a dead server too.
      return client.echo("next").catch((error) => fault.silent === true ? next() : Promise.reject(error));
    };
    assert.equal(text(await inTime(next(), `the call after ${what} hangs`)), "next");
  }
  await inTime(client.close(), `close() after ${what} hangs`);
  return outcome;
}

/** Rejects with `what` after 20 s. It bounds a hang only: no passing test depends on it. */
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

/** Runs one row of the table: all calls at once under one fault. */
export async function runRow(fault: Fault): Promise<string[]> {
  return await Promise.all(NAMES.map((name) => runCell(fault, name)));
}

/** Formats the table. */
export function tableOf(title: string, rows: ReadonlyMap<string, readonly string[]>): string {
  const width = Math.max(title.length, ...[...rows.keys()].map(({ length }) => length));
  const line = (name: string, cells: readonly string[]) =>
    `${name.padEnd(width)}  ${cells.map((cell) => cell.slice(0, 10).padEnd(10)).join(" ")}`.trimEnd();
  return [line(title, NAMES), ...[...rows].map(([name, cells]) => line(name, cells))].join("\n");
}
