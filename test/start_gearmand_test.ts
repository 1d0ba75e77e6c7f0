/** Tests of the helper that starts gearmand, with another program of this name first on the PATH. */

import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runProgram } from "./support/programs.ts";
import { findProgram, needs } from "./support/requirements.ts";

/** Runs `test/programs/start_gearmand.ts` with this script as the first `gearmand` on the PATH; it may count its starts. */
async function startWith(script: string): Promise<{ path: string; printed: string; starts: number }> {
  const folder = await mkdtemp(join(tmpdir(), "gearwire-"));
  try {
    const [path, starts] = [join(folder, "gearmand"), join(folder, "starts")];
    await writeFile(starts, "");
    await writeFile(path, `#!/bin/sh\n${script}\necho start >> ${starts}\nexit 2\n`, { mode: 0o755 });
    const printed = await runProgram("start_gearmand", [], {
      PATH: [folder, process.env["PATH"]].join(delimiter),
      GEARMAN_WITHOUT_PROGRAMS: "", // the fast tests set it
    });
    return { path, printed: printed.trim(), starts: (await readFile(starts, "utf8")).split("\n").length - 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("Perl's gearmand is passed over for the one in C", { skip: needs("gearmand"), timeout: 60_000 }, async () => {
  const { printed, starts } = await startWith(`[ "$1" = --version ] && echo 'Gearman::Server 1.130.1' && exit 0`);
  assert.equal(printed, realpathSync(findProgram("gearmand")!));
  assert.equal(starts, 0);
});

test("a gearmand that ends is started five times, and the error says what was found", { timeout: 60_000 }, async () => {
  const { path, printed, starts } = await startWith(
    `[ "$1" = --version ] && echo 'gearmand 9.9.9' && exit 0; echo 'no room' >&2`,
  );
  assert.ok(printed.startsWith(`Cannot start ${path}, tried 5 times:\non port `), printed);
  assert.equal(printed.match(/it ended with 2 and printed "no room"/g)?.length, 5);
  assert.equal(starts, 5);
});
