/** Packets of one argument, as the library itself receives them: their argument is read without a view of its bytes. */

import { readTextBetween } from "../internal/text.ts";
import type { Packet, PacketType } from "../codec/packet.ts";

/** A packet of one argument, which makes a view of it only on demand. */
export class Reply {
  readonly magic: "REQ" | "RES";
  readonly type: PacketType;
  private readonly body: Uint8Array;
  private readonly start: number;
  private readonly end: number;

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

  /** The argument, decoded as UTF-8. */
  get text(): string {
    return readTextBetween(this.body, this.start, this.end);
  }
}

/** Makes a reply; it has the shape of any packet. */
export function makeReply(
  magic: "REQ" | "RES",
  type: PacketType,
  body: Uint8Array,
  start: number,
  end: number,
): Packet {
  return new Reply(magic, type, body, start, end) as unknown as Packet;
}

/** Decodes the first argument of a packet as UTF-8. */
export function firstText(packet: Packet): string {
  if (packet instanceof Reply) return packet.text;
  const [first] = packet.args as readonly Uint8Array[];
  return readTextBetween(first!, 0, first!.length);
}
