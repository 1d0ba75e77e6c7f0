/**
 * Starts the programs that are measured: ours on each runtime, and those in C and PHP, each with its own job server.
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { freePort } from "../../test/support/socket_server.ts";
import { startGearmand } from "../../test/support/gearmand.ts";
import { encodeResponse, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { BUILD, must, program, ROOT, runAsync } from "../support/tools.ts";
import { HANDLE, type Measure, warmUp } from "./programs/measure.ts";

/** The runtimes that this library is measured on. */
export type Runtime = "deno" | "bun" | "node";

export const RUNTIMES: readonly Runtime[] = ["deno", "bun", "node"];

const PROGRAMS = `${ROOT}scripts/bench/programs/`;

/** The command with which each runtime runs a program. */
export const COMMANDS: Record<Runtime, readonly string[]> = {
  deno: [process.execPath, "run", "-A", "--no-check"],
  bun: [program("bun")],
  node: [program("node24", "node")],
};

/** Makes the command of a program of ours. */
export function ours(runtime: Runtime, file: string, ...args: (string | number)[]): string[] {
  return [...COMMANDS[runtime], runtime === "node" ? bundled(file) : `${PROGRAMS}${file}`, ...args.map(String)];
}

/**
 * Bundles a program, when it is used first: Node compiles its own compiler of TypeScript while it runs TypeScript, which
 * would be counted, and which it does not do for packages.
 */
function bundled(file: string): string {
  const bundle = `${BUILD}bench/${file.replace(/\.ts$/, ".mjs")}`;
  if (!compiled.has(file)) must(program("rolldown"), [`${PROGRAMS}${file}`, "-o", bundle, "-p", "node", "-f", "esm"]);
  compiled.add(file);
  return bundle;
}

/** Makes the command of a program in PHP. */
export function php(file: string, ...args: (string | number)[]): string[] {
  return ["php", `${PROGRAMS}${file}`, ...args.map(String)];
}

/** Makes the command of a program in C, and compiles it when it is used first. */
export function c(name: "background" | "tasks" | "worker", ...args: (string | number)[]): string[] {
  const folder = `${BUILD}bench`;
  const binary = `${folder}/${name}`;
  if (!compiled.has(name)) {
    mkdirSync(folder, { recursive: true });
    must("gcc", ["-O2", "-o", binary, `${ROOT}scripts/bench/c/${name}.c`, "-lgearman"]);
    compiled.add(name);
  }
  return [binary, ...args.map(String)];
}

const compiled = new Set<string>();

/** Runs a program to its end, and returns its measurement, which is the last line of its output. */
export async function measured(command: readonly string[]): Promise<Measure> {
  const [file, ...args] = command as [string, ...string[]];
  const { status, output } = await runAsync(file, args);
  const line = output.split("\n").findLast((line) => line.startsWith('{"jobs"'));
  if (status !== 0 || line === undefined) throw new Error(`${command.join(" ")} ended with ${status}:\n${output}`);
  return JSON.parse(line);
}

/** A program that takes turns with others: it runs on, and does its jobs once for each turn. */
export class TurnTaker {
  readonly #command: readonly string[];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(command: readonly string[]) {
    const [file, ...args] = command as [string, ...string[]];
    const env = { ...process.env, TAKES_TURNS: "1" };
    this.#command = command;
    this.#child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"], env });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when the jobs that are not counted are done. */
  async ready(): Promise<void> {
    await this.#line();
  }

  async takeTurn(): Promise<Measure> {
    this.#child.stdin.write("\n");
    return JSON.parse(await this.#line());
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }

  async #line(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error(`${this.#command.join(" ")} has ended`);
    return value;
  }
}

/**
 * Makes gearmand get its memory from the kernel in large pieces, instead of 4 KiB at a time. That is slow on a virtual
 * machine: it takes most of the 8 us that a background job costs gearmand, and limits it to 100,000 jobs per second
 * from any client. With this setting it accepts 400,000 to 1,000,000.
 */
export const FAST: Record<string, string> = {
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:glibc.malloc.top_pad=268435456",
};

