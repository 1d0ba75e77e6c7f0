/** Tests of the decoder: boundaries of packets and lines, errors and their offsets, and the memory of arguments. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { encodeRequest, encodeResponse, MixedDecoder, PacketDecoder } from "../../src/codec/mod.ts";
import { packetName, PacketType, ProtocolError } from "../../src/codec/mod.ts";
import type { DecoderOptions, MixedDecoderOptions, Packet, TextLine } from "../../src/codec/mod.ts";
import { PacketDecoder as InternalDecoder, REPLY_CLASS } from "../../src/codec/decoder.ts";
import { Reply } from "../../src/connection/reply.ts";
import { markExclusive } from "../../src/internal/bytes.ts";
import { CAN_FREE_MEMORY, chunks, fromHex, header, join, pattern, text, toHex, utf8 } from "../support/bytes.ts";

/** Formats a packet or line as one string: "RES ECHO_RES hello" or "TEXT status". */
function words(item: Packet | TextLine): string {
  if (item.magic === "TEXT") return `TEXT ${item.line}`;
  return [item.magic, packetName(item.type), ...item.args.map(text)].join(" ");
}

/** Makes a decoder and pushes the chunks. */
function decoderOf(parts: Uint8Array[], options?: DecoderOptions): PacketDecoder {
  return pushed(new PacketDecoder(options), parts);
}

/** Makes a decoder of packets and lines, and pushes the chunks. */
function mixedOf(parts: Uint8Array[], options?: MixedDecoderOptions): MixedDecoder {
  return pushed(new MixedDecoder(options), parts);
}

function pushed<D extends PacketDecoder<unknown>>(decoder: D, parts: Uint8Array[]): D {
  for (const part of parts) decoder.push(part);
  return decoder;
}

/** Reads all complete packets and lines, as strings. */
function read(decoder: PacketDecoder<Packet | TextLine>): string[] {
  return Array.from(decoder, words);
}

/** Returns the error of the next call, and asserts that later calls throw the same error. */
function failure(decoder: PacketDecoder<unknown>): ProtocolError {
  let first: unknown;
  assert.throws(() => decoder.next(), (error) => {
    first = error;
    return true;
  });
  assert.ok(first instanceof ProtocolError, String(first));
  assert.equal(first.name, "ProtocolError");
  for (const again of [() => decoder.next(), () => decoder.end(), () => [...decoder]]) {
    assert.throws(again, (error) => error === first, "another error");
  }
  decoder.push(encodeRequest(PacketType.PRE_SLEEP));
  assert.throws(() => decoder.next(), (error) => error === first, "another error after a push");
  return first;
}

const echo = encodeResponse(PacketType.ECHO_RES, "hello");

test("a new decoder yields nothing, ends without an error, and is its own iterator", () => {
  const decoder = new PacketDecoder();
  assert.deepEqual(decoder.next(), { done: true, value: undefined });
  assert.equal(decoder[Symbol.iterator](), decoder);
  decoder.push(new Uint8Array(0));
  assert.deepEqual([...decoder], []);
  decoder.end();
});

test("bytes that are pushed after an error are ignored", () => {
  const decoder = new PacketDecoder();
  decoder.push(utf8("not a packet"));
  assert.throws(() => decoder.next(), ProtocolError);
  decoder.push(encodeRequest(PacketType.GRAB_JOB));
  assert.throws(() => decoder.next(), ProtocolError);
  assert.throws(() => decoder.end(), ProtocolError);
});

test("many packets in one chunk are yielded in order, and a loop can be left and entered again", () => {
  const parts = Array.from({ length: 1_000 }, (_, i) => encodeResponse(PacketType.JOB_CREATED, `H:box:${i}`));
  const decoder = decoderOf([join(parts)]);
  for (const packet of decoder) {
    assert.equal(words(packet), "RES JOB_CREATED H:box:0");
    break;
  }
  const rest = read(decoder);
  assert.equal(rest.length, 999);
  assert.equal(rest.at(-1), "RES JOB_CREATED H:box:999");
  decoder.end();
});

test("an incomplete header is kept, and iteration continues after the next push", () => {
  const decoder = decoderOf([echo, echo.subarray(0, 11)]);
  assert.deepEqual(read(decoder), ["RES ECHO_RES hello"]);
  assert.deepEqual(read(decoder), []);
  decoder.push(echo.subarray(11, 12));
  assert.deepEqual(read(decoder), []);
  decoder.push(join([echo.subarray(12), echo.subarray(0, 13)]));
  assert.deepEqual(read(decoder), ["RES ECHO_RES hello"]);
  decoder.push(echo.subarray(13));
  assert.deepEqual(read(decoder), ["RES ECHO_RES hello"]);
  decoder.end();
});

