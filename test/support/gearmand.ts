// Starts the real gearmand (Debian: gearman-job-server), for the tests that prove things against it.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Set under CI: a test that needs a program then fails where it is missing, instead of being skipped. */
export const REQUIRED: boolean = process.env["GEARMAN_REQUIRED"] === "1";

/** How much a test does that proves something by its size: under CI all of it, elsewhere what shows a plain break. */
export function size(full: number, quick: number): number {
  return REQUIRED ? full : quick;
}

/** Set by `deno task ok`, which is to be quick: real programs count as missing, though they may be installed. */
const WITHOUT_PROGRAMS = process.env["GEARMAN_WITHOUT_PROGRAMS"] === "1";

/** The path of a program, if it is installed. */
export function findProgram(name: string): string | undefined {
  if (WITHOUT_PROGRAMS) return undefined;
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The `skip` option of a test that needs programs: false if they are installed, or if they have to be. */
export function needs(...programs: string[]): string | false {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0 || REQUIRED) return false;
  return `needs ${missing.join(" and ")}, which is ${WITHOUT_PROGRAMS ? "not used here" : "not installed"}`;
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** A gearmand of a test's own. */
export interface Gearmand {
  readonly port: number;
  readonly process: ChildProcess;
  /** Has it neither read nor answer any more (SIGSTOP); its port still takes connections, until its backlog is full. */
  freeze(): Promise<void>;
  /** Kills it (SIGKILL) and waits until it is gone. */
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
    if (exited && options.port === undefined) return await startGearmand(options); // the port was free a moment ago
    if (exited) throw new Error(`gearmand ended at once; is port ${port} taken?`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // Not child.kill(): on Deno a second signal is never sent.
  const signal = (name: "SIGSTOP" | "SIGKILL") => void (exited || process.kill(child.pid!, name));
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

/** Whether all threads of a process are stopped: a signal takes its time. */
function isFrozen(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((task) => / T \d/.test(readFileSync(`${tasks}/${task}/stat`, "utf8")));
}

/** The process that answers on a port: another's may have taken it meanwhile. NaN while there is none. */
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
