/** Tests of the four places of a typed function: what is checked, encoded and decoded, and when. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { bytesSerializer, defineFunction, type Schema, type Serializer, ValidationError } from "../../mod.ts";
import { BACKGROUND } from "../../src/function/payload.ts";
import { deferred } from "../../src/internal/promises.ts";
import { text, utf8 } from "../support/bytes.ts";
import { later, refusing, schemaOf, trimmed } from "../support/schemas.ts";
import { turns } from "../support/wait.ts";

const noBytes = new Uint8Array(0);

/** A serializer of text that is asynchronous in both directions. */
const slowText: Serializer = {
  encode: async (value) => await Promise.resolve(String(value)),
  decode: async (bytes) => await Promise.resolve(text(bytes)),
};

test("the sender checks a value, and sends it as it is; the receiver gets what the schema makes of it", () => {
  const shout = defineFunction("shout", { input: trimmed, output: trimmed });
  assert.equal(shout.input.encode(" hello "), '" hello "');
  assert.equal(shout.input.decode(utf8('" hello "')), "hello");
  assert.equal(shout.output.encode(" hello "), '" hello "');
  assert.equal(shout.output.decode(utf8('" hello "')), "hello");
});

test("each of the four places checks", () => {
  const { input, output } = defineFunction("shout", { input: trimmed, output: trimmed });
  const cases = [["input", input], ["output", output]] as const;
  for (const [part, { encode, decode }] of cases) {
    const expected = {
      name: "ValidationError",
      message: `The ${part} of "shout" is invalid: expected a string, got 5`,
      functionName: "shout",
      part,
      issues: [{ message: "expected a string, got 5" }],
    };
    assert.throws(() => encode(5 as never), expected);
    assert.throws(() => decode(utf8("5")), expected);
  }
});

test("a value that the schema refuses is not encoded", () => {
  const serializer = { encode: () => assert.fail("it was encoded"), decode: () => null };
  const { input } = defineFunction("f", { input: refusing({ message: "never" }), serializer });
  assert.throws(() => input.encode(1), { name: "ValidationError", message: 'The input of "f" is invalid: never' });
});

test("without a schema nothing is checked, and values travel as JSON", () => {
  const { input, output } = defineFunction<{ a: number }, string[]>("f");
  assert.equal(input.encode({ a: 1 }), '{"a":1}');
  assert.deepEqual(input.decode(utf8('{"b":2}')), { b: 2 });
  assert.equal(output.encode(["x"]), '["x"]');
  assert.deepEqual(output.decode(utf8('"y"')), "y");
});

test("synchronous schemas and serializers cost no promise", () => {
  const { input, output } = defineFunction("f", { input: trimmed, output: trimmed });
  for (const { encode, decode } of [input, output]) {
    assert.equal(typeof encode("x"), "string");
    assert.equal(typeof encode("x", BACKGROUND), "string");
    assert.equal(typeof decode(utf8('"x"')), "string");
  }
});

test("an asynchronous schema makes promises, and so does an asynchronous serializer", async () => {
  const definitions = [
    defineFunction("f", { input: later(trimmed), serializer: { encode: String, decode: text } }),
    defineFunction("f", { input: trimmed, serializer: slowText }),
    defineFunction("f", { input: later(trimmed), serializer: slowText }),
  ];
  for (const { input } of definitions) {
    const [encoded, decoded] = [input.encode(" x "), input.decode(utf8(" x "))];
    assert.ok(encoded instanceof Promise);
    assert.ok(decoded instanceof Promise);
    assert.equal(await encoded, " x ");
    assert.equal(await decoded, "x");
    await assert.rejects(async () => await input.encode(5 as never), { message: /expected a string, got 5$/ });
  }
});

test("an asynchronous schema refuses with a rejected promise", async () => {
  const { input } = defineFunction("f", { input: later(refusing<string>({ message: "never" })) });
  await assert.rejects(async () => await input.encode("x"), { name: "ValidationError", message: /: never$/ });
  await assert.rejects(async () => await input.decode(utf8('"x"')), { name: "ValidationError", message: /: never$/ });
});

test("a value is encoded at the call, even if its check takes longer", async () => {
  const { input } = defineFunction<{ a: number }>("f", {
    input: later(schemaOf((value) => ({ value: value as never }))),
  });
  const value = { a: 1 };
  const encoding = input.encode(value);
  value.a = 2;
  assert.equal(await encoding, '{"a":1}');
});

