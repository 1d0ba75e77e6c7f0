/** Tests of definitions with real schema libraries and real serializers. */

import assert from "node:assert/strict";
import { promisify } from "node:util";
import { test } from "node:test";
import { gunzip, gzip } from "node:zlib";
import { type } from "arktype";
import * as cbor from "cbor-x";
import * as msgpackr from "msgpackr";
import { serialize, unserialize } from "php-serialize";
import * as v from "valibot";
import { z } from "zod";
import { bytesSerializer, defineFunction, type GearmanFunction, type Serializer, ValidationError } from "../../mod.ts";
import { text, utf8 } from "../support/bytes.ts";

interface Sent {
  name: string;
  width?: number;
}
interface Received {
  name: string;
  width: number;
}

/** The same function, defined with each library. */
const LIBRARIES: Record<string, GearmanFunction<Sent, URL, Received, string>> = {
  zod: defineFunction("resize", {
    input: z.object({ name: z.string(), width: z.number().optional().default(100) }),
    output: z.string().transform((href) => new URL(href)),
  }),
  valibot: defineFunction("resize", {
    input: v.object({ name: v.string(), width: v.optional(v.number(), 100) }),
    output: v.pipe(v.string(), v.transform((href) => new URL(href))),
  }),
  arktype: defineFunction("resize", {
    input: type({ name: "string", width: "number = 100" }),
    output: type("string").pipe((href) => new URL(href)),
  }),
};

/** What each library says of a name that is missing. */
const MISSING: Record<string, RegExp> = {
  zod: /^The input of "resize" is invalid: name: Invalid input: expected string, received undefined$/,
  valibot: /^The input of "resize" is invalid: name: Invalid key: Expected "name" but received undefined$/,
  arktype: /^The input of "resize" is invalid: name: name must be a string \(was missing\)$/,
};

for (const [library, resize] of Object.entries(LIBRARIES)) {
  test(`with ${library}, defaults and transformations happen once, at the receiver, and cost no promise`, () => {
    const encoded = resize.input.encode({ name: "cat.png" });
    assert.equal(encoded, '{"name":"cat.png"}');
    assert.deepEqual(resize.input.decode(utf8('{"name":"cat.png"}')), { name: "cat.png", width: 100 });
    assert.equal(resize.output.encode("http://host/cat"), '"http://host/cat"');
    const url = resize.output.decode(utf8('"http://host/cat"'));
    assert.ok(url instanceof URL);
    assert.equal(url.pathname, "/cat");
  });

  test(`with ${library}, an error has the issues and their paths`, () => {
    for (const attempt of [() => resize.input.encode({} as Sent), () => resize.input.decode(utf8("{}"))]) {
      assert.throws(attempt, (error) => {
        assert.ok(error instanceof ValidationError);
        assert.match(error.message, MISSING[library]!);
        assert.equal(error.issues.length, 1);
        return true;
      });
    }
    assert.throws(() => resize.input.decode(utf8('{"name":1,"width":"x"}')), (error) => {
      assert.ok(error instanceof ValidationError);
      assert.equal(error.issues.length, 2);
      assert.match(error.message, /is invalid: name: .*; width: /);
      return true;
    });
  });
}

test("undefined in the background arrives as null, and becomes the default of the schema", () => {
  for (const schema of [z.string().default("none"), v.optional(v.string(), "none")]) {
    const { input } = defineFunction("f", { input: schema });
    const encoded = input.encode(undefined, { background: true });
    assert.equal(encoded, "null");
    assert.equal(input.decode(utf8(encoded)), "none");
  }
});

test("asynchronous checks of zod and valibot make promises", async () => {
  const even = async (value: number) => await Promise.resolve(value % 2 === 0);
  const schemas = [
    z.number().refine(even, "must be even"),
    v.pipeAsync(v.number(), v.checkAsync(even, "must be even")),
  ];
  for (const schema of schemas) {
    const { input } = defineFunction("f", { input: schema });
    assert.equal(await input.encode(2), "2");
    assert.equal(await input.decode(utf8("2")), 2);
    const expected = { name: "ValidationError", message: 'The input of "f" is invalid: must be even' };
    await assert.rejects(async () => await input.encode(3), expected);
    await assert.rejects(async () => await input.decode(utf8("3")), expected);
  }
});

test("a Date does not come back from JSON with z.date(), and does with z.coerce.date()", () => {
  const date = new Date(0);
  const lost = defineFunction("f", { input: z.object({ date: z.date() }) }).input;
  assert.throws(() => lost.decode(utf8(lost.encode({ date }) as string)), {
    message: /is invalid: date: .*expected date/,
  });
  const kept = defineFunction("f", { input: z.object({ date: z.coerce.date() }) }).input;
  assert.deepEqual(kept.decode(utf8(kept.encode({ date }) as string)), { date });
});

const [zip, unzip] = [promisify(gzip), promisify(gunzip)];
const compressed: Serializer = {
  encode: async (value) => await zip(JSON.stringify(value ?? null)),
  decode: async (bytes) => JSON.parse((await unzip(bytes)).toString()),
};
const php: Serializer = {
  encode: (value) => serialize(value ?? null), // it refuses undefined
  decode: (bytes) => unserialize(text(bytes)),
};

const SERIALIZERS: Record<string, Serializer> = {
  "cbor-x": cbor,
  "cbor-x, an instance": new cbor.Encoder({ useRecords: false }),
  msgpackr: { encode: msgpackr.pack, decode: msgpackr.unpack },
  "msgpackr, an instance": new msgpackr.Packr({ useRecords: false }),
  "php-serialize": php,
  gzip: compressed,
};

for (const [name, serializer] of Object.entries(SERIALIZERS)) {
  const schema = z.object({ name: z.string(), sizes: z.array(z.number()) });
  const { input } = defineFunction("f", { input: schema, serializer });

  test(`${name} is a serializer`, async () => {
    const value = { name: "é€😀", sizes: [1, 2.5, -3] };
    const encoded = await input.encode(value);
    assert.deepEqual(await input.decode(typeof encoded === "string" ? utf8(encoded) : encoded), value);
  });

  test(`${name} encodes undefined in the background`, async () => {
    const { input } = defineFunction("f", { input: z.string().default("none"), serializer });
    const encoded = await input.encode(undefined, { background: true });
    assert.ok(encoded.length > 0);
    assert.equal(await input.decode(typeof encoded === "string" ? utf8(encoded) : encoded), "none");
  });

  test(`what ${name} cannot decode is a ValidationError with its error as cause`, async () => {
    await assert.rejects(async () => await input.decode(Uint8Array.of(0xff, 0xff, 0xff)), (error) => {
      assert.ok(error instanceof ValidationError);
      return true;
    });
  });
}

test("a Date, a bigint, a Map and bytes travel with cbor-x", () => {
  const value = { date: new Date(0), count: 2n ** 60n, map: new Map([["a", 1]]), bytes: Uint8Array.of(1, 2) };
  const { input } = defineFunction<typeof value>("f", { serializer: cbor });
  const decoded = input.decode(input.encode(value) as Uint8Array) as typeof value;
  assert.deepEqual({ ...decoded, bytes: new Uint8Array(decoded.bytes) }, value);
});

test("a schema checks bytes", () => {
  const { input } = defineFunction("f", { input: z.instanceof(Uint8Array), serializer: bytesSerializer });
  assert.deepEqual(input.decode(Uint8Array.of(1)), Uint8Array.of(1));
  assert.deepEqual(input.decode(new Uint8Array(0)), new Uint8Array(0));
  assert.throws(() => input.encode("text" as never), { name: "ValidationError" });
});
