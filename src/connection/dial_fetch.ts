/** A connection over `fetch`: the packets of a tick are one POST, and its streamed answer carries the replies. */

import { ProtocolError } from "../errors.ts";
import { type Bytes, joinBytes } from "../internal/bytes.ts";
import { checkFunction, checkOptions } from "../internal/checks.ts";
import { ignoreErrors, Notifier } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { printable, readText, utf8Encoder } from "../internal/text.ts";
import { readHandle } from "../codec/arguments.ts";
import { findNul, readUint32, writeUint32 } from "../codec/bytes.ts";
import { MAX_UINT32, PacketDecoder } from "../codec/decoder.ts";
import { encodeResponse, PacketEncoder } from "../codec/encoder.ts";
import { HEADER_SIZE, MAGIC_RES, type Packet, packetName, PacketType } from "../codec/packet.ts";
import { ChunkQueue } from "../transport/chunk_queue.ts";
import type { Dial, Transport } from "../transport/transport.ts";

/** The content type of both bodies. */
export const CONTENT_TYPE = "application/vnd.gearman";
/** The limits of one POST; what is over them goes into another one. They are below those of a gateway. */
const MAX_PACKETS = 10_000;
const MAX_BODY = 16_777_216;
/** Bytes that the reader has not taken, from which on answers are not read. */
const MAX_UNREAD = 1_048_576;
/** A packet with a longer body is passed on while it arrives; the other answers wait for its end. */
const MAX_WHOLE = 65_536;
/** Milliseconds without a byte after which an answer shows no life: a gateway sends something every 15 s. */
const MAX_SILENCE = 35_000;
/** Bytes of a request that are expected to be uploaded in a millisecond. */
const UPLOAD_RATE = 64;
/** Milliseconds that requests without jobs in the foreground have when the connection is closed. */
const FINISH_TIMEOUT = 2_000;
/** Bytes of the text of a refusal that are read. */
const MAX_REASON = 1_000;

/** The requests of a client that have one reply each. */
const REQUESTS: ReadonlySet<PacketType> = /* @__PURE__ */ requestTypes();

/** What `fetch` is called with. */
export interface FetchInit {
  /** The method. */
  readonly method: "POST";
  /** The headers of the option, and the content type. */
  readonly headers: Headers;
  /** Packets. */
  readonly body: Bytes;
  /** Aborts the request. */
  readonly signal: AbortSignal;
  /** A redirect is not followed: a submission must not be sent twice. */
  readonly redirect: "manual";
}

/** Options of {@linkcode dialFetch}. */
export interface DialFetchOptions {
  /** Headers of each POST, or a function that returns (or resolves to) them: tokens expire. Default none. */
  headers?:
    | Headers
    | Readonly<Record<string, string>>
    | (() => Headers | Readonly<Record<string, string>> | PromiseLike<Headers | Readonly<Record<string, string>>>)
    | undefined;
  /** Sends a request; default `fetch`. A function of one's own can add what a platform needs, such as a `backend`. */
  fetch?: ((url: string, init: FetchInit) => Promise<Response>) | undefined;
}

/**
 * Makes a dialer for platforms that have nothing but `fetch`, and for networks that let nothing but HTTP through. At the
 * other end there must be a gateway: the method `fetch` of the class `Gateway` of `@gearwire/gearman/gateway`.
 *
 * **Requests.** What is sent in one tick is one POST, so that 1,000 jobs at once are one request. Its answer stays open
 * until all its jobs in the foreground have ended. Browsers allow six requests at a time to one host over HTTP/1.1, and
 * the next ones wait; HTTP/2 has no such limit. Jobs in the background are the natural use: their answer is short.
 *
 * **Outcomes.** A refusal of the gateway is a `ServerError` with the code `NOT_ALLOWED`, or `HTTP_nnn` for a status of
 * 4xx, and 503 with the header Retry-After: nothing was queued. All else breaks the connection, with all that waits on
 * it: another status, a redirect, a rejected `fetch`, an answer that ends too early. A submission then fails with the
 * delivery `unknown`, also where nothing was sent (that cannot be told), or `accepted` if the server had queued it.
 *
 * **Aborts.** When nothing waits for an answer of the connection any more, POSTs of which all jobs are queued or silent
 * are aborted, and the gateway discards those that are queued.
 *
 * **Handles.** If two POSTs at a time submit one unique, the server runs one job for both; to keep their events apart, the
 * handle of the second ends in `+2`.
 *
 * @example Submit a job from an edge
 * ```ts
 * import { dialFetch, GearmanClient } from "@gearwire/gearman";
 *
 * // The name of the server is only a label: it stands in errors, and in the tokens of background jobs.
 * const client = new GearmanClient({
 *   servers: "jobs",
 *   dial: dialFetch("https://www.example/gearman", { headers: { authorization: "Bearer a-token" } }),
 * });
 * await client.close();
 * ```
 *
 * @throws {TypeError} The URL must be an absolute one of http or https, without a user name; `fetch` must be a function.
 */
