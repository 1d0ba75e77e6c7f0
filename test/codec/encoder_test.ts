/** Tests of the encoder: the bytes it makes, the arguments it refuses, and those it copies or hands on. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import {
  encodeLine,
  encodeRequest,
  encodeResponse,
  PacketDecoder,
  PacketEncoder,
  PacketType,
} from "../../src/codec/mod.ts";
import { argumentCount } from "../../src/codec/packet.ts";
import { encode, header, join, pattern, text, toHex, utf8 } from "../support/bytes.ts";

/** A last argument of this length is not copied. */
const MIN_UNCOPIED = 65_536;

/** Takes everything from the encoder, as hexadecimal digits. */
function taken(encoder: PacketEncoder): string {
  return toHex(join(encoder.take()));
}

/** Writes a packet without the checks of the compiler. */
function writeAny(encoder: PacketEncoder, type: unknown, ...args: unknown[]): void {
  (encoder.write as (...all: unknown[]) => void).call(encoder, type, ...args);
}

test("requests and responses of every type are encoded, from strings and from bytes", () => {
  for (const type of Object.values(PacketType)) {
    const args = Array.from({ length: argumentCount(type) }, (_, i) => `argument ${i}`);
    const body = utf8(args.join("\0"));
    for (const magic of ["REQ", "RES"] as const) {
      const expected = toHex(join([header(`\0${magic}`, type, body.length), body]));
      assert.equal(toHex(encode(magic, type, args)), expected);
      assert.equal(toHex(encode(magic, type, args.map(utf8))), expected);
      assert.equal(toHex(encode(magic, type, args.map((arg) => Buffer.from(arg)))), expected);
    }
  }
});

test("encoded bytes belong to the caller", () => {
  const first = encodeRequest(PacketType.ECHO_REQ, "first");
  const second = encodeRequest(PacketType.ECHO_REQ, "other");
  first.fill(0);
  assert.equal(text(second.subarray(12)), "other");
  const workload = new Uint8Array(MIN_UNCOPIED);
  const large = encodeResponse(PacketType.ECHO_RES, workload);
  workload[0] = 1;
  assert.equal(large[12], 0);
  assert.equal(large.buffer.byteLength, MIN_UNCOPIED + 12);
});

test("strings of any length and script are sent as UTF-8", () => {
  const strings = [
    "",
    "a",
    "gr\u00fc\u00df",
    "\u20ac",
    "\u{1f600}",
    "ascii, then \u{1f600} and \u00e9",
    "lone \ud800 half",
  ];
  for (const length of [16_383, 16_384, 16_385, MIN_UNCOPIED - 1, MIN_UNCOPIED, MIN_UNCOPIED + 1]) {
    strings.push("x".repeat(length), `${"x".repeat(length - 1)}\u20ac`, "\u20ac".repeat(length));
  }
  for (const string of strings) {
    const expected = toHex(join([header("\0REQ", 18, utf8(string).length + 2), utf8("\0\0"), utf8(string)]));
    assert.ok(
      toHex(encodeRequest(PacketType.SUBMIT_JOB_BG, "", "", string)) === expected,
      `${string.length} characters`,
    );
    const decoder = new PacketDecoder();
    decoder.push(encodeRequest(PacketType.SUBMIT_JOB_BG, string, string, ""));
    const [packet] = [...decoder];
    assert.ok(Buffer.from(utf8(string)).equals(packet!.args[0]!), `${string.length} characters`);
    assert.ok(Buffer.from(utf8(string)).equals(packet!.args[1]!), `${string.length} characters`);
  }
});

test("packets are collected until they are taken: small ones in one piece, in order", () => {
  const encoder = new PacketEncoder("REQ");
  assert.equal(encoder.size, 0);
  assert.deepEqual(encoder.take(), []);
  encoder.write(PacketType.CAN_DO, "reverse");
  encoder.write(PacketType.PRE_SLEEP);
  encoder.writeBytes(encodeLine("status"));
  encoder.writeBytes(encodeLine("version", "\n"));
  const expected = join([
    encodeRequest(PacketType.CAN_DO, "reverse"),
    encodeRequest(PacketType.PRE_SLEEP),
    utf8("status\r\nversion\n"),
  ]);
  assert.equal(encoder.size, expected.length);
  const pieces = encoder.take();
  assert.equal(pieces.length, 1);
  assert.equal(toHex(pieces[0]!), toHex(expected));
  assert.equal(encoder.size, 0);
  assert.deepEqual(encoder.take(), []);
});

