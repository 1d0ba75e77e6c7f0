/**
 * Runs every program in README as a reader would: in a project with the npm package, on Deno, Bun, Node 24, and through
 * tsx on Node 20. Checks their types, and lints them with typescript-eslint's `recommendedTypeChecked`.
 *
 *     deno task check:readme                   everything
 *     deno task check:readme deno bun          the programs on these runtimes
 *
 * The programs are changed in one thing: their ports are ones that nothing else uses.
 */

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };
import { GearmanWorker } from "@gearwire/gearman";
import { JobServer } from "@gearwire/gearman/server";
import { freePort } from "../../test/support/socket_server.ts";
import { buildNpm, TARBALL } from "../build/npm.ts";
import { check, closeChecks } from "../support/checklist.ts";
import { Gate } from "../support/gate.ts";
import { isListening, Running, until } from "../support/running.ts";
import { BUILD, program, runAsync, VERSIONS } from "../support/tools.ts";
import { type Example, readExamples, README } from "./readme_examples.ts";

const PROJECT = `${BUILD}readme`;

/** How the programs are run. */
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  deno: [process.execPath, "run", "--no-prompt", "--allow-net"],
  bun: [program("bun")],
  node24: [program("node24", "node")],
  tsx: [program("node20", "node"), `${PROJECT}/node_modules/tsx/dist/cli.mjs`],
};
/** The permissions that README names for programs that need more on Deno. */
const PERMISSIONS: Readonly<Record<string, readonly string[]>> = {
  "handlers-that-need-the-cpu-in-threads.ts": ["--allow-read", "--allow-sys=cpus"],
};
/** The retry, which is tried with a job server that fails. */
const RETRY = "errors-and-repeating.ts";
/** The ports that stand in README. */
const PORTS = ["4730", "8080", "9464"];
const TSCONFIG = {
  compilerOptions: {
    ...{ target: "es2022", lib: ["es2023", "esnext.disposable"], module: "nodenext", types: ["node"] },
    ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, noEmit: true },
  },
  include: ["*.ts"],
};
const ESLINT = `import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  { ignores: ["*/**", "*.js", "*.mjs"] },
  tseslint.configs.recommendedTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
);
`;
const JEST_TEST = `import { GearmanClient, GearmanWorker } from "${config.name}";
import { JobServer } from "${config.name}/server";

test("a job runs", async () => {
  const server = new JobServer();
  const worker = new GearmanWorker({ dial: server.dial });
  worker.addFunction("reverse", (job) => [...job.text()].reverse().join(""));
  void worker.run();
  const client = new GearmanClient({ dial: server.dial });
  expect(await client.do("reverse", "hello").text()).toBe("olleh");
  await client.close();
  await worker.close();
  await server.close();
});
`;

const only = process.argv.slice(2);
const examples = readExamples();
await prepare();
if (only.length === 0) {
  for (const compiler of ["typescript5.5", "typescript"] as const) { // the oldest that README names, and today's
    await check(`types, with TypeScript ${VERSIONS[compiler].split("@").at(-1)}`, async () => {
      await succeed([program(compiler, "tsc"), "-p", "."]);
    });
  }
  await check("typescript-eslint's recommendedTypeChecked", async () => {
    await succeed(["node_modules/.bin/eslint", "--max-warnings=0", "."]);
  });
  await check("Jest, as README says", () => runJest("jest", {}));
  await check("ts-jest, as README says", () => {
    const [, settings] = /`"jest": (\{.*?\})`/.exec(README) ?? assert.fail("README must have the settings of ts-jest");
    return runJest("ts-jest", JSON.parse(settings!));
  });
}
const runtimes = only.length > 0 ? only : Object.keys(RUNTIMES);
await Promise.all(runtimes.map(runExamples)); // each has a job server and ports of its own
closeChecks();

