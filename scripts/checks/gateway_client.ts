/**
 * The client of `scripts/checks/gateway.ts`, which runs on every runtime: what it does over a gateway, and what must come
 * of it. It needs nothing but a WebSocket or `fetch`.
 */

import {
  ConnectionError,
  type Dial,
  dialFetch,
  fromWebSocket,
  GearmanClient,
  JobFailedError,
  ServerError,
} from "@gearwire/gearman";
import type { WebSocketLike } from "@gearwire/gearman";

/** Where the gateway is, and the server that controls it. */
export interface Surroundings {
  /** URL of the gateway: of `ws:` for a WebSocket, or of `http:` for `fetch`. */
  readonly gateway: string;
  /** URL of the server that opens gates, kills the gateway, and knows what the worker has done. */
  readonly control: string;
  /** The WebSocket of the runtime. */
  readonly WebSocket: new (url: string, protocol: string) => WebSocketLike;
}

/** What came of a scenario. */
export interface Outcome {
  readonly name: string;
  /** Why it failed; empty if it passed. */
  readonly error: string;
  readonly milliseconds: number;
}

/** Milliseconds after which a scenario is considered to hang. */
const TIMEOUT = 30_000;
const SIZE = 20_000_000;
const COUNT = 1_000;

type Scenario = (client: GearmanClient, surroundings: Surroundings) => Promise<void>;

const SCENARIOS: Record<string, Scenario> = {
  // The first one, since a gateway in workerd may take until the next NOOP, 15 s, to notice that a client has left.
  "POST aborted": async (client, { control, gateway }) => {
    if (!gateway.startsWith("http")) return;
    const connections = async (count: number) => {
      while (Number(await ask(`${control}/connections`)) !== count) await new Promise((next) => setTimeout(next, 10));
    };
    await connections(0);
    const kept = client.do("never", "kept");
    await kept.created();
    const controller = new AbortController();
    const aborted = client.do("never", "aborted", { signal: controller.signal });
    await aborted.created();
    await connections(2);
    controller.abort(new Error("no longer wanted"));
    equal((await failure(aborted)).message, "no longer wanted");
    await connections(1);
    const lost = failure(kept);
    await client.close();
    equal((await lost as ConnectionError).delivery, "accepted");
  },
  "20 MB result": async (client) => {
    const result = await client.do("large", String(SIZE));
    equal([result.length, checksum(result)], [SIZE, checksum(pattern(SIZE))]);
  },
  "20 MB in pieces": async (client) => {
    let [size, sum] = [0, 0];
    for await (const event of client.do("pieces", String(SIZE))) {
      if (event.type !== "data" && event.type !== "complete") continue;
      size += event.data.length;
      sum = checksum(event.data, sum);
    }
    equal([size, sum], [SIZE, checksum(pattern(SIZE))]);
  },
  "20 MB workload": async (client) => {
    equal(await client.do("measure", pattern(SIZE)).text(), `${SIZE} ${checksum(pattern(SIZE))}`);
  },
  "1,000 jobs": async (client) => {
    const inputs = Array.from({ length: COUNT }, (_, i) => `job ${i}`);
    const results = await Promise.all(inputs.map((input) => client.do("upper", input).text()));
    equal(results, inputs.map((input) => input.toUpperCase()));
  },
  "1,000 in the background": async (client, { control }) => {
    const run = `run ${Math.random()}`;
    const inputs = Array.from({ length: COUNT }, (_, i) => `${run} ${i}`);
    const jobs = await Promise.all(inputs.map((input) => client.doBackground("store", input)));
    equal(new Set(jobs.map(({ handle }) => handle)).size, COUNT);
    let stored = 0;
    while (stored < COUNT) stored = Number(await ask(`${control}/stored?run=${encodeURIComponent(run)}`));
    equal(stored, COUNT);
  },
  "status": async (client, { control }) => {
    const job = await client.doBackground("held", "x");
    const seen = new Set<string>();
    for await (const status of client.watch(job, { interval: 20 })) {
      const state = status.known ? `${status.numerator}/${status.denominator}` : "gone";
      if (state === "1/2" && !seen.has(state)) await ask(`${control}/open`, "POST");
      seen.add(state);
    }
    equal([seen.has("1/2"), [...seen].at(-1)], [true, "gone"]);
  },
  "exception": async (client) => {
    const error = await failure(client.do("throws"));
    equal([error instanceof JobFailedError, error.message.includes("broken on purpose")], [true, true]);
  },
  "abort": async (client, { control }) => {
    const controller = new AbortController();
    const job = client.do("held", "x", { signal: controller.signal });
    for await (const event of job) {
      if (event.type === "status") break;
    }
    const events = client.do("held", "y", { signal: controller.signal })[Symbol.asyncIterator]();
    while ((await events.next()).value?.type !== "status");
    controller.abort(new Error("no longer wanted"));
    equal((await failure(events.next())).message, "no longer wanted");
    equal(await client.do("upper", "still there").text(), "STILL THERE");
    for (let i = 0; i < 2; i++) await ask(`${control}/open`, "POST");
  },
  "no permission": async (client) => {
    const [refused, allowed] = [failure(client.do("forbidden")), client.do("upper", "abc").text()];
    const error = await refused as ServerError;
    equal([error instanceof ServerError, error.code, error.text], [true, "NOT_ALLOWED", "Only for tests"]);
    equal(await allowed, "ABC");
  },
  "gateway killed": async (client, { control, gateway }) => {
    const job = client.do("never", "x");
    await job.created();
    const lost = failure(job);
    await ask(`${control}/kill`, "POST");
    const error = await lost as ConnectionError;
    equal([error instanceof ConnectionError, error.delivery], [true, "accepted"], error.message);
    const next = await failure(client.do("upper", "x")) as ConnectionError;
    // A rejected fetch may have been sent.
    const delivery = gateway.startsWith("http") ? "unknown" : "not-sent";
    equal([next instanceof ConnectionError, next.delivery], [true, delivery], next.message);
  },
};

