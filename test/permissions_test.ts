// The permissions that a program needs to use the library.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { JobServer } from "../src/server/mod.ts";
import { exception } from "./support/exceptions.ts";

const NAME = "a client needs no other permission than --allow-net for its server";

test(NAME, { skip: exception(NAME), timeout: 60_000 }, async () => {
  const server = new JobServer();
  try {
    const { port } = await server.listen();
    const program = `
      import { GearmanClient } from ${JSON.stringify(new URL("../mod.ts", import.meta.url).href)};
      const client = new GearmanClient("127.0.0.1:${port}");
      console.log((await client.doBackground("reverse", "x")).handle.length > 0);
      await client.close();`;
    const args = ["run", "--no-prompt", `--allow-net=127.0.0.1:${port}`, "--ext=ts", "-"];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => output += chunk);
    child.stderr.on("data", (chunk) => output += chunk);
    child.stdin.end(program);
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(code, 0, output);
    assert.match(output, /true/);
  } finally {
    await server.close();
  }
});
