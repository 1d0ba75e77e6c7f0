// deno-lint-ignore-file no-console -- it is there to print
/**
 * Runs the same tests on every runtime, and prints a table of what came of it: Deno and Bun have the sources, Node the
 * built package and compiled tests.
 *
 *     deno task test:all                  on all of them
 *     deno task test:all bun node20       on those named
 *     deno task test:all node22 test/codec/decoder_test.ts      files named, and no others
 *
 * With GEARMAN_REQUIRED=1 nothing may be skipped but what `test/support/exceptions.ts` names, and every runtime has to
 * run as many tests as the others.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import process from "node:process";
import config from "../deno.json" with { type: "json" };
import { EXCEPTIONS, type Runtime } from "../test/support/exceptions.ts";
import { compileTests, NODE_TESTS } from "./build/node_tests.ts";
import { BUILD, program, ROOT, type Tool } from "./support/tools.ts";

const REPORTS = `${BUILD}reports`;

/** What is named: files have a slash. */
const files = process.argv.slice(2).filter((argument) => argument.includes("/"));
const runtimes = process.argv.slice(2).filter((argument) => !argument.includes("/"));
/** Whether all of the tests have to run. */
const REQUIRED = process.env["GEARMAN_REQUIRED"] === "1" && files.length === 0;

/** One line of the table. */
interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** Of each failure, a line of what it is, and more of why. */
  readonly failures: readonly string[];
}

/** How the tests are run on each; all of them write what came of it as JUnit's XML. */
const RUNTIMES: Record<string, (report: string) => Outcome> = {
  deno: (report) => {
    // Each file by itself, as the others do; without a path, Deno would take a folder in one go.
    const paths = files.length > 0 ? files : ["test"];
    return runTests("deno", "deno", process.execPath, ["task", "test", `--junit-path=${report}`, ...paths]);
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
    ...["--test", "--test-concurrency=2", "--test-reporter=spec", "--test-reporter-destination=stdout"],
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
    timeout: 900_000, // what hangs has failed
  });
  const seconds = Math.round((performance.now() - started) / 1_000);
  const report = `${REPORTS}/${name}.xml`;
  const cases = existsSync(report) ? readReport(readFileSync(report, "utf8")) : [];
  const count = (result: Case["result"]) => cases.filter((one) => one.result === result).length;
  const failure = (what: string, why: string) => `FAILED ${name}: ${what}\n${why.replace(/^/gm, "    ")}`;
  const failures = [
    ...(REQUIRED ? wrongSkips(cases, runtime) : []).map((line) => failure(line, "")),
    ...cases.filter(({ result }) => result === "failed").map(({ name, why }) => failure(name, why.slice(0, 1_000))),
  ];
  const output = `${stdout}${stderr}`;
  if (failures.length === 0 && (status !== 0 || cases.length === 0)) {
    failures.push(failure(`it ended with ${status}`, output.slice(-2_000)));
  }
  if (failures.length > 0) console.log(output);
  return { name, passed: count("passed"), skipped: count("skipped"), seconds, failures };
}

interface Case {
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
  /** What the report says of a failure. */
  readonly why: string;
}

/** The tests of a report; the groups around them, which Deno counts as tests too, are left out. */
function readReport(xml: string): Case[] {
  const cases = Array.from(xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g), (match) => {
    const [, name = "", inside = ""] = match;
    const result = /<(failure|error)\b/.test(inside) ? "failed" : /<skipped\b/.test(inside) ? "skipped" : "passed";
    return { name: unescape(name), result, why: unescape(inside.replace(/<[^>]*>/g, "")).trim() } as const;
  });
  const groups = new Set<string>();
  for (const { name } of cases) {
    for (let at = name.indexOf(" > "); at !== -1; at = name.indexOf(" > ", at + 1)) groups.add(name.slice(0, at));
  }
  return cases.filter(({ name }) => !groups.has(name));
}

function unescape(text: string): string {
  const characters: Record<string, string> = { "#10": "\n", amp: "&", apos: "'", gt: ">", lt: "<", quot: '"' };
  return text.replace(/&(#10|amp|apos|gt|lt|quot);/g, (_, name) => characters[name]!);
}

/** With everything there, nothing is skipped but what the list of exceptions names, and all of that is. */
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
if (unknown.length > 0) throw new Error(`There is no ${unknown.join(", ")}, but ${Object.keys(RUNTIMES).join(", ")}`);
rmSync(REPORTS, { recursive: true, force: true });
mkdirSync(REPORTS, { recursive: true });
const outcomes = names.map((name) => RUNTIMES[name]!(`${REPORTS}/${name}.xml`));
printTable(outcomes);
const failures = outcomes.flatMap(({ failures }) => failures);
for (const failure of failures) console.log(failure);

const passed = outcomes.reduce((total, outcome) => total + outcome.passed, 0);
const ran = new Set(outcomes.map(({ passed, failures, skipped }) => passed + failures.length + skipped));
const failed = failures.length + (REQUIRED && failures.length === 0 && ran.size > 1 ? 1 : 0);
if (failed > failures.length) console.log("Not every runtime has run as many tests as the others");
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
