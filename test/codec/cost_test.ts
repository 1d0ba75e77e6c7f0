/** Tests of the cost of the codec: time and memory in proportion to the bytes that arrived, whatever a header announces. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  encodeRequest,
  encodeResponse,
  MixedDecoder,
  PacketDecoder,
  PacketEncoder,
  PacketType,
} from "../../src/codec/mod.ts";
import { chunks, header, join, pattern, utf8 } from "../support/bytes.ts";
import { assertLinear } from "../support/cost.ts";
import { REQUIRED } from "../support/requirements.ts";

/** Asserts that the best of twenty runs takes at most `maxRatio` times as long as the best of the reference. */
function assertWithin(maxRatio: number, run: () => void, reference: () => void): void {
  const best = { run: Infinity, reference: Infinity };
  for (let i = 0; i < 20; i++) {
    for (const [name, work] of [["run", run], ["reference", reference]] as const) {
      const begin = performance.now();
      work();
      best[name] = Math.min(best[name], performance.now() - begin);
    }
  }
  const ratio = best.run / best.reference;
  assert.ok(ratio <= maxRatio, `it takes ${ratio.toFixed(1)} times as long as the reference`);
}

/** Decodes the chunks, and counts the packets. */
function decode(parts: readonly Uint8Array[], packets: number): void {
  const decoder = new PacketDecoder();
  let found = 0;
  for (const part of parts) {
    decoder.push(part);
    for (const _ of decoder) found++;
  }
  decoder.end();
  assert.equal(found, packets);
}

test(
  "a packet of four times the size, in chunks of 1,400 bytes, takes about four times as long",
  { timeout: 60_000 },
  () => {
    const megabytes = (count: number) => {
      return chunks(encodeRequest(PacketType.ECHO_REQ, new Uint8Array(count * 1_048_576)), [1_400]);
    };
    // The smaller sizes come first: time that is not linear fails there, before the larger sizes take very long.
    for (const count of REQUIRED ? [4, 16] : [4]) {
      const [small, large] = [megabytes(count), megabytes(count * 4)];
      assertLinear(() => decode(small, 1), () => decode(large, 1), () => join(large));
    }
  },
);

test("four times the packets in one chunk take about four times as long", { timeout: 60_000 }, () => {
  const packets = (count: number) => {
    const one = encodeResponse(PacketType.JOB_CREATED, "H:box:12345");
    return join(Array.from({ length: count }, () => one));
  };
  const [small, large] = [packets(100_000), packets(400_000)];
  assertLinear(() => decode([small], 100_000), () => decode([large], 400_000));
});

test("four times the bytes, one byte a chunk, take about four times as long", { timeout: 60_000 }, () => {
  const bytes = (count: number) => chunks(encodeRequest(PacketType.ECHO_REQ, new Uint8Array(count)), [1]);
  const [small, large] = [bytes(65_536), bytes(262_144)];
  assertLinear(() => decode(small, 1), () => decode(large, 1));
});

test("an oversized body four times as long takes about four times as long to skip", { timeout: 60_000 }, () => {
  const skip = (parts: readonly Uint8Array[]) => {
    const decoder = new PacketDecoder({ maxPacketSize: 1_000, skipOversized: true });
    let found = 0;
    for (const part of parts) {
      decoder.push(part);
      for (const _ of decoder) found++;
    }
    decoder.end();
    assert.equal(found, 1);
  };
  const body = (count: number) => chunks(encodeRequest(PacketType.SUBMIT_JOB, "f", "u", new Uint8Array(count)), [1]);
  const [small, large] = [body(262_144), body(1_048_576)];
  assertLinear(() => skip(small), () => skip(large));
});

// The bounds are five times what was measured: they detect a promise or a copy for each packet, also on a busy machine.
const MANY = 50_000;
const CREATED = encodeResponse(PacketType.JOB_CREATED, "H:box:12345");
const STREAM = join(Array.from({ length: MANY }, () => CREATED));

test("decoding takes at most twelve times as long as reading each header", { timeout: 60_000 }, () => {
  const view = new DataView(STREAM.buffer);
  const scan = () => {
    let found = 0;
    let bytes = 0;
    let at = 0;
    while (at < STREAM.length) {
      const end = at + 12 + view.getUint32(at + 8);
      bytes += STREAM.subarray(at + 12, end).length;
      found++;
      at = end;
    }
    assert.equal(found * 12 + bytes, STREAM.length);
  };
  assertWithin(12, () => decode([STREAM], MANY), scan);
});

