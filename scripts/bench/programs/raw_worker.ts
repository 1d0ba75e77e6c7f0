/**
 * Runs a worker that is nothing but a raw socket, which no worker can beat, until it is killed: `raw_worker.ts SERVER`. It
 * has one job at a time, and returns its workload.
 */

import { connect } from "node:net";
import process from "node:process";
import { encodeRequest, PacketType } from "../../../src/codec/mod.ts";
import { portOf, WORKLOAD } from "./measure.ts";

const { CAN_DO, GRAB_JOB, JOB_ASSIGN, NO_JOB, NOOP, PRE_SLEEP, WORK_COMPLETE } = PacketType;
const HEADER_SIZE = 12;
const grab = encodeRequest(GRAB_JOB);
const sleep = encodeRequest(PRE_SLEEP);

const socket = connect({ port: portOf(process.argv[2]!), host: "127.0.0.1", noDelay: true });
let incomplete: Uint8Array = new Uint8Array(0);
socket.on("data", (chunk) => {
  const bytes = incomplete.length === 0 ? chunk : Buffer.concat([incomplete, chunk]);
  let at = 0;
  while (at + HEADER_SIZE <= bytes.length) {
    const end = at + HEADER_SIZE + bytes.readUInt32BE(at + 8);
    if (end > bytes.length) break;
    answer(bytes[at + 7]!, bytes.subarray(at + HEADER_SIZE, end));
    at = end;
  }
  incomplete = bytes.subarray(at);
});

function answer(type: number, body: Uint8Array): void {
  if (type === NO_JOB) socket.write(sleep);
  if (type === NOOP) socket.write(grab);
  if (type !== JOB_ASSIGN) return;
  const handle = body.subarray(0, body.indexOf(0));
  socket.write(Buffer.concat([encodeRequest(WORK_COMPLETE, handle, WORKLOAD), grab]));
}

socket.write(Buffer.concat([encodeRequest(CAN_DO, "echo"), grab]));
