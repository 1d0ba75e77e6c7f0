/**
 * Measures a naive client of about 60 lines: `naive.ts SERVER JOBS WARM_UP`. It has one connection, a promise and a handle
 * object for each background job, and none of our guarantees: no checks, errors, aborts, reconnection or back-pressure.
 */

import { connect, type Socket } from "node:net";
import process from "node:process";
import { inFlight, measure, portOf, WORKLOAD } from "./measure.ts";

const HEADER_SIZE = 12;
const BUFFER_SIZE = 65_536;
const SUBMIT_JOB_BG = 18;

class NaiveJob {
  readonly handle: string;

  constructor(handle: string) {
    this.handle = handle;
  }
}

class NaiveClient {
  readonly #socket: Socket;
  readonly #encoder = new TextEncoder();
  #buffer = new Uint8Array(BUFFER_SIZE);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;
  #waiting: ((job: NaiveJob) => void)[] = [];
  #answered = 0;
  #scheduled = false;
  #rest: Uint8Array | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
  }

  doBackground(functionName: string, workload: Uint8Array): Promise<NaiveJob> {
    return new Promise((resolve) => {
      const room = HEADER_SIZE + functionName.length * 3 + 2 + workload.length;
      if (this.#length + room > BUFFER_SIZE) this.#flush();
      const buffer = this.#buffer;
      const start = this.#length;
      buffer[start + 1] = 0x52;
      buffer[start + 2] = 0x45;
      buffer[start + 3] = 0x51;
      this.#view.setUint32(start + 4, SUBMIT_JOB_BG);
      let end = start + HEADER_SIZE;
      end += this.#encoder.encodeInto(functionName, buffer.subarray(end)).written;
      buffer[end] = 0;
      buffer[end + 1] = 0;
      end += 2;
      buffer.set(workload, end);
      end += workload.length;
      this.#view.setUint32(start + 8, end - start - HEADER_SIZE);
      this.#length = end;
      this.#waiting.push(resolve);
      if (this.#scheduled) return;
      this.#scheduled = true;
      queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#length === 0) return;
    this.#socket.write(this.#buffer.subarray(0, this.#length));
    this.#buffer = new Uint8Array(BUFFER_SIZE);
    this.#view = new DataView(this.#buffer.buffer);
    this.#length = 0;
  }

  #receive(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest !== undefined) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
      this.#rest = undefined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    while (bytes.length - start >= HEADER_SIZE) {
      const end = start + HEADER_SIZE + view.getUint32(start + 8);
      if (bytes.length < end) break;
      let handle = "";
      for (let i = start + HEADER_SIZE; i < end; i++) handle += String.fromCharCode(bytes[i]!);
      this.#waiting[this.#answered]!(new NaiveJob(handle));
      this.#answered += 1;
      if (this.#answered > 1_024) {
        this.#waiting = this.#waiting.slice(this.#answered);
        this.#answered = 0;
      }
      start = end;
    }
    if (start < bytes.length) this.#rest = bytes.subarray(start);
  }
}

const [server, count, warmUp] = process.argv.slice(2) as [string, string, string];
const socket = connect({ port: portOf(server), host: "127.0.0.1", noDelay: true });
await new Promise<void>((resolve) => socket.once("connect", resolve));
const client = new NaiveClient(socket);
const workload = new TextEncoder().encode(WORKLOAD);
await measure(
  Number(count),
  (jobs) => inFlight(jobs, 1_000, () => client.doBackground("bench", workload)),
  Number(warmUp),
);
socket.destroy();
