/** Our codec, packets of 64 bytes: `codec.ts decode|encode PACKETS`. */

import process from "node:process";
import { encodeResponse, PacketDecoder, PacketEncoder, PacketType } from "../../../src/codec/mod.ts";
import { measure } from "./measure.ts";

/** As much as a socket gives at once. */
const CHUNK = 65_536;
/** With the handle and its NUL, a body of 64 bytes. */
const DATA = new Uint8Array(52).fill(120);
const HANDLE = "H:box:12345";

const [what, count] = process.argv.slice(2) as [string, string];
const packets = Number(count);

function decode(): void {
  const packet = encodeResponse(PacketType.WORK_DATA, HANDLE, DATA);
  const chunk = new Uint8Array(Math.floor(CHUNK / packet.length) * packet.length);
  for (let at = 0; at < chunk.length; at += packet.length) chunk.set(packet, at);
  const decoder = new PacketDecoder();
  for (let decoded = 0; decoded < packets;) {
    decoder.push(chunk);
    for (const { args } of decoder) if (args.length === 2) decoded++;
  }
}

function encode(): void {
  const encoder = new PacketEncoder("RES");
  for (let i = 0; i < packets; i++) {
    encoder.write(PacketType.WORK_DATA, HANDLE, DATA);
    if (encoder.size >= CHUNK) encoder.take();
  }
}

await measure(packets, what === "decode" ? decode : encode);
