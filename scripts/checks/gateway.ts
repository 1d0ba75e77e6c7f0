// deno-lint-ignore-file no-console -- it is there to print
/**
 * Runs the built package's client on every runtime over gateways on every platform, in front of gearmand, and prints a
 * matrix of what it did and how long that took. The gateways are the examples in the documentation of `./gateway`.
 *
 *     deno task check:gateway
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };
import { GearmanWorker } from "@gearwire/gearman";
import { GearmanAdmin } from "@gearwire/gearman/admin";
import { encodeRequest, encodeResponse, PacketType } from "@gearwire/gearman/codec";
import { startGearmand } from "../../test/support/gearmand.ts";
import { findProgram } from "../../test/support/requirements.ts";
import { freePort } from "../../test/support/socket_server.ts";
import { buildNpm, moduleOf, PACKAGE } from "../build/npm.ts";
import { check, closeChecks } from "../support/checklist.ts";
import { Gate } from "../support/gate.ts";
import { BUILD, install, must, program, ROOT, runAsync } from "../support/tools.ts";
import { checksum, NAMES, type Outcome, pattern } from "./gateway_client.ts";

const FOLDER = `${BUILD}gateway`;
/** Milliseconds after which a client that has not reported its end is considered to hang. */
const TIMEOUT = 180_000;
const CONTENT_TYPE = "application/vnd.gearman";
/** The date of the compatibility of workerd. */
const COMPATIBILITY_DATE = "2026-01-01";
/** Switch off everything that is not needed to show a page on loopback. */
const CHROMIUM_SWITCHES = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];
/** The calls that the gateways of this check allow. */
const ALLOW = `export function allow(call) {
  return call.kind === "status" || call.functionName !== "forbidden" || "Only for tests";
}`;

prepare();
const gearmand = await startGearmand();
const GEARMAN = `127.0.0.1:${gearmand.port}`;
const gate = new Gate();
/** Workloads of the jobs in the background that have run. */
const stored: string[] = [];
const worker = startWorker();
const admin = new GearmanAdmin(GEARMAN);
/** The gateway that runs now. */
let gateway: ChildProcess | undefined;
/** What gateways and Workers have written to their standard error in this run. */
let log = "";
/** What the page in Chromium has reported. */
let report = Promise.withResolvers<string>();
const control = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, serveControl);
const CONTROL = `http://127.0.0.1:${control.addr.port}`;

/** Runs the scenarios over the gateway at a URL, and returns what came of them. */
type Client = (url: string) => Promise<Outcome[]>;

const CLIENTS: Record<string, Client> = {
  "Deno": (url) => runProgram(process.execPath, ["run", "-A", "--no-config", "main.mjs", url, CONTROL]),
  "Bun": (url) => runProgram(program("bun"), ["main.mjs", url, CONTROL]),
  "Node 20, ws": (url) => runProgram(program("node20", "node"), ["main.mjs", url, CONTROL]),
  "Node 22": (url) => runProgram(program("node22", "node"), ["main.mjs", url, CONTROL]),
  "edge-runtime": (url) => runProgram(program("node22", "node"), ["edge.cjs", url, CONTROL, install("edge-runtime")]),
  "workerd": runInWorkerd,
  "Chromium": runInChromium,
};

/** Starts a gateway on a port. */
const GATEWAYS: Record<string, (port: number) => ChildProcess> = {
  "node:http, ws": (port) => start(program("node22", "node"), ["gateway_node.mjs"], port),
  "Deno.serve": (port) => start(process.execPath, ["run", "-A", "--no-config", "gateway_deno.mjs"], port),
  "Bun.serve": (port) => start(program("bun"), ["gateway_bun.mjs"], port),
  "Worker": (port) => {
    writeFileSync(`${FOLDER}/gateway.capnp`, configure("gateway_worker.mjs", port, { GEARMAN }));
    return start(program("workerd"), ["serve", `${FOLDER}/gateway.capnp`], port);
  },
};

const rows: { readonly cells: string[] }[] = [];
for (const transport of ["ws", "http"] as const) {
  for (const client of Object.keys(CLIENTS)) await runOver(client, transport, "node:http, ws");
  for (const platform of Object.keys(GATEWAYS).slice(1)) await runOver("Deno", transport, platform);
}
for (const platform of Object.keys(GATEWAYS)) await attack(platform);
printMatrix();

await worker.close();
await admin.close();
await control.shutdown();
await gearmand.stop();
closeChecks();

