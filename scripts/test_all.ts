// deno-lint-ignore-file no-console -- it is there to print
/**
 * Runs the same tests on every runtime, and prints a table of the results. Deno and Bun run the sources, Node the built
 * package and compiled tests.
 *
 *     deno task test:all                                        all files on all runtimes
 *     deno task test:all bun node20                             all files on these runtimes
 *     deno task test:all node22 test/codec/decoder_test.ts      these files on this runtime
 *
 * With GEARMAN_REQUIRED=1 only the tests in `test/support/exceptions.ts` may be skipped, and all runtimes must run the
 * same number of tests.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import process from "node:process";
import config from "../deno.json" with { type: "json" };
import { EXCEPTIONS, type Runtime } from "../test/support/exceptions.ts";
import { compileTests, NODE_TESTS } from "./build/node_tests.ts";
import { BUILD, program, ROOT, type Tool } from "./support/tools.ts";

const REPORTS = `${BUILD}reports`;

const files = process.argv.slice(2).filter((argument) => argument.includes("/"));
const runtimes = process.argv.slice(2).filter((argument) => !argument.includes("/"));
/** True if no test may be skipped without being listed. */
const REQUIRED = process.env["GEARMAN_REQUIRED"] === "1" && files.length === 0;

/** One line of the table. */
interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** A line that names each failure, and indented lines that describe it. */
  readonly failures: readonly string[];
}

/** Runs the tests on each runtime. All of them write a report as JUnit's XML. */
const RUNTIMES: Record<string, (report: string) => Outcome> = {
  deno: (report) => {
    // Each file by itself, as on the other runtimes: without a path, Deno would take a folder in one go.
    const paths = files.length > 0 ? files : ["test"];
    const options = [`--junit-path=${report}`, "--preload=test/support/name_files.ts"];
    return runTests("deno", "deno", process.execPath, ["task", "test", ...options, ...paths]);
  },
  bun: (report) => {
    const [, ...task] = config.tasks["test:bun"].command.replace(" ./test", "").split(" ");
    const paths = files.length > 0 ? files.map((file) => `./${file}`) : ["./test"];
    return runTests("bun", "bun", "npx", [...task, "--reporter=junit", `--reporter-outfile=${report}`, ...paths]);
  },
  node20: (report) => runOnNode("node20", report),
  node22: (report) => runOnNode("node22", report),
  node24: (report) => runOnNode("node24", report),
};

let compiled: string[] | undefined;

function runOnNode(name: Tool, report: string): Outcome {
  compiled ??= compileTests();
  const only = files.length > 0 ? files.map((file) => file.replace(/\.ts$/, ".js")) : compiled;
  return runTests(name, "node", program(name, "node"), [
    // A file that hangs after a failure fails by itself, and the others are still reported.
    ...["--test", "--test-concurrency=2", "--test-timeout=400000"],
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...["--test-reporter=junit", `--test-reporter-destination=${report}`, ...only],
  ]);
}

function runTests(name: string, runtime: Runtime, command: string, args: string[]): Outcome {
  console.log(`\n=== ${name}`);
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: runtime === "node" ? NODE_TESTS : ROOT,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    maxBuffer: 1 << 28,
    timeout: 900_000, // a run that hangs has failed
  });
  const seconds = Math.round((performance.now() - started) / 1_000);
  const report = `${REPORTS}/${name}.xml`;
  const output = `${stdout}${stderr}`;
  const cases = existsSync(report) ? readReport(readFileSync(report, "utf8")) : [];
  const count = (result: Case["result"]) => cases.filter((one) => one.result === result).length;
  const failure = (what: string, why: string) => `FAILED ${name}: ${what}\n${why.replace(/^/gm, "    ")}`;
  const failures = [
    ...(REQUIRED ? wrongSkips(cases, runtime) : []).map((line) => failure(line, "")),
    ...cases.filter(({ result }) => result === "failed").map((each) =>
      failure(`${each.file ?? fileOf(each.name, output)}${each.name}`, each.why.slice(0, 1_000))
    ),
  ];
  if (failures.length === 0 && (status !== 0 || cases.length === 0)) {
    failures.push(failure(`the run ended with status ${status}`, output.slice(-2_000)));
  }
  if (failures.length > 0) console.log(output);
  return { name, passed: count("passed"), skipped: count("skipped"), seconds, failures };
}