test("a magic that is split over two chunks is checked", () => {
  for (let cut = 1; cut < 4; cut++) {
    const decoder = decoderOf([join([echo, echo.subarray(0, cut)])]);
    assert.deepEqual(read(decoder), ["RES ECHO_RES hello"]);
    decoder.push(echo.subarray(cut));
    assert.deepEqual(read(decoder), ["RES ECHO_RES hello"]);
  }
  const decoder = decoderOf([utf8("\0RE"), utf8("Z\0\0\0\x11\0\0\0\0")]);
  assert.equal(failure(decoder).offset, 0);
});

test("empty workloads and workloads of all 256 byte values are decoded", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const stream = join([
    encodeRequest(PacketType.SUBMIT_JOB, "f", "", ""),
    encodeRequest(PacketType.SUBMIT_JOB, "f", "u", all),
    encodeRequest(PacketType.ECHO_REQ, ""),
    encodeRequest(PacketType.ECHO_REQ, new Uint8Array(3)),
  ]);
  for (const size of [1, 5, 1_000]) {
    const found = [...decoderOf(chunks(stream, [size]))].map((packet) => packet.args.map(toHex));
    assert.deepEqual(found, [["66", "", ""], ["66", "75", toHex(all)], [""], ["000000"]]);
  }
});

test("the last argument keeps its NULs, and the body of a packet without arguments is skipped", () => {
  const decoder = decoderOf([
    fromHex("005245530000000e00000007483a766d3a3100"), // WORK_FAIL as gearmand sends it for an exception
    join([header("\0RES", PacketType.NOOP, 3), utf8("abc")]),
    echo,
  ]);
  assert.deepEqual(read(decoder), ["RES WORK_FAIL H:vm:1\0", "RES NOOP", "RES ECHO_RES hello"]);
});

test("a missing separator is an error at the offset of its packet", () => {
  const bad = join([header("\0RES", PacketType.JOB_ASSIGN, 9), utf8("handle\0fn")]);
  for (const size of [1, 13, 100]) {
    const decoder = decoderOf(chunks(join([echo, bad]), [size]));
    assert.equal(words(decoder.next().value!), "RES ECHO_RES hello");
    const error = failure(decoder);
    assert.equal(error.offset, echo.length);
    assert.match(error.message, /^Cannot decode: it has 2 arguments of 3 in 9 bytes$/);
  }
});

test("an unknown type is an error after the packets before it, and at each later call", () => {
  for (const type of [0, 5, 43, 255, 0x0100_0007, 0x8000_0000, 0xffff_ffff]) {
    const decoder = decoderOf([join([echo, echo, header("\0RES", type, 0), echo])]);
    assert.equal(words(decoder.next().value!), "RES ECHO_RES hello");
    assert.equal(words(decoder.next().value!), "RES ECHO_RES hello");
    const error = failure(decoder);
    assert.equal(error.offset, 2 * echo.length);
    assert.match(error.message, new RegExp(`packet type ${type}$`));
  }
});

test("a bad magic is an error at its offset, as soon as it can be seen", () => {
  for (const bad of ["GET / HTTP/1.1\r\n", "\0XXX\0\0\0\x10\0\0\0\0", "\0req\0\0\0\x10\0\0\0\0", "x"]) {
    const decoder = decoderOf([join([echo, utf8(bad)])]);
    assert.equal(words(decoder.next().value!), "RES ECHO_RES hello");
    const error = failure(decoder);
    assert.equal(error.offset, echo.length, bad);
    assert.match(error.message, /bad magic/);
  }
});

test("the offset of an error counts from the start of the stream, over all pushes", () => {
  const decoder = new MixedDecoder();
  for (const part of chunks(join([echo, utf8("status\r\n"), echo, utf8("a\n")]), [7])) {
    decoder.push(part);
    read(decoder);
  }
  decoder.push(header("\0RES", 99, 0));
  assert.equal(failure(decoder).offset, 2 * echo.length + 8 + 2);
});

