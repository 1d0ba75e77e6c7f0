/** Tests of the packet table: numbers, names and counts of arguments, against the captured data. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  argumentCount,
  HEADER_SIZE,
  MAGIC_REQ,
  MAGIC_RES,
  NO_PACKET,
  packetName,
  PacketType,
} from "../../src/codec/packet.ts";
import type { Packet, PacketArgs, PacketInput } from "../../src/codec/packet.ts";
import { header, uint32, utf8, vectorKind } from "../support/bytes.ts";
import { vectors } from "../support/vectors.ts";

test("there are 41 packet types, 1 to 42 without 5, each once", () => {
  const numbers = Object.values(PacketType).sort((a, b) => a - b);
  assert.deepEqual(numbers, Array.from({ length: 42 }, (_, i) => i + 1).filter((number) => number !== 5));
});

test("names, numbers and counts of arguments equal those of captured packets of every type", () => {
  const seen = new Set<number>();
  for (const vector of vectors.filter((vector) => vectorKind(vector) === "packet")) {
    seen.add(vector.type!);
    assert.equal(PacketType[vector.typeName as keyof typeof PacketType], vector.type, vector.name);
    assert.equal(packetName(vector.type!), vector.typeName, vector.name);
    assert.equal(argumentCount(vector.type!), vector.args.length, vector.name);
  }
  assert.equal(seen.size, 41);
});

test("packetName() and argumentCount() accept a number that is not a packet type", () => {
  for (const number of [-1, 0, 5, 43, 1.5, NaN, 2 ** 32]) {
    assert.equal(packetName(number), `packet type ${number}`);
    assert.equal(argumentCount(number), NO_PACKET);
  }
});

test("a header is 12 bytes and begins with a NUL and REQ or RES", () => {
  assert.equal(header("\0REQ", 1, 0).length, HEADER_SIZE);
  assert.deepEqual(uint32(MAGIC_REQ), utf8("\0REQ"));
  assert.deepEqual(uint32(MAGIC_RES), utf8("\0RES"));
});

test("the types of arguments follow the packet type", () => {
  const accept = <T>(_value: T): void => {};
  accept<PacketInput<18>>(["reverse", "", new Uint8Array(1)]);
  accept<PacketInput<typeof PacketType.NOOP>>([]);
  accept<Packet<8>["args"]>([new Uint8Array(1)]);
  accept<PacketArgs<number>[42]>([1, 2, 3, 4, 5, 6]);
  accept<PacketType>(42);
  // @ts-expect-error SUBMIT_JOB_BG has three arguments
  accept<PacketInput<18>>(["reverse", ""]);
  // @ts-expect-error NOOP has none
  accept<PacketInput<6>>([""]);
  // @ts-expect-error numbers are given in decimal digits
  accept<PacketInput<12>>(["H:1", 1, 2]);
  // @ts-expect-error received arguments are bytes
  accept<Packet<8>["args"]>(["H:1"]);
  // @ts-expect-error there is no type 5
  accept<PacketType>(5);
  // @ts-expect-error there is no type 43
  accept<PacketType>(43);
  // @ts-expect-error any number is not a packet type
  accept<PacketType>(Math.random());
});