/** Builds the package, bundles the clients, and takes the gateways from the documentation. */
function prepare(): void {
  buildNpm();
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const bundle = (source: string, target: string, ...more: string[]) => {
    const aliases = Object.keys(config.exports).map((entryPoint) =>
      `--alias:${config.name}${entryPoint.slice(1)}=${PACKAGE}/${moduleOf(entryPoint)}`
    );
    const args = ["--bundle", "--format=esm", "--target=es2022", "--log-level=warning", ...aliases.toReversed()];
    assert.equal(must(program("esbuild"), [source, ...args, `--outfile=${FOLDER}/${target}`, ...more]), "");
  };
  bundle(`${ROOT}scripts/checks/gateway_client.ts`, "client.js");
  bundle(`${ROOT}scripts/checks/gateway_client.ts`, "client_script.js", "--format=iife", "--global-name=gatewayClient");
  bundle(`${ROOT}scripts/checks/gateway_page.ts`, "page.js");
  writeFileSync(`${FOLDER}/allow.js`, ALLOW);
  const examples = documentedPrograms();
  const markers = { node: "node:http", deno: "Deno.serve", bun: "Bun.serve", worker: "cloudflare:sockets" };
  for (const [name, marker] of Object.entries(markers)) {
    const example = examples.find((text) => text.includes(marker)) ?? assert.fail(`there is no example of ${marker}`);
    writeFileSync(`${FOLDER}/example_${name}.js`, example);
    bundle(
      `${FOLDER}/example_${name}.js`,
      `gateway_${name}.mjs`,
      "--external:node:*",
      "--external:cloudflare:*",
      "--external:ws",
    );
  }
  writeFileSync(
    `${FOLDER}/main.mjs`,
    `import { runScenarios } from "./client.js";
     const process = globalThis.process ?? (await import("node:process")).default;
     const [gateway, control] = process.argv.slice(2);
     const WebSocket = globalThis.WebSocket ?? (await import("ws")).default;
     console.log(JSON.stringify(await runScenarios({ gateway, control, WebSocket })));`,
  );
  writeFileSync(
    `${FOLDER}/edge.cjs`,
    `const [gateway, control, folder] = process.argv.slice(2);
     const { EdgeRuntime } = require(folder);
     const runtime = new EdgeRuntime();
     runtime.evaluate(require("node:fs").readFileSync(__dirname + "/client_script.js", "utf8"));
     const run = runtime.evaluate("(gateway, control) => gatewayClient.runScenarios({ gateway, control, WebSocket })");
     run(gateway, control).then((outcomes) => {
       console.log(JSON.stringify(outcomes));
       process.exit();
     });`,
  );
  writeFileSync(
    `${FOLDER}/worker_client.mjs`,
    `import { runScenarios } from "./client.js";
     export default {
       async fetch(request, { CONTROL }) {
         const gateway = new URL(request.url).searchParams.get("gateway");
         return Response.json(await runScenarios({ gateway, control: CONTROL, WebSocket }));
       },
     };`,
  );
}

/** Returns the programs in the documentation of the entry point `./gateway`. */
function documentedPrograms(): string[] {
  const text = readFileSync(`${ROOT}src/gateway/mod.ts`, "utf8").replaceAll(/^ \* ?/gm, "");
  return Array.from(text.matchAll(/^```js ignore\n(.*?)^```$/gms), ([, code]) => code!);
}

