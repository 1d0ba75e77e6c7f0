/** Tests of clients that attack: gateway and gearmand live on, with bounded memory, and others are served. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fromWebSocket, GearmanClient } from "../../mod.ts";
import { encodeLine, encodeRequest, MixedDecoder, PacketType } from "../../src/codec/mod.ts";
import type { WebSocketLike } from "../../src/connection/mod.ts";
import { Connection, dialTcp } from "../../src/connection/mod.ts";
import { encode, header, join, pattern, utf8 } from "../support/bytes.ts";
import { type Gearmand, startGearmand } from "../support/gearmand.ts";
import { type Program, startProgram } from "../support/programs.ts";
import { fullOrQuick, needs } from "../support/requirements.ts";
import { until } from "../support/wait.ts";
import { ClientWebSocket } from "../support/web_sockets.ts";

const timeout = 120_000;
const MIB = 1_048_576;
const { SUBMIT_JOB, SUBMIT_JOB_BG, ECHO_REQ, GET_STATUS } = PacketType;

/** A socket of an attacker, and what it hears. */
interface Attacker {
  readonly socket: WebSocketLike;
  /** Bytes that were received. */
  received: number;
  readonly texts: string[];
  /** Resolves to the code with which the gateway has closed the socket. */
  readonly closed: Promise<number>;
}

const skip = needs("gearmand");

