/** Tests of POSTs that attack, and of proxies in between: gateway and gearmand live on, and others are served. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { ConnectionError, dialFetch, GearmanClient, JobFailedError, ServerError } from "../../mod.ts";
import { encodeRequest, PacketType } from "../../src/codec/mod.ts";
import { encode, header, join, pattern, utf8 } from "../support/bytes.ts";
import { type Gearmand, startGearmand } from "../support/gearmand.ts";
import { type HttpGateway, type HttpHandler, startHttpGateway, startNodeServer } from "../support/http_gateways.ts";
import { fullOrQuick, needs } from "../support/requirements.ts";
import { until } from "../support/wait.ts";
import { heldHandler, startWorker } from "../support/workers.ts";

const timeout = 120_000;
const CONTENT_TYPE = "application/vnd.gearman";
const { SUBMIT_JOB, SUBMIT_JOB_BG, ECHO_REQ, GET_STATUS } = PacketType;

describe("POSTs that attack", { skip: needs("gearmand") }, () => {
  let gearmand: Gearmand;
  let gateway: HttpGateway;
  let client: GearmanClient;
  before(async () => {
    gearmand = await startGearmand();
    gateway = await startHttpGateway({
      servers: `127.0.0.1:${gearmand.port}`,
      maxWorkload: 1_000_000,
      idleTimeout: 1_000,
    });
    client = gateway.client();
  });
  after(async () => {
    await client.close();
    await gateway.stop();
    await gearmand.stop();
  });

  /** Checks that gateway and gearmand are alive, and that nothing of the attack is left. */
  async function checkHealth(): Promise<void> {
    await until(() => gateway.gateway.connections === 0);
    const worker = startWorker({ servers: `127.0.0.1:${gearmand.port}` }, { healthy: (job) => job.text() });
    assert.equal(await client.do("healthy", "yes").text(), "yes");
    await worker.close();
    assert.equal(gearmand.process.exitCode, null);
  }

  async function statusOf(body: Uint8Array): Promise<number> {
    const headers = { "content-type": CONTENT_TYPE };
    const response = await fetch(gateway.url, { method: "POST", headers, body: body as Uint8Array<ArrayBuffer> });
    await response.arrayBuffer();
    return response.status;
  }

  /** Sends bytes over TCP, and resolves to what came back when the connection has ended. */
  function raw(...pieces: Uint8Array[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new globalThis.URL(gateway.url);
      let received = "";
      const socket = connect({ host: hostname, port: Number(port) }, () => {
        for (const piece of pieces) socket.write(piece);
      });
      socket.on("data", (chunk) => received += chunk);
      socket.on("error", reject);
      socket.on("close", () => resolve(received));
    });
  }

  test("packets that kill gearmand, of workers, of admins, and garbage are 400", { timeout }, async () => {
    const good = encodeRequest(SUBMIT_JOB_BG, "f", "", "x");
    const bad = [
      header("\0REQ", 0x8000_0000, 0),
      header("\0REQ", 0xffff_ffff, 0),
      ...[1, 2, 3, 4, 9, 12, 13, 14, 23, 24, 28, 30, 39].map((type) =>
        join([header("\0REQ", type, 7), utf8("f\0x\0y\0z")])
      ),
      utf8("shutdown\r\n"),
      utf8("status\n"),
      pattern(10_000),
      encode("REQ", SUBMIT_JOB, ["", "", ""]),
      encode("REQ", SUBMIT_JOB, ["f".repeat(513), "", ""]),
      encode("REQ", SUBMIT_JOB, ["f", "u".repeat(64), ""]),
      encode("REQ", GET_STATUS, ["H".repeat(64)]),
      header("\0REQ", SUBMIT_JOB, 0xffff_ffff),
    ];
    for (const body of bad) {
      assert.equal(await statusOf(body), 400);
      assert.equal(await statusOf(join([good, body])), 400);
    }
    await checkHealth();
    assert.deepEqual(await client.jobStatus("H:none:1").then(({ known }) => known), false);
  });

  test(
    "a body that never ends is answered, and so is one that is announced and does not come",
    { timeout },
    async () => {
      const head = (rest: string) =>
        utf8(
          `POST /gearman HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: ${CONTENT_TYPE}\r\n${rest}\r\n\r\n`,
        );
      assert.match(await raw(head("content-length: 100000"), encodeRequest(ECHO_REQ, "x")), /^HTTP\/1.1 408 /);
      assert.match(await raw(head("content-length: 99999999999")), /^HTTP\/1.1 413 /);
      await checkHealth();
    },
  );

  test("headers that split a request reach nothing", { timeout }, async () => {
    for (const name of ["x-a\r\nx-b", "x a"]) {
      assert.throws(() => dialFetch(gateway.url, { headers: { [name]: "1" } }), TypeError);
    }
    const smuggled = utf8(
      `POST /gearman HTTP/1.1\r\nhost: x\r\ncontent-type: ${CONTENT_TYPE}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    assert.match(await raw(smuggled), /^HTTP\/1.1 400 /);
    await checkHealth();
  });

  // 100,000 take more than two minutes on a machine that is busy.
  test("many POSTs, a third of which leave at once, leave nothing behind", { timeout: 5 * timeout }, async () => {
    // Node and Bun take two minutes and more for 100,000.
    const count = fullOrQuick("Deno" in globalThis ? 100_000 : 10_000, 1_000);
    const body = join([encodeRequest(SUBMIT_JOB, "never", "", "x"), encodeRequest(ECHO_REQ, "x")]);
    const echo = encodeRequest(ECHO_REQ, "x");
    let sent = 0;
    const attack = async () => {
      while (sent < count) {
        sent += 1;
        if (sent % 3 > 0) {
          const [body, status] = sent % 3 === 1 ? [echo, 200] as const : [pattern(20), 400] as const;
          assert.equal(await statusOf(body), status);
          continue;
        }
        const controller = new AbortController();
        const response = await fetch(gateway.url, {
          method: "POST",
          headers: { "content-type": CONTENT_TYPE },
          body: body as Uint8Array<ArrayBuffer>,
          signal: controller.signal,
        });
        assert.equal(response.status, 200);
        controller.abort();
      }
    };
    await Promise.all(Array.from({ length: 8 }, attack));
    await checkHealth();
  });

  /** Starts a client behind a proxy that does with each POST what the test says. */
  async function withProxy(
    proxy: (pass: () => Promise<Response>) => Promise<Response>,
    use: (client: GearmanClient) => Promise<void>,
  ): Promise<void> {
    const handle: HttpHandler = async (request) => {
      const body = await request.arrayBuffer();
      const headers = { "content-type": CONTENT_TYPE };
      return await proxy(() => fetch(gateway.url, { method: "POST", headers, body, signal: request.signal }));
    };
    const server = await startNodeServer(handle);
    const own = new GearmanClient({ dial: dialFetch(server.url), minBackoff: 0 });
    await use(own);
    await own.close();
    await server.stop();
  }

  test("a proxy that buffers delays the answers, and changes none", { timeout }, async () => {
    const worker = startWorker({ servers: `127.0.0.1:${gearmand.port}` }, {
      async *pieces() {
        for (let i = 0; i < 5; i++) yield String(i);
      },
      fails: () => {
        throw new JobFailedError();
      },
    });
    const buffer = async (pass: () => Promise<Response>) => {
      const response = await pass();
      return new Response(await response.arrayBuffer(), response);
    };
    await withProxy(buffer, async (own) => {
      assert.equal(await own.do("pieces").text(), "01234");
      await assert.rejects(async () => await own.do("fails"), JobFailedError);
      assert.notEqual((await own.doBackground("stored", "x")).handle, "");
    });
    await worker.close();
    await checkHealth();
  });

  test("a proxy that answers 502 to one POST, or cuts one off, leaves the others alone", { timeout }, async () => {
    const { handler, release } = heldHandler();
    const worker = startWorker({ servers: `127.0.0.1:${gearmand.port}` }, { held: handler });
    let posts = 0;
    const faulty = async (pass: () => Promise<Response>) => {
      posts += 1;
      if (posts === 2) return new Response("Bad Gateway", { status: 502 });
      const response = await pass();
      if (posts !== 3) return response;
      const reader = response.body!.getReader();
      const { value } = await reader.read();
      await reader.cancel();
      return new Response(value as Uint8Array<ArrayBuffer>, response);
    };
    await withProxy(faulty, async (own) => {
      const held = own.do("held");
      await held.created();
      for (const delivery of ["unknown", "accepted"]) {
        await assert.rejects(async () => await own.do("never", "x"), (error) => {
          return error instanceof ConnectionError && error.delivery === delivery;
        });
      }
      release.resolve("released");
      assert.equal(await held.text(), "released");
    });
    await worker.close();
    await checkHealth();
  });

  test("a proxy that cuts answers off, or answers 502, is a lost connection", { timeout }, async () => {
    const cut = async (pass: () => Promise<Response>) => {
      const response = await pass();
      const reader = response.body!.getReader();
      const { value } = await reader.read();
      await reader.cancel();
      return new Response(value as Uint8Array<ArrayBuffer>, response);
    };
    await withProxy(cut, async (own) => {
      await assert.rejects(async () => await own.do("never", "x"), (error) => {
        return error instanceof ConnectionError && error.delivery === "accepted";
      });
    });
    await withProxy(() => Promise.resolve(new Response("Bad Gateway", { status: 502 })), async (own) => {
      await assert.rejects(own.doBackground("f", "x"), (error) => {
        return error instanceof ConnectionError && error.delivery === "unknown" && /502/.test(error.message);
      });
    });
    const refuse = () => Promise.resolve(new Response("Too many requests", { status: 429 }));
    await withProxy(refuse, async (own) => {
      await assert.rejects(own.doBackground("f", "x"), (error) => {
        return error instanceof ServerError && error.code === "HTTP_429";
      });
    });
    await checkHealth();
  });
});