test("pieces that were taken are not changed by later packets", () => {
  const encoder = new PacketEncoder("REQ");
  const pieces: Uint8Array[] = [];
  const copies: string[] = [];
  for (let i = 0; i < 3_000; i++) {
    encoder.write(PacketType.SUBMIT_JOB_BG, "f", `unique ${i}`, pattern(i % 200));
    if (i % 7 === 0) {
      const taken = encoder.take();
      pieces.push(...taken);
      copies.push(...taken.map(toHex));
    }
  }
  assert.deepEqual(pieces.map(toHex), copies);
});

test("a last argument of 64 KiB or more is handed on without a copy, in order", () => {
  const encoder = new PacketEncoder("RES");
  const large = pattern(MIN_UNCOPIED);
  const small = pattern(MIN_UNCOPIED - 1);
  encoder.write(PacketType.WORK_DATA, "H:1", "before");
  encoder.write(PacketType.WORK_DATA, "H:1", large);
  encoder.write(PacketType.WORK_DATA, "H:1", small);
  encoder.write(PacketType.ECHO_RES, large);
  const size = encoder.size;
  const pieces = encoder.take();
  assert.equal(pieces.filter((piece) => piece === large).length, 2);
  assert.equal(pieces.filter((piece) => piece.buffer === small.buffer).length, 0);
  const expected = join([
    encodeResponse(PacketType.WORK_DATA, "H:1", "before"),
    encodeResponse(PacketType.WORK_DATA, "H:1", large),
    encodeResponse(PacketType.WORK_DATA, "H:1", small),
    encodeResponse(PacketType.ECHO_RES, large),
  ]);
  assert.equal(size, expected.length);
  assert.ok(Buffer.from(join(pieces)).equals(expected));
});

test("a NUL is refused in every argument but the last, and nothing is appended", () => {
  const encoder = new PacketEncoder("REQ");
  let expected = "";
  for (const type of Object.values(PacketType)) {
    const count = argumentCount(type);
    for (let i = 0; i < count; i++) {
      for (const bad of ["\0", "a\0b", utf8("\0"), utf8("ab\0"), `${"\u20ac".repeat(9_000)}\0`, Buffer.from("\0")]) {
        const args: (string | Uint8Array)[] = Array.from({ length: count }, () => "x");
        args[i] = bad;
        if (i === count - 1) {
          writeAny(encoder, type, ...args);
          expected += toHex(encode("REQ", type, args));
          continue;
        }
        const size = encoder.size;
        assert.throws(() => writeAny(encoder, type, ...args), {
          name: "RangeError",
          message: /^Cannot encode [A-Z_]+: argument \d holds a NUL$/,
        });
        assert.equal(encoder.size, size);
      }
    }
  }
  assert.equal(taken(encoder), expected);
});

test("a refused packet, short or long, leaves no bytes between its neighbours", () => {
  const encoder = new PacketEncoder("REQ");
  const large = pattern(MIN_UNCOPIED);
  encoder.write(PacketType.ECHO_REQ, "before");
  assert.throws(() => encoder.write(PacketType.SUBMIT_JOB, "a\0", "", large), RangeError);
  assert.throws(() => encoder.write(PacketType.SUBMIT_JOB, "x".repeat(200_000), "\0", large), RangeError);
  assert.throws(() => writeAny(encoder, PacketType.SUBMIT_JOB, "a", "b", 1), TypeError);
  assert.throws(() => writeAny(encoder, PacketType.SUBMIT_JOB, "a", "b"), TypeError);
  encoder.write(PacketType.ECHO_REQ, "after");
  const expected = join([encodeRequest(PacketType.ECHO_REQ, "before"), encodeRequest(PacketType.ECHO_REQ, "after")]);
  assert.equal(encoder.size, expected.length);
  assert.equal(taken(encoder), toHex(expected));

  assert.throws(() => encodeRequest(PacketType.SUBMIT_JOB, "a\0", "", "w"), RangeError);
  assert.equal(toHex(encodeRequest(PacketType.PRE_SLEEP)), toHex(header("\0REQ", 4, 0)));
});

