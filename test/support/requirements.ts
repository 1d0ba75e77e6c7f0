// What tests need besides this package: real programs, and time.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** True under CI: a test that needs a program that is missing then fails, instead of being skipped. */
export const REQUIRED: boolean = process.env["GEARMAN_REQUIRED"] === "1";

/** Chooses the size of a test: the full size under CI, a quick one elsewhere. */
export function fullOrQuick(full: number, quick: number): number {
  return REQUIRED ? full : quick;
}

/** True in `deno task ok`, which has to be quick: real programs count as missing. */
const WITHOUT_PROGRAMS = process.env["GEARMAN_WITHOUT_PROGRAMS"] === "1";

/** What `--version` has to print where several programs have the same name: Debian's Perl server is a `gearmand`, too. */
const VERSIONS: Readonly<Record<string, RegExp>> = { gearmand: /^gearmand \d/m };
/** Milliseconds that a program has to print its version: another program of this name may start a server instead. */
const VERSION_TIMEOUT = 5_000;

interface Found {
  readonly path: string | undefined;
  /** The programs of this name that are others, each with what it printed. */
  readonly others: readonly string[];
}

/** The programs by name: a test file asks for the same one again and again. */
const found = new Map<string, Found>();

function lookUp(name: string): Found {
  const known = found.get(name);
  if (known !== undefined) return known;
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  const paths = [...new Set(folders.map((folder) => join(folder, name)))].filter((path) => existsSync(path));
  const others: string[] = [];
  const result = { path: paths.find((path) => isMeant(name, path, others)), others };
  found.set(name, result);
  return result;
}

/** True if it is the program that the tests mean; otherwise it is added to `others`. */
function isMeant(name: string, path: string, others: string[]): boolean {
  const expected = VERSIONS[name];
  if (expected === undefined) return true;
  const { stdout, stderr, status } = spawnSync(path, ["--version"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: VERSION_TIMEOUT,
    killSignal: "SIGKILL",
  });
  if (expected.test(stdout ?? "")) return true;
  const printed = `${stdout ?? ""}${stderr ?? ""}`.trim().slice(0, 200);
  others.push(`${path} is another one: --version ended with ${status} and printed ${JSON.stringify(printed)}`);
  return false;
}

/** The path of a program, if it is installed. */
export function findProgram(name: string): string | undefined {
  return WITHOUT_PROGRAMS ? undefined : lookUp(name).path;
}

/** Says why a program is missing: not installed, or only others of its name are. */
export function describeMissing(name: string): string {
  if (WITHOUT_PROGRAMS) return `${name} is not used here`;
  return [`${name} is not installed`, ...lookUp(name).others].join("; ");
}

/** The `skip` option of a test that needs programs: false if they are installed, or if they have to be. */
export function needs(...programs: string[]): string | false {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0 || REQUIRED) return false;
  return `needs ${missing.join(" and ")}: ${missing.map(describeMissing).join("; ")}`;
}
