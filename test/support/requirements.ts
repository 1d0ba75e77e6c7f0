// What tests need besides this package: real programs, and time.

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