test("maxPacketSize is checked on the header, before the body arrives", () => {
  const decoder = decoderOf([header("\0RES", PacketType.ECHO_RES, 11)], { maxPacketSize: 10 });
  const error = failure(decoder);
  assert.equal(error.offset, 0);
  assert.match(error.message, /11 bytes .* maxPacketSize, 10$/);

  assert.deepEqual(read(decoderOf([encodeResponse(PacketType.ECHO_RES, "0123456789")], { maxPacketSize: 10 })), [
    "RES ECHO_RES 0123456789",
  ]);
  assert.deepEqual(read(decoderOf([header("\0RES", PacketType.NOOP, 0)], { maxPacketSize: 0 })), ["RES NOOP"]);
  failure(decoderOf(chunks(header("\0RES", PacketType.ECHO_RES, 0xffff_ffff), [1])));
});

test("the default maxPacketSize is 128 MiB, and its maximum is the largest size of a packet", () => {
  const announce = (size: number) => header("\0RES", PacketType.ECHO_RES, size);
  assert.deepEqual(read(decoderOf([announce(134_217_728)])), []);
  failure(decoderOf([announce(134_217_729)]));
  assert.deepEqual(read(decoderOf([announce(0xffff_ffff)], { maxPacketSize: 0xffff_ffff })), []);
});

/** Writes a packet with its `oversized` in front: "[26] RES JOB_CREATED ". */
function sizedWords(packet: Packet): string {
  return `[${packet.oversized ?? "kept"}] ${words(packet)}`;
}

test("skipOversized yields a packet over maxPacketSize without its last argument, wherever the stream is cut", () => {
  const stream = join([
    echo,
    encodeRequest(PacketType.SUBMIT_JOB_BG, "reverse", "u1", "0123456789"),
    encodeRequest(PacketType.CAN_DO, "too long"),
    join([header("\0RES", PacketType.NOOP, 6), utf8("ignore")]),
    encodeResponse(PacketType.WORK_COMPLETE, "H:1", ""),
    encodeResponse(PacketType.WORK_COMPLETE, "H:1", "1\0"),
  ]);
  const expected = [
    "[kept] RES ECHO_RES hello",
    "[21] REQ SUBMIT_JOB_BG reverse u1 ",
    "[8] REQ CAN_DO ",
    "[6] RES NOOP",
    "[kept] RES WORK_COMPLETE H:1 ",
    "[6] RES WORK_COMPLETE H:1 ",
  ];
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      const decoder = new PacketDecoder({ maxPacketSize: 5, skipOversized: true });
      const found: string[] = [];
      for (const part of [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)]) {
        decoder.push(part);
        for (const packet of decoder) found.push(sizedWords(packet));
      }
      assert.deepEqual(found, expected);
      decoder.end();
    }
  }
});

test("a packet that is not oversized has no such property", () => {
  const [packet] = [...decoderOf([echo], { skipOversized: true })];
  assert.deepEqual(Object.keys(packet!), ["magic", "type", "args"]);
});

test("an oversized body is skipped in any chunking, and what follows it is at the right offset", () => {
  const body = new Uint8Array(2_097_152).fill(10);
  const stream = join([
    encodeResponse(PacketType.WORK_COMPLETE, "H:box:1", body),
    utf8("a line\n"),
    encodeResponse(PacketType.ECHO_RES, body.subarray(0, 100_000)),
    echo,
    header("\0RES", 99, 0),
  ]);
  for (const size of [1, 7, 4_096, 65_536, stream.length]) {
    const decoder = new MixedDecoder({ maxPacketSize: 1_000, skipOversized: true });
    const found: unknown[] = [];
    let error: unknown;
    for (const part of chunks(stream, [size])) {
      decoder.push(part);
      try {
        for (const item of decoder) found.push(item.magic === "TEXT" ? words(item) : sizedWords(item));
      } catch (thrown) {
        error = thrown;
      }
    }
    assert.deepEqual(found, [
      `[${body.length + 8}] RES WORK_COMPLETE H:box:1 `,
      "TEXT a line",
      "[100000] RES ECHO_RES ",
      "[kept] RES ECHO_RES hello",
    ]);
    assert.equal((error as ProtocolError).offset, stream.length - 12);
  }
});

