/** One POST of a client that has only `fetch`, from its body to the end of its answer. */

import { ProtocolError } from "../errors.ts";
import { deferred, Notifier } from "../internal/promises.ts";
import { PacketDecoder } from "../codec/decoder.ts";
import { encodeResponse } from "../codec/encoder.ts";
import { type Packet, PacketType } from "../codec/packet.ts";
import { CONTENT_TYPE } from "../connection/dial_fetch.ts";
import { dialServer, type DialSettings } from "../connection/dial_server.ts";
import type { Transport } from "../transport/transport.ts";
import { MAX_NAMES, readRequest } from "./client_request.ts";
import { Exchange, type ExchangeSettings } from "./exchange.ts";

/** Room in a body for everything but the workloads, in bytes. */
const MAX_OVERHEAD = 2_097_152;
/** Milliseconds between two looks at an answer: if it was silent in between, a NOOP goes out, thus every 15 s. */
const TICK = 7_500;

/** How a POST has ended: the status of its response, why it was refused or cut off, and the error for the log. */
export interface PostEnd {
  readonly code: number;
  readonly reason: string;
  readonly error?: unknown;
}

/** What a gateway's POSTs need to know. */
export interface PostSettings extends ExchangeSettings, DialSettings {
  /** Maximum number of packets. */
  readonly maxRequests: number;
  /** Milliseconds that the body has, and after which a client has left that does not take its answers. */
  readonly idleTimeout: number;
  /** Is called when the job server is connected. */
  readonly onOpened: () => void;
}

/** Why an answer is cut off. */
interface Cut {
  readonly reason: string;
  readonly error?: unknown;
}

const LOST: Cut = { reason: "The connection to the job server was lost" };
const CLIENT_LEFT: Cut = { reason: "The client has left" };
const CLOSED: Cut = { reason: "The gateway is closed" };

/** A refusal before anything was passed on. */
class Refusal {
  readonly end: PostEnd;
  readonly headers: Readonly<Record<string, string>>;

  constructor(end: PostEnd, headers: Readonly<Record<string, string>>) {
    this.end = end;
    this.headers = headers;
  }
}

/** Makes the refusal of a POST; with 503 the client may try again. */
export function refusePost(code: number, reason: string, error?: unknown): Refusal {
  const headers: Readonly<Record<string, string>> = code === 503
    ? { "retry-after": "1" }
    : code === 405
    ? { allow: "POST" }
    : {};
  return new Refusal({ code, reason, ...(error !== undefined && { error }) }, headers);
}

/** The body of the response, which the client takes at its own pace. */
class AnswerStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Resolves when the client has left. */
  readonly left: Promise<void>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly #taken = new Notifier();
  #state: "open" | "ended" = "open";
  /** True from a write to the next look. */
  #isFresh = true;

  constructor() {
    const left = deferred<void>();
    this.left = left.promise;
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#taken.notify(),
      cancel: () => {
        this.#state = "ended";
        this.#taken.notify();
        left.resolve();
      },
    }, { highWaterMark: 1_048_576, size: ({ length }) => length });
  }

  /** Sends bytes; a promise resolves when the client can take more. */
  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#state === "ended" || bytes.length === 0) return;
    this.#isFresh = true;
    this.#controller.enqueue(bytes);
    if (this.#controller.desiredSize! > 0) return;
    return this.#taken.wait();
  }

  /** Looks whether something was written since the last look. */
  look(): { readonly isFresh: boolean } {
    const isFresh = this.#isFresh;
    this.#isFresh = false;
    return { isFresh };
  }

  /** Ends the answer, or cuts it off with an error. */
  end(error?: Error): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#taken.notify();
    if (error === undefined) this.#controller.close();
    else this.#controller.error(error);
  }
}

/** Serves one POST. */
export class ServedPost {
  readonly #settings: PostSettings;
  readonly #request: Request;
  /** The request without its body, which can be read for as long as it is served. */
  readonly #copy: Request;
  readonly #ended = deferred<PostEnd>();
  /** Resolves when it has ended. */
  readonly ended: Promise<PostEnd> = this.#ended.promise;
  readonly #answer = new AnswerStream();
  readonly #stopped = deferred<void>();
  /** Aborts the attempt to reach the job server. */
  readonly #dialing = new AbortController();

  constructor(settings: PostSettings, request: Request, copy: Request) {
    this.#settings = settings;
    this.#request = request;
    this.#copy = copy;
  }

  /** Ends it, because the gateway is closed. */
  stop(): Promise<PostEnd> {
    this.#stopped.resolve();
    this.#dialing.abort();
    return this.ended;
  }

  /** Answers with a refusal. */
  refuse({ end, headers }: Refusal): Response {
    this.#ended.resolve(end);
    return new Response(end.reason, { status: end.code, headers: { "content-type": "text/plain", ...headers } });
  }

