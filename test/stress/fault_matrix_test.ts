// deno-lint-ignore-file no-console -- prints the matrix
/**
 * The fault matrix: every call under every fault, on gearmand and JobServer. No call hangs, and each has an expected
 * outcome.
 */

import assert from "node:assert/strict";
import type net from "node:net";
import { after, before, describe, test } from "node:test";
import { dialTcp, GearmanWorker } from "../../mod.ts";
import type { Dial, ServerAddress, Transport } from "../../mod.ts";
import { encodeRequest, encodeResponse, type Packet, PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import type { Fault as ServerFault } from "../../src/server/mod.ts";
import { header, pattern, utf8 } from "../support/bytes.ts";
import { freePort, type SocketServerOptions, withSocketServer } from "../support/socket_server.ts";
import { SERVER_CERT, SERVER_KEY } from "../support/certificates.ts";
import { deferred } from "../../src/internal/promises.ts";
import { fullOrQuick, REQUIRED } from "../support/requirements.ts";
import { type Fault, isKeepAlive, runCell, runRow, tableOf, work } from "../support/fault_matrix.ts";
import { until } from "../support/wait.ts";
import { isSubmission } from "../support/fake_server.ts";
import { type Faults, Proxy } from "../support/proxy.ts";
import { onEveryServer } from "../support/servers.ts";
import type { TestServer } from "../support/servers.ts";

const timeout = 60_000;
/** Options for faults that only silence reveals. */
const SILENT: Partial<Fault> = { silent: true, options: { probeInterval: 60, connectTimeout: 500 } };

/** Connects to a port of 127.0.0.1, whatever the address is. */
const dialPort = (port: number): Dial => (_, options) => dialTcp()({ hostname: "127.0.0.1", port }, options);

/** Makes the first connection with one dial function, and later ones with another. */
function first(one: Dial, others: Dial): Dial {
  let dialed = 0;
  return (...args) => dialed++ === 0 ? one(...args) : others(...args);
}

/** A fault of the network: a proxy has it on the first connection, or on every connection. */
function proxied(name: string, server: () => TestServer, faults: Faults, fault: Partial<Fault> = {}): Fault {
  const { passes = false } = fault;
  return {
    ...fault,
    name,
    start: async () => {
      const proxy = await Proxy.start(server().port);
      proxy.faults = (index) => index === 0 || !passes ? faults : {};
      return { dial: dialPort(proxy.port), stop: () => proxy.close() };
    },
  };
}

/** A fault of the client's transport: it fails after `limit` bytes were written. */
function cut(name: string, server: () => TestServer, limit: number): Fault {
  const cutting: Dial = async (address, options) => {
    const inner = await dialPort(server().port)(address, options);
    let written = 0;
    const transport: Transport = {
      write: async (bytes) => {
        const part = bytes.subarray(0, limit - written);
        written += bytes.length;
        await inner.write(part);
        if (written <= limit) return;
        await inner.close();
        throw new Error("the cable was cut");
      },
      close: () => inner.close(),
      [Symbol.asyncIterator]: () => inner[Symbol.asyncIterator](),
    };
    return transport;
  };
  const start = () => Promise.resolve({ dial: first(cutting, dialPort(server().port)), stop: () => Promise.resolve() });
  return { name, passes: true, start };
}

/**
 * A fault of the server: it serves the first connection, or every connection, with `serve`; the others reach a good
 * server.
 */
function peer(
  name: string,
  server: () => TestServer,
  serve: (socket: net.Socket) => void,
  options: SocketServerOptions & { tls?: never; every?: boolean; dial?: Dial } & Partial<Fault> = {},
): Fault {
  return {
    ...options,
    name,
    passes: options.every !== true,
    start: async () => {
      const ended = deferred<void>();
      const ready = deferred<ServerAddress>();
      const done = withSocketServer(serve, (address) => (ready.resolve(address), ended.promise), options);
      const { port } = await ready.promise;
      const bad: Dial = options.dial === undefined
        ? dialPort(port)
        : (_, rest) => options.dial!({ hostname: "127.0.0.1", port }, rest);
      return {
        dial: options.every === true ? bad : first(bad, dialPort(server().port)),
        stop: () => (ended.resolve(), done),
      };
    },
  };
}

/** Answers the first bytes that arrive with these bytes. */
const saying = (...bytes: Uint8Array[]) => (socket: net.Socket) =>
  void socket.once("data", () => bytes.forEach((each) => void socket.write(each)));

function endless(socket: net.Socket, bytes: Uint8Array): void {
  socket.once("data", () => {
    const write = () => {
      while (!socket.destroyed && socket.write(bytes));
    };
    socket.on("drain", write);
    write();
  });
}

/** Packets that a faulty server sends. */
const option = encodeResponse(PacketType.OPTION_RES, "exceptions");
const stranger = encodeResponse(PacketType.WORK_COMPLETE, "H:stranger:1", "not yours");

function faultsOf(server: () => TestServer): Fault[] {
  const refused: Dial = async (_, options) => await dialPort(await freePort())(_, options);
  const tls = dialTcp({ tls: { caCerts: [SERVER_CERT] } });
  const nothing = () => Promise.resolve();
  const dialing = (name: string, dial: Dial, every: boolean, options = {}): Fault => ({
    name: every ? `${name}, always` : name,
    options,
    passes: !every,
    start: () => Promise.resolve({ dial: every ? dial : first(dial, dialPort(server().port)), stop: nothing }),
  });
  const lasting = REQUIRED ? [0, 1, 22, 30, 50, 80, 120] : [0, 30, 80];
  return [
    proxied("nothing", server, {}, { harmless: true }),
    proxied("split into 1 to 7 bytes", server, { split: true }, { harmless: true }),
    proxied("delay", server, { delay: 2 }, { harmless: true }),
    ...lasting.flatMap((bytes) => [
      proxied(`reset after ${bytes} bytes`, server, { resetAfter: bytes }, { passes: true }),
      proxied(`half-close after ${bytes} bytes`, server, { endAfter: bytes }, { passes: true }),
    ]),
    proxied("reset at once, always", server, { resetAfter: 0 }),
    proxied("split, reset after 40 bytes", server, { split: true, resetAfter: 40 }, { passes: true }),
    proxied("half-close at once, always", server, { endAfter: 0 }),
    ...[0, 30, 80].map((bytes) =>
      proxied(`stall after ${bytes} bytes`, server, { stallAfter: bytes }, { passes: true, ...SILENT })
    ),
    proxied("stall at once, always", server, { stallAfter: 0 }, SILENT),
    ...[0, 10, 30, 45].map((bytes) => cut(`cut when ${bytes} bytes are written`, server, bytes)),

    dialing("refused", refused, false),
    dialing("refused", refused, true),
    dialing("no such host", () => Promise.reject(new Error("ENOTFOUND")), true),
    dialing("a dial that never ends", () => new Promise<never>(() => {}), true, { connectTimeout: 50 }),
    dialing("a dial that throws", () => {
      throw new TypeError("no sockets here");
    }, false),
    peer("TLS with a server that speaks none", server, saying(utf8("ERR what?\n")), { every: true, dial: tls }),
    peer("TLS, ended in the handshake", server, (socket) => void socket.once("data", () => socket.end()), {
      every: true,
      dial: tls,
    }),
    {
      name: "TLS, of a stranger",
      start: async () => {
        const inside = new JobServer();
        const address = await inside.listen({ tls: { cert: SERVER_CERT, key: SERVER_KEY } });
        const dial: Dial = (_, options) => dialTcp({ tls: true })(address, options);
        return { dial, stop: () => inside.close() };
      },
    },

    peer("ended at once", server, (socket) => void socket.end()),
    peer("ended at once, always", server, (socket) => void socket.end(), { every: true }),
    peer("never answered", server, (socket) => void socket.resume(), SILENT),
    peer("never read", server, () => {}, { pauseOnConnect: true, ...SILENT }),
    peer("garbage", server, saying(pattern(10_000))),
    peer("garbage, always", server, saying(pattern(10_000)), { every: true }),
    peer("a web server", server, saying(utf8("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))),
    peer("endless zeros", server, (socket) => endless(socket, new Uint8Array(65_536))),
    peer("endless garbage behind an answer", server, (socket) => {
      socket.once("data", () => socket.write(option));
      endless(socket, pattern(65_536));
    }),
    peer(
      "a length of 4 GiB",
      server,
      saying(option, header("\0RES", PacketType.ECHO_RES, 0xffff_ffff), pattern(9_999)),
    ),
    peer(
      "half a packet, and the end",
      server,
      (socket) => void socket.once("data", () => socket.end(option.slice(0, 15))),
    ),
    peer("an unknown type", server, saying(option, header("\0RES", 99, 0))),
    peer("a request", server, saying(option, encodeRequest(PacketType.ECHO_REQ, "you?"))),
    peer("a NOOP", server, saying(option, encodeResponse(PacketType.NOOP))),
    peer(
      "an unexpected reply",
      server,
      saying(encodeResponse(PacketType.STATUS_RES, "H:1", "1", "1", "0", "0")),
    ),
    peer("an ERROR before any request", server, (socket) => {
      socket.write(encodeResponse(PacketType.ERROR, "QUEUE_ERROR", "full"));
      socket.resume();
    }, SILENT),
    // Such packets are discarded: some servers send WORK_FAIL after the WORK_EXCEPTION that ended a job.
    peer("unknown handles, and then silence", server, saying(option, stranger, stranger), SILENT),
  ];
}

/** Returns true if the request belongs to a call, and not to the connection. */
function isCall(request: Packet): boolean {
  const questions: number[] = [PacketType.GET_STATUS, PacketType.GET_STATUS_UNIQUE, PacketType.ECHO_REQ];
  return isSubmission(request) || (questions.includes(request.type) && !isKeepAlive(request));
}

/** Runs all rows, three at a time, and prints them in order. */
async function printMatrix(title: string, faults: readonly Fault[]): Promise<void> {
  const rows = new Map<string, string[]>(faults.map(({ name }) => [name, []]));
  const left = [...faults];
  const failures: unknown[] = [];
  const work = async () => {
    for (let fault = left.shift(); fault !== undefined; fault = left.shift()) {
      await runRow(fault).then((cells) => rows.set(fault!.name, cells), (error) => failures.push(error));
    }
  };
  await Promise.all([work(), work(), work()]);
  console.log(`\n${tableOf(title, rows)}\n`);
  if (failures.length > 0) throw new AggregateError(failures, `${failures.map(String).join("\n")}`);
}

onEveryServer("the fault matrix", (kind) => {
  let server: TestServer;
  let worker: GearmanWorker;
  before(async () => {
    server = await kind.start();
    worker = new GearmanWorker({ ...server.connect, concurrency: 50, onEvent() {} });
    worker.addFunction("work", work);
    worker.run();
  });
  after(async () => {
    await worker.close();
    await server.stop();
  });

  test("has no call that hangs or ends unexpectedly", { timeout }, async () => {
    await printMatrix(kind.name, faultsOf(() => server));
  });

  test("has the right delivery for each submission, wherever the connection breaks", { timeout }, async () => {
    const get = () => server;
    for (const name of ["await", "background", "all"]) {
      const spans: [string, number][] = [];
      const outcomes: string[] = [];
      // The first bytes are the greeting: what was not sent moves to the next connection.
      const isOver = () => outcomes.at(-1) === "ok" && outcomes.includes("unknown");
      for (let at = 0; !isOver(); at += fullOrQuick(2, 8)) {
        outcomes.push(
          ...await Promise.all([
            runCell(proxied(`reset after ${at}`, get, { resetAfter: at }, { passes: true }), name),
            runCell(proxied(`half-close after ${at + 1}`, get, { endAfter: at + 1 }, { passes: true }), name),
          ]),
        );
      }
      for (const outcome of outcomes) {
        if (spans.at(-1)?.[0] !== outcome) spans.push([outcome, 0]);
        spans.at(-1)![1]++;
      }
      console.log(`${kind.name}, ${name}: ${spans.map(([outcome, bytes]) => `${outcome} ${bytes}`).join(", ")} bytes`);
      assert.equal(outcomes[0], "ok");
      assert.equal(outcomes.includes("accepted"), name === "await");
      outcomes.length = 0;
      for (let limit = 0; !isOver(); limit += fullOrQuick(3, 12)) {
        outcomes.push(await runCell(cut(`cut when ${limit} bytes are written`, get, limit), name));
      }
    }
  });
}, { port: true });

describe("the fault matrix of JobServer's own faults", () => {
  test("has no call that hangs or ends unexpectedly", { timeout }, async () => {
    const kinds: [ServerFault, Partial<Fault>][] = [
      ["drop-before", {}],
      ["drop-after", {}],
      ["stall", SILENT],
      ["split", { harmless: true }],
      [{ error: ["QUEUE_ERROR", "full"] }, { code: "QUEUE_ERROR" }],
    ];
    const faults = kinds.flatMap(([fault, more]) =>
      [true, false].flatMap((passes) =>
        [true, false].map((isOption): Fault => ({
          // A refused option fails no call.
          ...(isOption && more.code !== undefined
            ? { harmless: true }
            : { ...more, passes: passes && more.code === undefined }),
          name: `${typeof fault === "string" ? fault : "error"} of ${isOption ? "the option" : "the call"}${
            passes ? "" : ", always"
          }`,
          start: async () => {
            let armed = false;
            const server: JobServer = new JobServer({
              fault: (request) => {
                if (!armed || request.magic !== "REQ") return undefined;
                if (isOption ? request.type !== PacketType.OPTION_REQ : !isCall(request)) return undefined;
                armed = !passes;
                return fault;
              },
            });
            const worker = new GearmanWorker({ dial: server.dial, onEvent() {} });
            worker.addFunction("work", work);
            worker.run();
            await until(() => server.inspect().functions.some(({ workers }) => workers > 0));
            armed = true;
            return { dial: server.dial, stop: async () => void await Promise.all([worker.close(), server.close()]) };
          },
        }))
      )
    );
    await printMatrix("JobServer, in memory", faults);
  });
});
