/** Tests of the handles of replies: where one begins as the last one did, its start is not decoded again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "../../src/codec/mod.ts";
import type { Packet } from "../../src/codec/packet.ts";
import { handleOf, Reply } from "../../src/connection/reply.ts";
import { utf8 } from "../support/bytes.ts";

/** Reads a handle from the middle of a chunk. */
function read(handle: Uint8Array): string {
  const chunk = new Uint8Array([7, ...handle, 7]);
  return handleOf(new Reply("RES", PacketType.JOB_CREATED, chunk, 1, chunk.length - 1) as unknown as Packet);
}

test("handles that differ in nothing but their number are told apart", () => {
  const handles = Array.from({ length: 1_234 }, (_, i) => `H:box:${i}`);
  assert.deepEqual(handles.map((handle) => read(utf8(handle))), handles);
});

test("whatever the handle before it was, a handle is decoded as UTF-8", () => {
  const long = "H:".padEnd(300, "x");
  const handles = [
    ...["", "1", "H:box:1", "H:box:12", "H:box:1é", "é1", "é12", "H:bóx:1", "\ufeff1", "\0", "H:box:1\0"].map(utf8),
    ...[63, 64, 65, 66, 67, 299, 300].map((size) => utf8(long.slice(0, size))),
    utf8(`${long.slice(0, 64)}y`),
    utf8(`${long.slice(0, 65)}y1`),
    // Bytes that are not UTF-8, also such as are the codes of the characters of another handle.
    new Uint8Array([0xe9, 0x31]),
    new Uint8Array([0xe9, 0x31, 0x32]),
    new Uint8Array([0xc3, 0x31]),
    new Uint8Array([0xc3]),
    new Uint8Array([0xe2, 0x82, 0x31]),
  ];
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const before of handles) {
    for (const handle of handles) {
      read(before);
      assert.equal(read(handle), decoder.decode(handle));
    }
  }
});
