/** Tests of the requests that a gateway lets through: everything that a client sends, and nothing else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Packet, PacketDecoder, PacketType, ProtocolError } from "../../src/codec/mod.ts";
import { readRequest } from "../../src/gateway/client_request.ts";
import { encode } from "../support/bytes.ts";

type Args = (string | Uint8Array)[];

/** Makes a packet as it is received. */
function packet(type: number, args: Args, magic: "REQ" | "RES" = "REQ"): Packet {
  const decoder = new PacketDecoder();
  decoder.push(encode(magic, type, args));
  return decoder.next().value!;
}

/** Reads a request; the name of the error if it is refused. */
function read(type: number, ...args: Args): unknown {
  try {
    return readRequest(packet(type, args))?.call;
  } catch (error) {
    return (error as Error).name;
  }
}

test("submissions are calls, with their kind, names and size", () => {
  const { SUBMIT_JOB, SUBMIT_JOB_HIGH, SUBMIT_JOB_LOW, SUBMIT_REDUCE_JOB } = PacketType;
  const { SUBMIT_JOB_BG, SUBMIT_JOB_HIGH_BG, SUBMIT_JOB_LOW_BG } = PacketType;
  const call = { functionName: "größe", unique: "u1", size: 3 };
  for (const type of [SUBMIT_JOB, SUBMIT_JOB_HIGH, SUBMIT_JOB_LOW]) {
    assert.deepEqual(read(type, "größe", "u1", "abc"), { kind: "foreground", ...call });
  }
  for (const type of [SUBMIT_JOB_BG, SUBMIT_JOB_HIGH_BG, SUBMIT_JOB_LOW_BG]) {
    assert.deepEqual(read(type, "größe", "u1", "abc"), { kind: "background", ...call });
  }
  assert.deepEqual(read(SUBMIT_REDUCE_JOB, "größe", "u1", "sum", "", "abc"), { kind: "foreground", ...call });
  const { SUBMIT_REDUCE_JOB_BACKGROUND, SUBMIT_JOB_EPOCH } = PacketType;
  assert.deepEqual(read(SUBMIT_REDUCE_JOB_BACKGROUND, "größe", "u1", "sum", "", "abc"), {
    kind: "background",
    ...call,
  });
  assert.deepEqual(read(SUBMIT_JOB_EPOCH, "größe", "u1", "1893456000", "abc"), { kind: "background", ...call });
  assert.deepEqual(read(SUBMIT_JOB, "f", "", ""), { kind: "foreground", functionName: "f", unique: "", size: 0 });
});

test("questions about a status are calls, by handle or by unique", () => {
  assert.deepEqual(read(PacketType.GET_STATUS, "H:box:1"), { kind: "status", handle: "H:box:1" });
  assert.deepEqual(read(PacketType.GET_STATUS_UNIQUE, "u1"), { kind: "status", unique: "u1" });
});

test("an echo and the option exceptions are no calls, and an id is not passed on", () => {
  for (const [type, argument] of [[PacketType.ECHO_REQ, "\0any"], [PacketType.OPTION_REQ, "exceptions"]] as const) {
    const request = readRequest(packet(type, [argument]));
    assert.equal(request?.call, undefined);
    assert.equal(request?.size, argument.length);
  }
  assert.equal(readRequest(packet(PacketType.SET_CLIENT_ID, ["evil\nid"])), undefined);
});

test("no other packet is passed on", () => {
  const passed: string[] = [];
  for (const [name, [type, ...names]] of Object.entries(argumentCounts())) {
    const args = Array<string>(names.length).fill("1");
    if (type === PacketType.OPTION_REQ) args[0] = "exceptions";
    if (name.startsWith("SUBMIT_REDUCE")) args[3] = "";
    try {
      readRequest(packet(type, args));
      passed.push(name);
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
      assert.match(error.message, new RegExp(`^Cannot pass on ${name}: a client does not send it$`));
    }
  }
  assert.deepEqual(passed.sort(), [
    ...["ECHO_REQ", "GET_STATUS", "GET_STATUS_UNIQUE", "OPTION_REQ", "SET_CLIENT_ID", "SUBMIT_JOB", "SUBMIT_JOB_BG"],
    ...["SUBMIT_JOB_EPOCH", "SUBMIT_JOB_HIGH", "SUBMIT_JOB_HIGH_BG", "SUBMIT_JOB_LOW", "SUBMIT_JOB_LOW_BG"],
    ...["SUBMIT_REDUCE_JOB", "SUBMIT_REDUCE_JOB_BACKGROUND"],
  ]);
});

/** The packets with one element for each argument. */
function argumentCounts(): Record<string, [number, ...unknown[]]> {
  return Object.fromEntries(
    Object.entries(PacketType).map(([name, type]) => {
      for (let count = 0;; count++) {
        try {
          encode("REQ", type, Array(count).fill("1"));
          return [name, [type, ...Array(count).fill(0)]];
        } catch {
          // It has another number of arguments.
        }
      }
    }),
  );
}

test("a response is not passed on, whatever it is", () => {
  assert.throws(() => readRequest(packet(PacketType.SUBMIT_JOB, ["f", "", ""], "RES")), ProtocolError);
  assert.throws(() => readRequest(packet(PacketType.ECHO_REQ, ["x"], "RES")), ProtocolError);
});

test("arguments that gearmand does not answer, or corrupts, are refused", () => {
  const { SUBMIT_JOB, SUBMIT_JOB_EPOCH, SUBMIT_REDUCE_JOB, GET_STATUS, GET_STATUS_UNIQUE, OPTION_REQ } = PacketType;
  const refused: [number, ...Args][] = [
    [SUBMIT_JOB, "", "", "x"],
    [SUBMIT_JOB, "f".repeat(513), "", "x"],
    [SUBMIT_JOB, "line\nfeed", "", "x"],
    [SUBMIT_JOB, "f", "u".repeat(64), "x"],
    [SUBMIT_JOB, Uint8Array.of(0xff), "", "x"],
    [SUBMIT_JOB, "f", Uint8Array.of(0xc3), "x"],
    [SUBMIT_JOB_EPOCH, "f", "", "", "x"],
    [SUBMIT_JOB_EPOCH, "f", "", "-1", "x"],
    [SUBMIT_JOB_EPOCH, "f", "", "1".repeat(16), "x"],
    [SUBMIT_JOB_EPOCH, "f", "", "9e9", "x"],
    [SUBMIT_REDUCE_JOB, "f", "", "r".repeat(64), "", "x"],
    [SUBMIT_REDUCE_JOB, "f", "", "r", "a", "x"],
    [GET_STATUS, ""],
    [GET_STATUS, "h".repeat(64)],
    [GET_STATUS, "h\0"],
    [GET_STATUS_UNIQUE, "u".repeat(64)],
    [GET_STATUS_UNIQUE, "u\0v"],
    [OPTION_REQ, "Exceptions"],
    [OPTION_REQ, "exceptions\0"],
    [OPTION_REQ, "x"],
  ];
  for (const [type, ...args] of refused) assert.equal(read(type, ...args), "ProtocolError", `${type} ${args}`);
  assert.equal((read(SUBMIT_JOB, "f".repeat(512), "u".repeat(63), "x") as { size: number }).size, 1);
});

test("the size of an oversized workload is the one that the client has sent", () => {
  const decoder = new PacketDecoder({ maxPacketSize: 100, skipOversized: true });
  decoder.push(encode("REQ", PacketType.SUBMIT_JOB, ["f", "", "x".repeat(1_000)]));
  const request = readRequest(decoder.next().value!);
  assert.ok(request!.size >= 1_000);
});
