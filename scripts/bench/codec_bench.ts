/**
 * Measures the codec alone.
 *
 *     deno bench scripts/bench/codec_bench.ts
 */

import { encodeRequest, encodeResponse, PacketDecoder, PacketEncoder, PacketType } from "../../src/codec/mod.ts";
import { join } from "../../test/support/bytes.ts";
import { WORKLOAD } from "./programs/measure.ts";

/** Packets in one iteration. */
const PACKETS = 1_000;

function repeated(packet: Uint8Array): Uint8Array {
  return join(Array.from({ length: PACKETS }, () => packet));
}

function decode(name: string, stream: Uint8Array, chunk = stream.length): void {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += chunk) chunks.push(stream.subarray(at, at + chunk));
  Deno.bench(`${PACKETS} times ${name}`, { group: "decode" }, () => {
    const decoder = new PacketDecoder();
    let found = 0;
    for (const bytes of chunks) {
      decoder.push(bytes);
      for (const _ of decoder) found++;
    }
    if (found !== PACKETS) throw new Error(`${found} packets`);
  });
}

function encode(name: string, write: (encoder: PacketEncoder) => void): void {
  const encoder = new PacketEncoder("REQ");
  Deno.bench(`${PACKETS} times ${name}`, { group: "encode" }, () => {
    for (let i = 0; i < PACKETS; i++) write(encoder);
    encoder.take();
  });
}

const created = repeated(encodeResponse(PacketType.JOB_CREATED, "H:box:12345"));
decode("JOB_CREATED", created);
decode("JOB_CREATED, in chunks of 100 bytes", created, 100);
decode(
  "WORK_COMPLETE of 52 bytes",
  repeated(encodeResponse(PacketType.WORK_COMPLETE, "H:box:12345", new Uint8Array(52))),
);
decode("SUBMIT_JOB", repeated(encodeRequest(PacketType.SUBMIT_JOB, "reverse", "unique", WORKLOAD)));

const bytes = new TextEncoder().encode(WORKLOAD);
encode("SUBMIT_JOB, a string of 32", (encoder) => encoder.write(PacketType.SUBMIT_JOB, "reverse", "unique", WORKLOAD));
encode("SUBMIT_JOB, 32 bytes", (encoder) => encoder.write(PacketType.SUBMIT_JOB, "reverse", "unique", bytes));
encode("GRAB_JOB_ALL", (encoder) => encoder.write(PacketType.GRAB_JOB_ALL));
