/** Tests of the readers of text answers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Answer,
  readConnections,
  readList,
  readNumber,
  readOutcomes,
  readRefusal,
  readTable,
  readValue,
  readVersion,
} from "../../src/admin/answers.ts";
import { assertLinear } from "../support/cost.ts";

const answer = (...lines: string[]): Answer => ({ command: "status", lines });

/** Asserts that a reader refuses an answer, and that its message begins and ends so. */
function assertUnreadable(read: () => unknown, expected: string, got?: string): void {
  const end = got === undefined ? "" : `, got "${got}"`;
  assert.throws(read, {
    name: "ProtocolError",
    message: `Cannot read the answer to "status": expected ${expected}${end}`,
  });
}

test("a value is what follows OK, and may be empty", () => {
  assert.equal(readValue(answer("OK 1.1.20")), "1.1.20");
  assert.equal(readValue(answer("OK")), "");
  const expected = "one line that begins with OK";
  assertUnreadable(() => readValue(answer()), expected);
  assertUnreadable(() => readValue(answer("OKAY")), expected, "OKAY");
  assertUnreadable(() => readValue(answer("1.1.20")), expected, "1.1.20");
  assertUnreadable(() => readValue(answer("OK 1", "OK 2")), expected, "OK 2");
});

test("a version may stand alone, as Perl's server and old ones answer, and is returned as it stands", () => {
  for (const version of ["v1.130.1", "0.14", "1.1.20+ds"]) {
    assert.equal(readVersion(answer(version)), version);
    assert.equal(readVersion(answer(`OK ${version}`)), version);
  }
  for (const line of ["", "version 1", "v1.130.1 x", "1", "."]) {
    assertUnreadable(() => readVersion(answer(line)), "one line that begins with OK", line);
  }
  assertUnreadable(() => readVersion(answer("v1.130.1", "v1.130.1")), "one line that begins with OK", "v1.130.1");
});

test("a number is digits behind OK", () => {
  assert.equal(readNumber(answer("OK 4711")), 4711);
  for (const value of ["", "x", "-1", "1.5", "1 2"]) {
    assertUnreadable(() => readNumber(answer(`OK ${value}`)), "OK and a number", value);
  }
});

test("several outcomes are read line by line, and the first refusal is thrown", () => {
  readOutcomes(answer("OK"));
  readOutcomes(answer("OK", "OK"));
  const refused = answer("OK", "ERR function not found", "ERR OTHER");
  assert.throws(() => readOutcomes(refused), { name: "ServerError", code: "", text: "function not found" });
  assertUnreadable(() => readOutcomes(answer()), "OK or ERR");
  assertUnreadable(() => readOutcomes(answer("ERR A", "what", "OK")), "OK or ERR", "what");
});

test("a list ends with a dot, and a dot before the end is an entry", () => {
  assert.deepEqual(readList(answer(".")), []);
  assert.deepEqual(readList(answer("a", ".", "", ".")), ["a", ".", ""]);
  assertUnreadable(() => readList(answer()), "a list that ends with a dot");
  assertUnreadable(() => readList(answer("a")), "a list that ends with a dot", "a");
});

test("a row of a table ends at its numbers, whatever its name holds", () => {
  const rows = readTable(
    answer("f\t3\t1\t2", "a\tb", ".", "", "c\u2028\r\t0\t0\t1", "\t0\t0\t2", "g\t1\t2\t3\t4\t5", "."),
    3,
  );
  assert.deepEqual(rows, [
    ["f", 3, 1, 2],
    ["a\tb\n.\n\nc\u2028\r", 0, 0, 1],
    ["", 0, 0, 2],
    ["g\t1\t2", 3, 4, 5],
  ]);
});

test("text behind the last row of a table is refused", () => {
  const expected = "a name and 3 numbers with tabs between them";
  assertUnreadable(() => readTable(answer("f\t3\t1", "."), 3), expected, "f 3 1");
  assertUnreadable(() => readTable(answer("f\t3\t1\t2", "", "g", "."), 3), expected, "");
  assertUnreadable(() => readTable(answer("f\t3\t1\t2x", "."), 3), expected, "f 3 1 2x");
});

test("a connection is a descriptor, an address, an id and functions", () => {
  assert.deepEqual(readConnections(answer("31 127.0.0.1 an id : g f", "-1 - - :", ".")), [
    { fd: 31, address: "127.0.0.1", id: "an id", functionNames: ["g", "f"] },
    { fd: -1, address: "-", id: "-", functionNames: [] },
  ]);
  assert.deepEqual(readConnections(answer(".")), []);
});

test("each connection over IPv6 is one, and keeps the scope that gearmand prints", () => {
  const addresses = ["::3435:3830:3800:6e70%2129849200", "fe80::1%eth0", "fe80::1", "::ffff:10.0.0.1"];
  const lines = addresses.map((address, fd) => `${fd} ${address} - :`);
  assert.deepEqual(
    readConnections(answer(...lines, ".")),
    addresses.map((address, fd) => ({ fd, address, id: "-", functionNames: [] })),
  );
});

test("a connection without functions has none, also where the server ends its line with a blank", () => {
  for (const end of ["", " "]) {
    assert.deepEqual(readConnections(answer(`31 127.0.0.1 - :${end}`, ".")), [
      { fd: 31, address: "127.0.0.1", id: "-", functionNames: [] },
    ]);
  }
});

