// Programs that tests start, on the runtime that the tests run on.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "./exceptions.ts";

/** A program of `test/support` that runs. */
export interface Program {
  readonly child: ChildProcess;
  /** What it has written so far. */
  output: string;
  errors: string;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

/** Starts `test/support/NAME.ts`, or what it was compiled to for Node. */
export function startProgram(name: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const file = fileURLToPath(new URL(`./${name}.${import.meta.url.slice(-2)}`, import.meta.url));
  const command = runtime === "deno" ? ["run", "-A", "--no-check", file] : [file];
  const child = spawn(process.execPath, [...command, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const program: Program = { child, output: "", errors: "", ended };
  child.stdout.on("data", (chunk) => program.output += chunk);
  child.stderr.on("data", (chunk) => program.errors += chunk);
  return program;
}

/** Runs one to its end, which must be a good one, and returns what it wrote. */
export async function runProgram(name: string, args: readonly string[], env?: Record<string, string>): Promise<string> {
  const program = startProgram(name, args, env);
  const code = await program.ended;
  if (code !== 0 || program.errors !== "") throw new Error(`${name} ended with ${code}: ${program.errors}`);
  return program.output;
}