test("an argument that is not copied keeps its length when its buffer grows", () => {
  const encoder = new PacketEncoder("REQ");
  const buffer = new ArrayBuffer(MIN_UNCOPIED, { maxByteLength: 2 * MIN_UNCOPIED });
  encoder.write(PacketType.ECHO_REQ, new Uint8Array(buffer));
  buffer.resize(2 * MIN_UNCOPIED);
  assert.deepEqual(encoder.take().map(({ length }) => length), [12, MIN_UNCOPIED]);
});

test("takeGroups() keeps an argument that is not copied together with the rest of its packet", () => {
  const encoder = new PacketEncoder("REQ");
  const large = pattern(70_000);
  encoder.write(PacketType.ECHO_REQ, "small");
  encoder.write(PacketType.ECHO_REQ, large);
  encoder.write(PacketType.ECHO_REQ, "behind");
  const groups = encoder.takeGroups();
  assert.deepEqual(groups.map((pieces) => pieces.map(({ length }) => length)), [[17 + 12, 70_000], [18]]);
  assert.equal(groups[0]![1], large);
  assert.deepEqual([encoder.takeGroups(), encoder.size], [[], 0]);
});

test("writePacket() encodes what was decoded, and leaves its arguments as they are", () => {
  const encoder = new PacketEncoder("REQ");
  const long = "ä".repeat(40_000);
  const args = ["f", "u", long];
  encoder.writePacket({ type: PacketType.SUBMIT_JOB_BG, args });
  assert.equal(args[2], long, "a long string is encoded in a list of its own");
  const bytes = join(encoder.take());
  const decoder = new PacketDecoder();
  decoder.push(bytes.slice());
  const again = new PacketEncoder("REQ");
  again.writePacket(decoder.read()!);
  assert.deepEqual(join(again.take()), bytes);
  assert.throws(() => again.writePacket({ type: PacketType.ECHO_REQ, args: [] }), TypeError);
});

test("a wrong number or kind of arguments is a TypeError that names the packet", () => {
  const encoder = new PacketEncoder("RES");
  const wrong: [unknown, ...unknown[]][] = [
    [PacketType.ECHO_REQ],
    [PacketType.ECHO_REQ, "a", "b"],
    [PacketType.NOOP, ""],
    [PacketType.SUBMIT_JOB, "a", "b", undefined],
  ];
  for (const value of [1, null, {}, ["a"], new ArrayBuffer(1), new Uint16Array(1), true, 1n]) {
    wrong.push([PacketType.JOB_CREATED, value], [PacketType.WORK_DATA, value, "x"], [PacketType.WORK_DATA, "x", value]);
  }
  for (const [type, ...args] of wrong) {
    assert.throws(() => writeAny(encoder, type, ...args), {
      name: "TypeError",
      message: /^Cannot encode (ECHO_REQ|NOOP|SUBMIT_JOB|JOB_CREATED|WORK_DATA): /,
    });
  }
  assert.equal(encoder.size, 0);
  assert.deepEqual(encoder.take(), []);
});

test("a type that does not exist is a RangeError", () => {
  const encoder = new PacketEncoder("REQ");
  for (const type of [0, 5, 43, -1, 1.5, NaN, 2 ** 32]) assert.throws(() => writeAny(encoder, type), RangeError);
  assert.equal(encoder.size, 0);
});

test("a magic other than REQ and RES is a TypeError", () => {
  for (const magic of ["req", "", undefined, 0]) assert.throws(() => new PacketEncoder(magic as "REQ"), TypeError);
});

test("arguments are not changed, also if a long string is encoded first", () => {
  const args = Object.freeze(["f", "u", "\u20ac".repeat(20_000)] as const);
  encodeRequest(PacketType.SUBMIT_JOB, ...args);
  assert.equal(typeof args[2], "string");
  const workload = pattern(70_000);
  const before = workload.slice();
  encodeRequest(PacketType.SUBMIT_JOB, "f", "u", workload);
  assert.ok(Buffer.from(before).equals(workload));
});

