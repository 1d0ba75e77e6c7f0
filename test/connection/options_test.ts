/** Tests of the options that clients, workers and admin clients share. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConnectOptions,
  type GearmanEvent,
  normalizeOptions,
  readConnectOptions,
  signalOf,
} from "../../src/connection/options.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns } from "../support/wait.ts";

test("options that are absent have their defaults", () => {
  const { servers, settings } = readConnectOptions({});
  assert.deepEqual(servers, [{ hostname: "127.0.0.1", port: 4730 }]);
  const { dial, emit, ...numbers } = settings;
  assert.equal(typeof dial, "function");
  assert.equal(emit({ type: "connected", server: "a:1" }), undefined);
  assert.deepEqual(numbers, {
    connectTimeout: 5_000,
    maxPacketSize: 134_217_728,
    minBackoff: 100,
    maxBackoff: 30_000,
    probeInterval: 15_000,
  });
});

test("every option may be undefined, which is its default", () => {
  const options: Required<ConnectOptions> = {
    servers: undefined,
    dial: undefined,
    tls: undefined,
    connectTimeout: undefined,
    maxPacketSize: undefined,
    minBackoff: undefined,
    maxBackoff: undefined,
    probeInterval: undefined,
    onEvent: undefined,
  };
  const { dial: _, emit, ...numbers } = readConnectOptions(options).settings;
  const { dial: __, emit: ___, ...defaults } = readConnectOptions({}).settings;
  emit({ type: "connected", server: "a:1" });
  assert.deepEqual(numbers, defaults);
});

test("options that are given are used", () => {
  const dial = () => new FakeTransport();
  const given = { connectTimeout: 1, maxPacketSize: 0, minBackoff: 0, maxBackoff: 0, probeInterval: 1 };
  const { servers, settings } = readConnectOptions({ servers: ["a", "b:2"], dial, ...given });
  assert.deepEqual(servers, [{ hostname: "a", port: 4730 }, { hostname: "b", port: 2 }]);
  const { dial: taken, emit: _, ...numbers } = settings;
  assert.equal(taken, dial);
  assert.deepEqual(numbers, given);
});

test("maxBackoff is at least minBackoff", () => {
  assert.equal(readConnectOptions({ minBackoff: 60_000 }).settings.maxBackoff, 60_000);
});

test("times must fit in a timer, and maxPacketSize in 32 bits", () => {
  for (const name of ["connectTimeout", "minBackoff", "maxBackoff", "probeInterval"]) {
    assert.throws(() => readConnectOptions({ [name]: 2_147_483_648 }), RangeError, `${name}: longer than any timer`);
  }
  assert.throws(() => readConnectOptions({ maxPacketSize: 4_294_967_296 }), RangeError);
});

test("options of the wrong kind, and those that exclude each other, are TypeErrors", () => {
  const bad: unknown[] = [
    { dial: () => {}, tls: true },
    { dial: () => {}, tls: {} },
    { dial: 5 },
    { tls: "yes" },
    { tls: 5 },
    { tls: null },
    { servers: null },
    { dial: null },
    { onEvent: "log" },
    { servers: 5 },
    { servers: [undefined] },
    { tls: { key: "without a certificate" } },
  ];
  for (const options of bad) {
    assert.throws(() => readConnectOptions(options as ConnectOptions), TypeError, JSON.stringify(options));
  }
  readConnectOptions({ dial: () => Promise.reject(new Error("never dialed")), tls: false }); // no conflict
});

test("a list of servers, a URL or an address in place of the options is a TypeError, and not the default server", () => {
  for (const options of [["a:1", "b:2"], [], new URL("http://a:1/"), { hostname: "a", port: 1 }]) {
    assert.throws(() => normalizeOptions(options as ConnectOptions), TypeError);
  }
});

test("normalizeOptions() takes a string of servers, undefined or an object, and refuses anything else", () => {
  assert.deepEqual(normalizeOptions("a,b"), { servers: "a,b" });
  assert.deepEqual(normalizeOptions(""), { servers: "" });
  assert.deepEqual(normalizeOptions(undefined), {});
  const options = Object.freeze({ servers: "a" });
  assert.equal(normalizeOptions(options), options);
  for (const bad of [null, 5, true, Symbol("a")]) assert.throws(() => normalizeOptions(bad as never), TypeError);
});

test("events reach onEvent as a method of the options, and its errors are ignored", async () => {
  const seen: unknown[] = [];
  const options = {
    prefix: "mine",
    onEvent(event: GearmanEvent) {
      seen.push(this.prefix, event.type);
    },
  };
  const event: GearmanEvent = { type: "connected", server: "a:1" };
  readConnectOptions(options).settings.emit(event);
  assert.deepEqual(seen, ["mine", "connected"]);
  const thenable = { then: (_: unknown, reject: (error: Error) => void) => reject(new Error("thenable")) };
  const results = [
    () => {
      throw new Error("thrown");
    },
    () => Promise.reject(new Error("rejected")),
    () => thenable,
  ];
  for (const onEvent of results) readConnectOptions({ onEvent: onEvent as () => void }).settings.emit(event);
  await turns(2);
});

test("signalOf() returns the signal of a call, if it has one", () => {
  const { signal } = new AbortController();
  assert.equal(signalOf({ signal }), signal);
  assert.equal(signalOf(Object.freeze({ signal: AbortSignal.abort() }))!.aborted, true);
  assert.equal(signalOf({}), undefined);
});

test("signalOf() refuses signals that are not an AbortSignal, and ignores an index that map() passes as options", () => {
  assert.equal(signalOf(5 as never), undefined);
  for (const signal of [null, 5, {}, new AbortController()]) {
    assert.throws(() => signalOf({ signal } as never), { name: "TypeError", message: /^Cannot use the signal: / });
  }
});
