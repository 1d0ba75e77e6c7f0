/**
 * Measures jobs that all wait for their result on one client, over a transport that acts as server: `waiting.ts JOBS`.
 */

import process from "node:process";
import { GearmanClient, type Transport } from "../../../mod.ts";
import { PacketDecoder, PacketEncoder, PacketType } from "../../../src/codec/mod.ts";
import { collectGarbage } from "../../../test/support/collect_garbage.ts";
import { startMeasuring } from "./measure.ts";

const jobs = Number(process.argv[2]);

/** Accepts every job at once, and completes all of them in `complete()`. */
class Server implements Transport {
  readonly #decoder = new PacketDecoder();
  readonly #encoder = new PacketEncoder("RES");
  #created = 0;
  #wake = () => {};
  onCreated = () => {};

  write(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
    for (const { type } of this.#decoder) {
      if (type === PacketType.OPTION_REQ) this.#encoder.write(PacketType.OPTION_RES, "exceptions");
      if (type === PacketType.ECHO_REQ) this.#encoder.write(PacketType.ECHO_RES, "");
      if (type !== PacketType.SUBMIT_JOB) continue;
      this.#encoder.write(PacketType.JOB_CREATED, `H:box:${this.#created}`);
      this.#created++;
      if (this.#created === jobs) this.onCreated();
    }
    this.#wake();
  }

  complete(): void {
    for (let i = 0; i < jobs; i++) this.#encoder.write(PacketType.WORK_COMPLETE, `H:box:${i}`, "done");
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield* this.#encoder.take();
      if (this.#encoder.size === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  close(): void {}
}

function heap(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const server = new Server();
const client = new GearmanClient({ dial: () => server });
await client.do("f", "w").created();
const before = heap();
const results: Promise<unknown>[] = [];
const print = startMeasuring();
const created = new Promise<void>((resolve) => server.onCreated = resolve);
for (let i = 1; i < jobs; i++) results.push(client.do("f", "w").bytes());
await created;
await new Promise((resolve) => setTimeout(resolve)); // lets the client read the last one
const each = (heap() - before) / jobs;
server.complete();
await Promise.all(results);
print(jobs, each);
process.exit();
