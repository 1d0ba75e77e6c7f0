// Starts the programs in test/programs, on the runtime that the tests run on.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "./exceptions.ts";

/** A running program of `test/programs`. */
export interface Program {
  readonly child: ChildProcess;
  /** The standard output so far. */
  output: string;
  /** The standard error so far. */
  errors: string;
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>;
}

/** Starts `test/programs/NAME.ts`, or on Node the file that it was compiled to. */
export function startProgram(name: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const file = fileURLToPath(new URL(`../programs/${name}.${import.meta.url.slice(-2)}`, import.meta.url));
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

/** Runs a program that must succeed, and returns its output. */
export async function runProgram(name: string, args: readonly string[], env?: Record<string, string>): Promise<string> {
  const program = startProgram(name, args, env);
  const code = await program.ended;
  if (code !== 0 || program.errors !== "") throw new Error(`${name} ended with ${code}: ${program.errors}`);
  return program.output;
}