export function dialFetch(url: string | URL, options: DialFetchOptions = {}): Dial {
  checkOptions(options);
  if (options.fetch !== undefined) checkFunction(options.fetch, "fetch");
  const { headers } = options;
  if (typeof headers !== "function") makeHeaders(headers);
  const target = readUrl(url);
  return () => new FetchTransport(target, options);
}

function readUrl(url: string | URL): string {
  let parsed: URL | undefined;
  try {
    parsed = new URL(url);
  } catch {
    // It is checked below.
  }
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username + parsed.password !== "") {
    throw new TypeError("Cannot use the url: expected an absolute URL of http or https, without a user name");
  }
  return parsed.href;
}

function makeHeaders(headers: Headers | Readonly<Record<string, string>> | undefined): Headers {
  const made = new Headers(headers);
  made.set("content-type", CONTENT_TYPE);
  return made;
}

/** A direct reply that the client expects, in the order of all requests. */
interface Expected {
  readonly kind: "job" | "other";
  /** The handle of a question about the status of a job, as the server knows it. */
  readonly handle?: string | undefined;
  /** The POST that brings the reply; absent if it is known from the start. */
  readonly post: Post | undefined;
  reply: Uint8Array | undefined;
}

/** A job in the foreground of one POST. */
interface FetchedJob {
  /** Its handle as the client knows it. */
  readonly alias: string;
  /** Number of its submissions in the POST. */
  count: number;
}

/** One POST and its answer. */
class Post {
  readonly controller = new AbortController();
  /** Replies that have not arrived. */
  readonly expected = new Fifo<Expected>();
  /** Number of replies that have arrived, and wait for those of earlier requests. */
  held = 0;
  /** Jobs in the foreground by their handles, as the server knows them. */
  readonly jobs = new Map<string, FetchedJob>();
  /** True if it submits a job in the foreground. */
  hasForeground = false;
  /** True once a job has sent data. */
  hasData = false;
  finishTimer: ReturnType<typeof setTimeout> | undefined;
  /** Time in ms until which it counts as alive. */
  aliveUntil = 0;

  /** True if nothing more is expected of it. */
  get complete(): boolean {
    return this.expected.length === 0 && this.jobs.size === 0;
  }
}

/** The transport that {@linkcode dialFetch} makes: its reader sees one stream of packets. */
class FetchTransport implements Transport {
  readonly #url: string;
  readonly #options: DialFetchOptions;
  readonly #requests = new PacketDecoder({ maxPacketSize: MAX_UINT32 });
  #sending: "idle" | "scheduled" = "idle";
  readonly #unread = new ChunkQueue(() => this.#change.notify());
  /** Expected replies of all POSTs. */
  readonly #expected = new Fifo<Expected>();
  readonly #posts = new Set<Post>();
  /** Where the jobs in the foreground run, by their handles as the client knows them. */
  readonly #jobs = new Map<string, { readonly handle: string; readonly post: Post }>();
  /** The POST of which a long packet is being passed on. */
  #passing: Post | undefined;
  readonly #change = new Notifier();
  #waiting: "yes" | "no" = "yes";

  constructor(url: string, options: DialFetchOptions) {
    this.#url = url;
    this.#options = options;
  }