test("a body of 4 GiB less one byte can be skipped", { timeout: 60_000 }, () => {
  const decoder = new PacketDecoder({ skipOversized: true });
  decoder.push(header("\0RES", PacketType.ECHO_RES, 0xffff_ffff));
  const piece = new Uint8Array(16 * 1_048_576);
  const found: Packet[] = [];
  for (let sent = 0; sent < 2 ** 32; sent += piece.length) {
    decoder.push(sent + piece.length < 2 ** 32 ? piece : piece.subarray(1));
    found.push(...decoder);
  }
  decoder.push(join([echo, header("\0RES", 99, 0)]));
  found.push(decoder.next().value!);
  assert.deepEqual(found.map(sizedWords), ["[4294967295] RES ECHO_RES ", "[kept] RES ECHO_RES hello"]);
  assert.equal(failure(decoder).offset, 12 + 0xffff_ffff + echo.length);
});

test("the arguments before the last of an oversized packet have at most 64 KiB, each with its NUL", () => {
  const packet = (size: number) =>
    encodeRequest(PacketType.SUBMIT_JOB, "f", "u".repeat(size - 3), new Uint8Array(100_000));
  for (const size of [1_000, 70_000, 1_000_000]) {
    const options = { maxPacketSize: 65_600, skipOversized: true };
    const [kept] = [...decoderOf(chunks(packet(65_536), [size]), options)];
    assert.deepEqual(kept!.args.map((arg) => arg.length), [1, 65_533, 0]);
    const decoder = decoderOf(chunks(join([echo, packet(65_537)]), [size]), options);
    assert.equal(words(decoder.next().value!), "RES ECHO_RES hello");
    const error = failure(decoder);
    assert.equal(error.offset, echo.length);
    assert.match(error.message, /it has 2 arguments of 3 in 65536 bytes$/);
  }
  const short = join([header("\0RES", PacketType.JOB_ASSIGN, 9), utf8("handle\0fn")]);
  const error = failure(decoderOf([short], { maxPacketSize: 5, skipOversized: true }));
  assert.match(error.message, /it has 2 arguments of 3 in 9 bytes$/);
});

test("a stream that ends in the skipped part of a body is an error at the offset of its packet", () => {
  const stream = join([echo, encodeResponse(PacketType.WORK_DATA, "H:1", pattern(100_000))]);
  for (const missing of [1, 30_000, 99_999]) {
    const decoder = decoderOf([stream.subarray(0, -missing)], { maxPacketSize: 50, skipOversized: true });
    const yielded = missing === 99_999 ? 1 : 2;
    assert.equal(read(decoder).length, yielded);
    assert.throws(() => decoder.end(), { name: "ProtocolError", offset: echo.length });
    failure(decoder);
  }
});

test("maxPacketSize must be a whole number of 32 bits", () => {
  for (const maxPacketSize of [-1, 1.5, NaN, Infinity, 2 ** 32, "10" as unknown as number]) {
    assert.throws(() => new PacketDecoder({ maxPacketSize }), RangeError);
    assert.throws(() => new MixedDecoder({ maxPacketSize }), RangeError);
  }
});

test("options are read once and not changed", () => {
  const options: MixedDecoderOptions = Object.freeze({ maxPacketSize: 10, maxLineSize: 7 });
  const decoder = new MixedDecoder(options);
  decoder.push(utf8("version\n"));
  assert.deepEqual(read(decoder), ["TEXT version"]);
  assert.deepEqual(Reflect.ownKeys(options), ["maxPacketSize", "maxLineSize"]);

  const changing: MixedDecoderOptions = { maxPacketSize: 10, maxLineSize: 10 };
  const strict = new MixedDecoder(changing);
  changing.maxLineSize = 1_000;
  changing.maxPacketSize = 1_000;
  strict.push(utf8("version 1.1\n"));
  failure(strict);
});

test("a chunk must be a Uint8Array", () => {
  const decoder = new PacketDecoder();
  for (
    const chunk of ["text", new ArrayBuffer(4), [1, 2], null, new Uint16Array(2), new DataView(new ArrayBuffer(2))]
  ) {
    assert.throws(() => decoder.push(chunk as unknown as Uint8Array), TypeError);
  }
  decoder.push(echo);
  assert.deepEqual(read(decoder), ["RES ECHO_RES hello"]);
});

test("an argument is a view of its chunk, or of the joined bytes of a split packet", () => {
  const chunk = join([echo, echo]);
  const [first, second] = [...decoderOf([chunk])];
  assert.equal(first!.args[0]!.buffer, chunk.buffer);
  assert.equal(second!.args[0]!.byteOffset, chunk.byteOffset + echo.length + 12);

  const parts = chunks(encodeRequest(PacketType.SUBMIT_JOB, "f", "u", pattern(20_000)), [9_000]);
  const [joined] = [...decoderOf(parts)];
  assert.equal(joined!.args[0]!.buffer.byteLength, 20_016);
  assert.equal(joined!.args[2]!.buffer, joined!.args[0]!.buffer);
});

