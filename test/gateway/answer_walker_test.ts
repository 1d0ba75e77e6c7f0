/** Tests of the walk through answers: however the stream is cut, it finds the same packets as the decoder. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeResponse, PacketDecoder, PacketType, ProtocolError } from "../../src/codec/mod.ts";
import { AnswerWalker } from "../../src/gateway/answer_walker.ts";
import { chunks, join, pattern, text, utf8 } from "../support/bytes.ts";

/** Walks through the chunks; returns the packets, and the offset after each. */
function walk(walker: AnswerWalker, parts: readonly Uint8Array[]): { type: number; start: string; end: number }[] {
  const found: { type: number; start: string; end: number }[] = [];
  let offset = 0;
  for (const part of parts) {
    let at = 0;
    while (at < part.length) {
      const { bytes, ended } = walker.walk(part, at);
      assert.ok(bytes > 0);
      at += bytes;
      if (ended !== undefined) found.push({ type: ended.type, start: text(ended.start), end: offset + at });
    }
    offset += part.length;
  }
  return found;
}

const ANSWERS = [
  encodeResponse(PacketType.JOB_CREATED, "H:box:1"),
  encodeResponse(PacketType.WORK_DATA, "H:box:1", pattern(70_000)),
  encodeResponse(PacketType.NOOP),
  encodeResponse(PacketType.ECHO_RES, ""),
  encodeResponse(PacketType.STATUS_RES, "h".repeat(63), "0", "0", "0", "0"),
  encodeResponse(PacketType.WORK_COMPLETE, "H:box:1", "x".repeat(60)),
];

test("a walk finds the packets that the decoder finds, however the stream is cut", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }),
    fc.shuffledSubarray(ANSWERS),
    (sizes, answers) => {
      const stream = join(answers);
      const decoder = new PacketDecoder();
      decoder.push(stream);
      let end = 0;
      const expected = [...decoder].map(({ type }, i) => {
        const body = answers[i]!.subarray(12, 12 + 65);
        end += answers[i]!.length;
        return { type, start: text(body), end };
      });
      const walker = new AnswerWalker();
      assert.deepEqual(walk(walker, chunks(stream, sizes)), expected);
      assert.equal(walker.betweenPackets, true);
    },
  ));
});

test("inside a packet, also inside a header, the walker is not between packets", () => {
  const walker = new AnswerWalker();
  const answer = ANSWERS[0]!;
  for (let i = 0; i < answer.length; i++) {
    assert.equal(walker.betweenPackets, i === 0);
    walker.walk(answer, i);
    break;
  }
  const byBytes = new AnswerWalker();
  answer.forEach((byte, i) => {
    assert.equal(byBytes.betweenPackets, i === 0);
    byBytes.walk(Uint8Array.of(byte), 0);
  });
  assert.equal(byBytes.betweenPackets, true);
});

test("what is no response ends the walk with a ProtocolError", () => {
  for (const bad of ["\0REQ\0\0\0\x01\0\0\0\0", "HTTP/1.1 400 Bad Request"]) {
    assert.throws(() => new AnswerWalker().walk(utf8(bad), 0), ProtocolError);
  }
});
