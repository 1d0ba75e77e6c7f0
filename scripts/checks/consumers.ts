/**
 * Installs the npm package in small projects, checks their types with several versions and settings of TypeScript, and
 * runs them on every runtime. Each runs a job on gearmand.
 *
 *     deno task check:consumers
 */

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };
import { GearmanWorker } from "@gearwire/gearman";
import { startGearmand } from "../../test/support/gearmand.ts";
import { buildNpm, moduleOf, TARBALL } from "../build/npm.ts";
import { check, closeChecks } from "../support/checklist.ts";
import { BUILD, program, runAsync, type Tool } from "../support/tools.ts";

/** The projects: both have the tarball installed, the second also the types of Node. */
const PROJECTS = { plain: `${BUILD}consumers/plain`, node: `${BUILD}consumers/node` };

const COMPILERS: readonly Tool[] = ["typescript5.5", "typescript5.9", "typescript", "typescript7"];
const RESOLUTIONS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};
/** The libraries that a consumer may have besides the language. */
const SURROUNDINGS = {
  "DOM": { project: PROJECTS.plain, lib: ["es2022", "dom", "dom.iterable"], types: [] },
  "@types/node": { project: PROJECTS.node, lib: ["es2022"], types: ["node"] },
  "@types/node and DOM": { project: PROJECTS.node, lib: ["es2022", "dom", "dom.iterable"], types: ["node"] },
};

const gearmand = await startGearmand();
const server = `127.0.0.1:${gearmand.port}`;
const worker = new GearmanWorker({ servers: server });
worker.addFunction("upper", (job) => job.text().toUpperCase());
worker.run();

/** Imports every entry point, so that all declarations are checked. */
const TYPESCRIPT = `
import { fromStreams, fromWebSocket, GearmanClient, GearmanWorker, type Duplex, type Job } from "${config.name}";
import { GearmanAdmin } from "${config.name}/admin";
import { PacketDecoder, PacketEncoder, PacketType } from "${config.name}/codec";
import * as connection from "${config.name}/connection";
import { Gateway } from "${config.name}/gateway";
import { JobServer } from "${config.name}/server";

export const imported = [fromStreams, GearmanWorker, GearmanAdmin, PacketDecoder, PacketEncoder, PacketType, connection, Gateway, JobServer];
export const open = (duplex: Duplex) => fromStreams(duplex);
export const openWebSocket = (socket: WebSocket) => fromWebSocket(socket);
{
  await using client = new GearmanClient("${server}");
  const job: Job = client.do("upper", new Uint8Array([97, 98, 99]));
  const response = new Response(await job.bytes());
  console.log(await response.text());
}
`;
/** The same program in the JavaScript that every runtime understands. */
const javascript = (specifier: string) => `
import { GearmanClient } from "${specifier}";
const client = new GearmanClient("${server}");
try {
  console.log(await client.do("upper", "abc").text());
} finally {
  await client.close();
}
`;
const COMMONJS = `
const { GearmanClient } = require("${config.name}");
const client = new GearmanClient("${server}");
client.do("upper", "abc").text().then(console.log).finally(() => client.close());
`;

buildNpm();
for (const [kind, project] of Object.entries(PROJECTS)) {
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  const types: Record<string, string> = kind === "node"
    ? { "@types/node": config.imports["@types/node"].replace(/.*@/, "") }
    : {};
  const dependencies = { [config.name]: `file:${TARBALL}`, ...types };
  writeFileSync(`${project}/package.json`, JSON.stringify({ private: true, type: "module", dependencies }));
  await succeed("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], project);
}

for (const compiler of COMPILERS) {
  for (const [resolution, modules] of Object.entries(RESOLUTIONS)) {
    for (const [surroundings, { project, lib, types }] of Object.entries(SURROUNDINGS)) {
      const name = `${compiler.replace(/(\d.*)/, " $1")}, ${resolution}, with ${surroundings}`;
      await check(name, async () => {
        const folder = `${project}/${name.replaceAll(/\W+/g, "-")}`;
        mkdirSync(folder);
        writeFileSync(`${folder}/main.ts`, TYPESCRIPT);
        const compilerOptions = { target: "es2022", strict: true, skipLibCheck: false, lib, types, ...modules };
        writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, files: ["main.ts"] }));
        await succeed(program(compiler, "tsc"), ["-p", folder], folder);
        await runsJob(program("node20", "node"), ["main.js"], folder);
      });
    }
  }
}

writeFileSync(`${PROJECTS.plain}/main.mjs`, javascript(config.name));
writeFileSync(`${PROJECTS.plain}/main.cjs`, COMMONJS);
writeFileSync(`${PROJECTS.plain}/local.mjs`, javascript(`./node_modules/${config.name}/${moduleOf(".")}`));
writeFileSync(`${PROJECTS.plain}/npm.ts`, javascript(`npm:${config.name}@${config.version}`));
writeFileSync(`${PROJECTS.plain}/main.ts`, TYPESCRIPT);

for (const node of ["node20.16", "node20", "node22", "node24"] as const) {
  await check(`import on ${node}`, () => runsJob(program(node, "node"), ["main.mjs"]));
}
for (const node of ["node22", "node24"] as const) {
  await check(`require() from CommonJS on ${node}`, () => runsJob(program(node, "node"), ["main.cjs"]));
}
await check("bun", () => runsJob(program("bun"), ["main.ts"]));
const DENO = {
  run: ["run", "--node-modules-dir=manual", "--allow-net"],
  check: ["check", "--node-modules-dir=manual"],
};
await check("deno, by its npm: name", () => runsJob(process.execPath, [...DENO.run, "npm.ts"]));
await check("deno, by its bare name", () => runsJob(process.execPath, [...DENO.run, "main.ts"]));
await check("deno, by a local path", () => runsJob(process.execPath, [...DENO.run, "local.mjs"]));
await check("deno check", async () => {
  await succeed(process.execPath, [...DENO.check, "main.ts", "npm.ts"]);
});

await worker.close();
await gearmand.stop();
closeChecks();

async function runsJob(command: string, args: readonly string[], folder?: string): Promise<void> {
  assert.equal(await succeed(command, args, folder), "ABC\n");
}

async function succeed(command: string, args: readonly string[], cwd = PROJECTS.plain): Promise<string> {
  const { status, output } = await runAsync(command, args, { cwd });
  assert.equal(status, 0, `${command} ${args.join(" ")}\n${output}`);
  return output;
}