test("arguments from a Buffer are plain Uint8Arrays, whose slice() is a copy", () => {
  for (const size of [3, 100]) {
    const parts = chunks(echo, [size]).map((part) => Buffer.from(part));
    const [packet] = [...decoderOf(parts)];
    const argument = packet!.args[0]!;
    assert.equal(argument.constructor, Uint8Array);
    assert.equal(Object.getPrototypeOf(argument), Uint8Array.prototype);
    const kept = argument.slice();
    argument.fill(0);
    assert.equal(text(kept), "hello");
  }
});

test("end() inside a packet or line is a lasting error with the offset of its beginning", () => {
  for (const rest of [1, 4, 11, 12, 16]) {
    const decoder = decoderOf([echo, echo.subarray(0, rest)]);
    assert.deepEqual(read(decoder), ["RES ECHO_RES hello"]);
    assert.throws(() => decoder.end(), { name: "ProtocolError", offset: echo.length });
    failure(decoder);
  }
  const line = mixedOf([utf8("sta")]);
  assert.deepEqual(read(line), []);
  assert.throws(() => line.end(), { name: "ProtocolError", offset: 0 });
});

test("lines end with LF or CR LF, keep any other CR, may be empty, and are read as UTF-8", () => {
  const cases: [string, string[]][] = [
    ["status\n", ["TEXT status"]],
    ["status\r\n", ["TEXT status"]],
    ["status\r\r\n", ["TEXT status\r"]],
    ["a\rb\n\n\r\n", ["TEXT a\rb", "TEXT ", "TEXT "]],
    ["gr\u00fc\u00df \u{1f600}\n", ["TEXT gr\u00fc\u00df \u{1f600}"]],
    ["\ufeffmark\n", ["TEXT \ufeffmark"]],
    ["a\r\n\n", ["TEXT a", "TEXT "]],
    [".\nnot ended", ["TEXT ."]],
  ];
  for (const [sent, lines] of cases) {
    for (const size of [1, 2, 100]) {
      assert.deepEqual(read(mixedOf(chunks(utf8(sent), [size]))), lines);
    }
  }
  assert.deepEqual(read(mixedOf([Uint8Array.of(0xff, 0x61, 10)])), ["TEXT \ufffda"]);
});

test("an empty line behind a packet that ends with a CR is empty", () => {
  const stream = join([encodeResponse(PacketType.ECHO_RES, "\r"), utf8("\nx\n")]);
  assert.deepEqual(read(mixedOf([stream])), ["RES ECHO_RES \r", "TEXT ", "TEXT x"]);
});

test("lines and packets can follow each other, and a line may contain the magic of a packet", () => {
  const stream = join([
    utf8("status\r\n"),
    echo,
    echo,
    utf8("x\0RES\n.\n"),
    encodeResponse(PacketType.ECHO_RES, "a\nb"),
  ]);
  const expected = [
    "TEXT status",
    "RES ECHO_RES hello",
    "RES ECHO_RES hello",
    "TEXT x\0RES",
    "TEXT .",
    "RES ECHO_RES a\nb",
  ];
  for (let cut = 0; cut < stream.length; cut++) {
    const decoder = new MixedDecoder();
    decoder.push(stream.subarray(0, cut));
    const before = read(decoder);
    decoder.push(stream.subarray(cut));
    assert.deepEqual([...before, ...read(decoder)], expected);
    decoder.end();
  }
});

test("a line has at most 8,192 bytes, whether its end has arrived or not", () => {
  const longest = "x".repeat(8_192);
  for (const size of [1, 1_000, 10_000]) {
    assert.deepEqual(read(mixedOf(chunks(utf8(`${longest}\n`), [size]))), [`TEXT ${longest}`]);
    for (const more of ["x\n", "x"]) {
      const decoder = new MixedDecoder();
      decoder.push(echo);
      for (const part of chunks(utf8(longest + more), [size])) decoder.push(part);
      assert.equal(words(decoder.next().value!), "RES ECHO_RES hello");
      assert.equal(failure(decoder).offset, echo.length);
    }
  }
});