test("encoding takes at most fifteen times as long as a copy of the same bytes", { timeout: 60_000 }, () => {
  const encode = () => {
    const encoder = new PacketEncoder("RES");
    for (let i = 0; i < MANY; i++) encoder.write(PacketType.JOB_CREATED, "H:box:12345");
    assert.equal(encoder.size, STREAM.length);
  };
  const copy = () => {
    const bytes = new Uint8Array(STREAM.length);
    for (let at = 0; at < STREAM.length; at += CREATED.length) bytes.set(CREATED, at);
  };
  assertWithin(15, encode, copy);
});

/** Typed arrays of a run: number of those with memory of their own, their bytes, and calls of `set`. */
interface Cost {
  arrays: number;
  bytes: number;
  copies: number;
}

/** Runs with a Uint8Array that counts the arrays made through it, also by `slice` and `subarray`. */
function costOf(run: () => void): Cost {
  const cost: Cost = { arrays: 0, bytes: 0, copies: 0 };
  const real = globalThis.Uint8Array;
  const set = real.prototype.set;
  const counting = new Proxy(real, {
    construct(target, args: [number | ArrayBufferLike, number?, number?]) {
      if (typeof args[0] === "number") {
        cost.arrays++;
        cost.bytes += args[0];
      }
      return Reflect.construct(target, args);
    },
  });
  globalThis.Uint8Array = counting;
  real.prototype.constructor = counting;
  real.prototype.set = function (...args) {
    cost.copies++;
    set.apply(this, args);
  };
  try {
    run();
  } finally {
    globalThis.Uint8Array = real;
    real.prototype.constructor = real;
    delete (real.prototype as { set?: unknown }).set;
  }
  assert.equal(globalThis.Uint8Array.prototype.set, set);
  return cost;
}

test("a header that announces 120 MiB allocates less than 16 KiB before they arrive", () => {
  const announced = header("\0RES", PacketType.ECHO_RES, 120 * 1_048_576);
  const decoder = new PacketDecoder();
  const cost = costOf(() => {
    for (const part of [announced.subarray(0, 7), announced.subarray(7), pattern(100), pattern(5_000), pattern(3)]) {
      decoder.push(part);
      assert.equal(decoder.next().done, true);
    }
  });
  assert.ok(cost.arrays > 0, "nothing was counted");
  assert.ok(cost.bytes < 16_384, `${cost.bytes} bytes were allocated`);
});

test("the decoder allocates in proportion to the bytes that arrived, in any chunking", { timeout: 60_000 }, () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 6_000 }), { minLength: 1, maxLength: 8 });
  const start = fc.record({
    magic: fc.constantFrom("\0REQ" as const, "\0RES" as const),
    type: fc.integer({ min: 1, max: 42 }),
    size: fc.nat(134_217_728),
  }).map(({ magic, type, size }) => header(magic, type, size));
  const rest = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(30_000).map((size) => pattern(size)),
  );
  fc.assert(fc.property(start, rest, sizes, fc.boolean(), (start, rest, sizes, text) => {
    const stream = join([encodeRequest(PacketType.ECHO_REQ, "first"), start, rest]);
    const parts = chunks(stream, sizes);
    const decoder = text ? new MixedDecoder() : new PacketDecoder();
    let error: unknown;
    const cost = costOf(() => {
      try {
        for (const part of parts) {
          decoder.push(part);
          while (decoder.next().done !== true);
        }
      } catch (thrown) {
        error = thrown;
      }
    });
    assert.ok(error === undefined || (error as Error).name === "ProtocolError", String(error));
    assert.ok(cost.bytes <= 6 * stream.length + 12 * parts.length, `${cost.bytes} bytes for ${stream.length}`);
  }));
});

test("100,000 chunks of one byte are kept in fewer than 50 pieces", () => {
  const stream = encodeRequest(PacketType.ECHO_REQ, pattern(99_988));
  const parts = chunks(stream, [1]);
  const decoder = new PacketDecoder();
  const waiting = costOf(() => {
    for (const part of parts.slice(0, -1)) {
      decoder.push(part);
      decoder.next();
    }
  });
  assert.ok(waiting.arrays > 0 && waiting.arrays < 50, `${waiting.arrays} arrays`);
  assert.ok(waiting.bytes <= 3 * stream.length, `${waiting.bytes} bytes`);

  decoder.push(parts.at(-1)!);
  let found: IteratorResult<unknown> | undefined;
  const joining = costOf(() => found = decoder.next());
  assert.equal(found?.done, false);
  assert.ok(joining.copies < 50, `${joining.copies} pieces were joined`);
  assert.ok(joining.bytes < stream.length + 100, `${joining.bytes} bytes`);
});

