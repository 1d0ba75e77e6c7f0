/** Tests of what an admin client reads where names are many, long or strange: on gearmand and `JobServer`, over both families. */

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { after, before, describe, test } from "node:test";
import { GearmanAdmin } from "../../src/admin/mod.ts";
import { PacketType as P } from "../../src/codec/mod.ts";
import { dialTcp } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { startGearmand } from "../support/gearmand.ts";
import { needs, REQUIRED } from "../support/requirements.ts";
import { request as r, Wire } from "../conformance/wire.ts";

const SERVERS = {
  gearmand: (host: string) => startGearmand({ host }),
  JobServer: async (hostname: string) => {
    const server = new JobServer();
    const { port } = await server.listen({ hostname });
    return { port, stop: () => server.close() };
  },
};

/** The reason to skip the tests of an address, where this machine does not have it. */
function needsAddress(host: string): string | false {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []).map(({ address }) => address);
  return addresses.includes(host) || REQUIRED ? false : `needs the address ${host}`;
}

for (const [name, start] of Object.entries(SERVERS)) {
  for (const hostname of ["127.0.0.1", "::1"]) {
    const skip = needsAddress(hostname) || (name === "gearmand" && needs("gearmand"));
    describe(`names on ${name}, over ${hostname}`, { skip }, () => namesOn(name === "gearmand", hostname, start));
  }
}

type Start = (host: string) => Promise<{ port: number; stop(): Promise<void> }>;

function namesOn(isGearmand: boolean, hostname: string, start: Start): void {
  let server: Awaited<ReturnType<Start>>;
  let admin: GearmanAdmin;
  before(async () => {
    server = await start(hostname);
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    admin = new GearmanAdmin(`${host}:${server.port}`);
  });
  after(async () => {
    await admin.close();
    await server.stop();
  });

  /** Connects, announces functions, and waits until the server has taken them. */
  async function announce(id: string, functionNames: readonly string[]): Promise<Wire> {
    const wire = new Wire(await dialTcp()({ hostname, port: server.port }, {}));
    await wire.send(r(P.SET_CLIENT_ID, id), ...functionNames.map((name) => r(P.CAN_DO, name)));
    await wire.sync();
    return wire;
  }

  test("each connection is listed by itself, with its address", async () => {
    const wires = [await announce("one", ["a", "b"]), await announce("two", []), await announce("three", ["c"])];
    const connections = await admin.workers();
    assert.deepEqual(
      connections.map(({ id, functionNames }) => [id, functionNames]).sort(),
      [["-", []], ["one", ["b", "a"]], ["three", ["c"]], ["two", []]],
    );
    assert.equal(new Set(connections.map(({ fd }) => fd)).size, 4);
    for (const { address } of connections) {
      assert.match(address, hostname === "::1" ? /^[\da-f:]+(%\d+)?$/ : /^127\.0\.0\.1$/);
    }
    for (const wire of wires) await wire.close();
  });

  test("a worker with thousands of functions is listed beside the others", async () => {
    const functionNames = Array.from({ length: 5_000 }, (_, i) => `a function's name ${i}`.replaceAll(" ", "-"));
    const wires = [await announce("many", functionNames), await announce("few", ["single"])];
    const connections = await admin.workers();
    const functionsOf = (wanted: string) => connections.find(({ id }) => id === wanted)?.functionNames;
    assert.deepEqual(functionsOf("many"), functionNames.toReversed());
    assert.deepEqual(functionsOf("few"), ["single"]);
    const listed = new Set((await admin.status()).map(({ functionName }) => functionName));
    for (const functionName of functionNames) assert.ok(listed.has(functionName), functionName);
    for (const wire of wires) await wire.close();
  });

  test("names and ids may hold tabs, line feeds and dots, and none hides another", async () => {
    const names = ["plain", "tab\tand\nline", ".", "line\n.", "row\t1\t1\t1", "31", "31 x", "ends\n", "\nstarts"];
    // JobServer shows control characters as `_`, gearmand as they are.
    const shown = (name: string) => isGearmand ? name : name.replaceAll(/[\n\t]/g, "_");
    const wires = [await announce("strange", names), await announce("my\nid", ["next"]), await announce("last", [])];
    for (const list of [await admin.status(), await admin.priorityStatus()]) {
      const found = list.map(({ functionName }) => functionName);
      for (const name of [...names, "next"]) assert.ok(found.includes(shown(name)), JSON.stringify(name));
    }
    const connections = await admin.workers();
    const functionsOf = (wanted: string) => connections.find(({ id }) => id === wanted)?.functionNames;
    // A blank separates names.
    assert.deepEqual(functionsOf("strange"), names.toReversed().flatMap((name) => shown(name).split(" ")));
    assert.deepEqual(functionsOf(shown("my\nid")), ["next"]);
    assert.deepEqual(functionsOf("last"), []);
    for (const wire of wires) await wire.close();
  });

  test("a command takes any name that is one word: it is created, limited and dropped", async () => {
    for (const name of ["tab\tname", "\tprefix", "caf\u00e9", "non\u00a0breaking", "bell\u0007", "x".repeat(512)]) {
      await admin.createFunction(name);
      await admin.maxQueue(name, 5);
      // deno-lint-ignore no-control-regex -- JobServer shows them as `_`
      const listed = isGearmand ? name : name.replaceAll(/[\x00-\x1f]/g, "_");
      assert.ok((await admin.status()).some(({ functionName }) => functionName === listed), JSON.stringify(name));
      await admin.dropFunction(name);
      assert.ok(!(await admin.status()).some(({ functionName }) => functionName === listed), JSON.stringify(name));
    }
  });

  // JobServer drops the one that is written so, or else the first.
  if (!isGearmand) return;
  test("functions that differ only in the case of letters are dropped together on gearmand", async () => {
    await admin.createFunction("Upper");
    await admin.createFunction("upper");
    await admin.dropFunction("UPPER");
    const left = (await admin.status()).filter(({ functionName }) => functionName.toLowerCase() === "upper");
    assert.deepEqual(left, []);
  });
}