test("a line is written with CR LF or LF, from a string or from bytes", () => {
  const encoder = new PacketEncoder("RES");
  encoder.writeBytes(encodeLine("status"));
  encoder.writeBytes(encodeLine("gr\u00fc\u00df", "\n"));
  encoder.writeBytes(encodeLine(""));
  encoder.writeBytes(encodeLine(Uint8Array.of(0x61, 0, 0xff), "\n"));
  encoder.writeBytes(encodeLine("x".repeat(100_000), "\n"));
  const expected = join([
    utf8("status\r\ngr\u00fc\u00df\n\r\na\0"),
    Uint8Array.of(0xff, 10),
    utf8(`${"x".repeat(100_000)}\n`),
  ]);
  assert.equal(encoder.size, expected.length);
  assert.equal(taken(encoder), toHex(expected));
});

test("a line must not contain a line feed, nor begin with a NUL as packets do", () => {
  const encoder = new PacketEncoder("REQ");
  encoder.writeBytes(encodeLine("before", "\n"));
  for (const line of ["a\nb", "\n", "a\r\n", "\0REQ", utf8("a\n"), Uint8Array.of(0)]) {
    assert.throws(() => encodeLine(line), RangeError);
  }
  assert.equal(taken(encoder), toHex(utf8("before\n")));
});

test("a wrong number or kind of arguments does not compile", () => {
  const encoder = new PacketEncoder("REQ");
  // @ts-expect-error SUBMIT_JOB has three arguments
  assert.throws(() => encodeRequest(PacketType.SUBMIT_JOB, "reverse", ""), TypeError);
  // @ts-expect-error SUBMIT_JOB does not have four arguments
  assert.throws(() => encodeRequest(PacketType.SUBMIT_JOB, "reverse", "", "", ""), TypeError);
  // @ts-expect-error PRE_SLEEP has none
  assert.throws(() => encodeRequest(PacketType.PRE_SLEEP, "x"), TypeError);
  // @ts-expect-error numbers are given in decimal digits
  assert.throws(() => encodeResponse(PacketType.WORK_STATUS, "H:1", 1, 2), TypeError);
  // @ts-expect-error there is no type 5
  assert.throws(() => encodeResponse(5), RangeError);
  // @ts-expect-error CAN_DO has one argument
  assert.throws(() => encoder.write(PacketType.CAN_DO), TypeError);
  // @ts-expect-error an argument must be a string or a Uint8Array
  assert.throws(() => encoder.write(PacketType.CAN_DO, new ArrayBuffer(2)), TypeError);
  // @ts-expect-error a string is not a packet type
  assert.throws(() => encoder.write("CAN_DO", "reverse"), RangeError);
});

test("packets that follow as many others begin new memory, and are not joined", () => {
  const encoder = new PacketEncoder("REQ");
  const buffers = new Set<ArrayBufferLike>();
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 1_000; i++) encoder.write(PacketType.GET_STATUS, `H:host:${i}`);
    const pieces = encoder.take();
    assert.equal(pieces.length, 1);
    // A joined piece would fill its buffer.
    if (round > 0) assert.ok(pieces[0]!.length < pieces[0]!.buffer.byteLength, `round ${round}`);
    buffers.add(pieces[0]!.buffer);
  }
  assert.ok(buffers.size < 20, "memory is used again where there is room");
});

test("small packets are taken as one piece, also if a slab ends between them", () => {
  const encoder = new PacketEncoder("REQ");
  for (let count = 1; count <= 600; count += 7) {
    for (let i = 0; i < count; i++) encoder.write(PacketType.GET_STATUS, `H:host:${i}`);
    const { size } = encoder;
    const pieces = encoder.take();
    assert.equal(pieces.length, 1, `${count} packets`);
    assert.equal(pieces[0]!.length, size);
    const decoder = new PacketDecoder();
    decoder.push(pieces[0]!);
    assert.equal([...decoder].length, count);
  }
});
