/** Tests of parsing and formatting server names. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PORT, DEFAULT_SERVER, formatServer, parseServers } from "../../src/transport/addresses.ts";

/** Returns the normal forms of server names. */
function names(servers: string | readonly string[]): string[] {
  return parseServers(servers).map(formatServer);
}

test("a host without a port has port 4730", () => {
  assert.equal(DEFAULT_PORT, 4730);
  assert.deepEqual(parseServers(DEFAULT_SERVER), [{ hostname: "127.0.0.1", port: 4730 }]);
  assert.deepEqual(parseServers("jobs.example"), [{ hostname: "jobs.example", port: 4730 }]);
  assert.deepEqual(parseServers("[::1]"), [{ hostname: "::1", port: 4730 }]);
});

test("every form of a name is parsed, and formatted in its normal form", () => {
  const forms: [string, string][] = [
    ["localhost", "localhost:4730"],
    ["localhost:1", "localhost:1"],
    ["127.0.0.1:65535", "127.0.0.1:65535"],
    ["Jobs.EXAMPLE:04730", "jobs.example:4730"],
    ["my-host_1:4731", "my-host_1:4731"],
    ["b\u00fccher.example", "b\u00fccher.example:4730"],
    ["[::1]:4730", "[::1]:4730"],
    ["[FE80::1%eth0]:4730", "[fe80::1%eth0]:4730"],
    ["[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]:4730"],
    ["unix:/run/gearman.sock", "unix:/run/gearman.sock"],
    ["unix:/a path:1", "unix:/a path:1"],
    ["  localhost:4730\t", "localhost:4730"],
  ];
  for (const [given, normal] of forms) {
    assert.deepEqual(names(given), [normal], given);
    assert.deepEqual(names(normal), [normal], `${normal} again`);
  }
  assert.deepEqual(parseServers("unix:/run/gearman.sock"), [{ hostname: "", port: 0, path: "/run/gearman.sock" }]);
});

test("several servers can be given as a list, with commas, or both", () => {
  const expected = ["a:4730", "b:1", "[::2]:4730", "unix:/s"];
  assert.deepEqual(names(["a", "b:1", "[::2]", "unix:/s"]), expected);
  assert.deepEqual(names("a,b:1, [::2] ,unix:/s"), expected);
  assert.deepEqual(names(["a,b:1", "[::2]", "unix:/s"]), expected);
});

test("a server that is named several times keeps its first position", () => {
  assert.deepEqual(names(["a", "b", "A:4730,a:04730", "b:4731"]), ["a:4730", "b:4730", "b:4731"]);
  assert.deepEqual(names("unix:/a,unix:/A,unix:/a"), ["unix:/a", "unix:/A"]);
});

test("parsing does not change the list", () => {
  const list = Object.freeze(["b,a", "a"]);
  assert.deepEqual(names(list), ["b:4730", "a:4730"]);
});

test("a name of another form is a RangeError that quotes it", () => {
  const bad = [
    "unix:relative",
    "tcp://h:1",
    "h:port",
    "",
    " ",
    "a,",
    ",a",
    "a,,b",
    ":4730",
    "a:",
    "a:b",
    "a:0",
    "a:65536",
    "a:123456",
    "a:-1",
    "a:+1",
    "a:1.5",
    "a: 1",
    "a:1:2",
    "::1",
    "fe80::1:4730",
    "[::1",
    "::1]",
    "[]",
    "[]:4730",
    "[::1]4730",
    "[::1]:",
    "[127.0.0.1]",
    "[localhost]",
    "[::1]x:1",
    "a b",
    "a/b",
    "http://a",
    "gearman://a:4730",
    "user@a",
    "a?b",
    "a#b",
    "a\\b",
    "a\0b",
    "a\x7fb",
    "unix:",
    "unix:/a\0b",
  ];
  for (const name of bad) {
    assert.throws(
      () => parseServers(name),
      { name: "RangeError", message: /^Cannot read server "/ },
      JSON.stringify(name),
    );
    assert.throws(() => parseServers(["good", name]), RangeError, JSON.stringify(name));
  }
  assert.throws(() => parseServers("a/b"), /"a\/b"/);
  assert.throws(() => parseServers([]), { name: "RangeError", message: "Cannot read servers: the list is empty" });
});

test("the message of an error is short and has no control characters", () => {
  assert.throws(() => parseServers(`a\u001b[31m\nb${"x".repeat(10_000)}`), (error) => {
    assert.ok(error instanceof RangeError);
    assert.ok(error.message.length < 400);
    // deno-lint-ignore no-control-regex
    return !/[\u0000-\u001f]/.test(error.message);
  });
});

test("a server may be an address, and so may each of a list", () => {
  const v6 = { hostname: "::1", port: 4731 };
  const unix = { hostname: "", port: 0, path: "a relative, path" };
  assert.deepEqual(parseServers(v6), [v6]);
  assert.deepEqual(parseServers({ hostname: "Jobs.example", port: 1, path: undefined }), [
    { hostname: "jobs.example", port: 1 },
  ]);
  assert.deepEqual(parseServers(unix), [unix]);
  assert.deepEqual(parseServers(["a", v6, "[::1]:4731,b:1", unix]).map(formatServer), [
    "a:4730",
    "[::1]:4731",
    "b:1",
    "unix:a relative, path",
  ]);
});

test("an address out of range is a RangeError", () => {
  for (const hostname of ["", "a b", "a,b", "a:b:c/", "[::1]"]) {
    assert.throws(() => parseServers({ hostname, port: 1 }), RangeError, hostname);
  }
  for (const port of [0, -1, 65_536, 1.5, NaN, undefined as never]) {
    assert.throws(() => parseServers({ hostname: "a", port }), RangeError, String(port));
  }
});

test("servers must be strings or addresses, or a list of these", () => {
  for (
    const servers of [null, 4730, {}, { port: 1 }, { hostname: 1, port: 1 }, [1], ["a", undefined], [["a"]], [null]]
  ) {
    assert.throws(() => parseServers(servers as unknown as string), {
      name: "TypeError",
      message: "Cannot read servers: they must be strings or addresses",
    });
  }
});
