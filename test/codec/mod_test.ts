/** Tests of the whole codec: captured packets and lines, and properties of random packets in random chunks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as codec from "../../src/codec/mod.ts";
import { GearmanError } from "../../src/errors.ts";
import { character } from "../support/arbitraries.ts";
import { chunks, encode, fromHex, header, join, toHex, utf8, vectorArgs, vectorKind } from "../support/bytes.ts";
import { vectors } from "../support/vectors.ts";

const { decodePackets, encodeLine, MixedDecoder, PacketDecoder, PacketEncoder, PacketType, ProtocolError } = codec;

/** Converts an item of a decoder to a form that can be compared and printed. */
function plain(item: codec.Packet | codec.TextLine): unknown {
  return item.magic === "TEXT" ? item : { ...item, args: item.args.map(toHex) };
}

/** Makes a decoder of packets, or with `text` of packets and lines. */
function decoderOf(
  { text = false, maxPacketSize }: { readonly text?: boolean; readonly maxPacketSize?: number },
): codec.PacketDecoder<codec.Packet | codec.TextLine> {
  return text ? new MixedDecoder({ maxPacketSize }) : new PacketDecoder({ maxPacketSize });
}

/** Decodes chunk after chunk. */
function decodeAll(parts: Iterable<Uint8Array>, options: { readonly text?: boolean } = {}): unknown[] {
  const decoder = decoderOf(options);
  const found: unknown[] = [];
  for (const part of parts) {
    decoder.push(part);
    for (const item of decoder) found.push(plain(item));
  }
  decoder.end();
  return found;
}

/** Asserts that decoding in one chunk, split at every index, and byte by byte has the same result. */
function assertDecodes(bytes: Uint8Array, expected: unknown[], options: { readonly text?: boolean } = {}): void {
  assert.deepEqual(decodeAll([bytes], options), expected);
  for (let i = 1; i < bytes.length; i++) {
    assert.deepEqual(decodeAll([bytes.subarray(0, i), bytes.subarray(i)], options), expected, `split at ${i}`);
  }
  assert.deepEqual(decodeAll(chunks(bytes, [1]), options), expected, "byte by byte");
}

test("the module exports only the codec", () => {
  assert.deepEqual(Object.keys(codec).sort(), [
    "MixedDecoder",
    "PacketDecoder",
    "PacketEncoder",
    "PacketType",
    "ProtocolError",
    "decodePackets",
    "encodeLine",
    "encodeRequest",
    "encodeResponse",
    "packetName",
  ]);
});

test("the captured data are 167 packets, 88 lines and 3 packets to refuse", () => {
  const count = (kind: string) => vectors.filter((vector) => vectorKind(vector) === kind).length;
  assert.deepEqual([count("packet"), count("line"), count("refused")], [167, 88, 3]);
});

test("every captured packet decodes to its arguments: in one chunk, split anywhere, and byte by byte", () => {
  for (const vector of vectors.filter((vector) => vectorKind(vector) === "packet")) {
    const bytes = fromHex(vector.hex);
    const magic = bytes[3] === 0x51 ? "REQ" : "RES";
    const expected = [{ magic, type: vector.type, args: vectorArgs(vector).map(toHex) }];
    assertDecodes(bytes, expected);
    assertDecodes(bytes, expected, { text: true });
    assert.equal(codec.packetName(vector.type!), vector.typeName, vector.name);
  }
});

test("every captured packet is encoded to the bytes that were captured", () => {
  for (const vector of vectors.filter((vector) => vectorKind(vector) === "packet")) {
    const magic = vector.hex.startsWith("00524551") ? "REQ" : "RES";
    assert.equal(toHex(encode(magic, vector.type!, vectorArgs(vector))), vector.hex, vector.name);
    const strings = vector.args.map((arg) => "utf8" in arg ? arg.utf8 : fromHex(arg.hex));
    assert.equal(toHex(encode(magic, vector.type!, strings)), vector.hex, `${vector.name}, from strings`);
  }
});