  /** Reads the requests, connects to the job server, and returns the response; its body goes on. */
  async serve(): Promise<Response> {
    let packets: readonly Packet[];
    let server: Transport;
    try {
      packets = await this.#readRequests();
      server = await this.#dial();
    } catch (error) {
      return this.refuse(error instanceof Refusal ? error : refusePost(400, "The body cannot be read", error));
    }
    this.#exchange(packets, server);
    return new Response(this.#answer.body, {
      headers: { "content-type": CONTENT_TYPE, "cache-control": "no-store", "x-accel-buffering": "no" },
    });
  }

  // ---- requests

  async #readRequests(): Promise<readonly Packet[]> {
    const { method, headers, body } = this.#request;
    if (method !== "POST") throw refusePost(405, "Expected a POST");
    if ((headers.get("content-type") ?? "").split(";", 1)[0]!.trim() !== CONTENT_TYPE) {
      throw refusePost(415, `Expected ${CONTENT_TYPE}`);
    }
    const limit = this.#settings.maxWorkload + MAX_OVERHEAD;
    if (Number(headers.get("content-length")) > limit) throw refusePost(413, "The body is too large");
    if (body === null) throw refusePost(400, "There is no request");
    const reader = body.getReader();
    const late = deferred<never>();
    const { idleTimeout } = this.#settings;
    const timer = setTimeout(() => late.reject(refusePost(408, "The body has not ended in time")), idleTimeout);
    this.#stopped.promise.then(() => late.reject(refusePost(503, "The gateway is closed")));
    try {
      return await Promise.race([this.#decode(reader, limit), late.promise]);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw refusePost(400, "A client does not send this", error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #decode(reader: ReadableStreamDefaultReader<Uint8Array>, limit: number): Promise<readonly Packet[]> {
    const { maxWorkload, maxRequests } = this.#settings;
    const decoder = new PacketDecoder({ maxPacketSize: maxWorkload + MAX_NAMES, skipOversized: true });
    const packets: Packet[] = [];
    let size = 0;
    let workloads = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > limit) throw refusePost(413, "The body is too large");
      decoder.push(value);
      for (const packet of decoder) {
        const request = readRequest(packet);
        if (request === undefined) continue;
        workloads += request.size;
        if (workloads > maxWorkload) throw refusePost(413, `The workloads are over ${maxWorkload} bytes`);
        if (packets.length === maxRequests) throw refusePost(413, `There are over ${maxRequests} requests`);
        packets.push(packet);
      }
    }
    decoder.end();
    if (packets.length === 0) throw refusePost(400, "There is no request");
    return packets;
  }

  async #dial(): Promise<Transport> {
    const { signal } = this.#request;
    const leave = () => this.#dialing.abort(signal.reason);
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    try {
      return await dialServer(this.#settings, this.#dialing, (transport) => transport);
    } catch (error) {
      throw refusePost(503, "The job server cannot be reached", error);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  // ---- answers

  /** Passes requests and answers to the end of the POST. */
  async #exchange(packets: readonly Packet[], server: Transport): Promise<void> {
    const client = { request: this.#copy, write: (bytes: Uint8Array) => this.#answer.write(bytes) };
    const exchange = new Exchange(this.#settings, client, server);
    this.#settings.onOpened();
    const left = deferred<void>();
    const leave = () => left.resolve();
    const { signal } = this.#request;
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    const timer = setInterval(() => this.#onTick(exchange, leave), TICK);
    const passed = this.#passRequests(exchange, packets);
    const end = await Promise.race([
      passed.then(() => untilIdle(exchange)),
      this.#passAnswers(exchange),
      Promise.race([left.promise, this.#answer.left]).then(() => CLIENT_LEFT),
      this.#stopped.promise.then(() => CLOSED),
    ]);
    clearInterval(timer);
    signal.removeEventListener("abort", leave);
    if (end === CLIENT_LEFT) {
      exchange.leave(); // what it has sent is still passed on
      await Promise.race([passed.then(() => exchange.finish()), this.#stopped.promise]);
    }
    exchange.destroy();
    this.#answer.end(end === undefined ? undefined : new Error(end.reason));
    this.#ended.resolve({ code: 200, reason: "", ...end });
  }

  async #passRequests(exchange: Exchange, packets: readonly Packet[]): Promise<void> {
    exchange.requestExceptions();
    for (const packet of packets) {
      const room = exchange.receive(packet);
      if (room !== undefined) await room;
    }
  }

  /** Passes on the answers to the end of the connection to the job server, which is too early. */
  async #passAnswers(exchange: Exchange): Promise<Cut> {
    try {
      await exchange.passAnswers();
    } catch (error) {
      return { ...LOST, error };
    }
    return LOST;
  }

  /** Shows that the answer is alive, and finds out whether the client takes it. */
  #onTick(exchange: Exchange, leave: () => void): void {
    if (exchange.stalled && performance.now() - exchange.lastTaken > this.#settings.idleTimeout) leave();
    const { isFresh } = this.#answer.look();
    if (isFresh || exchange.stalled || !exchange.betweenPackets) return;
    this.#answer.write(encodeResponse(PacketType.NOOP));
  }
}

/** Resolves when a client waits for nothing more; never if the connection to the job server is lost before. */
async function untilIdle(exchange: Exchange): Promise<undefined> {
  await exchange.untilIdle();
  if (exchange.busy) await new Promise(() => {});
  return undefined;
}
