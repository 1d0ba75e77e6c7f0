/**
 * Measures gearman-packet, the codec of abraxas, with the same packets: `peer_codec.ts decode|encode PACKETS FOLDER`.
 */

import { createRequire } from "node:module";
import process from "node:process";
import { encodeResponse, PacketType } from "../../../src/codec/mod.ts";
import { CHUNK, DATA, HANDLE, measure } from "./measure.ts";

/** A Buffer, since gearman-packet accepts nothing else. */
const BODY = Buffer.from(DATA);
const [what, count, folder] = process.argv.slice(2) as [string, string, string];
// deno-lint-ignore no-explicit-any -- it has no types
const codec = createRequire(import.meta.url)(folder) as any;

/** Decodes packets. A body is a stream, which has to be read. */
function decode(packets: number): Promise<void> {
  const packet = encodeResponse(PacketType.WORK_DATA, HANDLE, DATA);
  const chunk = Buffer.concat(Array.from({ length: Math.floor(CHUNK / packet.length) }, () => packet));
  const parser = new codec.Parser();
  let decoded = 0;
  return new Promise((resolve) => {
    const push = () => {
      parser.write(chunk, () => {
        if (decoded < packets) push();
        else resolve();
      });
    };
    parser.on("data", (packet: { body?: { resume?(): void } }) => {
      decoded++;
      packet.body?.resume?.();
    });
    push();
  });
}

function encode(packets: number): Promise<void> {
  const emitter = new codec.Emitter();
  let encoded = 0;
  return new Promise((resolve) => {
    const write = () =>
      emitter.write(
        { kind: "response", type: codec.types["WORK_DATA"], args: { job: HANDLE }, body: BODY },
        () => {
          encoded++;
          if (encoded === packets) resolve();
        },
      );
    emitter.on("data", () => {});
    for (let i = 0; i < packets; i++) write();
  });
}

await measure(Number(count), what === "decode" ? decode : encode);
