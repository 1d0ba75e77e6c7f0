/** Runs programs, and installs the npm packages that only the scripts need: `deno task test` must not wait for them. */

import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
import config from "../../deno.json" with { type: "json" };

/** The root of the checkout, with a slash at its end. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));
/** The folder of everything that scripts make, which may be deleted; with a slash at its end. */
export const BUILD: string = `${ROOT}.build/`;

/** The npm packages that the scripts use; the numbers tell versions apart. */
export type Tool =
  | "@arethetypeswrong/cli"
  | "abraxas"
  | "bun"
  | "edge-runtime"
  | "esbuild"
  | "eslint"
  | `gearman${"" | "-packet" | "ode"}`
  | "jest"
  | "node-gearman"
  | `node${"20" | "20.16" | "22" | "24"}`
  | "publint"
  | "rolldown"
  | "ts-jest"
  | "tsx"
  | `typescript${"" | "5.5" | "5.9" | "7"}`
  | "typescript-eslint"
  | "workerd";

/** The version of every tool. Bun's is pinned in `deno.json`. */
export const VERSIONS: Readonly<Record<Tool, string>> = {
  "@arethetypeswrong/cli": "0.18.5",
  "abraxas": "2.1.10",
  "bun": /bun@(\S+)/.exec(config.tasks["test:bun"].command)![1]!,
  "edge-runtime": "4.0.1",
  "esbuild": "0.28.2",
  "eslint": "10.15.0",
  "gearman": "2.1.0",
  "gearman-packet": "1.1.0",
  "gearmanode": "0.9.2",
  "jest": "30.5.2",
  "node-gearman": "0.2.2",
  "node20": "npm:node@20.20.2",
  "node20.16": "npm:node@20.16.0", // the oldest version that the package supports
  "node22": "npm:node@22.23.3",
  "node24": "npm:node@24.21.0",
  "publint": "0.3.25",
  "rolldown": "1.3.2",
  "ts-jest": "29.4.15",
  "tsx": "4.23.15",
  "typescript": "6.0.3", // builds the package; the others are used by its consumers
  "typescript5.5": "npm:typescript@5.5.4",
  "typescript5.9": "npm:typescript@5.9.3",
  "typescript7": "npm:typescript@7.0.2",
  "typescript-eslint": "8.74.0",
  "workerd": "1.20261117.1",
};

/** Installs a tool, unless it is installed already, and returns its folder. */
export function install(tool: Tool): string {
  const version = VERSIONS[tool];
  const folder = `${BUILD}tools/${tool.replace("/", "+")}-${version.split("@").at(-1)}`;
  if (!existsSync(folder)) {
    const part = `${folder}.part`; // renamed when it is complete: an interrupted install must not look like one
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part, { recursive: true });
    writeFileSync(`${part}/package.json`, JSON.stringify({ private: true, dependencies: { [tool]: version } }));
    must("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: part });
    renameSync(part, folder);
  }
  return `${folder}/node_modules/${tool}`;
}

/** Returns the path of a tool's program, and installs the tool if needed. */
export function program(tool: Tool, name: string = tool): string {
  return `${install(tool)}/`.replace(`/node_modules/${tool}/`, `/node_modules/.bin/${name}`);
}

export interface Result {
  readonly status: number | null;
  /** The standard output, followed by the standard error. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Milliseconds after which the program is killed; default ten minutes. */
  readonly timeout?: number;
}

/** Runs a program to its end. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Result {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: options.cwd ?? ROOT,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    maxBuffer: 1 << 28,
    timeout: options.timeout ?? 600_000,
  });
  return { status, output: `${stdout}${stderr}${error === undefined ? "" : `${error}\n`}` };
}

/** Runs a program to its end without blocking the workers and servers of this process. */
export function runAsync(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const settings = {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    maxBuffer: 1 << 28,
    timeout: options.timeout ?? 600_000,
  };
  return new Promise((resolve) => {
    const child = execFile(command, args, settings, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode, output: `${stdout}${stderr}` });
    });
  });
}

/** Runs a program that must succeed, and returns its output. */
export function must(command: string, args: readonly string[], options: RunOptions = {}): string {
  const { status, output } = run(command, args, options);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with status ${status}:\n${output}`);
  return output;
}
