/** Tests of what an exchange takes before it asks its client to wait. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRequest, type Packet, PacketDecoder, type PacketInput, PacketType } from "../../src/codec/mod.ts";
import { Exchange, type ExchangeSettings } from "../../src/gateway/exchange.ts";
import { turns } from "../support/wait.ts";
import { FakeTransport } from "../support/fake_transport.ts";

const MIB = 1_048_576;
/** Bytes of a submission beside its workload: the header, and the function name and the unique with their NULs. */
const SUBMISSION = 12 + "f\0".length + "\0".length;

/** Makes an exchange with a job server that takes nothing, or everything. */
function makeExchange(options: Partial<ExchangeSettings> & { takes?: boolean } = {}): Exchange {
  const settings = { allow: () => true, allowTimeout: 10_000, maxWorkload: 10 * MIB, onRefused: () => {}, ...options };
  const server = new FakeTransport();
  if (options.takes !== true) server.answers.push(new Promise(() => {}));
  const client = { request: new Request("http://gateway.example/"), write: () => {} };
  return new Exchange(settings, client, server);
}

/** Decodes a request. */
function request<T extends PacketType>(type: T, ...args: PacketInput<T>): Packet {
  const decoder = new PacketDecoder();
  decoder.push(encodeRequest(type, ...args));
  return decoder.read()!;
}

const submission = (size: number) => request(PacketType.SUBMIT_JOB_BG, "f", "", new Uint8Array(size - SUBMISSION));
const question = request(PacketType.GET_STATUS, "H:1");

test("1 MiB may wait for a job server that does not read, and what is more asks the client to wait", async () => {
  const exchange = makeExchange();
  assert.equal(exchange.receive(submission(MIB)), undefined);
  await turns();
  assert.ok(exchange.receive(question) instanceof Promise);
  exchange.destroy();
});

test("replies of 1 MiB may be awaited, and what is more asks the client to wait", async () => {
  const exchange = makeExchange({ takes: true });
  // Each reply counts 100 bytes more than its data.
  assert.equal(exchange.receive(request(PacketType.ECHO_REQ, new Uint8Array(MIB - 100))), undefined);
  await turns();
  assert.ok(exchange.receive(question) instanceof Promise);
  exchange.destroy();
});

test("99 calls may wait for permission, or workloads of 1 MiB, and what is more asks the client to wait", () => {
  const allow = () => new Promise<boolean>(() => {});
  const many = makeExchange({ allow, allowTimeout: 1 });
  for (let i = 0; i < 99; i++) assert.equal(many.receive(question), undefined);
  assert.ok(many.receive(question) instanceof Promise);
  many.destroy();
  const large = makeExchange({ allow, allowTimeout: 1 });
  assert.equal(large.receive(submission(MIB + SUBMISSION)), undefined);
  assert.ok(large.receive(submission(1 + SUBMISSION)) instanceof Promise);
  large.destroy();
});
