/**
 * Tests of the wire reference, the two tables in the documentation of src/codec/mod.ts: each line of them follows from
 * the packet's entry in src/codec/packet.ts. A failure prints the line to paste.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { encodeRequest, encodeResponse, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { PACKETS } from "../../src/codec/packet.ts";
import { latin1 } from "../conformance/wire.ts";

type PacketName = keyof typeof PACKETS;

const NAMES = Object.keys(PACKETS) as PacketName[];

/** Values of the arguments in the examples; an argument that is not here has its own name as its value. */
const EXAMPLE_VALUES: Readonly<Record<string, string>> = {
  functionName: "reverse",
  unique: "u1",
  workload: "abc",
  handle: "H:box:1",
  data: "cba",
  numerator: "1",
  denominator: "2",
  known: "1",
  running: "0",
  clients: "1",
  code: "QUEUE_ERROR",
  text: "full",
  id: "me",
  timeout: "1000",
  option: "exceptions",
  minute: "*",
  hour: "*",
  dayOfMonth: "*",
  month: "*",
  dayOfWeek: "*",
  epoch: "1893456000",
  reducer: "sum",
  aggregator: "",
};

function readSource(name: string): string {
  return readFileSync(new URL(`../../src/codec/${name}.ts`, import.meta.url), "utf8");
}

interface SourceEntry {
  readonly number: number;
  /** Sender and receivers, as "C, W → S". */
  readonly route: string;
  readonly meaning: string;
  readonly argumentNames: readonly string[];
}

/**
 * Reads the entries in the table of packets: their comments, "Client or worker to server: what it means.", their numbers
 * and the names of their arguments, which are in their types only.
 */
function readEntries(): Map<string, SourceEntry> {
  const entry = /^ *\/\*\* ([\w ]+): (.+?)\.? \*\/\n *([A-Z_]+): [^<\n]*Entry<\s*(\d+),\s*\[(.*)\]/gm;
  return new Map(Array.from(readSource("packet").matchAll(entry), ([, peers, meaning, name, number, names]) => {
    const route = peers!.replace(/client/gi, "C").replace(/worker/gi, "W").replace(/server/gi, "S");
    return [name!, {
      number: Number(number),
      route: route.replaceAll(" to ", " → ").replaceAll(" or ", ", "),
      meaning: meaning!,
      argumentNames: names!.match(/\w+/g) ?? [],
    }];
  }));
}

const entries = readEntries();

function entryOf(name: PacketName): SourceEntry {
  return entries.get(name) ??
    assert.fail(
      `the entry ${name} in src/codec/packet.ts needs a comment like "Client to server: what it means.", and a type`,
    );
}

/** Encodes the packet of an example, as the first sender in its route sends it. */
function examplePacket(name: PacketName): Uint8Array {
  const encode = entryOf(name).route.startsWith("S") ? encodeResponse : encodeRequest;
  const values = entryOf(name).argumentNames.map((argument) => EXAMPLE_VALUES[argument] ?? argument);
  return (encode as (type: number, ...args: string[]) => Uint8Array)(PacketType[name], ...values);
}

/** Writes a packet with escapes: numbers in the header as bytes, and in the body what cannot be printed. */
function escapePacket(packet: Uint8Array): string {
  const hex = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  const numbers = latin1(packet.subarray(4, 12)).replace(/[^\0]/g, hex).replaceAll("\0", "\\0");
  // Before a digit, "\0" would be read as another escape.
  // deno-lint-ignore no-control-regex
  const body = latin1(packet.subarray(12)).replace(/\0(?!\d)/g, "\\0").replace(/[\0-\x1f\x7f-\xff]/g, hex);
  return `\\0${latin1(packet.subarray(1, 4))}${numbers}${body}`;
}

function expectedRow(name: PacketName): string {
  const { route, meaning, argumentNames } = entryOf(name);
  return ` * | ${PacketType[name]} | ${name} | ${route} | ${argumentNames.join(", ")} | ${meaning} |`;
}

function expectedExample(name: PacketName): string {
  return ` * ${name.padEnd(28)}  ${escapePacket(examplePacket(name))}`;
}

/** Asserts that the documentation has these lines, one for each packet, in the order of the table of packets. */
function assertDocumented(found: readonly string[], expected: (name: PacketName) => string): void {
  for (const [index, name] of NAMES.entries()) {
    const line = expected(name);
    const after = index === 0 ? "the table's head" : `the line of ${NAMES[index - 1]}`;
    const place = `src/codec/mod.ts: after ${after}, the line of ${name} must be\n${line}\n`;
    assert.equal(found[index], line, `${place}instead of\n${found[index] ?? "the end of the table"}`);
  }
  assert.deepEqual(found.slice(NAMES.length), [], "src/codec/mod.ts: these lines must go");
}

const documentation = readSource("mod").split("\n");

test("the entries stand in the order of their numbers", () => {
  for (const name of NAMES) assert.equal(PacketType[name], entryOf(name).number, name);
});

test("the documentation has a row for each packet: number, name, route, arguments and meaning", () => {
  assertDocumented(documentation.filter((line) => /^ \* \| \d/.test(line)), expectedRow);
});

test("the documentation has an example for each packet: its bytes", () => {
  assertDocumented(documentation.filter((line) => /^ \* [A-Z_]+ +\\0R/.test(line)), expectedExample);
});

test("each example decodes to the packet that it stands for", () => {
  for (const name of NAMES) {
    const decoder = new PacketDecoder();
    decoder.push(examplePacket(name));
    const { type, args } = decoder.next().value!;
    assert.equal(type, PacketType[name], name);
    assert.equal(args.length, entryOf(name).argumentNames.length, name);
  }
});
