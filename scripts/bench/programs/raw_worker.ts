/**
 * Runs a worker that is nothing but a raw socket, which no worker can beat: `raw_worker.ts SERVER CONCURRENCY [JOBS]`. It
 * returns the workload of each job. After JOBS jobs it prints the measurement, as worker.ts does.
 */

import { connect } from "node:net";
import process from "node:process";
import { encodeRequest, PacketType } from "../../../src/codec/mod.ts";
import { portOf, startMeasuring, warmUp, WORKLOAD } from "./measure.ts";

const { CAN_DO, GRAB_JOB, JOB_ASSIGN, NO_JOB, NOOP, PRE_SLEEP, WORK_COMPLETE } = PacketType;
const HEADER_SIZE = 12;
const grab = encodeRequest(GRAB_JOB);

const [server, concurrency, count] = process.argv.slice(2) as [string, string, string?];
const jobs = Number(count ?? 0);
const before = warmUp(jobs);
const socket = connect({ port: portOf(server), host: "127.0.0.1", noDelay: true });
const grabs = Array.from({ length: Number(concurrency) }, () => grab);
let incomplete: Uint8Array = new Uint8Array(0);
let done = 0;
let print: ReturnType<typeof startMeasuring>;

socket.on("data", (chunk) => {
  const bytes = incomplete.length === 0 ? chunk : Buffer.concat([incomplete, chunk]);
  const answers: Uint8Array[] = [];
  let at = 0;
  while (at + HEADER_SIZE <= bytes.length) {
    const end = at + HEADER_SIZE + bytes.readUInt32BE(at + 8);
    if (end > bytes.length) break;
    answers.push(...answer(bytes[at + 7]!, bytes.subarray(at + HEADER_SIZE, end)));
    at = end;
  }
  incomplete = bytes.subarray(at);
  if (answers.length > 0) socket.write(Buffer.concat(answers));
});

/** Returns what is to be sent after a packet. */
function answer(type: number, body: Uint8Array): Uint8Array[] {
  if (type === NO_JOB) return [encodeRequest(PRE_SLEEP)];
  if (type === NOOP) return grabs;
  if (type !== JOB_ASSIGN) return [];
  if (done === before) print = startMeasuring();
  done++;
  if (done === jobs) {
    print(done - before);
    process.exit();
  }
  return [encodeRequest(WORK_COMPLETE, body.subarray(0, body.indexOf(0)), WORKLOAD), grab];
}

socket.write(Buffer.concat([encodeRequest(CAN_DO, "echo"), ...grabs]));