test("bytes are copied at the call, also if they are a Buffer, or the memory of the serializer", async () => {
  const anything: Schema<Uint8Array> = schemaOf((value) => ({ value: value as Uint8Array }));
  const memory = new Uint8Array(3);
  const reusing = { encode: (value: unknown) => (memory.set(value as Uint8Array), memory), decode: () => null };
  for (const serializer of [bytesSerializer, reusing]) {
    for (const input of [anything, later(anything)]) {
      for (const bytes of [Uint8Array.of(1, 2, 3), Buffer.from([1, 2, 3])]) {
        const encoding = defineFunction("f", { input, serializer }).input.encode(bytes);
        bytes.fill(0);
        memory.fill(0);
        assert.deepEqual(new Uint8Array(await encoding as Uint8Array), Uint8Array.of(1, 2, 3));
      }
    }
  }
});

test("undefined is no bytes in the foreground, and the serializer is not asked", () => {
  const serializer = { encode: () => assert.fail("it was asked"), decode: () => assert.fail("it was asked") };
  const { input, output } = defineFunction<string | undefined, void>("f", { serializer });
  assert.equal(input.encode(undefined), "");
  assert.equal(output.encode(), "");
  assert.equal(input.decode(noBytes), undefined);
  assert.equal(output.decode(noBytes), undefined);
});

test("undefined is checked like any other value", () => {
  const { input } = defineFunction("f", { input: refusing<undefined>({ message: "Required" }) });
  assert.throws(() => input.encode(undefined), { message: 'The input of "f" is invalid: Required' });
  assert.throws(() => input.encode(undefined, BACKGROUND), { message: 'The input of "f" is invalid: Required' });
  assert.throws(() => input.decode(noBytes), { message: 'The input of "f" is invalid: Required' });
});

test("in the background the serializer encodes undefined", () => {
  assert.equal(defineFunction("f").input.encode(undefined, BACKGROUND), "null");
  const serializer = { encode: (value: unknown) => `<${value}>`, decode: () => null };
  assert.equal(defineFunction("f", { serializer }).input.encode(undefined, BACKGROUND), "<undefined>");
});

test("in the background an encoder must yield at least one byte", async () => {
  const empty = [bytesSerializer, { ...slowText, encode: () => Promise.resolve("") }, {
    ...slowText,
    encode: () => noBytes,
  }];
  for (const serializer of empty) {
    const { input } = defineFunction<void>("f", { serializer });
    await assert.rejects(async () => await input.encode(undefined, BACKGROUND), {
      name: "ValidationError",
      message: 'The input of "f" is invalid: it was encoded as no bytes',
    });
    assert.equal(await input.encode(undefined), "");
  }
});

test("an encoder that yields no workload fails", async () => {
  const expected = {
    name: "ValidationError",
    message: 'The input of "f" is invalid: Cannot use the workload: it must be a string or a Uint8Array',
  };
  const { input } = defineFunction<unknown>("f");
  assert.throws(() => input.encode(() => {}), expected);
  for (const wrong of [undefined, null, 5, {}, [1], new ArrayBuffer(1)]) {
    for (const encode of [() => wrong, async () => await Promise.resolve(wrong)]) {
      const serializer = { encode, decode: () => null } as unknown as Serializer;
      const { input } = defineFunction<number>("f", { serializer });
      await assert.rejects(async () => await input.encode(1), expected);
    }
  }
});

test("a null that the schema refuses is checked once more as undefined", async () => {
  for (const schema of [trimmed, later(trimmed)]) {
    const { input } = defineFunction("f", { input: schema });
    assert.equal(await input.decode(utf8("null")), "(none)");
    assert.equal(await input.decode(utf8(" null ")), "(none)");
  }
  const nullable: Schema<null> = schemaOf((value) => ({ value: value as null }));
  assert.equal(defineFunction("f", { input: nullable }).input.decode(utf8("null")), null);
});

test("if undefined is refused too, the error is that of null", () => {
  const seen: unknown[] = [];
  const input = schemaOf<string>((value) => {
    seen.push(value);
    return { issues: [{ message: `expected a string, got ${value}` }] };
  });
  assert.throws(() => defineFunction("f", { input }).input.decode(utf8("null")), { message: /got null$/ });
  assert.deepEqual(seen, [null, undefined]);
});

test("no other value is checked twice", () => {
  let checks = 0;
  const input = schemaOf<string>(() => {
    checks += 1;
    return { issues: [{ message: "never" }] };
  });
  for (const wire of ["0", '""', "false", "[null]", '{"a":null}']) {
    checks = 0;
    assert.throws(() => defineFunction("f", { input }).input.decode(utf8(wire)), { name: "ValidationError" });
    assert.equal(checks, 1, wire);
  }
});