test("maxLineSize bounds the bytes before the LF, for lines of any length", () => {
  for (const maxLineSize of [1, 5, 8_191, 100_000]) {
    const longest = "x".repeat(maxLineSize);
    for (const size of [1, 1_000, 4_097, 70_000, 200_000]) {
      const options = { maxLineSize };
      assert.deepEqual(read(mixedOf(chunks(utf8(`${longest}\n\n`), [size]), options)), [`TEXT ${longest}`, "TEXT "]);
      const decoder = new MixedDecoder(options);
      let error: unknown;
      for (const part of chunks(utf8(`y\n${longest}x`), [size])) {
        decoder.push(part);
        try {
          for (const { magic } of decoder) assert.equal(magic, "TEXT");
        } catch (thrown) {
          error = thrown;
        }
      }
      assert.ok(error instanceof ProtocolError, `${maxLineSize}, ${size}`);
      assert.equal(error.offset, 2);
      assert.match(error.message, new RegExp(`a line is over ${maxLineSize} bytes$`));
    }
  }
  assert.deepEqual(read(mixedOf([utf8("ab\r\n")], { maxLineSize: 3 })), ["TEXT ab"]);
  failure(mixedOf([utf8("ab\r\n")], { maxLineSize: 2 }));
});

test("maxLineSize must be a whole number from 1", () => {
  for (const maxLineSize of [0, -1, 1.5, NaN, Infinity, 2 ** 32, "10" as unknown as number]) {
    assert.throws(() => new MixedDecoder({ maxLineSize }), RangeError);
  }
});

test("a line is a bad magic for a decoder of packets, also between packets", () => {
  failure(decoderOf([utf8("status\r\n")]));
  const decoder = decoderOf([join([echo, utf8("status\r\n")])]);
  assert.equal(words(decoder.next().value!), "RES ECHO_RES hello");
  assert.equal(failure(decoder).offset, echo.length);
});

test("decoders inside this library free what they have copied of a socket, and no memory of an argument", () => {
  const stream = join([echo, encodeResponse(PacketType.WORK_COMPLETE, "H:1", pattern(200_000)), echo]);
  /** Decodes the stream in chunks of 50,000 bytes; returns what is left of each. */
  const decode = (options: DecoderOptions): number[] => {
    const parts = chunks(stream, [50_000]).map((part) => part.slice());
    for (const part of parts) markExclusive(part);
    const args = [...pushed(new InternalDecoder(options), parts)].map((packet) => packet.args.at(-1)!);
    assert.deepEqual(args.map((arg) => arg.length), [5, 200_000, 5]);
    assert.equal(text(args[0]!) + text(args[2]!), "hellohello");
    assert.ok(toHex(args[1]!) === toHex(pattern(200_000)));
    return parts.map((part) => part.length);
  };
  const freed = CAN_FREE_MEMORY ? 0 : 50_000;
  const inside = { skipOversized: false, [REPLY_CLASS]: Reply };
  assert.deepEqual(decode(inside), [50_000, freed, freed, freed, 50]);
  assert.deepEqual(decode({}), [50_000, 50_000, 50_000, 50_000, 50]);
});

test("the type of a packet determines the types of its arguments for the compiler", () => {
  const use = (packet: Packet): Uint8Array[] => {
    if (packet.type === PacketType.WORK_STATUS) {
      const [handle, numerator, denominator] = packet.args;
      // @ts-expect-error WORK_STATUS has three arguments
      packet.args[3];
      return [handle, numerator, denominator];
    }
    // @ts-expect-error the number of arguments is not known before the type
    const three: readonly [Uint8Array, Uint8Array, Uint8Array] = packet.args;
    // @ts-expect-error arguments are read-only
    if (packet.type === PacketType.JOB_CREATED) packet.args[0] = three[0];
    // @ts-expect-error there is no type 5
    if (packet.type === 5) return [];
    return [...packet.args];
  };
  const [status] = [...decoderOf([encodeResponse(PacketType.WORK_STATUS, "H:1", "1", "2")])];
  assert.deepEqual(use(status!).map(text), ["H:1", "1", "2"]);

  const check = (plain: Packet, mixed: Packet | TextLine): string => {
    // @ts-expect-error a decoder of packets yields no lines
    if (plain.magic === "TEXT") return plain.line;
    // @ts-expect-error an item that may be a line has no type yet
    mixed.type;
    return mixed.magic === "TEXT" ? mixed.line : mixed.args.map(text).join();
  };
  assert.equal(check(status!, { magic: "TEXT", line: "version" }), "version");
});
