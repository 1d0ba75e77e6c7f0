/** The floor: a raw socket that sends encoded packets, with 1,000 unanswered: `raw.ts SERVER JOBS [FUNCTION]`. */

import { connect } from "node:net";
import process from "node:process";
import { encodeRequest, PacketType } from "../../../src/codec/mod.ts";
import { measure, portOf, WORKLOAD } from "./measure.ts";

const WINDOW = 1_000;
const [server, count, name = "bench"] = process.argv.slice(2) as [string, string, string?];
const jobs = Number(count);
const one = encodeRequest(PacketType.SUBMIT_JOB_BG, name, "", WORKLOAD);
const packets = new Uint8Array(one.length * WINDOW);
for (let i = 0; i < WINDOW; i++) packets.set(one, i * one.length);

const socket = connect({ port: portOf(server), host: "127.0.0.1", noDelay: true });
await new Promise<void>((resolve) => socket.once("connect", resolve));

await measure(jobs, () =>
  new Promise<void>((resolve) => {
    let sent = 0, answered = 0;
    let rest: Uint8Array = new Uint8Array(0);
    const send = (number: number) => {
      const some = Math.min(number, jobs - sent);
      sent += some;
      if (some > 0) socket.write(packets.subarray(0, some * one.length));
    };
    socket.on("data", (chunk) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0, found = 0;
      while (at + 12 <= bytes.length) {
        const end = at + 12 + bytes.readUInt32BE(at + 8);
        if (end > bytes.length) break;
        at = end;
        found++;
      }
      rest = bytes.subarray(at);
      answered += found;
      if (answered === jobs) resolve();
      else send(found);
    });
    send(WINDOW);
  }));
socket.destroy();
