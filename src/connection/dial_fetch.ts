/** A connection over `fetch`: the packets of a tick are one POST, and its streamed answer carries the replies. */

import { ConnectionError, ProtocolError } from "../errors.ts";
import { type Bytes, joinBytes } from "../internal/bytes.ts";
import { checkFunction, checkOptions } from "../internal/checks.ts";
import { ignoreErrors, Notifier } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { messageOf, printable, readText, utf8Encoder } from "../internal/text.ts";
import { readHandle } from "../codec/arguments.ts";
import { MAX_UINT32, PacketDecoder } from "../codec/decoder.ts";
import { type EncodablePacket, PacketEncoder } from "../codec/encoder.ts";
import { HEADER_SIZE, type Packet, packetName, PacketType } from "../codec/packet.ts";
import type { Dial, DialOptions, Transport } from "../transport/transport.ts";

/** The content type of both bodies. */
export const CONTENT_TYPE = "application/vnd.gearman";
/** The limits of one POST; what is over them goes into another one. They are below those of a gateway. */
const MAX_PACKETS = 10_000;
const MAX_BODY = 16_777_216;
/** Bytes that the reader has not taken, from which on answers are not read. */
const MAX_UNREAD = 1_048_576;
/** Milliseconds without a byte after which an answer shows no life: a gateway sends something every 15 s. */
const MAX_SILENCE = 35_000;
/** Bytes of a request that are expected to be uploaded in a millisecond. */
const UPLOAD_RATE = 64;
/** Milliseconds that requests without jobs in the foreground have when the connection is closed. */
const FINISH_TIMEOUT = 2_000;
/** Bytes of the text of a refusal that are read. */
const MAX_REASON = 1_000;

/**
 * NOOPs after which nothing more of an answer is on its way: the first of them may have been sent before what it is counted
 * from.
 */
const SILENCE = 2;

/** The requests of a client, with the type of their one reply. */
const REPLIES: ReadonlyMap<PacketType, PacketType> = /* @__PURE__ */ replyTypes();

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
 * Makes a `dial` function for platforms that have only `fetch`, and for networks that allow only HTTP. The URL must be that
 * of a gateway: the method `fetch` of the class `Gateway` of `@gearwire/gearman/gateway` answers there.
 *
 * **Requests.** What is sent in one tick is one POST, so that 1,000 jobs at once are one request. Its answer stays open
 * until all its jobs in the foreground have ended. Browsers allow six requests at a time to one host over HTTP/1.1, and
 * the next ones wait; HTTP/2 has no such limit. Jobs in the background are the natural use: their answer is short.
 *
 * **Outcomes.** A refusal of the gateway is a `ServerError` with the code `NOT_ALLOWED`, or `HTTP_nnn` for a status of
 * 4xx, and 503 with the header Retry-After: nothing was queued. With another status, a redirect, a rejected `fetch`, or an
 * answer that ends too early, the POST has failed, and nothing but its own requests. A submission then fails with the
 * delivery `unknown`, also where nothing was sent (that cannot be told), or `accepted` if the server had queued it; a
 * question is asked once more. If `headers` throws or rejects, the delivery is `not-sent`, and the `cause` what it threw.
 *
 * **Aborts.** When nothing waits for the answer to a POST any more, the POST is aborted, and the gateway discards its jobs
 * that are queued in the foreground. A job shares its POST with all others of its tick.
 *
 * **Order.** Handles, statuses and errors arrive in the order of the calls, as over TCP: those of a later POST wait. A job
 * that has ended runs until its own POST says so.
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
  return (_, dialOptions) => new FetchTransport(target, options, dialOptions);
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

/** What the client that dials does with a request that has failed by itself, and what it still wants. */
export interface PostUser {
  /** The name of the server. */
  readonly name: string;
  /** The requests that wait for a reply, in the order of the replies. */
  readonly awaiting: Pick<Fifo<SentRequest>, "shift"> & Iterable<SentRequest>;
  /** The jobs that run, by the handles that were passed on. */
  readonly jobs: {
    /** Returns at most `max` handles that something waits for. */
    nextHandles(max: number): string[];
    /** Ends the jobs of one handle. */
    vanish(handle: string, error: ConnectionError, server: string): void;
  };
  /** The request was sent, and has no reply. */
  lose(request: SentRequest, error: ConnectionError): void;
  /** Takes a packet that is too large for the connection. */
  onPacket(packet: Packet): void;
  /** Is called when a caller leaves that waited for a reply or for a job. */
  onLeft: (() => void) | undefined;
}