describe("clients that attack", { skip }, () => {
  let gearmand: Gearmand;
  let program: Program;
  let url: string;
  let connections: number;
  before(async () => {
    gearmand = await startGearmand();
    program = startProgram("gateway", [`127.0.0.1:${gearmand.port}`]);
    await until(() => program.output.endsWith("\n"));
    url = program.output.trim();
    connections = await countConnections();
  });
  after(async () => {
    program.child.kill("SIGTERM");
    await program.ended;
    await gearmand.stop();
    assert.equal(program.errors, "");
  });

  async function connect(protocol?: string): Promise<Attacker> {
    const socket = new ClientWebSocket(url, protocol);
    socket.binaryType = "arraybuffer";
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener("close", ({ code }: { code: number }) => resolve(code));
    });
    const attacker: Attacker = { socket, received: 0, texts: [], closed };
    socket.addEventListener("message", ({ data }: { data: string | ArrayBuffer }) => {
      if (typeof data === "string") attacker.texts.push(data);
      else attacker.received += data.byteLength;
    });
    await new Promise<void>((resolve) => socket.addEventListener("open", () => resolve()));
    return attacker;
  }

  function send({ socket }: Attacker, data: string | Uint8Array): void {
    socket.send(data as Uint8Array<ArrayBuffer>);
  }

  /** Number of connections to gearmand, with the one that asks. */
  async function countConnections(): Promise<number> {
    const connection = new Connection(await dialTcp()({ hostname: "127.0.0.1", port: gearmand.port }, {}), {
      decoder: new MixedDecoder(),
    });
    connection.sendBytes(encodeLine("workers"));
    let count = 0;
    for await (const line of connection) {
      if (line.magic === "TEXT" && line.line === ".") break;
      count++;
    }
    await connection.close();
    return count;
  }

  /** Memory of a process in bytes. */
  function memoryOf(pid: number): number {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? assert.fail();
    return Number(kib) * 1_024;
  }

  /** Runs an attack, and looks at both processes: they live, serve others, and have let go of the attackers. */
  async function attack(run: () => Promise<Attacker[]>, maxGrowth = 200 * MIB): Promise<void> {
    const pids = [program.child.pid!, gearmand.process.pid!];
    const memories = pids.map(memoryOf);
    const attackers = await run();
    try {
      pids.forEach((pid, i) => {
        const growth = memoryOf(pid) - memories[i]!;
        assert.ok(growth < maxGrowth, `${i === 0 ? "the gateway" : "gearmand"} has grown by ${growth / MIB} MiB`);
      });
      const client = new GearmanClient({ dial: () => fromWebSocket(new ClientWebSocket(url, "gearman")) });
      assert.equal((await client.echo("still there")).length, 11);
      await client.close();
    } finally {
      for (const { socket } of attackers) socket.close();
    }
    await Promise.all(attackers.map(({ closed }) => closed));
    await until(async () => await countConnections() === connections);
    assert.equal(program.child.exitCode, null);
    assert.equal(gearmand.process.exitCode, null);
  }

  const NOT_OF_A_CLIENT: Record<string, () => Uint8Array | string> = {
    "a type that ends gearmand": () => header("\0REQ", 0x80000000, 0),
    "the largest type": () => header("\0REQ", 0xffffffff, 0),
    "type 0": () => header("\0REQ", 0, 0),
    "CAN_DO": () => encodeRequest(PacketType.CAN_DO, "reverse"),
    "CAN_DO_TIMEOUT": () => encodeRequest(PacketType.CAN_DO_TIMEOUT, "reverse", "1000"),
    "PRE_SLEEP": () => encodeRequest(PacketType.PRE_SLEEP),
    "GRAB_JOB_ALL": () => encodeRequest(PacketType.GRAB_JOB_ALL),
    "WORK_COMPLETE for the job of another": () => encodeRequest(PacketType.WORK_COMPLETE, "H:box:1", "forged"),
    "WORK_FAIL for the job of another": () => encodeRequest(PacketType.WORK_FAIL, "H:box:1"),
    "a response": () => encode("RES", PacketType.ECHO_RES, ["x"]),
    "a line of the text protocol": () => utf8("status\n"),
    "a text command that drops a function": () => utf8("drop function reverse\r\n"),
    "an HTTP request": () => utf8("POST /reverse HTTP/1.1\r\n\r\n"),
    "garbage": () => join([Uint8Array.of(1), pattern(100_000)]),
    "a submission without separators": () => join([header("\0REQ", SUBMIT_JOB, 3), utf8("abc")]),
    "a status question that gearmand never answers": () => encodeRequest(GET_STATUS, "h".repeat(64)),
    "an acknowledgement of what was not sent": () => "1",
    "an acknowledgement that is no number": () => "Infinity",
    "an empty acknowledgement": () => "",
  };
  for (const [name, bytes] of Object.entries(NOT_OF_A_CLIENT)) {
    test(`${name} closes the socket with 4400`, { timeout }, async () => {
      await attack(async () => {
        const attacker = await connect("gearman");
        send(attacker, bytes());
        assert.equal(await attacker.closed, 4400);
        assert.equal(attacker.received, 0);
        return [attacker];
      });
    });
  }

  test("an acknowledgement that goes back closes the socket with 4400", { timeout }, async () => {
    await attack(async () => {
      const attacker = await connect("gearman");
      send(attacker, encodeRequest(ECHO_REQ, "x"));
      await until(() => attacker.received === 13);
      send(attacker, "13");
      send(attacker, "12");
      assert.equal(await attacker.closed, 4400);
      return [attacker];
    });
  });

  test("a header of 4 GiB and 300 MB behind it are skipped, and refused", { timeout }, async () => {
    await attack(async () => {
      const attacker = await connect("gearman");
      const size = 0xffff_ffff;
      send(attacker, join([header("\0REQ", SUBMIT_JOB_BG, size), utf8("reverse\0\0")]));
      const chunk = new Uint8Array(100_000);
      for (let i = 0; i < 3_000; i++) {
        await until(() => 100_000 * i <= 900_000 + Number(attacker.texts.at(-1) ?? 0));
        send(attacker, chunk);
      }
      await until(() => attacker.received > 0 && Number(attacker.texts.at(-1)) > 299_000_000);
      return [attacker];
    });
  });

  test("a hundred clients that begin a packet and stop", { timeout }, async () => {
    await attack(async () => {
      const attackers = await Promise.all(Array.from({ length: 100 }, () => connect("gearman")));
      for (const attacker of attackers) {
        send(attacker, join([header("\0REQ", SUBMIT_JOB, 60 * MIB), utf8("reverse\0\0"), pattern(100_000)]));
      }
      return attackers;
    });
  });

  test("a million frames of one byte", { timeout }, async () => {
    await attack(async () => {
      const attacker = await connect("gearman");
      const packets = Math.ceil(fullOrQuick(1_000_000, 100_000) / 13);
      const packet = encodeRequest(ECHO_REQ, "x");
      for (let i = 0; i < packets; i++) {
        for (let at = 0; at < packet.length; at++) send(attacker, packet.slice(at, at + 1));
        if (i % 100 === 0) await until(() => (attacker.socket.bufferedAmount ?? 0) < MIB);
        // Without it, nothing more would come after 1 MiB.
        if (i % 100 === 0 && attacker.received > 0) send(attacker, String(attacker.received));
      }
      await until(() => {
        send(attacker, String(attacker.received));
        return attacker.received === 13 * packets;
      });
      return [attacker];
    });
  });

  /** Sends echoes for as long as the gateway acknowledges them, and acknowledges no answer. */
  async function askWithoutReading(attacker: Attacker): Promise<void> {
    const echo = encodeRequest(ECHO_REQ, new Uint8Array(200_000));
    let sent = 0;
    while (attacker.received < MIB / 2) {
      await until(() => sent + echo.length <= MIB + Number(attacker.texts.at(-1) ?? 0) || attacker.received >= MIB / 2);
      send(attacker, echo);
      sent += echo.length;
    }
  }

  test("fifty clients that ask for megabytes and acknowledge nothing", { timeout }, async () => {
    await attack(async () => {
      const attackers = await Promise.all(Array.from({ length: 50 }, () => connect("gearman")));
      await Promise.all(attackers.map(askWithoutReading));
      assert.ok(attackers.every(({ received }) => received <= MIB));
      return attackers;
    });
  });

  test("a client that neither acknowledges nor waits for acknowledgements is closed", { timeout }, async () => {
    await attack(async () => {
      const attacker = await connect("gearman");
      await askWithoutReading(attacker);
      let code: number | undefined;
      attacker.closed.then((closed) => code = closed);
      await until(() => {
        if (code === undefined) send(attacker, new Uint8Array(100_000));
        return code !== undefined;
      });
      // The gateway may have to end it at once, since it does not read: that is 1006, or 0 on Deno if it was sending.
      assert.ok(code === 4400 || code === 1006 || code === 0, `${code}`);
      return [attacker];
    });
  });

  test("handles and forbidden functions are refused, and the socket lives on", { timeout }, async () => {
    await attack(async () => {
      await using client = new GearmanClient({ dial: () => fromWebSocket(new ClientWebSocket(url, "gearman")) });
      const job = await client.doBackground("someone else's", "x", { unique: "known" });
      await assert.rejects(client.jobStatus(job.handle), { code: "NOT_ALLOWED", text: "Ask with an id of your own" });
      assert.equal((await client.jobStatusByUnique("known")).known, true);
      await assert.rejects(async () => await client.do("forbidden"), { code: "NOT_ALLOWED" });
      await client.close();
      return [];
    });
  });
});