test("no bytes are an empty Uint8Array for bytesSerializer, unless the schema takes undefined only", () => {
  const serializer = bytesSerializer;
  const { input } = defineFunction<Uint8Array>("f", { serializer });
  assert.deepEqual(input.encode(noBytes), noBytes);
  assert.deepEqual(input.decode(noBytes), noBytes);
  const nothing: Schema<undefined> = schemaOf((value) =>
    value === undefined ? { value } : { issues: [{ message: "expected nothing" }] }
  );
  assert.equal(defineFunction("f", { input: nothing, serializer }).input.decode(noBytes), undefined);
  assert.throws(() => defineFunction("f", { input: nothing, serializer }).input.decode(utf8("x")), {
    message: 'The input of "f" is invalid: expected nothing',
  });
});

test("bytes that are no JSON fail with the SyntaxError as cause", () => {
  const { output } = defineFunction("f", { output: trimmed });
  assert.throws(() => output.decode(utf8("ok")), (error) => {
    assert.ok(error instanceof ValidationError);
    assert.ok(error.cause instanceof SyntaxError);
    assert.equal(error.part, "output");
    assert.equal(error.message, `The output of "f" is invalid: ${error.cause.message}`);
    assert.deepEqual(error.issues, [{ message: error.cause.message }]);
    return true;
  });
});

test("a value that JSON cannot encode fails with its error as cause", () => {
  const { input } = defineFunction<unknown>("f");
  const circular: unknown[] = [];
  circular.push(circular);
  for (const value of [10n, { deep: [1n] }, circular]) {
    assert.throws(() => input.encode(value), (error) => {
      assert.ok(error instanceof ValidationError);
      assert.ok(error.cause instanceof TypeError);
      return true;
    });
  }
});

test("what a serializer or a schema throws is the cause and the issue, also if it comes later", async () => {
  const cause = new RangeError("out of paper");
  const fail = () => {
    throw cause;
  };
  const failLater = async () => {
    await turns(1);
    throw cause;
  };
  const expected = {
    name: "ValidationError",
    message: 'The input of "f" is invalid: out of paper',
    issues: [{ message: "out of paper" }],
    cause,
  };
  for (const failing of [fail, failLater]) {
    const serializer = { encode: failing, decode: failing } as Serializer;
    const definitions = [
      defineFunction<string>("f", { serializer }),
      defineFunction("f", { input: schemaOf<string>(failing) }),
    ];
    for (const { input } of definitions) {
      await assert.rejects(async () => await input.encode("x"), expected);
      await assert.rejects(async () => await input.decode(utf8('"x"')), expected);
    }
  }
});

test("a serializer and a schema that both fail leave no unhandled rejection, and the check is reported", async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", listener);
  try {
    for (const order of [["check", "encoder"], ["encoder", "check"]] as const) {
      const failures = { check: deferred<never>(), encoder: deferred<never>() };
      const serializer = { encode: () => failures.encoder.promise, decode: () => null };
      const { input } = defineFunction("f", { input: schemaOf<string>(() => failures.check.promise), serializer });
      const rejected = assert.rejects(async () => await input.encode("x"), {
        message: 'The input of "f" is invalid: check',
      });
      for (const name of order) {
        failures[name].reject(new Error(name));
        await turns(2);
      }
      await rejected;
    }
    // An encoder that throws at the call, while the check is under way.
    for (const passes of [true, false]) {
      const check = deferred<{ value: string }>();
      const serializer = { encode: () => assert.fail("encoder"), decode: () => null };
      const { input } = defineFunction("f", { input: schemaOf<string>(() => check.promise), serializer });
      const reason = passes ? "encoder" : "check";
      const rejected = assert.rejects(async () => await input.encode("x"), {
        message: `The input of "f" is invalid: ${reason}`,
      });
      await turns(2);
      if (passes) check.resolve({ value: "x" });
      else check.reject(new Error("check"));
      await rejected;
      await turns(2);
    }
    assert.deepEqual(unhandled, []);
  } finally {
    process.removeListener("unhandledRejection", listener);
  }
});

test("a serializer keeps its this", () => {
  class Prefix implements Serializer {
    readonly prefix = ">";
    encode(value: unknown): string {
      return this.prefix + String(value);
    }
    decode(bytes: Uint8Array): string {
      return text(bytes).slice(this.prefix.length);
    }
  }
  const { input } = defineFunction<string>("f", { serializer: new Prefix() });
  assert.equal(input.encode("x"), ">x");
  assert.equal(input.decode(utf8(">x")), "x");
});

test("input and output may have a serializer each", () => {
  const { input, output } = defineFunction<string, Uint8Array>("f", {
    serializer: { input: { encode: String, decode: text }, output: bytesSerializer },
  });
  assert.equal(input.encode("x"), "x");
  assert.equal(input.decode(utf8("x")), "x");
  assert.deepEqual(output.encode(Uint8Array.of(1)), Uint8Array.of(1));
  assert.deepEqual(output.decode(Uint8Array.of(1)), Uint8Array.of(1));
});