/** A request of the client that dials. */
interface SentRequest {
  /** True if nothing waits for its reply. */
  readonly settled: boolean;
  /** It was never sent. */
  onUnsent(cause: unknown): void;
}

/** What a client of this library passes to a dial besides the documented options. */
interface InternalDialOptions extends DialOptions {
  readonly settings?: { readonly maxPacketSize: number; readonly user: PostUser } | undefined;
}

/** A direct reply that the client expects, in the order of all requests. */
interface Expected {
  /** The packet type of the reply. */
  readonly type: PacketType;
  readonly isForeground: boolean;
  /** The handle of a question about the status of a job, as the server knows it; else undefined. */
  readonly handle: string | undefined;
  /** The POST that brings the reply. */
  readonly post: Post;
  /** Passes on the reply, or what stands in its place; undefined until it has arrived. */
  pass: (() => void) | undefined;
}

/** A job in the foreground of one POST. */
interface FetchedJob {
  /** Its handle as the client knows it. */
  readonly alias: string;
  /** Number of its submissions in the POST. */
  count: number;
  /** Number of NOOPs until it counts as lost, since the server does not know it any more. */
  noops: number;
}

/** One POST and its answer. */
class Post {
  readonly controller = new AbortController();
  readonly encoder = new PacketEncoder("REQ");
  /** Replies that have not arrived. */
  readonly expected = new Fifo<Expected>();
  /** Number of replies that have arrived, and wait for those of earlier requests. */
  held = 0;
  /** Jobs in the foreground by their handles, as the server knows them. */
  readonly jobs = new Map<string, FetchedJob>();
  /** True if it submits a job in the foreground. */
  isForeground = false;
  /** True once it was given to `fetch`. */
  isSent = false;
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
  /** The client, unless the transport is used by itself: then a POST that fails breaks the connection. */
  readonly #user: PostUser | undefined;
  readonly #maxPacketSize: number;
  #state: { readonly phase: "open" | "ended"; readonly error?: unknown } = { phase: "open" };
  readonly #requests = new PacketDecoder({ maxPacketSize: MAX_UINT32 });
  #isScheduled = false;
  readonly #answers = new PacketEncoder("RES");
  /** What the reader has not taken: bytes, and calls that are made in their turn. */
  readonly #unread = new Fifo<Uint8Array | (() => void)>();
  #unreadSize = 0;
  /** Expected replies of all POSTs. */
  readonly #expected = new Fifo<Expected>();
  readonly #posts = new Set<Post>();
  /** The jobs in the foreground, by their handles as the client knows them: the handles that the server knows. */
  readonly #handles = new Map<string, { readonly handle: string; readonly post: Post }>();
  readonly #change = new Notifier();
  /** True if a POST may have become unwanted. */
  #isUnsure = false;