/** Builds the package, and installs it in a project with everything that README's readers use. */
async function prepare(): Promise<void> {
  buildNpm();
  rmSync(PROJECT, { recursive: true, force: true });
  mkdirSync(PROJECT, { recursive: true });
  const tools = ["eslint", "jest", "ts-jest", "tsx", "typescript", "typescript-eslint"] as const;
  const dependencies = {
    [config.name]: `file:${TARBALL}`,
    "@types/node": config.imports["@types/node"].replace(/.*@/, ""),
    "p-retry": config.imports["p-retry"].replace(/.*@/, ""),
    ...Object.fromEntries(tools.map((tool) => [tool, VERSIONS[tool]])),
  };
  writeFileSync(`${PROJECT}/package.json`, JSON.stringify({ private: true, type: "module", dependencies }));
  writeFileSync(`${PROJECT}/deno.json`, JSON.stringify({ nodeModulesDir: "manual" }));
  writeFileSync(`${PROJECT}/tsconfig.json`, JSON.stringify(TSCONFIG));
  writeFileSync(`${PROJECT}/eslint.config.mjs`, ESLINT);
  for (const { file, code } of examples) writeFileSync(`${PROJECT}/${file}`, code);
  await succeed(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]);
}

/** Starts curl. */
type Curl = (...args: string[]) => Running;