test("every captured line decodes to its text: in one chunk, split anywhere, and byte by byte", () => {
  for (const vector of vectors.filter((vector) => vectorKind(vector) === "line")) {
    const line = new TextDecoder().decode(vectorArgs(vector)[0]);
    assertDecodes(fromHex(vector.hex), [{ magic: "TEXT", line }], { text: true });
  }
});

test("types 5 and 43 and a bad magic are refused: in one chunk, and byte by byte", () => {
  for (const vector of vectors.filter((vector) => vectorKind(vector) === "refused")) {
    assert.throws(() => decodeAll([fromHex(vector.hex)]), ProtocolError, vector.name);
    assert.throws(() => decodeAll(chunks(fromHex(vector.hex), [1])), ProtocolError, vector.name);
  }
});

test("all captured data in one stream are decoded in order", () => {
  const good = vectors.filter((vector) => vectorKind(vector) !== "refused");
  const stream = join(good.map((vector) => fromHex(vector.hex)));
  const expected = good.flatMap((vector) => decodeAll([fromHex(vector.hex)], { text: true }));
  assert.equal(expected.length, 255);
  for (const size of [1, 2, 3, 11, 12, 13, 64, 1_400, 65_536]) {
    assert.deepEqual(decodeAll(chunks(stream, [size]), { text: true }), expected, `chunks of ${size}`);
  }
});

/** The number of arguments of each type, independent of the table in the sources. */
const counts = new Map<number, number>([
  ...[3, 4, 6, 9, 10, 24, 30, 39].map((type) => [type, 0] as const),
  ...[1, 2, 8, 14, 15, 16, 17, 22, 26, 27, 41].map((type) => [type, 1] as const),
  ...[13, 19, 23, 25, 28, 29].map((type) => [type, 2] as const),
  ...[7, 11, 12, 18, 21, 32, 33, 34].map((type) => [type, 3] as const),
  ...[31, 36].map((type) => [type, 4] as const),
  ...[20, 37, 38, 40].map((type) => [type, 5] as const),
  [42, 6],
  [35, 8],
]);

const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 4_000, maxLength: 9_000, size: "max" }) },
);
const packet = fc.constantFrom(...counts.keys()).chain((type) =>
  fc.record({
    magic: fc.constantFrom("REQ" as const, "RES" as const),
    type: fc.constant(type),
    args: fc.tuple(...Array.from({ length: counts.get(type)! }, (_, i, last = counts.get(type)! - 1) => {
      return i === last ? bytes : bytes.map((value) => value.map((byte) => byte === 0 ? 1 : byte));
    })),
  })
);
const line = fc.string({ maxLength: 60, unit: character }).map((line) => line.replace(/\n|\r$|^\0/g, "-"));
const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 16 }), fc.integer({ min: 1, max: 6_000 })), {
  minLength: 1,
  maxLength: 12,
}).filter((sizes) => sizes.some((size) => size > 0));

test("random packets are decoded as they were encoded, in any chunking", { timeout: 60_000 }, () => {
  fc.assert(fc.property(fc.array(packet, { maxLength: 8 }), sizes, (packets, sizes) => {
    const stream = join(packets.map(({ magic, type, args }) => encode(magic, type, args)));
    const expected = packets.map((packet) => ({ ...packet, args: packet.args.map(toHex) }));
    assert.deepEqual(decodeAll(chunks(stream, sizes)), expected);
  }));
});

test("random packets and lines are decoded as they were encoded, in any chunking", { timeout: 60_000 }, () => {
  const item = fc.oneof(packet, fc.tuple(line, fc.constantFrom("\n" as const, "\r\n" as const)));
  fc.assert(fc.property(fc.array(item, { maxLength: 8 }), sizes, (items, sizes) => {
    const encoder = new PacketEncoder("RES");
    const expected: unknown[] = [];
    for (const item of items) {
      if (Array.isArray(item)) {
        encoder.writeBytes(encodeLine(...item));
        expected.push({ magic: "TEXT", line: new TextDecoder("utf-8", { ignoreBOM: true }).decode(utf8(item[0])) });
      } else {
        encoder.write(item.type as codec.PacketType, ...item.args as never);
        expected.push({ magic: "RES", type: item.type, args: item.args.map(toHex) });
      }
    }
    const size = encoder.size;
    const stream = join(encoder.take());
    assert.equal(stream.length, size);
    assert.deepEqual(decodeAll(chunks(stream, sizes), { text: true }), expected);
  }));
});