interface Case {
  readonly name: string;
  /** The test's file and a separator, if the report has the file beside the name. */
  readonly file: string | undefined;
  readonly result: "passed" | "failed" | "skipped";
  /** The report's description of a failure. */
  readonly why: string;
}

/** Reads the tests of a report, without the groups around them, which Deno reports as tests too. */
function readReport(xml: string): Case[] {
  const pattern = /<testcase name="([^"]*)"([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  const cases = Array.from(xml.matchAll(pattern), ([, name = "", attributes = "", inside = ""]) => {
    const [, file] = /\bfile="(?:[^"]*\/)?(test\/[^"]*)"/.exec(attributes) ?? [];
    const result = /<(failure|error)\b/.test(inside) ? "failed" : /<skipped\b/.test(inside) ? "skipped" : "passed";
    return {
      name: unescape(name),
      file: file === undefined ? undefined : `${file} > `,
      result,
      why: unescape(inside.replace(/<[^>]*>/g, "")).trim(),
    } as const;
  });
  const groups = new Set<string>();
  for (const { name } of cases) {
    for (let at = name.indexOf(" > "); at !== -1; at = name.indexOf(" > ", at + 1)) groups.add(name.slice(0, at));
  }
  return cases.filter(({ name }) => !groups.has(name));
}

/** Finds the file of a failed test in the output: Node 20 names it there only. Deno's names begin with it. */
function fileOf(name: string, output: string): string {
  for (const [, file, failed] of output.matchAll(/^\s*test at (\S+?):\d+:\d+\n\s*✖ (.*?)(?: \([\d.]+ms\))?$/gm)) {
    if (failed === name) return `${file} > `;
  }
  return "";
}

function unescape(text: string): string {
  const characters: Record<string, string> = { "#10": "\n", amp: "&", apos: "'", gt: ">", lt: "<", quot: '"' };
  return text.replace(/&(#10|amp|apos|gt|lt|quot);/g, (_, name) => characters[name]!);
}

/** Compares the skipped tests with the list of exceptions: if every program is installed, both are the same. */
function wrongSkips(cases: readonly Case[], runtime: Runtime): string[] {
  const listed = EXCEPTIONS.filter(({ skippedOn }) => skippedOn.includes(runtime)).map(({ test }) => test);
  const skipped = cases.filter(({ result }) => result === "skipped").map(({ name }) => name);
  const is = (test: string) => (name: string) => name === test || name.endsWith(` > ${test}`);
  return [
    ...skipped.filter((name) => !listed.some((test) => is(test)(name))).map((name) =>
      `Skipped, and not listed: ${name}`
    ),
    ...listed.filter((test) => !skipped.some(is(test))).map((test) => `Listed, and not skipped: ${test}`),
  ];
}

function printTable(outcomes: readonly Outcome[]): void {
  const row = (...cells: (string | number)[]) => console.log(cells.map((cell) => String(cell).padStart(8)).join("  "));
  console.log();
  row("runtime", "passed", "failed", "skipped", "seconds");
  for (const { name, passed, failures, skipped, seconds } of outcomes) {
    row(name, passed, failures.length, skipped, seconds);
  }
}

const names = runtimes.length > 0 ? runtimes : Object.keys(RUNTIMES);
const unknown = names.filter((name) => !(name in RUNTIMES));
if (unknown.length > 0) {
  throw new Error(`Unknown runtime ${unknown.join(", ")}; known are ${Object.keys(RUNTIMES).join(", ")}`);
}
rmSync(REPORTS, { recursive: true, force: true });
mkdirSync(REPORTS, { recursive: true });
const outcomes = names.map((name) => RUNTIMES[name]!(`${REPORTS}/${name}.xml`));
printTable(outcomes);
const failures = outcomes.flatMap(({ failures }) => failures);
for (const failure of failures) console.log(failure);

const passed = outcomes.reduce((total, outcome) => total + outcome.passed, 0);
const ran = new Set(outcomes.map(({ passed, failures, skipped }) => passed + failures.length + skipped));
const failed = failures.length + (REQUIRED && failures.length === 0 && ran.size > 1 ? 1 : 0);
if (failed > failures.length) console.log("The runtimes have not run the same number of tests");
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
