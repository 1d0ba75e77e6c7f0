/** Runs other Gearman programs, as clients and as workers: in PHP, in Perl, and the tools in C. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { after, describe } from "node:test";
import type { Job } from "../../mod.ts";
import { JobServer, type JobServerOptions } from "../../src/server/mod.ts";
import { join, text, toHex } from "../support/bytes.ts";
import { findProgram, needs, REQUIRED } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";
import type { TestServer } from "../support/servers.ts";

/** The timeout of every test in this folder, in ms. */
export const timeout = 30_000;

/** All values of a byte. */
export const ALL_BYTES: Uint8Array = Uint8Array.from({ length: 256 }, (_, i) => i);

/** The programs that were not stopped yet. */
const running = new Set<Program>();

/**
 * Describes the same tests for gearmand and JobServer, or skips them with the reason in `missing`. Programs that still
 * run after the tests are killed. The options are JobServer's: tests that depend on the order of functions need version 1.1,
 * since that is Debian's gearmand.
 */
export function onEveryPort(
  name: string,
  missing: string | false,
  tests: (start: () => Promise<TestServer>) => void,
  options: JobServerOptions = {},
): void {
  const stopPrograms = async () => {
    await Promise.all(Array.from(running, (program) => program.stop()));
  };
  const on = (server: string, skip: string | false, start: () => Promise<TestServer>) => {
    // Not every runner shows the reason for skipping a suite.
    describe(`${name}, on ${server}${skip === false ? "" : ` (${skip})`}`, { skip }, () => {
      after(stopPrograms);
      tests(start);
    });
  };
  on("gearmand", needs("gearmand") || missing, async () => {
    const { port, stop } = await startGearmand();
    return { connect: { servers: `127.0.0.1:${port}` }, port, stop };
  });
  on("JobServer", missing, async () => {
    const server = new JobServer(options);
    const { port } = await server.listen();
    return { connect: { servers: `127.0.0.1:${port}` }, port, stop: () => server.close() };
  });
}

/** Returns the reason why tests with PHP cannot run; false if they can. */
export function withoutPhp(): string | false {
  return needs("php") ||
    needsPart("PHP's extension gearman", "php", ["-r", "exit(extension_loaded('gearman') ? 0 : 1);"]);
}

/** Returns the reason why tests with Perl cannot run; false if they can. */
export function withoutPerl(): string | false {
  return needs("perl") ||
    needsPart("Perl's Gearman::Client", "perl", ["-MGearman::Client", "-MGearman::Worker", "-e", "1"]);
}

function needsPart(part: string, program: string, args: string[]): string | false {
  if (REQUIRED || spawnSync(findProgram(program) ?? program, args, { stdio: "ignore" }).status === 0) return false;
  return `needs ${part}, which is not installed`;
}

/**
 * Describes the events of a job after its creation, with bytes as hexadecimal digits; fills `events` as they arrive.
 */
export async function eventsOf(job: Job, events: string[] = []): Promise<string[]> {
  for await (const event of job) {
    if (event.type === "status") events.push(`status ${event.numerator}/${event.denominator}`);
    else if (event.type !== "created") events.push(`${event.type} ${toHex(event.data)}`.trimEnd());
  }
  return events;
}

/** Resolves to the error that the work fails with. */
export async function failureOf(work: PromiseLike<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = await work;
  } catch (error) {
    return error;
  }
  throw new Error(`Expected an error, got a result: ${String(result)}`);
}

/** How a program ended. */
export interface Ending {
  readonly status: number | null;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** A program that runs, or has run. */
export class Program {
  /** Resolves once it has ended and all of its output is there; rejects where it could not be started. */
  readonly ended: Promise<Ending>;
  readonly #name: string;
  readonly #child: ChildProcess;

  constructor(name: string, args: readonly string[], input: string | Uint8Array = "") {
    this.#name = name;
    const child = spawn(findProgram(name) ?? name, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    running.add(this);
    const stdout: Uint8Array[] = [];
    const stderr: Uint8Array[] = [];
    child.stdout.on("data", (chunk: Uint8Array) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => stderr.push(chunk));
    // A program may end before it has read its input.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => {
        resolve({ status, stdout: join(stdout), stderr: text(join(stderr)) });
      });
    });
    this.ended.catch(() => {});
  }

  /** Waits until the program has printed a text; rejects if it ends before. */
  async printed(what: string): Promise<void> {
    const arrived = new Promise<void>((resolve) => {
      let printed = "";
      this.#child.stdout!.on("data", (chunk: Uint8Array) => {
        printed += text(chunk);
        if (printed.includes(what)) resolve();
      });
    });
    await this.serves(arrived);
  }

  /** Resolves to the output; rejects with the standard error if the program fails. */
  async output(): Promise<Uint8Array> {
    const { status, stdout, stderr } = await this.ended;
    if (status === 0) return stdout;
    throw new Error(`${this.#name} ended with status ${status}: ${stderr}${text(stdout)}`);
  }

  /** Resolves to the lines of the output, without empty ones. */
  async lines(): Promise<string[]> {
    return text(await this.output()).split("\n").filter((line) => line !== "");
  }

  /** Waits for work that needs this program; rejects if the program ends before. */
  async serves<T>(work: PromiseLike<T>): Promise<T> {
    const end = this.ended.then(({ status, stderr }) => {
      throw new Error(`The program in ${this.#name} ended with status ${status}: ${stderr}`);
    });
    return await Promise.race([work, end]);
  }

  /** Kills the program, and waits until it has ended. */
  async stop(): Promise<void> {
    running.delete(this);
    this.#child.kill("SIGKILL");
    await this.ended.catch(() => {});
  }
}

/** Runs a script in PHP; `$argv[1]` is the port. */
export function php(script: string, port: number, ...args: string[]): Program {
  const settings = ["-d", "display_errors=stderr", "-d", "error_reporting=-1"];
  return new Program("php", [...settings, "-r", script, "--", String(port), ...args]);
}

/** Runs a script in Perl; `$ARGV[0]` is the port. */
export function perl(script: string, port: number, ...args: string[]): Program {
  return new Program("perl", ["-Mstrict", "-Mwarnings", "-e", script, "--", String(port), ...args]);
}

/** Runs `gearman`, the client and worker in C. */
export function gearman(port: number, args: readonly string[], input?: string | Uint8Array): Program {
  return new Program("gearman", ["-h", "127.0.0.1", "-p", String(port), ...args], input);
}