/** Decodes any bytes; the result must be packets, lines or one lasting ProtocolError. */
function survives(stream: Uint8Array, sizes: readonly number[], text: boolean): unknown[] {
  const decoder = decoderOf({ text, maxPacketSize: 1_000_000 });
  const found: unknown[] = [];
  let failure: unknown;
  for (const part of chunks(stream, sizes)) {
    decoder.push(part);
    try {
      for (const item of decoder) found.push(plain(item));
      assert.equal(failure, undefined, "went on after an error");
    } catch (error) {
      assert.ok(error instanceof ProtocolError && error instanceof GearmanError, String(error));
      assert.ok(error.offset! >= 0 && error.offset! <= stream.length);
      assert.equal(failure ?? error, error, "a second, other error");
      failure = error;
    }
    assert.ok(found.length <= stream.length);
  }
  return failure === undefined ? found : [...found, String(failure)];
}

test("random bytes decode to packets or a ProtocolError, the same in any chunking", { timeout: 60_000 }, () => {
  const start = fc.constantFrom(utf8(""), utf8("\0RES\0\0\0"), header("\0REQ", 18, 9), header("\0RES", 42, 30));
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), sizes, fc.boolean(), (start, rest, sizes, text) => {
      const stream = join([start, rest]);
      assert.deepEqual(survives(stream, sizes, text), survives(stream, [stream.length || 1], text));
    }),
    { numRuns: 300 },
  );
});

test("mutated packets decode to packets or a ProtocolError, the same in any chunking", { timeout: 60_000 }, () => {
  const mutation = fc.record({ at: fc.nat(), to: fc.oneof(fc.constantFrom(0, 1, 10, 13, 43, 255), fc.nat(255)) });
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      fc.array(packet, { minLength: 1, maxLength: 4 }),
      mutations,
      sizes,
      fc.boolean(),
      (packets, changes, sizes, text) => {
        const stream = join(packets.map(({ magic, type, args }) => encode(magic, type, args)));
        for (const { at, to } of changes) stream[at % Math.min(stream.length, 200)] = to;
        assert.deepEqual(survives(stream, sizes, text), survives(stream, [stream.length], text));
      },
    ),
    { numRuns: 300 },
  );
});

test("decodePackets() yields the packets of a source, and its error has the offset of a cut packet", async () => {
  async function* source(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
    yield* chunks(bytes, [size]);
  }
  const stream = join([encode("REQ", 16, ["a"]), encode("RES", 17, ["b"]), utf8("version\r\n"), encode("REQ", 4, [])]);
  for (const size of [1, 7, 100]) {
    const found: unknown[] = [];
    for await (const item of decodePackets(source(stream, size), new MixedDecoder())) found.push(plain(item));
    assert.deepEqual(found, decodeAll([stream], { text: true }));
  }
  const cut = decodePackets(source(stream.subarray(0, 20), 3));
  assert.equal((await cut.next()).value?.type, PacketType.ECHO_REQ);
  await assert.rejects(cut.next(), { name: "ProtocolError", offset: 13 });
  assert.deepEqual(await cut.next(), { done: true, value: undefined });
});

test("decodePackets() closes its source when its loop is left, and after a ProtocolError", async () => {
  let left = 0;
  async function* source(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield bytes;
    } finally {
      left++;
    }
  }
  for await (const _ of decodePackets(source(header("\0REQ", 4, 0)))) break;
  assert.equal(left, 1);
  await assert.rejects(decodePackets(source(utf8("GET / HTTP/1.1\r\n"))).next(), ProtocolError);
  assert.equal(left, 2);
});