/** Runs `use` with a new gearmand. */
export async function withGearmand<T>(
  use: (server: string, port: number, pid: number) => Promise<T>,
  env: Record<string, string> = {},
): Promise<T> {
  const { port, process: { pid }, stop } = await startGearmand({ env });
  try {
    return await use(`127.0.0.1:${port}`, port, pid!);
  } finally {
    await stop();
  }
}

/** Runs `use` beside a program, which is killed afterwards. `use` can wait for the first output of the program. */
export async function beside<T>(
  command: readonly string[],
  use: (output: Promise<void>, pid: number) => Promise<T>,
): Promise<T> {
  const [file, ...args] = command as [string, ...string[]];
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    return await use(new Promise((resolve) => child.stdout.once("data", () => resolve())), child.pid!);
  } finally {
    if (child.exitCode === null && child.signalCode === null) process.kill(child.pid!, "SIGKILL");
    await gone;
  }
}

/** Runs `use` with a JobServer in a new process. */
export async function withJobServer<T>(
  runtime: Runtime,
  use: (server: string, pid: number) => Promise<T>,
): Promise<T> {
  const port = await freePort();
  return await beside(ours(runtime, "job_server.ts", port), async (listening, pid) => {
    await listening;
    return await use(`127.0.0.1:${port}`, pid);
  });
}

/** Runs a client twice, so that the server is warm, and replaces its CPU time by that of the server. */
export async function withServerCpu(pid: number, client: () => Promise<Measure>): Promise<Measure> {
  await client();
  const before = cpuTime(pid);
  const measure = await client();
  const cpu = cpuTime(pid) - before;
  return { ...measure, cpu: cpu * measure.jobs / (measure.jobs + warmUp(measure.jobs)) };
}

/** Returns the CPU time of a process, user and system, in ms. Linux counts it in hundredths of a second. */
function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Runs `use` with a server that answers each job with `size` bytes, as fast as they are read. */
export function withLargeResult<T>(size: number, use: (server: string) => Promise<T>): Promise<T> {
  const complete = encodeResponse(PacketType.WORK_COMPLETE, HANDLE, new Uint8Array(size));
  return withFakeServer((socket) => void socket.write(complete), use);
}

/** Runs `use` with a server that answers each job with `size` bytes in pieces of 1 MiB, as fast as they are read. */
export function withPieces<T>(size: number, use: (server: string) => Promise<T>): Promise<T> {
  const piece = encodeResponse(PacketType.WORK_DATA, HANDLE, new Uint8Array(PIECE_SIZE));
  return withFakeServer(async (socket) => {
    for (let sent = 0; sent < size; sent += PIECE_SIZE) {
      if (!socket.write(piece)) await new Promise<void>((resolve) => socket.once("drain", resolve));
    }
    socket.write(encodeResponse(PacketType.WORK_COMPLETE, HANDLE, ""));
  }, use);
}

const PIECE_SIZE = 1_048_576;

/** Runs `use` with a server that answers the greeting of a client, and has `complete` answer its jobs. */
async function withFakeServer<T>(
  complete: (socket: Socket) => void,
  use: (server: string) => Promise<T>,
): Promise<T> {
  const answers = new Map<PacketType, Uint8Array>([
    [PacketType.OPTION_REQ, encodeResponse(PacketType.OPTION_RES, "exceptions")],
    [PacketType.ECHO_REQ, encodeResponse(PacketType.ECHO_RES, "")],
    [PacketType.SUBMIT_JOB, encodeResponse(PacketType.JOB_CREATED, HANDLE)],
  ]);
  const server: Server = createServer((socket) => {
    const decoder = new PacketDecoder();
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      decoder.push(chunk);
      for (const { type } of decoder) {
        const answer = answers.get(type);
        if (answer !== undefined) socket.write(answer);
        if (type === PacketType.SUBMIT_JOB) complete(socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  try {
    return await use(`127.0.0.1:${typeof address === "object" ? address?.port : address}`);
  } finally {
    server.close();
  }
}
