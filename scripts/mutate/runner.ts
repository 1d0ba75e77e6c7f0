/** Runs the tests of rooms in copies of the checkout, so that the checkout itself is never touched. */

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import process from "node:process";
import { signalGroup } from "../support/running.ts";
import { BUILD, ROOT } from "../support/tools.ts";

const FOLDER = `${BUILD}mutate/`;

/** Removes the copies of scripts that were killed. */
export function removeOldCopies(): void {
  mkdirSync(FOLDER, { recursive: true });
  for (const name of readdirSync(FOLDER)) {
    const [, id] = /^(\d+)-\d+$/.exec(name) ?? [];
    if (id !== undefined && !isRunning(Number(id))) rmSync(`${FOLDER}${name}`, { recursive: true, force: true });
  }
}

function isRunning(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch {
    return false;
  }
}

/** What the tests need of the checkout. The packages are only linked. */
const COPIED = ["deno.json", "deno.lock", "mod.ts", "src", "test"];

/** The reason of a run that was ended at its limit. */
export const LATE = "out of time";

/** How a run of tests ended. */
export interface TestRun {
  readonly passed: boolean;
  /** The first test that failed, or why there is none. */
  readonly reason: string;
  readonly seconds: number;
}

/** Processes that run tests, each with a process group of its own: tests start programs. */
const running = new Set<ChildProcess>();

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.once(signal, () => {
    for (const child of running) signalGroup(child, "SIGKILL");
    process.exit(code);
  });
}

/** A copy of the checkout, in which one mutant at a time can be tested. It is removed when the script ends. */
export class Copy {
  readonly #folder: string;

  /** Makes the copy. */
  constructor(number: number) {
    this.#folder = `${FOLDER}${process.pid}-${number}/`;
    process.once("exit", () => rmSync(this.#folder, { recursive: true, force: true }));
    mkdirSync(this.#folder, { recursive: true });
    for (const part of COPIED) cpSync(`${ROOT}${part}`, `${this.#folder}${part}`, { recursive: true });
    symlinkSync(`${ROOT}node_modules`, `${this.#folder}node_modules`);
  }

  /** Runs tests while a file has another text. */
  async testWith(file: string, text: string, tests: Tests): Promise<TestRun> {
    const path = `${this.#folder}${file}`;
    const original = readFileSync(path, "utf8");
    writeFileSync(path, text);
    try {
      return await this.test(tests);
    } finally {
      writeFileSync(path, original);
    }
  }

  /** Runs tests up to the first failure. */
  async test({ file, withPrograms, limit }: Tests): Promise<TestRun> {
    const started = performance.now();
    const args = ["test", "-A", "--no-check", "--fail-fast", file];
    const child = spawn(process.execPath, args, {
      cwd: this.#folder,
      detached: true,
      env: { ...process.env, NO_COLOR: "1", GEARMAN_WITHOUT_PROGRAMS: withPrograms ? "" : "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => output += text);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      signalGroup(child, "SIGKILL");
    }, limit * 1_000);
    const status = await new Promise((resolve) => child.once("exit", resolve));
    clearTimeout(timer);
    signalGroup(child, "SIGKILL"); // programs that its tests have left
    running.delete(child);
    const seconds = (performance.now() - started) / 1_000;
    if (status === 0) return { passed: true, reason: "", seconds };
    return { passed: false, reason: isLate ? LATE : firstFailure(output), seconds };
  }
}

/** Which tests to run, and how. */
export interface Tests {
  /** The file with the tests. */
  readonly file: string;
  /** True if real programs are used where they are installed. */
  readonly withPrograms: boolean;
  /** Seconds after which the tests have failed. */
  readonly limit: number;
}

/** Finds the first failed test in a report of `deno test`, or the first error, if a module could not be loaded. */
function firstFailure(output: string): string {
  const lines = output.split("\n");
  const line = lines.find((each) => each.includes("... FAILED")) ?? lines.find((each) => each.startsWith("error")) ??
    "";
  return line.trim().replace(/ \.\.\. FAILED.*/, "") || output.trim().slice(-200);
}