/** Makes the configuration of a Worker that listens on a port. */
function configure(module: string, port: number, bindings: Record<string, string>): string {
  const text = (value: string) => JSON.stringify(value);
  const files = [module, ...readdirSync(FOLDER).filter((file) => file === "client.js")];
  const modules = files.map((file) => `(name = ${text(file)}, esModule = embed ${text(file)})`);
  const texts = Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [
        (name = "main", worker = (
          compatibilityDate = ${text(COMPATIBILITY_DATE)}, modules = [${modules}], bindings = [${texts}])),
        (name = "internet", network = (allow = ["private"]))],
      sockets = [(name = "main", address = "127.0.0.1:${port}", http = (), service = "main")]);`;
}

function startWorker(): GearmanWorker {
  const worker = new GearmanWorker({ servers: GEARMAN, concurrency: 20, onEvent() {} });
  worker.addFunction("large", (job) => pattern(Number(job.text())));
  worker.addFunction("pieces", async function* (job) {
    const bytes = pattern(Number(job.text()));
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  });
  worker.addFunction("measure", (job) => `${job.workload.length} ${checksum(job.workload)}`);
  worker.addFunction("upper", (job) => job.text().toUpperCase());
  worker.addFunction("store", (job) => {
    stored.push(job.text());
    return "";
  });
  worker.addFunction("held", (job) => gate.hold(job));
  worker.addFunction("lines", (job) => gate.advance(job));
  worker.addFunction("throws", () => {
    throw new Error("broken on purpose");
  });
  worker.run();
  return worker;
}

async function serveControl(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case "/open":
      gate.open();
      return new Response();
    case "/stored":
      return new Response(String(stored.filter((text) => text.startsWith(`${searchParams.get("run")} `)).length));
    case "/connections": {
      const clients = (await admin.workers()).filter(({ functionNames }) => functionNames.length === 0);
      return new Response(String(clients.length - 1)); // without this one
    }
    case "/kill":
      await kill();
      return new Response();
    case "/end":
      report.resolve(await request.text());
      return new Response();
    case "/page.js":
      return new Response(readFileSync(`${FOLDER}/page.js`), { headers: { "content-type": "text/javascript" } });
    default:
      return new Response(
        `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>`,
        {
          headers: { "content-type": "text/html" },
        },
      );
  }
}

/** Starts a program in the folder of this check, as a gateway or as a Worker. */
function start(command: string, args: readonly string[], port: number): ChildProcess {
  const child = spawn(command, args, {
    cwd: FOLDER,
    env: { ...process.env, GEARMAN, PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr!.on("data", (chunk) => log += chunk);
  return child;
}

/** Kills the gateway, and resolves when it has ended. */
async function kill(): Promise<void> {
  await end(gateway);
  gateway = undefined;
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

/** Runs a client over a gateway, and adds a row to the matrix. */
async function runOver(client: string, transport: "ws" | "http", platform: string): Promise<void> {
  const via = transport === "ws" ? "WebSocket" : "fetch";
  const name = `${client} with ${via} over ${platform}`;
  await check(name, async () => {
    const port = await freePort();
    gateway = GATEWAYS[platform]!(port);
    await untilListening(port, gateway);
    let outcomes: Outcome[] = [];
    log = "";
    try {
      outcomes = await CLIENTS[client]!(`${transport}://127.0.0.1:${port}/`);
    } catch (error) {
      throw new Error(`${error}\nthe programs said: ${log}`);
    } finally {
      await kill();
      const cells = NAMES.map((name) => {
        const outcome = outcomes.find((each) => each.name === name);
        return outcome === undefined ? "-" : outcome.error === "" ? `${outcome.milliseconds}` : "FAILED";
      });
      rows.push({ cells: [client, via, platform, ...cells] });
    }
    const failures = outcomes.filter(({ error }) => error !== "").map(({ name, error }) => `${name}: ${error}`);
    assert.deepEqual(failures, [], log);
    assert.deepEqual(outcomes.map(({ name }) => name), NAMES);
  });
}

/** Sends requests over TCP that are broken, cut off or refused, and finds the gateway alive after each. */
async function attack(platform: string): Promise<void> {
  await check(`hostile requests over ${platform}`, async () => {
    const port = await freePort();
    log = "";
    gateway = GATEWAYS[platform]!(port);
    await untilListening(port, gateway);
    try {
      for (const { name, head, size, leaves } of hostileRequests()) {
        for (let i = 0; i < 3; i++) await sendRaw(port, head, size, leaves);
        const headers = { "content-type": CONTENT_TYPE };
        const body = encodeRequest(PacketType.ECHO_REQ, "alive");
        const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body: body.slice() });
        const answer = new Uint8Array(await response.arrayBuffer());
        assert.deepEqual(answer, encodeResponse(PacketType.ECHO_RES, "alive"), name);
        assert.deepEqual([gateway.exitCode, gateway.signalCode], [null, null], name);
      }
    } catch (error) {
      throw new Error(`${error}\nthe gateway said: ${log}`);
    } finally {
      await kill();
    }
  });
}

/** A request that is sent over TCP: its head, bytes behind it, and whether the client resets the connection then. */
interface HostileRequest {
  readonly name: string;
  readonly head: string;
  readonly size: number;
  readonly leaves: boolean;
}

