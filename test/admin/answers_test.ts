/** Tests of the readers of text answers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, readConnections, readList, readRefusal, readTable, readValue } from "../../src/admin/answers.ts";

const answer = (...lines: string[]): Answer => ({ command: "status", lines });

test("a value is what follows OK, and may be empty", () => {
  assert.equal(readValue(answer("OK 1.1.20")), "1.1.20");
  assert.equal(readValue(answer("OK")), "");
  for (const wrong of [answer(), answer("OKAY"), answer("1.1.20"), answer("OK 1", "OK 2")]) {
    assert.throws(() => readValue(wrong), {
      name: "ProtocolError",
      message: 'Cannot read the answer to "status": expected one line that begins with OK',
    });
  }
});

test("a list ends with a dot, and a dot before the end is an entry", () => {
  assert.deepEqual(readList(answer(".")), []);
  assert.deepEqual(readList(answer("a", ".", "", ".")), ["a", ".", ""]);
  for (const wrong of [answer(), answer("a")]) {
    assert.throws(() => readList(wrong), {
      name: "ProtocolError",
      message: 'Cannot read the answer to "status": expected a list that ends with a dot',
    });
  }
});

test("a row of a table ends at its numbers, whatever its name holds", () => {
  assert.deepEqual(readTable(answer("f\t3\t1\t2", "a\tb", "c\t0\t0\t1", "."), 3), [
    ["f", 3, 1, 2],
    ["a\tb\nc", 0, 0, 1],
  ]);
});

test("a connection is a descriptor, an address, an id and functions", () => {
  assert.deepEqual(readConnections(answer("31 127.0.0.1 an id : g f", ".")), [
    { fd: 31, address: "127.0.0.1", id: "an id", functionNames: ["g", "f"] },
  ]);
  assert.deepEqual(readConnections(answer("31 127.0.0.1 - :", "32 fe80::1 - : line", "feed", ".")), [
    { fd: 31, address: "127.0.0.1", id: "-", functionNames: [] },
    { fd: 32, address: "fe80::1", id: "-", functionNames: ["line\nfeed"] },
  ]);
  assert.deepEqual(readConnections(answer(".")), []);
});

test("one line with ERR is a refusal with a code, a text, or both", () => {
  const read = (line: string) => {
    const refusal = readRefusal(answer(line));
    return [refusal?.code, refusal?.text];
  };
  assert.deepEqual(read("ERR UNKNOWN_JOB"), ["UNKNOWN_JOB", ""]);
  assert.deepEqual(read("ERR CODE some+text"), ["CODE", "some text"]);
  assert.deepEqual(read("ERR function not found"), ["", "function not found"]);
  assert.deepEqual(read("OK"), [undefined, undefined]);
  assert.equal(readRefusal(answer("ERR 1", ".")), undefined, "a list of uniques");
});
