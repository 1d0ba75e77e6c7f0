/** Tests of reading the status of a job from a packet. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readStatus, readUniqueStatus } from "../../src/client/status.ts";
import { utf8 } from "../support/bytes.ts";

test("the numbers of a status are numbers, whatever a worker sent", () => {
  const read = (...args: string[]) => readStatus(args.map(utf8));
  const expected = { handle: "H:1", known: true, running: true, numerator: 50, denominator: 100 };
  assert.deepEqual(read("H:1", "1", "1", "50", "100"), expected);
  assert.deepEqual(read("H:1", "1", "1", "1.5", "abc"), { ...expected, numerator: 1.5, denominator: 0 });
  assert.deepEqual(read("H:1", "0", "0", "", ""), {
    handle: "H:1",
    known: false,
    running: false,
    numerator: 0,
    denominator: 0,
  });
  const { unique, clients } = readUniqueStatus(["u", "1", "0", "0", "0", "48"].map(utf8));
  assert.deepEqual([unique, clients], ["u", 48]);
});