  constructor(url: string, options: DialFetchOptions, { settings }: InternalDialOptions = {}) {
    this.#url = url;
    this.#options = options;
    this.#user = settings?.user;
    if (this.#user !== undefined) this.#user.onLeft = () => this.#onLeft();
    this.#maxPacketSize = settings?.maxPacketSize ?? MAX_UINT32;
  }

  write(bytes: Uint8Array): void {
    if (this.#state.phase === "ended") throw new Error("the connection is closed");
    this.#requests.push(bytes);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#send()); // to the end of the tick
  }

  close(): void {
    this.#send();
    this.#state = { phase: "ended" };
    this.#unread.drain();
    this.#unreadSize = 0;
    for (const post of this.#posts) {
      if (post.isForeground || post.complete) this.#end(post);
      else post.finishTimer ??= setTimeout(() => this.#end(post), FINISH_TIMEOUT);
    }
    this.#change.notify();
  }

  /** Nothing waits for an answer any more, or the connection is about to be closed. */
  unref(): void {
    this.#onLeft();
  }

  /** A POST may be unwanted now. */
  #onLeft(): void {
    this.#isUnsure = true;
    this.#change.notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const item = this.#unread.shift();
      if (typeof item === "function") {
        item();
      } else if (item !== undefined) {
        this.#unreadSize -= item.length;
        this.#change.notify();
        yield item;
      } else if (this.#state.phase === "ended") {
        if (this.#state.error !== undefined) throw this.#state.error;
        return;
      } else if (this.#isUnsure) {
        this.#isUnsure = false;
        this.#endUnwanted();
      } else {
        await this.#change.wait();
      }
    }
  }

  #push(item: Uint8Array | (() => void)): void {
    if (this.#state.phase === "ended") return;
    this.#unread.push(item);
    this.#unreadSize += item.length;
    this.#change.notify();
  }

  /** Passes on a packet, or the call that stands for one that is too large. */
  #pass(packet: EncodablePacket | Packet): void {
    if ("oversized" in packet) return this.#push(() => this.#user!.onPacket(packet));
    this.#answers.writePacket(packet);
    for (const piece of this.#answers.take()) this.#push(piece);
  }

  /** Ends everything with an error. */
  #fail(error: unknown): void {
    if (this.#state.phase === "ended") return;
    this.#state = { phase: "ended", error };
    for (const post of this.#posts) this.#end(post);
    this.#change.notify();
  }

  /** Ends a POST. What is still expected of it fails. */
  async #end(post: Post, cause?: unknown): Promise<void> {
    if (!this.#posts.delete(post)) return;
    clearTimeout(post.finishTimer);
    post.controller.abort(); // its body may not have been read to the end
    if (post.complete) return;
    const error = new ConnectionError(`The POST failed: ${messageOf(cause)}`, { cause });
    const user = this.#user;
    if (user === undefined) return this.#fail(error);
    const lose = () => {
      const request = user.awaiting.shift()!;
      if (post.isSent) user.lose(request, error);
      else request.onUnsent(cause);
    };
    for (const expected of post.expected.drain()) this.#answer(expected, () => this.#push(lose));
    await this.#untilPassed(post);
    for (const handle of post.jobs.keys()) this.#vanish(post, handle, error);
  }

  /** Ends a job that gets no last packet. */
  #vanish(post: Post, handle: string, error: ConnectionError): void {
    const { alias } = this.#forget(post, handle);
    this.#push(() => this.#user?.jobs.vanish(alias, error, this.#user.name));
  }

  #forget(post: Post, handle: string): FetchedJob {
    const job = post.jobs.get(handle)!;
    post.jobs.delete(handle);
    this.#handles.delete(job.alias);
    return job;
  }

  /** Ends the POSTs of which nothing is wanted any more. The client has seen all that was passed on. */
  #endUnwanted(): void {
    const user = this.#user;
    if (user === undefined || this.#posts.size === 0) return;
    const wanted = new Set(user.jobs.nextHandles(Infinity).map((alias) => this.#handles.get(alias)?.post));
    // A request of the client and its expected reply are at the same place.
    const requests = [...user.awaiting];
    for (const [place, { post }] of [...this.#expected].entries()) {
      if (requests[place]?.settled === false) wanted.add(post);
    }
    for (const post of this.#posts) {
      if (!post.complete && !wanted.has(post)) this.#end(post);
    }
  }

  /** Resolves when the replies of a POST that have arrived are passed on. */
  async #untilPassed(post: Post): Promise<void> {
    while (post.held > 0) await this.#change.wait();
  }

  // ---- requests

  #send(): void {
    this.#isScheduled = false;
    if (this.#state.phase === "ended") return;
    try {
      this.#sendRequests();
    } catch (error) {
      this.#unread.drain(); // a worker must not take the replies that are made here for those of a server that is well
      this.#fail(error);
    }
  }

  #sendRequests(): void {
    let isProbe = false;
    let post = new Post();
    for (const packet of this.#requests) {
      if (packet.type === PacketType.SET_CLIENT_ID) continue; // a gateway does not pass it on, and it has no reply
      const type = REPLIES.get(packet.type);
      if (type === undefined) throw new ProtocolError(`Cannot send ${packetName(packet.type)} over fetch`);
      isProbe ||= packet.type === PacketType.ECHO_REQ || packet.type === PacketType.GET_STATUS;
      if (isLocal(packet)) {
        this.#answer(this.#expect(new Post(), packet, type), () => this.#pass({ type, args: packet.args }));
        continue;
      }
      const size = packet.args.reduce((sum, arg) => sum + arg.length, HEADER_SIZE);
      const count = post.expected.length;
      if (count === MAX_PACKETS || (count > 0 && post.encoder.size + size > MAX_BODY)) {
        this.#post(post);
        post = new Post();
      }
      const expected = this.#expect(post, packet, type);
      post.expected.push(expected);
      const { handle } = expected;
      post.encoder.writePacket(handle === undefined ? packet : { type: packet.type, args: [handle] });
    }
    if (post.expected.length > 0) this.#post(post);
    if (isProbe && this.#expected.length > 0 && this.#isAlive) this.#showLife();
  }

  #expect(post: Post, request: Packet, type: PacketType): Expected {
    const { type: requested } = request;
    const isForeground = requested === PacketType.SUBMIT_JOB || requested === PacketType.SUBMIT_JOB_HIGH ||
      requested === PacketType.SUBMIT_JOB_LOW || requested === PacketType.SUBMIT_REDUCE_JOB;
    post.isForeground ||= isForeground;
    const alias = requested === PacketType.GET_STATUS ? readText(request.args[0]) : undefined;
    const handle = alias && (this.#handles.get(alias)?.handle ?? alias);
    const expected: Expected = { type, isForeground, handle, post, pass: undefined };
    this.#expected.push(expected);
    return expected;
  }

  async #post(post: Post): Promise<void> {
    const { size } = post.encoder;
    const body = joinBytes(post.encoder.take(), size);
    this.#posts.add(post);
    post.aliveUntil = performance.now() + MAX_SILENCE + size / UPLOAD_RATE;
    try {
      await this.#read(post, await this.#fetch(post, body));
      this.#end(post);
    } catch (error) {
      this.#end(post, error);
    }
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
    post.isSent = true;
    return await fetch(this.#url, init);
  }

  // ---- answers

  async #read(post: Post, response: Response): Promise<void> {
    const { status, body } = response;
    const isRefusal = (status >= 400 && status < 500) || (status === 503 && response.headers.has("retry-after"));
    if (isRefusal) {
      const error = { type: PacketType.ERROR, args: [`HTTP_${status}`, await readReason(response)] };
      for (const expected of post.expected.drain()) this.#answer(expected, () => this.#pass(error));
      return;
    }
    const contentType = response.headers.get("content-type");
    if (status !== 200 || body === null || contentType?.split(";")[0] !== CONTENT_TYPE) {
      throw new Error(`the answer is ${status || "a redirect"}, ${printable(contentType ?? "without a content type")}`);
    }
    const decoder = new PacketDecoder({ maxPacketSize: this.#maxPacketSize, skipOversized: true });
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      decoder.push(value);
      for (const packet of decoder) {
        if (post.complete || !this.#posts.has(post)) return; // all has come, or nothing is wanted
        const pause = this.#receive(post, packet);
        if (pause !== undefined) await pause;
      }
      while (this.#unreadSize > MAX_UNREAD && this.#posts.has(post)) await this.#change.wait();
      post.aliveUntil = performance.now() + MAX_SILENCE;
    }
    decoder.end();
    if (!post.complete) throw new Error("the answer ended too early");
  }

  /** Takes a packet of an answer; a promise asks the caller to wait before it goes on. */
  #receive(post: Post, packet: Packet): void | Promise<void> {
    const { magic, type, args, oversized } = packet;
    if (magic !== "RES") throw new ProtocolError("The gateway sent a request");
    // Only data may be long: an echo, or what stands behind a handle.
    if (oversized !== undefined && type !== PacketType.ECHO_RES && (args.length !== 2 || type === PacketType.ERROR)) {
      throw new ProtocolError(`The gateway sent ${packetName(type)} of ${oversized} bytes`);
    }
    switch (type) {
      case PacketType.NOOP:
        return this.#onNoop(post);
      case PacketType.WORK_DATA:
      case PacketType.WORK_WARNING:
      case PacketType.WORK_STATUS:
      case PacketType.WORK_COMPLETE:
      case PacketType.WORK_FAIL:
      case PacketType.WORK_EXCEPTION:
        if (post.held === 0) return this.#onEvent(post, packet);
        return this.#untilPassed(post).then(() => this.#onEvent(post, packet));
      default:
        this.#onReply(post, packet);
        if (type === PacketType.ECHO_RES) return this.#untilPassed(post); // it may be long
    }
  }

  #onEvent(post: Post, packet: Packet): void {
    const { type, args: [first, ...data] } = packet;
    const handle = readHandle(first!);
    const job = post.jobs.get(handle);
    if (job === undefined) return; // it belongs to no submission of this POST
    if (type === PacketType.WORK_COMPLETE || type === PacketType.WORK_FAIL || type === PacketType.WORK_EXCEPTION) {
      job.count -= 1;
      if (job.count === 0) this.#forget(post, handle);
    }
    this.#pass({ ...packet, args: [utf8Encoder.encode(job.alias), ...data] } as Packet);
  }

  #onReply(post: Post, packet: Packet): void {
    const { type, args } = packet;
    const expected = post.expected.first;
    if (expected === undefined || (type !== PacketType.ERROR && type !== expected.type)) {
      throw new ProtocolError(`The gateway sent ${packetName(type)} without a request for it`);
    }
    post.expected.shift();
    let reply: EncodablePacket = packet;
    if (type === PacketType.JOB_CREATED && expected.isForeground) {
      reply = { type, args: [this.#addJob(post, readHandle(args[0]))] };
    } else if (type === PacketType.STATUS_RES && readText(args[1]) === "0" && this.#mayRun(expected.handle!)) {
      reply = { type, args: [args[0], "1", "1", "0", "0"] };
    }
    this.#answer(expected, () => this.#pass(reply));
  }

  /** Takes the reply to a request, or what stands in its place, and passes on what is due. */
  #answer(expected: Expected, pass: () => void): void {
    expected.pass = pass;
    expected.post.held += 1;
    for (let first = this.#expected.first; first?.pass !== undefined; first = this.#expected.first) {
      this.#expected.shift();
      first.post.held -= 1;
      first.pass();
    }
    this.#change.notify();
  }

  /** Notes a job, and returns its handle for the client. */
  #addJob(post: Post, handle: string): string {
    const present = post.jobs.get(handle);
    if (present !== undefined) {
      present.count += 1;
      return present.alias;
    }
    let alias = handle;
    for (let i = 2; this.#handles.has(alias); i++) alias = `${handle}+${i}`;
    post.jobs.set(handle, { alias, count: 1, noops: 0 });
    this.#handles.set(alias, { handle, post });
    return alias;
  }

  /**
   * The server does not know a job any more. If it is one of a POST, its last packet may be on its way with the answer to
   * that: so the job counts as running until that answer was silent.
   */
  #mayRun(handle: string): boolean {
    const jobs = Array.from(this.#posts, (post) => post.jobs.get(handle)).filter((job) => job !== undefined);
    for (const job of jobs) job.noops ||= SILENCE;
    return jobs.length > 0;
  }

  /** The answer to a POST was silent: nothing is on its way. */
  #onNoop(post: Post): void {
    for (const [handle, job] of post.jobs) {
      if (job.noops === 0) continue;
      job.noops -= 1;
      if (job.noops === 0) this.#vanish(post, handle, new ConnectionError("the server does not know it any more"));
    }
    if (post.complete) this.#end(post);
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
    this.#pass({ type: PacketType.WORK_STATUS, args: ["", "0", "0"] });
  }
}

/** True for a request that is answered here: a client sends it to find out whether its server is there. */
function isLocal({ type, args }: Packet): boolean {
  return type === PacketType.OPTION_REQ || (type === PacketType.ECHO_REQ && args[0].length === 0);
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
function replyTypes(): ReadonlyMap<PacketType, PacketType> {
  const submissions = [
    ...[PacketType.SUBMIT_JOB, PacketType.SUBMIT_JOB_HIGH, PacketType.SUBMIT_JOB_LOW, PacketType.SUBMIT_REDUCE_JOB],
    ...[PacketType.SUBMIT_JOB_BG, PacketType.SUBMIT_JOB_HIGH_BG, PacketType.SUBMIT_JOB_LOW_BG],
    ...[PacketType.SUBMIT_JOB_EPOCH, PacketType.SUBMIT_REDUCE_JOB_BACKGROUND],
  ];
  return new Map<PacketType, PacketType>([
    ...submissions.map((type) => [type, PacketType.JOB_CREATED] as const),
    [PacketType.GET_STATUS, PacketType.STATUS_RES],
    [PacketType.GET_STATUS_UNIQUE, PacketType.STATUS_RES_UNIQUE],
    [PacketType.ECHO_REQ, PacketType.ECHO_RES],
    [PacketType.OPTION_REQ, PacketType.OPTION_RES],
  ]);
}
