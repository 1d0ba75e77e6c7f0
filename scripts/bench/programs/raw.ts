/**
 * Measures a raw socket that sends encoded packets and counts the answers, which no client can beat:
 * `raw.ts MODE SERVER JOBS [WARM_UP]`.
 */

import { connect } from "node:net";
import process from "node:process";
import { encodeRequest, PacketType } from "../../../src/codec/mod.ts";
import { measure, portOf, WORKLOAD } from "./measure.ts";

/** Its digits are replaced by the number of the job. */
const UNIQUE = "u000000";
const { ECHO_REQ, ECHO_RES, SUBMIT_JOB, SUBMIT_JOB_BG, JOB_CREATED, WORK_COMPLETE } = PacketType;
/** The packet to send, the type of its final answer, the maximum in flight, and the number of packets in one write. */
const MODES: Record<string, readonly [packet: Uint8Array, answer: number, window: number, set?: number]> = {
  pipelined: [encodeRequest(SUBMIT_JOB_BG, "bench", "", WORKLOAD), JOB_CREATED, 1_000],
  awaited: [encodeRequest(SUBMIT_JOB_BG, "bench", UNIQUE, WORKLOAD), JOB_CREATED, 1],
  echo: [encodeRequest(ECHO_REQ, WORKLOAD), ECHO_RES, 1],
  foreground: [encodeRequest(SUBMIT_JOB, "echo", "", WORKLOAD), WORK_COMPLETE, 100],
  sets: [encodeRequest(SUBMIT_JOB, "echo", "", WORKLOAD), WORK_COMPLETE, 100, 100],
  queued: [encodeRequest(SUBMIT_JOB_BG, "echo", "", WORKLOAD), JOB_CREATED, 1_000], // for a later worker
};

const [mode, server, count, before] = process.argv.slice(2) as [string, string, string, string?];
const [one, answer, window, set = 1] = MODES[mode]!;
const packets = new Uint8Array(one.length * window);
for (let i = 0; i < window; i++) packets.set(one, i * one.length);

const socket = connect({ port: portOf(server), host: "127.0.0.1", noDelay: true });
await new Promise<void>((resolve) => socket.once("connect", resolve));

const buffer = Buffer.from(packets.buffer);
const unique = buffer.indexOf(UNIQUE); // -1 if the packet has none
const work = (jobs: number, counted: boolean) =>
  new Promise<void>((resolve) => {
    socket.removeAllListeners("data");
    let sent = 0, answered = 0, free = 0;
    let incomplete: Uint8Array = new Uint8Array(0);
    const send = (number: number) => {
      const some = Math.min(number, jobs - sent);
      if (counted && unique !== -1) buffer.write(`u${String(sent).padStart(6, "0")}`, unique);
      sent += some;
      if (some > 0) socket.write(packets.subarray(0, some * one.length));
    };
    socket.on("data", (chunk) => {
      const bytes = incomplete.length === 0 ? chunk : Buffer.concat([incomplete, chunk]);
      let at = 0, found = 0;
      while (at + 12 <= bytes.length) {
        const end = at + 12 + bytes.readUInt32BE(at + 8);
        if (end > bytes.length) break;
        if (bytes[at + 7] === answer) found++;
        at = end;
      }
      incomplete = bytes.subarray(at);
      answered += found;
      free += found;
      if (answered === jobs) return resolve();
      if (free < set) return;
      send(free);
      free = 0;
    });
    send(window);
  });
await measure(Number(count), work, before === undefined ? undefined : Number(before));
socket.destroy();
