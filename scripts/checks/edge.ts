/**
 * Runs the built package in workerd, against gearmand and `JobServer`: bundled by esbuild and unbundled, with and
 * without `nodejs_compat`. One Worker is the example in README.
 *
 *     deno task check:edge
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import config from "../../deno.json" with { type: "json" };
import { GearmanWorker } from "@gearwire/gearman";
import { JobServer } from "@gearwire/gearman/server";
import { freePort } from "../../test/support/socket_server.ts";
import { startGearmand } from "../../test/support/gearmand.ts";
import { buildNpm, moduleOf, PACKAGE } from "../build/npm.ts";
import { check, closeChecks } from "../support/checklist.ts";
import { Gate } from "../support/gate.ts";
import { BUILD, must, program, ROOT } from "../support/tools.ts";

const FOLDER = `${BUILD}edge`;
/** A date up to which workerd has `nodejs_compat` switched off, unless the flag is set. */
const COMPATIBILITY_DATE = "2026-01-01";

/** The Workers: the example in README, and `edge_worker.ts` for everything else. */
const WORKERS = ["readme", "ours"] as const;

prepare();
for (const server of ["gearmand", "JobServer"]) {
  for (const bundled of [true, false]) {
    for (const flags of [[], ["nodejs_compat"]]) await tryOn(server, bundled, flags);
  }
}
closeChecks();

/** Builds the package, and both Workers in both ways. */
function prepare(): void {
  buildNpm();
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const [, example] =
    /```js[^\n]*\n([^`]*"cloudflare:sockets"[^`]*)```/.exec(readFileSync(`${ROOT}README.md`, "utf8")) ??
      assert.fail("README must have an example of a Worker");
  writeFileSync(`${FOLDER}/readme.js`, example!);
  must(program("esbuild"), [`${ROOT}scripts/checks/edge_worker.ts`, `--outfile=${FOLDER}/worker.js`]);
  writeFileSync(
    `${FOLDER}/ours.js`,
    `import { connect } from "cloudflare:sockets";
     import { makeWorker } from "./worker.js";
     export default makeWorker(connect);`,
  );
  for (const worker of WORKERS) {
    const args = [
      "--bundle",
      "--format=esm",
      "--external:cloudflare:*",
      `--alias:${config.name}=${PACKAGE}/${moduleOf(".")}`,
    ];
    const printed = must(program("esbuild"), [
      `${FOLDER}/${worker}.js`,
      ...args,
      ...["--log-level=warning", `--outfile=${FOLDER}/${worker}.bundle.js`],
    ]);
    assert.equal(printed, "", "esbuild must print no warning");
  }
}