test("a line that begins no connection belongs to the last function name before it", () => {
  const lines = [
    "31 10.0.0.1 - : tab\tand",
    "line f",
    ".",
    "7 dwarfs",
    "32 10.0.0.2  : ",
    "starts ends",
    " g",
    "33 ::1 - : h",
  ];
  assert.deepEqual(readConnections(answer(...lines, ".")), [
    { fd: 31, address: "10.0.0.1", id: "-", functionNames: ["tab\tand\nline", "f\n.\n7", "dwarfs"] },
    { fd: 32, address: "10.0.0.2", id: "", functionNames: ["\nstarts", "ends\n", "g"] },
    { fd: 33, address: "::1", id: "-", functionNames: ["h"] },
  ]);
});

test("an id may hold line feeds, and a line that only begins like a connection belongs to a name", () => {
  const lines = ["31 10.0.0.1 my", "long", "id : f", "32 10.0.0.2 x", "33 10.0.0.3 - : g", "34 10.0.0.4 y", "z"];
  assert.deepEqual(readConnections(answer(...lines, ".")), [
    { fd: 31, address: "10.0.0.1", id: "my\nlong\nid", functionNames: ["f\n32", "10.0.0.2", "x"] },
    { fd: 33, address: "10.0.0.3", id: "-", functionNames: ["g\n34", "10.0.0.4", "y\nz"] },
  ]);
});

test("a line that looks like the end of an id belongs to a name where no id has begun", () => {
  assert.deepEqual(readConnections(answer("31 10.0.0.1 - : f", "x : y", ".")), [
    { fd: 31, address: "10.0.0.1", id: "-", functionNames: ["f\nx", ":", "y"] },
  ]);
  assert.deepEqual(readConnections(answer("31 10.0.0.1 - : f", "line", "x : y", ".")), [
    { fd: 31, address: "10.0.0.1", id: "-", functionNames: ["f\nline\nx", ":", "y"] },
  ]);
});

test("a line that begins no connection is refused where no function name is before it", () => {
  assertUnreadable(() => readConnections(answer("text", "31 10.0.0.1 - : f", ".")), "a connection", "text");
  assertUnreadable(() => readConnections(answer("31 10.0.0.1 - :", "text", ".")), "a connection", "text");
  assertUnreadable(() => readConnections(answer("31 10.0.0.1 - ", ".")), "a connection", "31 10.0.0.1 -");
  const id = answer("31 10.0.0.1 - :", "32 10.0.0.2 my", "33 10.0.0.3 - : f", ".");
  assertUnreadable(() => readConnections(id), "a connection", "32 10.0.0.2 my");
});

test("one line with ERR is a refusal with a code, a text, or both", () => {
  const read = (line: string) => {
    const refusal = readRefusal(answer(line));
    return [refusal?.code, refusal?.text];
  };
  assert.deepEqual(read("ERR UNKNOWN_JOB"), ["UNKNOWN_JOB", ""]);
  assert.deepEqual(read("ERR CODE some+text"), ["CODE", "some text"]);
  assert.deepEqual(read("ERR function not found"), ["", "function not found"]);
  assert.deepEqual(read("ERR unknown_command "), ["unknown_command", ""], "Perl's server");
  assert.deepEqual(read("ERR incomplete_args An+incomplete+set"), ["incomplete_args", "An incomplete set"]);
  assert.deepEqual(read("OK"), [undefined, undefined]);
  assert.equal(readRefusal(answer("ERR 1", ".")), undefined, "a list of uniques");
});

test(
  "the time to read an answer is proportional to its size, whether it can be read or not",
  { timeout: 60_000 },
  () => {
    const read = (lines: readonly string[]) => {
      for (const reader of [(all: Answer) => readTable(all, 3), readConnections, readVersion, readOutcomes]) {
        try {
          reader({ command: "status", lines });
        } catch (error) {
          assert.equal((error as Error).name, "ProtocolError");
        }
      }
    };
    /** Makes the lines of a list from `n` pieces, as many lines or as one long line. */
    const kinds: Record<string, (n: number) => string[]> = {
      "rows that lack a column": (n) => Array.from({ length: n }, () => "name\t1\t1"),
      "one line of columns": (n) => ["\t1".repeat(n) + "x"],
      "one line of digits": (n) => [`name\t${"1".repeat(n)}\t${"1".repeat(n)}x`],
      "one line of blanks and colons": (n) => ["1 ::1 - " + " :x".repeat(n)],
      "one name of many lines": (n) => ["1 ::1 - : f", ...Array.from({ length: n }, () => "line")],
      "ids that never end": (n) => ["1 ::1 - : f", ...Array.from({ length: n }, () => "2 ::1 id")],
      "ids of two lines": (n) => Array.from({ length: 2 * n }, (_, i) => i % 2 === 0 ? "2 ::1 my" : "id :"),
      "one refusal": (n) => [`ERR ${"a_".repeat(n)}!`],
      "one connection with many functions": (n) => ["1 ::1 - :" + " f".repeat(n)],
    };
    for (const [name, make] of Object.entries(kinds)) {
      const [small, large] = [20_000, 80_000].map((n) => [...make(n), "."]) as [string[], string[]];
      const split = () => void large.map((line) => line.split("\t")); // the garbage alone may cost more than the rest
      assertLinear(() => read(small), () => read(large), split, name);
    }
  },
);
