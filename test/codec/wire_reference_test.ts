// The table of packets in the codec's documentation says what the codec does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { encodeRequest, encodeResponse, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { argumentCount } from "../../src/codec/packet.ts";
import { latin1 } from "../conformance/wire.ts";

const source = readFileSync(new URL(`../../src/codec/mod.${import.meta.url.slice(-2)}`, import.meta.url), "utf8");
const examples = new Map(
  Array.from(source.matchAll(/^ \* ([A-Z_]+) +(\\0\S.*)$/gm), ([, name, example]) => [
    name!,
    example!.replace(/\\(?:x(..)|0)/g, (_, hex = "0") => String.fromCharCode(parseInt(hex, 16))),
  ]),
);
const rows = Array.from(
  source.matchAll(/^ \* \| (\d+) \| (\w+) \| (.+?) \| (.*?) \|$/gm),
  ([, type, name, who, args]) => ({
    type: Number(type),
    name: name!,
    who: who!,
    args: args === "" ? [] : args!.split(", "),
    example: examples.get(name!) ?? assert.fail(`${name} has no example`),
  }),
);

test("each packet type has its row in the documentation, with its number", () => {
  assert.deepEqual(rows.map(({ name, type }) => [name, type]), Object.entries(PacketType));
  assert.deepEqual([...examples.keys()], Object.keys(PacketType));
});

test("each row names as many arguments as the packet has", () => {
  for (const { name, type, args } of rows) assert.equal(args.length, argumentCount(type), name);
});

test("each example is what the codec makes of its arguments, sent by whom the row says", () => {
  for (const { name, type, who, args, example } of rows) {
    const decoder = new PacketDecoder();
    decoder.push(Uint8Array.from(example, (character) => character.charCodeAt(0)));
    const packet = decoder.next().value!;
    assert.equal(packet.type, type, name);
    assert.equal(packet.args.length, args.length, name);
    assert.equal(packet.magic, who.startsWith("S ") ? "RES" : "REQ", name);
    const encode = packet.magic === "REQ" ? encodeRequest : encodeResponse;
    assert.equal(latin1(encode(packet.type, ...packet.args as never)), example, name);
  }
});
