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

/** The types of a runtime, and what a program may use besides the package. */
interface Surroundings {
  /** Packages of types that are installed. */
  readonly packages: Readonly<Record<string, string>>;
  /** A version of TypeScript for which these types are too new. */
  readonly unreadableBy?: Tool;
  readonly lib: readonly string[];
  readonly types: readonly string[];
  /** Statements that must compile here. */
  readonly program: string;
}

/** `Readable.fromWeb` takes a job's stream; and the package brings no DOM. */
const WITH_READABLE = `
import { Readable } from "node:stream";
{
  await using client = new GearmanClient(server);
  for await (const chunk of Readable.fromWeb(client.do("upper", "abc").stream())) expectText(chunk);
}`;
const WITHOUT_DOM = `
// @ts-expect-error: there is no DOM
export const leakedDocument = () => document;
// @ts-expect-error: there is no DOM
export const leakedName = () => name;`;

const SURROUNDINGS: Readonly<Record<string, Surroundings>> = {
  "Node": {
    packages: { "@types/node": config.imports["@types/node"].replace(/.*@/, "") },
    lib: ["es2022"],
    types: ["node"],
    program: WITH_READABLE + WITHOUT_DOM,
  },
  "Bun": {
    // Bun's types need newer ones of Node than those above, and neither can be read by TypeScript 5.5.
    packages: {
      "@types/bun": /bun@(\S+)/.exec(config.tasks["test:bun"].command)![1]!,
      "@types/node": "26.6.6",
    },
    unreadableBy: "typescript5.5",
    lib: ["esnext"],
    types: ["bun"],
    program: WITH_READABLE + WITHOUT_DOM,
  },
  "Cloudflare": {
    packages: { "@cloudflare/workers-types": "5.20261117.1" },
    lib: ["es2022"],
    types: ["@cloudflare/workers-types"],
    program: `export const cached = () => caches.default.match("https://example.com/");${WITHOUT_DOM}`,
  },
  "DOM": {
    packages: {},
    lib: ["es2022", "dom", "dom.iterable", "dom.asynciterable"],
    types: [],
    program: `export const title = () => document.title;`,
  },
};
/** The project of the surroundings that nothing but the package is installed in. */
const PLAIN = `${BUILD}consumers/DOM`;

const COMPILERS: readonly Tool[] = ["typescript5.5", "typescript5.9", "typescript", "typescript7"];
const RESOLUTIONS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
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

const server = "${server}";
function expectText(bytes: Uint8Array): void {
  if (new TextDecoder().decode(bytes) !== "ABC") throw new Error("expected ABC");
}
{
  await using client = new GearmanClient(server);
  const job: Job = client.do("upper", new Uint8Array([97, 98, 99]));
  const response = new Response(await job.bytes());
  console.log(await response.text());
  for await (const chunk of client.do("upper", "abc").stream()) expectText(chunk);
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
for (const [surroundings, { packages }] of Object.entries(SURROUNDINGS)) {
  const project = `${BUILD}consumers/${surroundings}`;
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  const dependencies = { [config.name]: `file:${TARBALL}`, ...packages };
  writeFileSync(`${project}/package.json`, JSON.stringify({ private: true, type: "module", dependencies }));
  await succeed("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], project);
}

for (const compiler of COMPILERS) {
  for (const [resolution, modules] of Object.entries(RESOLUTIONS)) {
    for (const [surroundings, { lib, types, unreadableBy, program: code }] of Object.entries(SURROUNDINGS)) {
      if (unreadableBy === compiler) continue;
      for (const skipLibCheck of [false, true]) {
        const how = skipLibCheck ? ", skipLibCheck" : "";
        const name = `${compiler.replace(/(\d.*)/, " $1")}, ${resolution}, with the types of ${surroundings}${how}`;
        await check(name, async () => {
          const folder = `${BUILD}consumers/${surroundings}/${name.replaceAll(/\W+/g, "-")}`;
          mkdirSync(folder);
          writeFileSync(`${folder}/main.ts`, TYPESCRIPT + code);
          const compilerOptions = { target: "es2022", strict: true, skipLibCheck, lib, types, ...modules };
          writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, files: ["main.ts"] }));
          await succeed(program(compiler, "tsc"), ["-p", folder], folder);
          await runsJob(program("node20", "node"), ["main.js"], folder);
        });
      }
    }
  }
}

writeFileSync(`${PLAIN}/main.mjs`, javascript(config.name));
writeFileSync(`${PLAIN}/main.cjs`, COMMONJS);
writeFileSync(`${PLAIN}/local.mjs`, javascript(`./node_modules/${config.name}/${moduleOf(".")}`));
writeFileSync(`${PLAIN}/npm.ts`, javascript(`npm:${config.name}@${config.version}`));
writeFileSync(`${PLAIN}/main.ts`, TYPESCRIPT);

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

async function succeed(command: string, args: readonly string[], cwd = PLAIN): Promise<string> {
  const { status, output } = await runAsync(command, args, { cwd });
  assert.equal(status, 0, `${command} ${args.join(" ")}\n${output}`);
  return output;
}