function hostileRequests(): HostileRequest[] {
  const post = `POST / HTTP/1.1\r\nhost: x\r\n`;
  const packets = `${post}content-type: ${CONTENT_TYPE}\r\n`;
  const upgrade = "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n" +
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const requests: Record<string, [head: string, size?: number]> = {
    "too large": [`${packets}content-length: 99999999\r\n\r\n`, 5_000_000],
    "another content type": [`${post}content-type: text/plain\r\ncontent-length: 5000000\r\n\r\n`, 5_000_000],
    "garbage": [`${packets}content-length: 5000000\r\n\r\ngarbage`, 5_000_000],
    "garbage in chunks": [`${packets}transfer-encoding: chunked\r\n\r\n7\r\ngarbage\r\n`],
    "a chunk without a length": [`${packets}transfer-encoding: chunked\r\n\r\nZZZ\r\n`],
    "no body": [`${packets}content-length: 20\r\n\r\n`],
    "a URL that cannot be read": [`POST //[ HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`],
    "a URL with a user": [`POST http://a:b@c/ HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`],
    "an upgrade of a URL that cannot be read": [`GET //[ HTTP/1.1\r\n${upgrade}`],
    "an upgrade of a URL with a user": [`GET http://a:b@c/ HTTP/1.1\r\n${upgrade}`],
    "an upgrade": [`GET / HTTP/1.1\r\n${upgrade}`],
    "TRACE": [`TRACE / HTTP/1.1\r\nhost: x\r\n\r\n`],
    "CONNECT": [`CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n`],
  };
  return Object.entries(requests).flatMap(([name, [head, size = 0]]) =>
    [false, true].map((leaves) => ({ name, head, size, leaves }))
  );
}

/** Sends a request, waits for an answer (200 ms at most), and resets the connection or ends it. */
async function sendRaw(port: number, head: string, size: number, leaves: boolean): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const answered = new Promise((resolve) => {
    socket.once("data", resolve);
    socket.once("close", resolve);
    setTimeout(resolve, 200);
  });
  socket.write(head);
  if (size > 0) socket.write(new Uint8Array(size));
  await (leaves ? new Promise((resolve) => socket.once("connect", resolve)) : answered);
  if (leaves) socket.resetAndDestroy();
  else socket.destroy();
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error("The program has ended");
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Runs a program that prints the outcomes. */
async function runProgram(command: string, args: readonly string[]): Promise<Outcome[]> {
  const { status, output } = await runAsync(command, args, { cwd: FOLDER, timeout: TIMEOUT });
  assert.equal(status, 0, output);
  return JSON.parse(output.split("\n").find((line) => line.startsWith("[")) ?? assert.fail(output));
}

async function runInWorkerd(url: string): Promise<Outcome[]> {
  const port = await freePort();
  writeFileSync(`${FOLDER}/client.capnp`, configure("worker_client.mjs", port, { CONTROL }));
  const workerd = start(program("workerd"), ["serve", `${FOLDER}/client.capnp`], port);
  try {
    await untilListening(port, workerd);
    const response = await fetch(`http://127.0.0.1:${port}/?gateway=${encodeURIComponent(url)}`, {
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text);
  } finally {
    await end(workerd);
  }
}

async function runInChromium(url: string): Promise<Outcome[]> {
  report = Promise.withResolvers();
  // Removed with the folder in the next run: Chromium's processes still write there after it was killed.
  const profile = mkdtempSync(`${FOLDER}/profile-`);
  const chromium = spawn(
    findProgram("chromium") ?? assert.fail("chromium is not installed (Debian: chromium)"),
    [...CHROMIUM_SWITCHES, `--user-data-dir=${profile}`, `${CONTROL}/?gateway=${encodeURIComponent(url)}`],
    { stdio: "ignore" },
  );
  const timer = setTimeout(() => report.reject(new Error(`The page has not ended after ${TIMEOUT} ms`)), TIMEOUT);
  try {
    const { outcomes, error } = JSON.parse(await report.promise) as { outcomes: Outcome[]; error: string };
    assert.equal(error, "");
    return outcomes;
  } finally {
    clearTimeout(timer);
    await end(chromium);
  }
}

/** Prints what each client did over each gateway, in milliseconds. */
function printMatrix(): void {
  const table = [["client", "over", "gateway", ...NAMES], ...rows.map(({ cells }) => cells)];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  console.log("\nMilliseconds of each scenario; the order of the columns is that of the run:");
  for (const row of table) {
    console.log(row.map((cell, i) => i < 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "));
  }
  console.log();
}