/** Runs all programs on a runtime, with a job server that is one of them. */
async function runExamples(runtime: string): Promise<void> {
  const folder = `${PROJECT}/${runtime}`;
  mkdirSync(folder);
  const ports = new Map<string, string>();
  for (const port of PORTS) ports.set(port, String(await freePort()));
  const onFreePorts = (text: string) => text.replaceAll(new RegExp(PORTS.join("|"), "g"), (port) => ports.get(port)!);
  for (const { file, code } of examples) writeFileSync(`${folder}/${file}`, onFreePorts(code));

  const start = (file: string) => {
    const [command, ...args] = RUNTIMES[runtime]!;
    return new Running([command!, ...args, ...runtime === "deno" ? PERMISSIONS[file] ?? [] : [], file], folder);
  };
  const curl: Curl = (...args) => new Running(["curl", "-sS", "--max-time", "20", ...args.map(onFreePorts)], folder);
  const listening = (port: string) => isListening(Number(ports.get(port)));

  const server = start("server.ts");
  await listening("4730");
  const worker = start("worker.ts");
  /** The programs that run until they are stopped, and what else is to be tried with them. */
  const special: Readonly<Record<string, () => Promise<void>>> = {
    "server.ts": () => Promise.resolve(), // it is tried by all others, and ended after them
    "worker.ts": () => Promise.resolve(),
    "metrics.ts": async () => {
      await using _metrics = start("metrics.ts");
      await listening("9464");
      const text = await curl("http://127.0.0.1:9464/metrics").end();
      assert.match(text, /^# TYPE gearman_jobs gauge$/m);
      assert.match(text, /^gearman_workers\{function="reverse"\} 1$/m);
    },
    [RETRY]: async () => {
      // The connection ends twice before the job is accepted.
      await using faulty = new JobServer();
      const faults = [1, 2].map(() => faulty.faults.once("doBackground", "drop-before"));
      const { port } = await faulty.listen();
      const { code, ...example } = examples.find(({ file }) => file === RETRY)!;
      writeFileSync(`${folder}/${RETRY}`, code.replace("4730", String(port)));
      compare({ ...example, code }, onFreePorts, await start(RETRY).end());
      assert.deepEqual(faults.map(({ count }) => count), [1, 1]);
      assert.equal(faulty.inspect().jobs.length, 1);
    },
    "rest.ts": async () => {
      await using _rest = start("rest.ts");
      await listening("8080");
      await tryRest(onFreePorts("127.0.0.1:4730"), curl);
    },
  };
  for (const example of examples.filter(({ file }) => file.endsWith(".ts"))) {
    await check(`${example.file} on ${runtime}`, async () => {
      const run = special[example.file];
      if (run !== undefined) return await run();
      compare(example, onFreePorts, await start(example.file).end());
    });
  }
  await check(`worker.ts ends on ${runtime} when it is interrupted`, async () => {
    worker.interrupt();
    await worker.end();
  });
  await server[Symbol.asyncDispose]();
}

/** Tries the REST face with curl: results, failures, background jobs, events, and clients that leave. */
async function tryRest(jobServer: string, start: Curl): Promise<void> {
  const curl = (...args: string[]) => start(...args).end();
  const url = "http://127.0.0.1:8080";
  const asEvents = ["-N", "-i", "-H", "Accept: text/event-stream"];
  const gate = new Gate();
  await using worker = new GearmanWorker({ servers: jobServer, concurrency: 10, onEvent() {} });
  worker.addFunction("advance", (job) => gate.advance(job));
  worker.addFunction("held", (job) => gate.hold(job));
  worker.addFunction("early", async (job) => {
    await job.sendStatus(1, 2);
    throw new Error("out of paper");
  });
  worker.addFunction("late", async function* () {
    yield "a piece";
    await new Promise((resolve) => setTimeout(resolve, 100));
    throw new Error("out of ink");
  });
  worker.run();
  await worker.ready();

  assert.equal(await curl("-d", "hello", `${url}/reverse`), "olleh");
  assert.equal(await curl("-d", "a b", `${url}/reverse?x=1`), "b a");
  assert.match(await curl("-i", "-X", "PUT", `${url}/reverse`), /^HTTP\/1.1 405 /);
  assert.match(await curl("-i", "-d", "x", `${url}/a%00b`), /^HTTP\/1.1 400 /);

  // Failures before the first byte have a status of their own, progress or not; later ones cut the answer off.
  assert.match(await curl("-i", "-d", "x", `${url}/early`), /^HTTP\/1.1 502 [\s\S]*out of paper$/);
  const cut = await curl("-i", "-d", "x", `${url}/late`).catch((error: Error) => error.message);
  assert.match(cut, /HTTP\/1.1 200 [\s\S]*a piece/);
  assert.match(cut, /curl: \(18\)/);
  assert.match(await curl(...asEvents, "-d", "x", `${url}/late`), /event: failed\ndata: ".*out of ink.*"\n\n$/);

  // A job in the background: its status is under its Location while it runs.
  const accepted = await curl("-i", "-d", "x", "-H", "Prefer: respond-async", `${url}/held`);
  assert.match(accepted, /^HTTP\/1.1 202 /);
  const [, location] = /^location: (\/\S+)/im.exec(accepted) ?? assert.fail(accepted);
  const status = () => curl("-i", `${url}${location}`);
  await until(async () => (await status()).endsWith(`{"known":true,"running":true,"numerator":1,"denominator":2}`));
  gate.open();
  await until(async () => (await status()).startsWith("HTTP/1.1 404 "));

  // Events arrive while the job runs: it goes on only after its first line has arrived.
  await using events = start(...asEvents, "-d", "2", `${url}/advance`);
  await events.printed('event: status\ndata: {"numerator":1,"denominator":2}\n\nevent: data\ndata: "line 1\\n"');
  gate.open();
  await events.printed('"line 2\\n"');
  gate.open();
  const output = await events.end();
  assert.match(output, /^HTTP\/1.1 200 [\s\S]*^content-type: text\/event-stream/im);
  assert.match(output, /event: complete\ndata: ""\n\n$/);
}

function compare({ prints }: Example, onFreePorts: (text: string) => string, output: string): void {
  const lines = output.split("\n").map((line) => line.trim());
  let from = 0;
  for (const expected of prints.map(onFreePorts)) {
    const at = lines.indexOf(expected, from);
    assert.ok(at !== -1, `"${expected}" must be printed:\n${output}`);
    from = at;
  }
}

/** Runs a test in Jest, in a project of its own. */
async function runJest(name: "jest" | "ts-jest", settings: object): Promise<void> {
  const folder = `${PROJECT}/${name}`;
  mkdirSync(folder);
  const file = name === "jest" ? "job.test.js" : "job.test.ts";
  writeFileSync(
    `${folder}/${file}`,
    name === "jest" ? JEST_TEST : `import { expect, test } from "@jest/globals";\n${JEST_TEST}`,
  );
  writeFileSync(`${folder}/package.json`, JSON.stringify({ private: true, type: "module", jest: settings }));
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions: TSCONFIG.compilerOptions }));
  const env = { NODE_OPTIONS: "--experimental-vm-modules" };
  await succeed([program("node20", "node"), "../node_modules/jest/bin/jest.js"], folder, env);
}

async function succeed(command: readonly string[], cwd = PROJECT, env: Record<string, string> = {}): Promise<string> {
  const [name, ...args] = command;
  const { status, output } = await runAsync(name!, args, { cwd, env });
  assert.equal(status, 0, `${command.join(" ")}\n${output}`);
  return output;
}
