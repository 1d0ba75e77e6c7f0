/** Measures our codec with packets of 64 bytes: `codec.ts decode|encode PACKETS`. */

import process from "node:process";
import { encodeResponse, PacketDecoder, PacketEncoder, PacketType } from "../../../src/codec/mod.ts";
import { CHUNK, DATA, HANDLE, measure } from "./measure.ts";

const [what, count] = process.argv.slice(2) as [string, string];

function decode(packets: number): void {
  const packet = encodeResponse(PacketType.WORK_DATA, HANDLE, DATA);
  const chunk = new Uint8Array(Math.floor(CHUNK / packet.length) * packet.length);
  for (let at = 0; at < chunk.length; at += packet.length) chunk.set(packet, at);
  const decoder = new PacketDecoder();
  for (let decoded = 0; decoded < packets;) {
    decoder.push(chunk);
    for (const { args } of decoder) if (args.length === 2) decoded++;
  }
}

function encode(packets: number): void {
  const encoder = new PacketEncoder("RES");
  for (let i = 0; i < packets; i++) {
    encoder.write(PacketType.WORK_DATA, HANDLE, DATA);
    if (encoder.size >= CHUNK) encoder.take();
  }
}

await measure(Number(count), what === "decode" ? decode : encode);