/** The names of the scenarios, in their order; the last one ends the gateway. */
export const NAMES: readonly string[] = Object.keys(SCENARIOS);

/** Runs all scenarios over one gateway. */
export async function runScenarios(surroundings: Surroundings): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    const started = Date.now();
    const client = new GearmanClient({
      servers: "gateway",
      dial: dialOf(surroundings),
    });
    let error = "";
    try {
      await inTime(scenario(client, surroundings));
      await inTime(client.close());
    } catch (thrown) {
      error = String(thrown instanceof Error ? thrown.stack ?? thrown : thrown);
    }
    outcomes.push({ name, error, milliseconds: Date.now() - started });
  }
  return outcomes;
}

/** Connects over a WebSocket or over `fetch`, as the URL of the gateway says. */
export function dialOf({ gateway, WebSocket }: Pick<Surroundings, "gateway" | "WebSocket">): Dial {
  return gateway.startsWith("http") ? dialFetch(gateway) : () => fromWebSocket(new WebSocket(gateway, "gearman"));
}

/** Makes bytes that differ from their neighbours. */
export function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >>> 8)) & 0xff;
  return bytes;
}

/** Computes a sum that depends on the order of the bytes; `sum` is that of the bytes before. */
export function checksum(bytes: Uint8Array, sum = 0): number {
  const { imul } = Math; // edge-runtime takes long to look up a global
  let next = sum;
  for (let i = 0; i < bytes.length; i++) next = (imul(next, 31) + bytes[i]!) | 0;
  return next;
}

async function ask(url: string, method = "GET"): Promise<string> {
  return await (await fetch(url, { method })).text();
}

/** Resolves to the error of a promise that has to reject. */
async function failure(promise: PromiseLike<unknown>): Promise<Error> {
  const error = await promise.then(() => undefined, (error) => error);
  if (error === undefined) throw new Error("Expected an error");
  return error;
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No end within ${TIMEOUT} ms`)), TIMEOUT);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function equal(actual: unknown, expected: unknown, note = ""): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`Expected ${right}, got ${left} ${note}`.slice(0, 500));
}