/** Makes the configuration of workerd. */
function configure(bundled: boolean, flags: string[], ports: number[], servers: Record<string, string>): string {
  const text = (value: string) => JSON.stringify(value);
  const files = readdirSync(PACKAGE, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
  const unbundled = [
    ["worker.js", `embed ${text("worker.js")}`],
    // Workerd does not resolve packages: a module with the package's name takes the place of its entry point.
    [config.name, text(`export * from "./gearman/${moduleOf(".")}";`)],
    ...files.map((file) => [`${config.name}/${file}`, `embed ${text(`../npm/${file}`)}`]),
  ];
  const services = WORKERS.map((worker) => {
    const modules = [
      [`${worker}.js`, `embed ${text(bundled ? `${worker}.bundle.js` : `${worker}.js`)}`],
      ...bundled ? [] : unbundled,
    ].map(([name, source]) => `(name = ${text(name!)}, esModule = ${source})`);
    const bindings = Object.entries(servers).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
    return `(name = ${text(worker)}, worker = (
      compatibilityDate = ${text(COMPATIBILITY_DATE)}, compatibilityFlags = [${flags.map(text)}],
      modules = [${modules}], bindings = [${bindings}]))`;
  });
  const sockets = WORKERS.map((worker, i) =>
    `(name = ${text(worker)}, address = "127.0.0.1:${ports[i]}", http = (), service = ${text(worker)})`
  );
  return `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [${services}, (name = "internet", network = (allow = ["private"]))],
      sockets = [${sockets}]);`;
}

async function tryOn(serverName: string, bundled: boolean, flags: string[]): Promise<void> {
  const server = serverName === "gearmand" ? await startGearmand() : await startJobServer();
  const address = `127.0.0.1:${server.port}`;
  const ports = [await freePort(), await freePort()];
  const servers = { GEARMAN: address, REFUSING: `127.0.0.1:${await freePort()}` };
  writeFileSync(`${FOLDER}/config.capnp`, configure(bundled, flags, ports, servers));
  const workerd = spawn(program("workerd"), ["serve", `${FOLDER}/config.capnp`], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const output of [workerd.stdout, workerd.stderr]) output.on("data", (chunk) => log += chunk);
  const gate = new Gate();
  await using worker = new GearmanWorker({ servers: address, concurrency: 10 });
  worker.addFunction("count", (job) => gate.count(job));
  worker.addFunction("held", (job) => gate.hold(job));
  worker.addFunction("upper", (job) => job.text().toUpperCase());
  worker.run();

  const [readme, ours] = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
  const get = async (path: string) => {
    const response = await fetch(`${ours}${path}`, { signal: AbortSignal.timeout(20_000) });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return text;
  };
  /** Number of connections that do not belong to requests of the Worker. */
  let others = 0;
  const allClosed = () => until(async () => await countConnections(server.port) === others);

  const where = `on ${serverName}, ${bundled ? "bundled" : "unbundled"}, ${flags[0] ?? "no flags"}`;
  const attempt = (name: string, body: () => Promise<void>) =>
    check(`${name}, ${where}`, async () => {
      try {
        await body();
      } catch (error) {
        throw new Error(`${error}\nworkerd said: ${log}`);
      }
    });

  await attempt("workerd starts", async () => {
    await until(() => isListening(ports[1]!), workerd);
    await until(async () => {
      others = await countConnections(server.port);
      return others >= 1;
    });
  });
  await attempt("README's Worker streams a result while it comes", async () => {
    const response = await fetch(readme, { method: "POST", body: "3", signal: AbortSignal.timeout(20_000) });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let i = 1; i <= 3; i++) {
      assert.equal((await reader.read()).value, `line ${i}\n`);
      gate.open(); // the job goes on only after its line has arrived
    }
    assert.equal((await reader.read()).done, true);
    await allClosed();
  });
  await attempt("a request that ends early ends its connection, and the job runs on", async () => {
    const lines = 100;
    const controller = new AbortController();
    const response = await fetch(readme, { method: "POST", body: String(lines), signal: controller.signal });
    const reader = response.body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "line 1\n");
    controller.abort();
    // The end of a request is noticed when something is written to it, so the job writes one line for each look.
    let opened = 0;
    await until(async () => {
      assert.ok(opened < lines - 1, "the job must still be running");
      gate.open();
      opened++;
      return await countConnections(server.port) === others;
    });
    for (; opened < lines; opened++) gate.open();
  });
  await attempt("a request that ends without closing its client closes its connection", async () => {
    assert.equal(await get("/leave"), "left");
    await allClosed();
    gate.open();
  });
  await attempt("a job's token can be used in another request", async () => {
    const token = await get("/background");
    const getStatus = async () => JSON.parse(await get(`/status?job=${encodeURIComponent(token)}`));
    let status: { denominator: number };
    await until(async () => {
      status = await getStatus();
      return status.denominator > 0;
    });
    const handle = token.slice(token.lastIndexOf("//") + 2, token.lastIndexOf(";"));
    assert.deepEqual(status!, { handle, known: true, running: true, numerator: 1, denominator: 2 });
    gate.open();
    await until(async () => !(await getStatus()).known);
  });
  await attempt(
    "a refused connection is a ConnectionError with delivery not-sent, and another server takes the job",
    async () => {
      const { name, delivery, message } = JSON.parse(await get("/refused"));
      assert.deepEqual([name, delivery], ["ConnectionError", "not-sent"]);
      assert.match(message, /no job server could be reached: Cannot connect to 127\.0\.0\.1:\d+: /);
      assert.equal(await get("/failover"), "ABC");
    },
  );
  await attempt("one request can use several sockets", async () => {
    assert.deepEqual(JSON.parse(await get("/several")), ["A", "B", "C", "D", "E"]);
    await allClosed();
  });
  await attempt(
    "a client kept from an earlier request fails once with a ConnectionError, and then connects again",
    async () => {
      assert.deepEqual(JSON.parse(await get("/kept")), ["ONE", "TWO"]);
      for (let i = 0; i < 3; i++) {
        const [{ name, message, delivery }, next] = JSON.parse(await get("/kept"));
        assert.deepEqual([name, delivery, next], ["ConnectionError", "unknown", "TWO"]);
        assert.match(message, /different request/);
      }
      // An echo can be repeated safely, so it is, and does not fail.
      assert.equal(await get("/kept-echo"), "repeated");
      await allClosed();
    },
  );
  await attempt("workerd logs nothing", () => {
    // An unhandled rejection of an abandoned job would be logged, and so would the use of another request's socket.
    const lines = log.split("\n").filter((line) => line !== "");
    assert.deepEqual(lines, []);
    return Promise.resolve();
  });

  const ended = new Promise((resolve) => workerd.once("close", resolve));
  workerd.kill("SIGKILL");
  await ended;
  await worker.close();
  await server.stop();
}

async function startJobServer(): Promise<{ port: number; stop(): Promise<void> }> {
  const server = new JobServer();
  const { port } = await server.listen();
  return { port, stop: () => server.close() };
}

/** Waits until the condition is true, for at most 20 seconds, and fails at once if the process ends. */
async function until(condition: () => Promise<boolean>, needed?: ChildProcess): Promise<void> {
  const end = performance.now() + 20_000;
  while (!await condition()) {
    if (needed !== undefined && needed.exitCode !== null) throw new Error("workerd has ended");
    if (performance.now() > end) throw new Error("The condition is still false after 20 seconds");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Counts the connections of a job server: the lines of its answer to `workers`, without this connection's. */
function countConnections(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let lines = "";
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write("workers\n"));
    socket.once("error", reject);
    socket.on("data", (chunk) => {
      lines += chunk;
      if (!/^\.$/m.test(lines)) return;
      socket.destroy();
      resolve(lines.trim().split("\n").length - 2);
    });
  });
}
