/**
 * Runs the built package in headless Chromium, bundled by esbuild and unbundled: the codec, and clients over WebSockets
 * to a bridge in front of gearmand.
 *
 *     deno task check:browser
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import config from "../../deno.json" with { type: "json" };
import { GearmanWorker } from "@gearwire/gearman";
import { findProgram } from "../../test/support/requirements.ts";
import { startGearmand } from "../../test/support/gearmand.ts";
import { buildNpm, moduleOf, PACKAGE } from "../build/npm.ts";
import { check, closeChecks } from "../support/checklist.ts";
import { Gate } from "../support/gate.ts";
import { BUILD, must, program, ROOT } from "../support/tools.ts";

/** Switch off everything that is not needed to show a page on loopback. */
const SWITCHES = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];
/** Milliseconds after which a page that has not reported its end is considered to hang. */
const TIMEOUT = 60_000;

const FOLDER = `${BUILD}browser`;
const SOURCE = `${ROOT}scripts/checks/browser_page.ts`;
const ENTRY_POINTS = Object.keys(config.exports).map((entryPoint) =>
  [config.name + entryPoint.slice(1), `/${moduleOf(entryPoint)}`] as const
);

buildNpm();
rmSync(FOLDER, { recursive: true, force: true });
must(program("esbuild"), [SOURCE, `--outfile=${FOLDER}/page.js`, "--target=es2022"]);
await check("esbuild bundles the page for browsers without a warning", () => {
  const aliases = ENTRY_POINTS.map(([name, file]) => `--alias:${name}=${PACKAGE}${file}`);
  const args = ["--bundle", "--format=esm", "--target=es2022", ...aliases, "--log-level=warning"];
  assert.equal(must(program("esbuild"), [SOURCE, ...args, `--outfile=${FOLDER}/page.bundle.js`]), "");
});
await tryIn("page.js", "unbundled");
await tryIn("page.bundle.js", "bundled");
closeChecks();

async function tryIn(script: string, how: string): Promise<void> {
  const gearmand = await startGearmand();
  const gate = new Gate();
  const worker = new GearmanWorker({ servers: `127.0.0.1:${gearmand.port}` });
  worker.addFunction("count", (job) => gate.count(job));
  worker.addFunction("same", (job) => job.workload);
  worker.run();

  const reports: { name: string; error: string }[] = [];
  const ended = Promise.withResolvers<string>();
  const map = JSON.stringify({ imports: Object.fromEntries(ENTRY_POINTS) });
  const html = `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${map}</script>
    <script type="module">import("/${script}").catch((error) => fetch("/end", { method: "POST", body: error.stack }));
    </script>`;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/bridge") return await bridge(request, gearmand.port);
    if (pathname === "/open") gate.open();
    if (pathname === "/report") reports.push(await request.json());
    if (pathname === "/end") ended.resolve(await request.text());
    if (request.method === "POST") return new Response();
    if (pathname === "/") return new Response(html, { headers: { "content-type": "text/html" } });
    const file = pathname === `/${script}` ? `${FOLDER}${pathname}` : `${PACKAGE}${pathname}`;
    return new Response(readFileSync(file), { headers: { "content-type": "text/javascript" } });
  });

  // Removed with the folder in the next run: Chromium's processes still write there after it was killed.
  const profile = mkdtempSync(`${FOLDER}/profile-`);
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const chromium = spawn(
    findProgram("chromium") ?? assert.fail("chromium is not installed (Debian: chromium)"),
    [...SWITCHES, `--user-data-dir=${profile}`, url],
    { stdio: "ignore" },
  );
  const gone = new Promise<void>((resolve) => chromium.once("close", () => resolve()));
  gone.then(() => ended.resolve("Chromium has ended"));
  const timer = setTimeout(() => ended.resolve(`The page has not ended after ${TIMEOUT} ms`), TIMEOUT);
  const trouble = await ended.promise;
  clearTimeout(timer);
  for (const { name, error } of reports) await check(`${name}, ${how}`, () => assert.equal(error, ""));
  await check(`the page runs to its end, ${how}`, () => assert.equal(trouble, ""));

  chromium.kill("SIGKILL");
  await gone;
  await worker.close();
  await server.shutdown();
  await gearmand.stop();
}

/** Joins a WebSocket and a connection to gearmand: when one ends, the other is closed. */
async function bridge(request: Request, port: number): Promise<Response> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  const writer = connection.writable.getWriter();
  socket.onmessage = ({ data }) => {
    writer.write(new Uint8Array(data)).catch(() => socket.close());
  };
  socket.onclose = () => {
    writer.close().catch(() => {});
  };
  socket.onopen = async () => {
    try {
      for await (const bytes of connection.readable) socket.send(bytes);
    } catch {
      // The page has closed its side, which ends this read.
    }
    socket.close();
  };
  return response;
}