  write(bytes: Uint8Array): void {
    if (this.#unread.ended) throw new Error("the connection is closed");
    this.#requests.push(bytes);
    if (this.#sending === "scheduled") return;
    this.#sending = "scheduled";
    queueMicrotask(() => this.#sendScheduled()); // to the end of the tick
  }

  close(): void {
    if (!this.#unread.ended) this.#sendScheduled();
    this.#unread.close();
    for (const post of this.#posts) {
      if (post.hasForeground || post.complete) this.#drop(post);
      else post.finishTimer = setTimeout(() => this.#drop(post), FINISH_TIMEOUT);
    }
    this.#change.notify();
  }

  ref(): void {
    this.#waiting = "yes";
  }

  /** Nothing waits for an answer any more, or the connection is about to be closed. */
  unref(): void {
    this.#waiting = "no";
    if (this.#posts.size > 0) setTimeout(() => this.#dropAbandoned());
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#unread;
  }

  /** Ends everything with an error. */
  #fail(error: unknown): void {
    this.#unread.fail(error);
    for (const post of this.#posts) this.#drop(post);
    this.#change.notify();
  }

  #drop(post: Post): void {
    this.#posts.delete(post);
    clearTimeout(post.finishTimer);
    post.controller.abort();
  }

  /** Aborts the POSTs of which nothing is wanted any more. A job that has sent data may have a consumer that lags. */
  async #dropAbandoned(): Promise<void> {
    while (this.#passing !== undefined && !this.#unread.ended) await this.#change.wait();
    if (this.#waiting === "yes" || this.#unread.ended) return;
    for (const post of this.#posts) {
      if (post.expected.length + post.held === 0 && !post.hasData) this.#abandon(post);
    }
  }

  /** Drops a POST; the client hears that its jobs have ended, so that it can forget them. */
  #abandon(post: Post): void {
    this.#drop(post);
    for (const { alias, count } of post.jobs.values()) {
      this.#jobs.delete(alias);
      for (let i = 0; i < count; i++) this.#unread.push(encodeResponse(PacketType.WORK_FAIL, alias));
    }
    post.jobs.clear();
  }

  // ---- requests

  #sendScheduled(): void {
    this.#sending = "idle";
    try {
      this.#send();
    } catch (error) {
      this.#fail(error); // a client does not send such a request
    }
  }

  #send(): void {
    let isProbe = false;
    let post = new Post();
    let encoder = new PacketEncoder("REQ");
    let count = 0;
    for (const packet of this.#requests) {
      if (packet.type === PacketType.SET_CLIENT_ID) continue; // a gateway does not pass it on, and it has no reply
      if (!REQUESTS.has(packet.type)) throw new ProtocolError(`Cannot send ${packetName(packet.type)} over fetch`);
      isProbe ||= packet.type === PacketType.ECHO_REQ || packet.type === PacketType.GET_STATUS;
      const local = this.#answerLocally(packet);
      if (local !== undefined) {
        this.#expected.push({ kind: "other", post: undefined, reply: local });
        continue;
      }
      const size = packet.args.reduce((sum, arg) => sum + arg.length, HEADER_SIZE);
      if (count === MAX_PACKETS || (count > 0 && encoder.size + size > MAX_BODY)) {
        this.#post(post, encoder);
        post = new Post();
        encoder = new PacketEncoder("REQ");
        count = 0;
      }
      this.#expect(post, packet);
      encoder.writePacket(packet.type === PacketType.GET_STATUS ? this.#withHandle(packet) : packet);
      count += 1;
    }
    if (count > 0) this.#post(post, encoder);
    this.#passReplies();
    if (isProbe && this.#expected.length > 0 && this.#isAlive) this.#showLife();
  }

  /** Answers what a client asks to find out whether its server is there. */
  #answerLocally({ type, args }: Packet): Uint8Array | undefined {
    if (type === PacketType.OPTION_REQ) return encodeResponse(PacketType.OPTION_RES, args[0]);
    if (type === PacketType.ECHO_REQ && args[0].length === 0) return encodeResponse(PacketType.ECHO_RES, "");
    return undefined;
  }

  #expect(post: Post, { type, args }: Packet): void {
    const isJob = type === PacketType.SUBMIT_JOB || type === PacketType.SUBMIT_JOB_HIGH ||
      type === PacketType.SUBMIT_JOB_LOW || type === PacketType.SUBMIT_REDUCE_JOB;
    const handle = type === PacketType.GET_STATUS ? this.#realHandle(readText(args[0])) : undefined;
    const expected: Expected = { kind: isJob ? "job" : "other", handle, post, reply: undefined };
    if (isJob) post.hasForeground = true;
    post.expected.push(expected);
    this.#expected.push(expected);
  }

  #withHandle(packet: Packet<typeof PacketType.GET_STATUS>): { type: PacketType; args: string[] } {
    return { type: packet.type, args: [this.#realHandle(readText(packet.args[0]))] };
  }

  #realHandle(alias: string): string {
    return this.#jobs.get(alias)?.handle ?? alias;
  }

  async #post(post: Post, encoder: PacketEncoder): Promise<void> {
    const { size } = encoder;
    const body = joinBytes(encoder.take(), size);
    this.#posts.add(post);
    post.aliveUntil = performance.now() + MAX_SILENCE + size / UPLOAD_RATE;
    try {
      const response = await this.#fetch(post, body);
      await this.#read(post, response);
    } catch (error) {
      if (this.#posts.has(post)) this.#fail(error);
    }
    this.#drop(post); // its body may not have been read to the end
    this.#change.notify();
  }

  async #fetch(post: Post, body: Bytes): Promise<Response> {
    const { headers, fetch = globalThis.fetch } = this.#options;
    const { signal } = post.controller;
    const init = {
      method: "POST",
      headers: makeHeaders(typeof headers === "function" ? await headers() : headers),
      body,
      signal,
      redirect: "manual",
    } as const;
    signal.throwIfAborted();
    return await fetch(this.#url, init);
  }

  // ---- answers

  async #read(post: Post, response: Response): Promise<void> {
    const { status, body } = response;
    const isRefusal = (status >= 400 && status < 500) || (status === 503 && response.headers.has("retry-after"));
    if (isRefusal) return this.#refuse(post, status, await readReason(response));
    const contentType = response.headers.get("content-type");
    if (status !== 200 || body === null || contentType?.split(";")[0] !== CONTENT_TYPE) {
      const received = printable(contentType ?? "without a content type");
      throw new Error(`the answer to the POST is ${status || "a redirect"}, ${received}`);
    }
    const walker = new AnswerWalker();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!this.#posts.has(post)) return; // it was dropped
      post.aliveUntil = performance.now() + MAX_SILENCE;
      for (const step of walker.walk(value)) {
        if (post.complete && this.#passing !== post) return; // all has come
        const pause = this.#receive(post, step);
        if (pause !== undefined) await pause;
        if (!this.#posts.has(post)) return;
      }
      while (this.#unread.size > MAX_UNREAD) await this.#change.wait();
    }
    if (!post.complete || !walker.betweenPackets) throw new Error("the answer to the POST ended too early");
  }

  #refuse(post: Post, status: number, reason: string): void {
    for (const expected of post.expected.drain()) {
      post.held += 1;
      expected.reply = encodeResponse(PacketType.ERROR, `HTTP_${status}`, reason);
    }
    this.#passReplies();
  }

  /** Takes a part of an answer; a promise asks the caller to wait before it goes on. */
  #receive(post: Post, step: Step): void | Promise<void> {
    const { start } = step;
    if (start === undefined) return this.#passRest(step);
    const type = readUint32(start, 4);
    switch (type) {
      case PacketType.NOOP:
        return;
      case PacketType.WORK_DATA:
      case PacketType.WORK_WARNING:
      case PacketType.WORK_STATUS:
      case PacketType.WORK_COMPLETE:
      case PacketType.WORK_FAIL:
      case PacketType.WORK_EXCEPTION:
        return this.#receiveInTurn(post, step, () => this.#onEvent(post, type, step));
      case PacketType.ECHO_RES: // an echo may be as long as a workload
        if (step.rest === 0) return this.#onReply(post, type, start);
        return this.#receiveInTurn(post, step, () => this.#onLongReply(post, start));
      default:
        if (step.rest > 0) throw new ProtocolError(`The gateway sent ${packetName(type)} of ${step.rest} bytes more`);
        return this.#onReply(post, type, start);
    }
  }

  /** Takes a packet when the replies before it are passed on, and no other packet is under way. */
  #receiveInTurn(post: Post, step: Step, take: () => void): void | Promise<void> {
    const isDue = () => this.#passing === undefined && post.held === 0 && this.#canBegin(post, step);
    if (isDue()) return take();
    return (async () => {
      while (this.#posts.has(post) && !isDue()) await this.#change.wait();
      if (this.#posts.has(post)) take();
    })();
  }

  /** A reply that has not arrived in full cannot wait for others. */
  #canBegin(post: Post, { start, rest }: Step): boolean {
    if (rest === 0 || readUint32(start!, 4) !== PacketType.ECHO_RES) return true;
    const { first } = post.expected;
    if (first === undefined) throw new ProtocolError("The gateway sent ECHO_RES without a request for it");
    return this.#expected.first === first;
  }

  #passRest({ piece, rest, shown }: Step): void {
    if (shown.value) this.#unread.push(piece!);
    if (rest > 0) return;
    this.#passing = undefined;
    this.#passReplies();
    this.#change.notify();
  }

  #onEvent(post: Post, type: PacketType, { start, rest, shown }: Step): void {
    if (rest > 0) this.#passing = post;
    const end = type === PacketType.WORK_FAIL ? start!.length : findNul(start!, HEADER_SIZE, start!.length);
    const handle = readHandle(start!.subarray(HEADER_SIZE, end));
    const job = post.jobs.get(handle);
    if (job === undefined) {
      shown.value = false; // it belongs to no submission of this POST
      return;
    }
    if (type === PacketType.WORK_DATA || type === PacketType.WORK_WARNING) post.hasData = true;
    if (type === PacketType.WORK_COMPLETE || type === PacketType.WORK_FAIL || type === PacketType.WORK_EXCEPTION) {
      post.hasData = true;
      job.count -= 1;
      if (job.count === 0) {
        post.jobs.delete(handle);
        this.#jobs.delete(job.alias);
      }
    }
    this.#unread.push(job.alias === handle ? start! : renamed(start!, end, job.alias));
  }

