/** Tests of reading arguments: handles, numbers, and bytes that the caller may keep. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeResponse, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { ownedBytes, readHandle, readNumber } from "../../src/codec/arguments.ts";
import { chunks, join, text, utf8 } from "../support/bytes.ts";

test("readHandle() reads up to the first NUL", () => {
  const handles = ["H:1", "H:1\0", "H:1\0more\0"].map((handle) => readHandle(utf8(handle)));
  assert.deepEqual(handles, ["H:1", "H:1", "H:1"]);
  assert.deepEqual([readHandle(utf8("")), readHandle(utf8("\0"))], ["", ""]);
});

test("readNumber() returns a finite number for any text", () => {
  const read = (value: string) => readNumber(utf8(value));
  assert.deepEqual(["0", "50", "4294967295", "1.5", "-1"].map(read), [0, 50, 4_294_967_295, 1.5, -1]);
  assert.deepEqual(["", "abc", "NaN", "Infinity", "1e999", "\0", "\u00fc"].map(read), Array(7).fill(0));
});

test("ownedBytes() copies the end of a long chunk, also if the argument before it is empty", () => {
  const before = encodeResponse(PacketType.ECHO_RES, new Uint8Array(100_000));
  const decoder = new PacketDecoder();
  decoder.push(join([before, encodeResponse(PacketType.WORK_DATA, "", "data")]));
  const [, packet] = [...decoder];
  assert.equal(ownedBytes(packet!.args).buffer.byteLength, 4);
});

test("ownedBytes() returns bytes that share no memory with chunks or other arguments", () => {
  const packets = join([
    encodeResponse(PacketType.WORK_DATA, "H:1", "first"),
    encodeResponse(PacketType.WORK_DATA, "H:1", "second"),
    encodeResponse(PacketType.ECHO_RES, "third"),
  ]);
  for (const sizes of [[packets.length], [1], [5], [12], [20], [29, 1_000], [21, 1_000]]) {
    const decoder = new PacketDecoder();
    const parts = chunks(packets, sizes).map((chunk) => chunk.slice());
    const owned: Uint8Array[] = [];
    for (const part of parts) {
      decoder.push(part);
      for (const { args } of decoder) owned.push(ownedBytes(args));
    }
    for (const part of parts) part.fill(0);
    const copies = owned.map((bytes) => text(bytes));
    assert.deepEqual(copies, ["first", "second", "third"], `${sizes}`);
    for (const bytes of owned) bytes.fill(0x78);
    assert.deepEqual(owned.map(text), ["xxxxx", "xxxxxx", "xxxxx"], "none shares the memory of another");
  }
});
