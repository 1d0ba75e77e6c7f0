/** Starts what is measured: programs of the bench in each runtime, in C and PHP, each against a job server of its own. */

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import process from "node:process";
import { freePort, startGearmand } from "../../test/support/gearmand.ts";
import { encodeResponse, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { BUILD, must, program, ROOT, runAsync } from "../support/tools.ts";
import type { Measure } from "./programs/measure.ts";

/** What our library is measured on. */
export type Runtime = "deno" | "bun" | "node";

export const RUNTIMES: readonly Runtime[] = ["deno", "bun", "node"];

const PROGRAMS = `${ROOT}scripts/bench/programs/`;

/** How each of them runs a file of TypeScript, from the sources. */
export const COMMANDS: Record<Runtime, readonly string[]> = {
  deno: [process.execPath, "run", "-A", "--no-check"],
  bun: [program("bun")],
  node: [program("node24", "node"), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"],
};

/** The command of a program of ours. */
export function ours(runtime: Runtime, file: string, ...args: (string | number)[]): string[] {
  return [...COMMANDS[runtime], `${PROGRAMS}${file}`, ...args.map(String)];
}

/** The command of a program in PHP. */
export function php(file: string, ...args: (string | number)[]): string[] {
  return ["php", `${PROGRAMS}${file}`, ...args.map(String)];
}

/** The command of a program in C, compiled when it is first asked for. */
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

/** Runs a program to its end, and returns what it measured: the last line that it printed. */
export async function measured(command: readonly string[]): Promise<Measure> {
  const [file, ...args] = command as [string, ...string[]];
  const { status, output } = await runAsync(file, args);
  const line = output.split("\n").findLast((line) => line.startsWith('{"jobs"'));
  if (status !== 0 || line === undefined) throw new Error(`${command.join(" ")} ended with ${status}:\n${output}`);
  return JSON.parse(line);
}

/**
 * Has gearmand take its memory from the kernel in large pieces, instead of 4 KiB at a time: on a virtual machine, where
 * that is slow, most of the 8 us go there that a background job costs it, and it takes 100,000 jobs a second whoever
 * submits them. With this it takes 400,000 to 1,000,000.
 */
export const FAST: Record<string, string> = {
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:glibc.malloc.top_pad=268435456",
};

/** Runs something with a gearmand of its own. */
export async function withGearmand<T>(
  use: (server: string, port: number) => Promise<T>,
  env: Record<string, string> = {},
): Promise<T> {
  const { port, stop } = await startGearmand({ env });
  try {
    return await use(`127.0.0.1:${port}`, port);
  } finally {
    await stop();
  }
}

/** Runs something beside a program that goes on until it is killed; `use` may wait for the first that it prints. */
export async function beside<T>(command: readonly string[], use: (output: Promise<void>) => Promise<T>): Promise<T> {
  const [file, ...args] = command as [string, ...string[]];
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    return await use(new Promise((resolve) => child.stdout.once("data", () => resolve())));
  } finally {
    if (child.exitCode === null && child.signalCode === null) process.kill(child.pid!, "SIGKILL");
    await gone;
  }
}

/** Runs something with a JobServer of ours, in a process of its own. */
export async function withJobServer<T>(runtime: Runtime, use: (server: string) => Promise<T>): Promise<T> {
  const port = await freePort();
  return await beside(ours(runtime, "job_server.ts", port), async (listening) => {
    await listening;
    return await use(`127.0.0.1:${port}`);
  });
}

/** Runs something with a server that answers any job with so many bytes, as fast as they are taken. */
export async function withLargeResult<T>(size: number, use: (server: string) => Promise<T>): Promise<T> {
  const answers = new Map<PacketType, Uint8Array[]>([
    [PacketType.OPTION_REQ, [encodeResponse(PacketType.OPTION_RES, "exceptions")]],
    [PacketType.ECHO_REQ, [encodeResponse(PacketType.ECHO_RES, "")]],
    [PacketType.SUBMIT_JOB, [
      encodeResponse(PacketType.JOB_CREATED, "H:box:1"),
      encodeResponse(PacketType.WORK_COMPLETE, "H:box:1", new Uint8Array(size)),
    ]],
  ]);
  const server: Server = createServer((socket) => {
    const decoder = new PacketDecoder();
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      decoder.push(chunk);
      for (const { type } of decoder) for (const answer of answers.get(type) ?? []) socket.write(answer);
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