/** Runs with an `indexOf` that counts the bytes that it is asked to search. */
function bytesSearched(run: () => void): number {
  const real = Uint8Array.prototype.indexOf;
  let searched = 0;
  Uint8Array.prototype.indexOf = function (value, from = 0) {
    searched += this.length - from;
    return real.call(this, value, from);
  };
  try {
    run();
  } finally {
    Uint8Array.prototype.indexOf = real;
  }
  return searched;
}

test("a long line in any chunking is searched once, and takes memory in proportion to its length", () => {
  const length = 1_000_000;
  for (const size of [1, 1_400, 5_000, 65_536, 300_001, length]) {
    const decoder = new MixedDecoder({ maxLineSize: length });
    const found: number[] = [];
    let searched = 0;
    const cost = costOf(() => {
      searched = bytesSearched(() => {
        for (const part of chunks(utf8(`first\n${"x".repeat(length)}\nlast\n`), [size])) {
          decoder.push(part);
          for (const item of decoder) found.push(item.magic === "TEXT" ? item.line.length : NaN);
        }
      });
    });
    assert.deepEqual(found, [5, length, 4]);
    assert.ok(searched > length && searched < 2 * length + 10_000, `${searched} bytes in chunks of ${size}`);
    assert.ok(cost.bytes < 5 * length, `${cost.bytes} bytes in chunks of ${size}`);
  }
});

test("an oversized body of 8 MiB is skipped with less than 256 KiB of memory, and its chunks are not held", () => {
  const stream = encodeResponse(PacketType.WORK_COMPLETE, "H:box:1", new Uint8Array(8 * 1_048_576));
  for (const size of [7, 4_096, 65_536]) {
    const parts = chunks(join([stream, encodeResponse(PacketType.ECHO_RES, "next")]), [size]);
    const decoder = new PacketDecoder({ maxPacketSize: 1_000_000, skipOversized: true });
    let found = 0;
    const cost = costOf(() => {
      for (const part of parts) {
        decoder.push(part);
        for (const _ of decoder) found++;
      }
    });
    assert.equal(found, 2);
    assert.ok(cost.bytes > 0 && cost.bytes < 262_144, `${cost.bytes} bytes in chunks of ${size}`);
  }
});

test("a short end of a chunk does not hold on to the memory of the chunk", () => {
  const chunk = new Uint8Array(65_536);
  const packet = encodeResponse(PacketType.JOB_CREATED, "H:box:1");
  chunk.set(packet);
  chunk.set(packet, packet.length);
  const decoder = new PacketDecoder();
  const cost = costOf(() => {
    decoder.push(chunk.subarray(0, packet.length + 5));
    while (decoder.next().done !== true);
  });
  assert.deepEqual(cost, { arrays: 1, bytes: 12, copies: 1 }, "memory for a header");
  chunk.fill(0xff);
  decoder.push(packet.slice(5));
  assert.deepEqual(decoder.next().value?.args[0], packet.subarray(12));
});

test("a packet within one chunk is not copied", () => {
  const stream = join([encodeRequest(PacketType.ECHO_REQ, pattern(5_000)), encodeRequest(PacketType.CAN_DO, "f")]);
  const decoder = new PacketDecoder();
  const cost = costOf(() => {
    decoder.push(stream);
    while (decoder.next().done !== true);
  });
  assert.deepEqual(cost, { arrays: 0, bytes: 0, copies: 0 });
});

test("a long packet is joined while it arrives, in memory of its size, and the next packet is not lost", () => {
  const data = pattern(1_000_000);
  const stream = join([1, 2, 3].map(() => encodeResponse(PacketType.WORK_COMPLETE, "H:box:1", data)));
  for (const size of [1_400, 65_536, 300_001, stream.length - 1]) {
    const decoder = new PacketDecoder();
    const found: Uint8Array[] = [];
    const cost = costOf(() => {
      for (const part of chunks(stream, [size])) {
        decoder.push(part);
        for (const packet of decoder) found.push(packet.args[1]!);
      }
    });
    decoder.end();
    assert.equal(found.length, 3);
    for (const each of found) assert.deepEqual(each, data);
    assert.ok(cost.bytes <= stream.length * 2, `${cost.bytes} bytes for ${stream.length} in chunks of ${size}`);
  }
});