  #onReply(post: Post, type: number, reply: Uint8Array): void {
    const expected = post.expected.shift();
    if (expected === undefined) {
      throw new ProtocolError(`The gateway sent ${packetName(type)} without a request for it`);
    }
    post.held += 1;
    expected.reply = reply;
    if (type === PacketType.JOB_CREATED && expected.kind === "job") {
      const handle = readHandle(reply.subarray(HEADER_SIZE));
      expected.reply = encodeResponse(type, this.#addJob(post, handle));
    } else if (type === PacketType.STATUS_RES && expected.handle !== undefined) {
      const nul = findNul(reply, HEADER_SIZE, reply.length);
      if (reply[nul + 1] === 48) this.#onUnknown(expected.handle);
    }
    this.#passReplies();
  }

  /** The start of a long echo: it is the reply to the first request of all. */
  #onLongReply(post: Post, start: Uint8Array): void {
    post.expected.shift();
    this.#expected.shift();
    this.#passing = post;
    this.#unread.push(start);
  }

  /** Notes a job, and returns its handle for the client. */
  #addJob(post: Post, handle: string): string {
    const present = post.jobs.get(handle);
    if (present !== undefined) {
      present.count += 1;
      return present.alias;
    }
    let alias = handle;
    for (let i = 2; this.#jobs.has(alias); i++) alias = `${handle}+${i}`;
    post.jobs.set(handle, { alias, count: 1 });
    this.#jobs.set(alias, { handle, post });
    return alias;
  }

  /** The server does not know a job any more: no last packet will come for it. */
  #onUnknown(handle: string): void {
    for (const post of this.#posts) {
      const job = post.jobs.get(handle);
      if (job === undefined || this.#passing === post) continue;
      post.jobs.delete(handle);
      this.#jobs.delete(job.alias);
      if (post.complete && post.held === 0) this.#drop(post);
    }
  }

  /** Passes on the replies that are due. */
  #passReplies(): void {
    if (this.#passing !== undefined) return; // they would stand inside a packet
    let passed = 0;
    for (let first = this.#expected.first; first?.reply !== undefined; first = this.#expected.first) {
      this.#expected.shift();
      if (first.post !== undefined) first.post.held -= 1;
      this.#unread.push(first.reply);
      passed += 1;
    }
    if (passed > 0) this.#change.notify();
  }

  // ---- signs of life

  /** True while a POST is alive, so that what waits behind others may take its time. */
  get #isAlive(): boolean {
    const now = performance.now();
    for (const { aliveUntil } of this.#posts) if (aliveUntil > now) return true;
    return false;
  }

  /** Sends the client a packet that it ignores: a reply may wait for a POST that a browser has queued. */
  #showLife(): void {
    if (this.#passing === undefined) this.#unread.push(encodeResponse(PacketType.WORK_STATUS, "", "0", "0"));
  }
}

