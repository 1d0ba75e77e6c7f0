// Starts the real gearmand (Debian: gearman-job-server) for the tests that run on it.

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { describeMissing, findProgram } from "./requirements.ts";
import { freePort } from "./socket_server.ts";

/** A running gearmand. */
export interface Gearmand {
  readonly port: number;
  readonly process: ChildProcess;
  /** Stops it from reading and answering (SIGSTOP). Its port still accepts connections until its backlog is full. */
  freeze(): Promise<void>;
  /** Kills it (SIGKILL), and waits until it has ended. */
  stop(): Promise<void>;
}

/** Options of {@linkcode startGearmand}. */
export interface GearmandOptions {
  /** The port to listen on; default an unused one. */
  readonly port?: number;
  /** The address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Further arguments. */
  readonly args?: readonly string[];
  /** Further variables of the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How often gearmand is started on another port, if it has ended: another process may have taken the port. */
const MAX_STARTS = 5;
/** How often a started gearmand is asked for its process id, 10 ms apart. */
const MAX_QUESTIONS = 1_000;

/**
 * Starts gearmand and waits until it answers.
 *
 * @throws {Error} It is not installed, or it did not answer: the message says what was started, and what it printed.
 */
export async function startGearmand(options: GearmandOptions = {}): Promise<Gearmand> {
  const program = findProgram("gearmand");
  if (program === undefined) throw new Error(`${describeMissing("gearmand")} (Debian: gearman-job-server)`);
  const failures: string[] = [];
  const maxStarts = options.port === undefined ? MAX_STARTS : 1;
  while (failures.length < maxStarts) {
    const started = await tryToStart(program, options);
    if (typeof started !== "string") return started;
    failures.push(started);
  }
  throw new Error(`Cannot start ${program}, tried ${failures.length} times:\n${failures.join("\n")}`);
}

/**
 * Starts gearmand once; returns a description of how it ended if it did.
 *
 * @throws {Error} It runs, and does not answer.
 */
async function tryToStart(program: string, options: GearmandOptions): Promise<Gearmand | string> {
  const { host = "127.0.0.1", port = await freePort() } = options;
  const args = ["-p", String(port), "-L", host, "-l", "stderr", ...options.args ?? []];
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...options.env },
  });
  let printed = "";
  child.stderr.on("data", (text) => {
    if (printed.length < 1_000) printed += text;
  });
  let end: string | undefined;
  const gone = new Promise<void>((resolve) => {
    child.once("close", (code, signal) => {
      end = `ended with ${signal ?? code}`;
      resolve();
    });
  });
  let pid = NaN;
  for (let questions = 0; pid !== child.pid; questions++) {
    if (end !== undefined) return `on port ${port} it ${end} and printed ${JSON.stringify(printed.trim())}`;
    if (questions === MAX_QUESTIONS) {
      child.kill("SIGKILL");
      const answer = Number.isNaN(pid) ? "nothing answers" : `process ${pid} answers`;
      throw new Error(`Cannot start ${program}: it is process ${child.pid}, and ${answer} on port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
    pid = await askPid(host, port);
  }
  // Not child.kill(): on Deno it sends only one signal.
  const signal = (name: "SIGSTOP" | "SIGKILL") => {
    if (end !== undefined) return;
    try {
      process.kill(child.pid!, name);
    } catch (error) {
      if ((error as { code?: string }).code !== "ESRCH") throw error; // it has just ended by itself
    }
  };
  return {
    port,
    process: child,
    freeze: async () => {
      signal("SIGSTOP");
      while (!isFrozen(child.pid!)) await new Promise((resolve) => setTimeout(resolve, 2));
    },
    stop: async () => {
      signal("SIGKILL");
      await gone;
    },
  };
}

/** Returns true if all threads of a process are stopped, which takes a moment after the signal. */
function isFrozen(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((task) => / T \d/.test(readFileSync(`${tasks}/${task}/stat`, "utf8")));
}

/** Asks for the id of the process that listens on a port, which may be another process; NaN if none answers in time. */
function askPid(host: string, port: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 }, () => socket.write("getpid\n"));
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(Number(answer.toString().slice("OK ".length)));
    });
    socket.once("timeout", () => socket.destroy());
    socket.once("error", () => resolve(NaN));
    socket.once("close", () => resolve(NaN));
  });
}
