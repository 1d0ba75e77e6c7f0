/** One client of a gateway and its connection to the job server: requests that are allowed, and answers in their order. */

import { GearmanError, ProtocolError } from "../errors.ts";
import { ignoreErrors, Notifier } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { readHandle } from "../codec/arguments.ts";
import { findNul } from "../codec/bytes.ts";
import { encodeResponse } from "../codec/encoder.ts";
import { type Packet, type PacketInput, packetName, PacketType } from "../codec/packet.ts";
import { Connection } from "../connection/connection.ts";
import type { Transport } from "../transport/transport.ts";
import { type Answer, AnswerWalker } from "./answer_walker.ts";
import { type ClientRequest, type GatewayCall, readRequest } from "./client_request.ts";
import { ALLOWED, askPermission, type PermissionSettings, type Verdict } from "./permission.ts";

/** Maximum number of requests that wait for permission. */
const MAX_ASKED = 100;
/** Bytes of requests that wait for permission, of replies that are expected, and of requests that wait to be sent. */
const MAX_BYTES = 1_048_576;
/** Milliseconds that the job server has for the last replies to a client that has left. */
const FINISH_TIMEOUT = 2_000;
/** Size in bytes that a reply counts at least. */
const REPLY_SIZE = 100;
/** The digit 0 in ASCII. */
const DIGIT_0 = 48;
/** The code of the ERROR packet with which the gateway refuses a call. */
const REFUSED = "NOT_ALLOWED";
/** The text of a refusal for which `allow` gives no reason. */
const NO_REASON = "The gateway does not allow it";

/** What an exchange needs to know. */
export interface ExchangeSettings extends PermissionSettings {
  /** Largest workload in bytes. */
  readonly maxWorkload: number;
  /** Is called for each refused call. */
  readonly onRefused: (refusal: { call: GatewayCall | undefined; reason: string; error?: unknown }) => void;
}

/** The client's end of an exchange. */
export interface ExchangeClient {
  /** The request with which the client came. */
  readonly request: Request;
  /** Sends answers to the client; a promise resolves when it can take more. */
  write(bytes: Uint8Array): void | Promise<void>;
}

/** A request that waits for permission, or for those before it. */
interface Asked {
  readonly request: ClientRequest;
  verdict: Verdict | undefined;
}

/**
 * The replies that the client expects, in the order of its requests; a `hidden` one is that to the gateway's own request,
 * and not for the client.
 */
type Expected =
  | { readonly kind: "hidden"; readonly size: number }
  | { readonly kind: "reply" | "job"; readonly size: number }
  | { readonly kind: "refusal"; readonly size: number; readonly error: Uint8Array };

/** Takes the requests of a client, and passes on those that are allowed; passes on the answers of the job server. */
export class Exchange {
  readonly #settings: ExchangeSettings;
  readonly #client: ExchangeClient;
  readonly #transport: Transport;
  /** Sends the requests. The answers are read from the transport itself, since they are passed on undecoded. */
  readonly #server: Connection;
  readonly #walker = new AnswerWalker();
  readonly #asked = new Fifo<Asked>();
  #askedSize = 0;
  readonly #expected = new Fifo<Expected>();
  #expectedSize = 0;
  /** Number of submissions by the handles of foreground jobs that have not ended. */
  readonly #jobs = new Map<string, number>();
  /** The first answer, or its beginning, while it may be a hidden reply. */
  #hidden: Uint8Array[] = [];
  /** Number of answers that the client has not taken yet. */
  #untaken = 0;
  /** Notifies of what may let the next request in, or end a wait. */
  readonly #change = new Notifier();
  /** Time of the last answer that the client has taken, in ms. */
  #lastTaken = performance.now();
  /** `finishing`: the client sends no more, and what it has sent is still passed on. `ended`: nothing passes any more. */
  #phase: "serving" | "finishing" | "ended" = "serving";

  constructor(settings: ExchangeSettings, client: ExchangeClient, server: Transport) {
    this.#settings = settings;
    this.#client = client;
    this.#transport = server;
    this.#server = new Connection(server);
  }

  /** True if the last answer has ended and the next one has not begun. */
  get betweenPackets(): boolean {
    return this.#walker.betweenPackets;
  }

  /** Asks for exceptions in the place of the client, before its first request; the reply is not passed on. */
  requestExceptions(): void {
    this.#server.send(PacketType.OPTION_REQ, "exceptions");
    this.#expect({ kind: "hidden", size: REPLY_SIZE });
  }