/** Replaces the handle of a packet, or of its start. */
function renamed(start: Uint8Array, handleEnd: number, alias: string): Uint8Array {
  const name = utf8Encoder.encode(alias);
  const after = start.subarray(handleEnd);
  const size = HEADER_SIZE + name.length + after.length;
  const packet = joinBytes([start.subarray(0, HEADER_SIZE), name, after], size);
  writeUint32(packet, 8, readUint32(start, 8) + size - start.length);
  return packet;
}

/** The start of a packet (all of it, if it is not long), or a further piece of it. */
interface Step {
  readonly start?: Uint8Array;
  readonly piece?: Uint8Array;
  /** Bytes of the packet that have not arrived. */
  readonly rest: number;
  /** False if the packet is not passed on; the steps of a packet share it. */
  readonly shown: { value: boolean };
}

/** Cuts a stream of answers into packets, and copies each byte once. */
class AnswerWalker {
  #start = new Uint8Array(HEADER_SIZE);
  #filled = 0;
  /** Bytes of the current packet behind its start, once that is complete. */
  #rest = 0;
  #shown = { value: true };

  /** True if the last packet has ended and the next one has not begun. */
  get betweenPackets(): boolean {
    return this.#filled === 0 && this.#rest === 0;
  }

  *walk(chunk: Uint8Array): Generator<Step> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#rest > 0) {
        const piece = new Uint8Array(chunk.subarray(at, at + this.#rest));
        at += piece.length;
        this.#rest -= piece.length;
        yield { piece, rest: this.#rest, shown: this.#shown };
        continue;
      }
      const part = chunk.subarray(at, at + this.#start.length - this.#filled);
      this.#start.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === HEADER_SIZE) this.#readHeader();
      if (this.#filled === this.#start.length) yield this.#takeStart();
    }
  }

  #readHeader(): void {
    const header = this.#start;
    if (readUint32(header, 0) !== MAGIC_RES) throw new ProtocolError("The gateway sent no response");
    this.#start = new Uint8Array(HEADER_SIZE + Math.min(readUint32(header, 8), MAX_WHOLE));
    this.#start.set(header);
  }

  #takeStart(): Step {
    const start = this.#start;
    this.#rest = HEADER_SIZE + readUint32(start, 8) - start.length;
    this.#start = new Uint8Array(HEADER_SIZE);
    this.#filled = 0;
    this.#shown = { value: true };
    return { start, rest: this.#rest, shown: this.#shown };
  }
}

/** Reads the first bytes of a refusal, for its text. */
async function readReason(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  await ignoreErrors(async () => {
    const reader = response.body!.getReader();
    while (size < MAX_REASON) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      size += value.length;
    }
    reader.cancel().catch(() => {});
  });
  return printable(readText(joinBytes(pieces, size).subarray(0, MAX_REASON))).trim();
}

/** A function, since bundlers keep what reads properties outside of one: every program would carry it. */
function requestTypes(): ReadonlySet<PacketType> {
  return new Set([
    ...[PacketType.SUBMIT_JOB, PacketType.SUBMIT_JOB_HIGH, PacketType.SUBMIT_JOB_LOW, PacketType.SUBMIT_REDUCE_JOB],
    ...[PacketType.SUBMIT_JOB_BG, PacketType.SUBMIT_JOB_HIGH_BG, PacketType.SUBMIT_JOB_LOW_BG],
    ...[PacketType.SUBMIT_JOB_EPOCH, PacketType.SUBMIT_REDUCE_JOB_BACKGROUND],
    ...[PacketType.GET_STATUS, PacketType.GET_STATUS_UNIQUE, PacketType.ECHO_REQ, PacketType.OPTION_REQ],
  ]);
}
