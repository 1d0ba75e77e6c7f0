// Starts the real gearmand (Debian: gearman-job-server) for the tests that run on it.

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { findProgram } from "./requirements.ts";
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

/** Starts gearmand and waits until it answers. */
export async function startGearmand(
  options: { port?: number; args?: string[]; env?: Record<string, string> } = {},
): Promise<Gearmand> {
  const program = findProgram("gearmand");
  if (program === undefined) throw new Error("gearmand is not installed (Debian: gearman-job-server)");
  const port = options.port ?? await freePort();
  const args = ["-p", String(port), "-L", "127.0.0.1", "-l", "stderr", ...options.args ?? []];
  const child = spawn(program, args, { stdio: "ignore", env: { ...process.env, ...options.env } });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let exited = false;
  gone.then(() => exited = true);
  for (let pid = NaN; pid !== child.pid; pid = await askPid(port)) {
    if (exited && options.port === undefined) return await startGearmand(options); // another process has taken the port
    if (exited) throw new Error(`gearmand has ended: is port ${port} in use?`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // Not child.kill(): on Deno it sends only one signal.
  const signal = (name: "SIGSTOP" | "SIGKILL") => {
    if (!exited) process.kill(child.pid!, name);
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

/** Asks for the id of the process that listens on a port, which may be another process; NaN if none does. */
function askPid(port: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write("getpid\n"));
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(Number(answer.toString().slice("OK ".length)));
    });
    socket.once("error", () => resolve(NaN));
    socket.once("close", () => resolve(NaN));
  });
}