  /** Resolves when the client waits for nothing more, or when nothing passes any more. */
  async untilIdle(): Promise<void> {
    while (this.#phase !== "ended" && this.busy) await this.#change.wait();
  }

  /** True while the client waits for something of the job server. */
  get busy(): boolean {
    return this.#asked.length + this.#expected.length + this.#jobs.size > 0;
  }

  /** True while the client does not take its answers. */
  get stalled(): boolean {
    return this.#untaken > 0;
  }

  /** Time of the last answer that the client has taken, in ms. */
  get lastTaken(): number {
    return this.#lastTaken;
  }

  /**
   * Takes the next packet of the client. A promise asks the caller to wait before it reads more.
   *
   * @throws {ProtocolError} A client does not send such a packet.
   */
  receive(packet: Packet): void | Promise<void> {
    if (this.#phase === "ended") return;
    const request = readRequest(packet);
    if (request === undefined) return;
    const asked: Asked = { request, verdict: undefined };
    this.#asked.push(asked);
    this.#askedSize += request.size;
    const verdict = this.#decide(request);
    if (verdict instanceof Promise) {
      verdict.then((verdict) => {
        asked.verdict = verdict;
        this.#passOn();
      });
    } else {
      asked.verdict = verdict;
      this.#passOn();
    }
    if (this.#isFull) return this.#waitForRoom();
  }

  /** Passes on the answers of the job server, until it ends the connection. */
  async passAnswers(): Promise<void> {
    try {
      for await (const chunk of this.#transport) {
        this.#passChunk(chunk);
        while (this.#untaken > 0) await this.#change.wait();
      }
    } finally {
      this.#end();
    }
  }

  /** The client has left: what it has sent before is read without a pause, since nothing more comes. */
  leave(): void {
    if (this.#phase === "serving") this.#phase = "finishing";
    this.#change.notify();
  }

  /**
   * Passes on what the client has sent before it left, waits for the replies (for two seconds), and closes the connection
   * to the job server: closed with replies on their way, it might be reset before the requests are read.
   */
  async finish(): Promise<void> {
    this.leave();
    while (this.#phase === "finishing" && this.#asked.length > 0) await this.#change.wait();
    const timer = setTimeout(() => this.#end(), FINISH_TIMEOUT);
    while (this.#phase === "finishing" && this.#expected.length > 0) await this.#change.wait();
    clearTimeout(timer);
    await this.#server.close();
  }

  /** Ends the connection to the job server at once: it discards the queued foreground jobs of this client. */
  destroy(): void {
    this.#end();
    this.#server.destroy();
  }

  #end(): void {
    this.#phase = "ended";
    this.#change.notify();
  }

  // ---- requests

  #decide({ call, size }: ClientRequest): Verdict | Promise<Verdict> {
    const { maxWorkload } = this.#settings;
    if (size > maxWorkload) {
      return { allowed: false, reason: `It has ${size} bytes, and the gateway allows ${maxWorkload}` };
    }
    return call === undefined ? ALLOWED : askPermission(this.#settings, call, this.#client.request);
  }

  /** Passes on, or refuses, the requests at the front that are decided. */
  #passOn(): void {
    for (let first = this.#asked.first; first?.verdict !== undefined; first = this.#asked.first) {
      const { request, verdict } = first;
      this.#asked.shift();
      this.#askedSize -= request.size;
      if (verdict.allowed) this.#send(request);
      else this.#refuse(request, verdict);
    }
    this.#change.notify();
  }

  #send({ packet, call, size }: ClientRequest): void {
    try {
      this.#server.send(packet.type, ...packet.args as PacketInput);
    } catch (error) {
      if (error instanceof GearmanError) return; // the connection is lost, which is noticed where it is read
      throw error;
    }
    const kind = call?.kind === "foreground" ? "job" : "reply";
    this.#expect({ kind, size: REPLY_SIZE + (packet.type === PacketType.ECHO_REQ ? size : 0) });
  }

  #refuse({ call }: ClientRequest, verdict: Exclude<Verdict, { allowed: true }>): void {
    const { reason = NO_REASON } = verdict;
    const error = encodeResponse(PacketType.ERROR, REFUSED, reason);
    this.#expect({ kind: "refusal", size: REPLY_SIZE + error.length, error });
    this.#settings.onRefused({ call, reason, ...("error" in verdict && { error: verdict.error }) });
    this.#sendRefusals();
  }

  #expect(expected: Expected): void {
    this.#expected.push(expected);
    this.#expectedSize += expected.size;
  }

  /** True if the client has to wait before its next request is read. */
  get #isFull(): boolean {
    if (this.#phase !== "serving") return false;
    return this.#asked.length >= MAX_ASKED || this.#askedSize > MAX_BYTES || this.#expectedSize > MAX_BYTES ||
      this.#untaken > 0 || this.#server.queued > MAX_BYTES;
  }

  async #waitForRoom(): Promise<void> {
    while (this.#isFull) {
      const change = this.#change.wait();
      const sent = this.#server.queued > MAX_BYTES && ignoreErrors(() => this.#server.flush());
      await (sent ? Promise.race([sent, change]) : change);
    }
  }

  // ---- answers

  /** Passes on a chunk, in parts where refusals stand between its packets. */
  #passChunk(chunk: Uint8Array): void {
    let passed = 0;
    let at = 0;
    while (at < chunk.length) {
      const { bytes, ended } = this.#walker.walk(chunk, at);
      at += bytes;
      if (this.#expected.first?.kind === "hidden") {
        this.#hidden.push(chunk.slice(at - bytes, at));
        passed = at;
        if (ended !== undefined) this.#onHidden(ended);
        continue;
      }
      if (ended === undefined) break;
      this.#onAnswer(ended);
      if (this.#expected.first?.kind !== "refusal") continue;
      this.#write(chunk.subarray(passed, at));
      passed = at;
      this.#sendRefusals();
    }
    if (passed < chunk.length) this.#write(chunk.subarray(passed));
    this.#change.notify();
  }

  /** The first answer has ended: it is the hidden reply, unless the server has swallowed its request. */
  #onHidden(answer: Answer): void {
    const first = this.#hidden;
    this.#hidden = [];
    this.#takeExpected(answer.type);
    if (answer.type !== PacketType.OPTION_RES && answer.type !== PacketType.ERROR) {
      this.#onAnswer(answer);
      for (const piece of first) this.#write(piece);
    }
    this.#sendRefusals();
  }

  #onAnswer({ type, start }: Answer): void {
    switch (type) {
      case PacketType.JOB_CREATED: {
        const handle = readHandle(start);
        if (this.#takeExpected(type).kind === "job") this.#jobs.set(handle, (this.#jobs.get(handle) ?? 0) + 1);
        return;
      }
      case PacketType.STATUS_RES: {
        // No last packet comes for a job that the server does not know any more.
        if (start[findNul(start, 0, start.length) + 1] === DIGIT_0) this.#jobs.delete(readHandle(start));
        this.#takeExpected(type);
        return;
      }
      case PacketType.ECHO_RES:
      case PacketType.ERROR:
      case PacketType.STATUS_RES_UNIQUE:
      case PacketType.OPTION_RES:
        this.#takeExpected(type);
        return;
      case PacketType.WORK_COMPLETE:
      case PacketType.WORK_FAIL:
      case PacketType.WORK_EXCEPTION:
        this.#endJob(readHandle(start));
    }
  }

  #takeExpected(type: number): Expected {
    const expected = this.#expected.shift();
    if (expected === undefined) {
      throw new ProtocolError(`The job server sent ${packetName(type)} without a request for it`);
    }
    this.#expectedSize -= expected.size;
    return expected;
  }

  /** Ends one submission of a job. A server sends the last packet of a job to each of its submissions. */
  #endJob(handle: string): void {
    const count = this.#jobs.get(handle) ?? 0;
    if (count > 1) this.#jobs.set(handle, count - 1);
    else this.#jobs.delete(handle);
  }

  /** Sends the refusals that are due, if they would not stand inside a packet. */
  #sendRefusals(): void {
    while (this.#walker.betweenPackets && this.#expected.first?.kind === "refusal") {
      const { error, size } = this.#expected.first;
      this.#expected.shift();
      this.#expectedSize -= size;
      this.#write(error);
    }
  }

  /** Sends bytes to the client. One that has left is noticed where it is read. */
  #write(bytes: Uint8Array): void {
    try {
      const taken = this.#client.write(bytes);
      if (taken === undefined) this.#lastTaken = performance.now();
      else this.#awaitTaken(taken);
    } catch {
      // It has left.
    }
  }

  async #awaitTaken(taken: Promise<void>): Promise<void> {
    this.#untaken += 1;
    await ignoreErrors(() => taken);
    this.#untaken -= 1;
    this.#lastTaken = performance.now();
    this.#change.notify();
  }
}
