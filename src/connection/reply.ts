/** Packets of one argument, as the library itself receives them: their argument is read without a view of its bytes. */

import { readTextBetween } from "../internal/text.ts";
import type { Packet, PacketType } from "../codec/packet.ts";

/** A packet of one argument, which makes a view of it only on demand. */
export class Reply {
  readonly magic: "REQ" | "RES";
  readonly type: PacketType;
  readonly body: Uint8Array;
  readonly start: number;
  readonly end: number;

  constructor(magic: "REQ" | "RES", type: PacketType, body: Uint8Array, start: number, end: number) {
    this.magic = magic;
    this.type = type;
    this.body = body;
    this.start = start;
    this.end = end;
  }

  get args(): [Uint8Array] {
    return [this.body.subarray(this.start, this.end)];
  }
}

/**
 * The last handle without its last byte, which is a digit: the next nine handles mostly differ in nothing else. A longer one
 * does not fit, and is decoded each time.
 */
const startBytes = /* @__PURE__ */ new Uint8Array(64);
let startSize = 0;
let startText = "";

/** Decodes the handle of a JOB_CREATED, which has one argument, so that the connections of this library make a reply of it. */
export function handleOf(packet: Packet): string {
  const { body, start, end } = packet as unknown as Reply;
  const size = end - start - 1;
  const last = body[end - 1]!;
  if (start === end || last > 127) return readTextBetween(body, start, end);
  let same = 0;
  while (same < size && body[start + same] === startBytes[same]) same += 1;
  if (same < size || size !== startSize) {
    startText = readTextBetween(body, start, end - 1);
    startSize = size;
    for (; same < size; same += 1) startBytes[same] = body[start + same]!;
  }
  return startText + String.fromCharCode(last);
}
