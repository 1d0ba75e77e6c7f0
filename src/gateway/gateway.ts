/** The gateway: its options, its WebSockets and POSTs, and its end. */

import { checkFunction, checkOptions, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { MAX_UINT32 } from "../codec/decoder.ts";
import { readConnectOptions } from "../connection/options.ts";
import { SUBPROTOCOL, type WebSocketLike, WebSocketTransport } from "../transport/from_web_socket.ts";
import type { TlsOptions } from "../transport/dial_tcp.ts";
import type { Dial, ServerAddress } from "../transport/transport.ts";
import { type GatewayCall, MAX_NAMES } from "./client_request.ts";
import type { Allow } from "./permission.ts";
import { type PostSettings, refusePost, ServedPost } from "./served_post.ts";
import { GATEWAY_CLOSED, ServedSocket, type SocketSettings, TOO_MANY } from "./served_socket.ts";

/**
 * Events that a gateway reports; a minor version may add more kinds. `request` is the one that was given to `accept`; for
 * a POST it has the URL and the headers of the request that was given to `fetch`.
 *
 * | type | what happened |
 * | --- | --- |
 * | `opened` | a client is connected to the job server |
 * | `refused` | a call was not allowed; the client received `reason`, and `error` is what `allow` threw |
 * | `closed` | a WebSocket or a POST has ended, with `code` (of the close, or the status) and `reason`; `error` is the cause |
 */
export type GatewayEvent =
  | { readonly type: "opened"; readonly request: Request }
  | {
    readonly type: "refused";
    readonly request: Request;
    /** Absent for an ECHO_REQ over `maxWorkload`. */
    readonly call?: GatewayCall | undefined;
    readonly reason: string;
    readonly error?: unknown;
  }
  | {
    readonly type: "closed";
    readonly request: Request;
    readonly code: number;
    readonly reason: string;
    readonly error?: unknown;
  };

/** Options of {@linkcode Gateway}. */
export interface GatewayOptions {
  /** The job server, as for a client; default "127.0.0.1:4730". Several job servers need several gateways. */
  servers?: string | ServerAddress | readonly (string | ServerAddress)[] | undefined;
  /** Connects to the job server. Default `dialTcp()`. Not together with `tls`. */
  dial?: Dial | undefined;
  /** Use TLS to the job server. Default false. */
  tls?: boolean | TlsOptions | undefined;
  /** Time limit of the connection to the job server in ms. Default 5,000. */
  connectTimeout?: number | undefined;
  /**
   * Decides whether a client may make a call: submit a job, or ask for the status of one. It is called with the request
   * that was given to `accept`, or a copy without the body of the one that was given to `fetch`. It returns (or resolves
   * to) `true`, `false`, or the reason of a refusal.
   *
   * Anything but `true` is a refusal: the client's call fails with a `ServerError`, with the code `NOT_ALLOWED` and the
   * reason as its text. What `allow` throws is not sent to the client. Up to 100 calls of a client wait for `allow` at a
   * time.
   */
  allow: (call: GatewayCall, request: Request) => boolean | string | PromiseLike<boolean | string>;
  /** Milliseconds after which a call is refused for which `allow` has not resolved. Default 10,000. */
  allowTimeout?: number | undefined;
  /**
   * Largest workload in bytes; default 64 MiB. A larger one is refused. A request is held in memory until it is complete,
   * so that clients can make the gateway hold this much for each of `maxConnections`. The workloads of a POST have at most
   * this size together.
   */
  maxWorkload?: number | undefined;
  /** Maximum number of packets in a POST; default 10,000. */
  maxRequests?: number | undefined;
  /** Maximum number of WebSockets and POSTs; one more is closed with 4503, or answered with 503. Default 1,000. */
  maxConnections?: number | undefined;
  /**
   * Milliseconds after which a WebSocket is closed on which nothing was sent or received, and nothing is pending. A client
   * that does not take its answers for so long is closed too, and a POST must have ended its body by then. Default 300,000.
   */
  idleTimeout?: number | undefined;
  /** Receives events, for logs and metrics; what it throws is ignored. */
  onEvent?: ((event: GatewayEvent) => void) | undefined;
}

/** Largest `maxWorkload` in bytes: the length of a packet has 32 bits. */
const MAX_MAX_WORKLOAD = MAX_UINT32 - MAX_NAMES;

/** Options of {@linkcode Gateway.prototype.accept | Gateway.accept}. */
export interface GatewayAcceptOptions {
  /**
   * The request that was upgraded: `allow` and `onEvent` receive it. On Deno it has to be copied before the upgrade, with
   * `new Request(request)`, since its headers cannot be read afterwards.
   */
  request: Request;
  /**
   * True if the client acknowledges what it has read (see `fromWebSocket`). Default: whether the request offers the
   * subprotocol `gearman`, which the platform must then have selected in its response.
   */
  acknowledge?: boolean | undefined;
}

/**
 * Lets clients that have no TCP submit jobs to a job server: browsers and edges, over WebSockets or over `fetch`.
 *
 * The platform upgrades the request and passes the socket to `accept`. Each socket has a connection to the job server of its
 * own, so that a client that goes away takes its queued foreground jobs with it. Every packet is decoded and checked: only
 * submissions, questions about a status, echoes and the option `exceptions` pass, and the option `allow` decides about
 * each submission and question. Anything else closes the socket: raw bytes must not reach gearmand, which ends at one
 * packet of a type from 0x80000000 on (1.1.20 and 2.0.0), and which has no authentication.
 *
 * | code | why the gateway closes a socket |
 * | --- | --- |
 * | 1000 | the client has left |
 * | 4400 | it sent something that a client does not send, or a wrong acknowledgement |
 * | 4408 | `idleTimeout` |
 * | 4502 | the job server cannot be reached, or the connection to it was lost |
 * | 4503 | `maxConnections`, or the gateway is closed |
 *
 * @example A gateway on Deno
 * ```ts
 * import { Gateway } from "@gearwire/gearman/gateway";
 *
 * const gateway = new Gateway({
 *   servers: "10.0.0.5:4730",
 *   allow: (call) => call.kind === "foreground" && call.functionName === "resize",
 * });
 *
 * function handle(request: Request): Response {
 *   const copy = new Request(request); // the headers cannot be read after the upgrade
 *   const offered = request.headers.get("sec-websocket-protocol");
 *   const { socket, response } = Deno.upgradeWebSocket(request, offered === "gearman" ? { protocol: "gearman" } : {});
 *   gateway.accept(socket, { request: copy });
 *   return response;
 * }
 *
 * const server = Deno.serve({ port: 0, onListen() {} }, handle);
 * await server.shutdown();
 * await gateway.close();
 * ```
 */
export class Gateway implements AsyncDisposable {
  readonly #settings: Omit<SocketSettings & PostSettings, "onOpened" | "onRefused">;
  readonly #maxConnections: number;
  readonly #emit: (event: GatewayEvent) => void;
  readonly #sockets = new Set<ServedSocket>();
  readonly #posts = new Set<ServedPost>();
  #closing: Promise<void> | undefined;

  /**
   * Makes a gateway; it connects to the job server when it has a client.
   *
   * @throws {TypeError} `allow` must be a function; `dial` and `tls` cannot be given both; an option is of the wrong kind.
   * @throws {RangeError} There must be one job server; a number is out of its range.
   */
  constructor(options: GatewayOptions) {
    checkOptions(options);
    const { allow, onEvent, dial, tls, connectTimeout } = options;
    checkFunction(allow, "allow");
    if (onEvent !== undefined) checkFunction(onEvent, "onEvent");
    const { servers, settings } = readConnectOptions({ servers: options.servers, dial, tls, connectTimeout });
    if (servers.length > 1) {
      throw new RangeError("Cannot use servers: a gateway has one job server, use several gateways");
    }
    this.#settings = {
      server: servers[0]!,
      dial: settings.dial,
      connectTimeout: settings.connectTimeout,
      allow: allow.bind(options) as Allow,
      allowTimeout: wholeNumber(options, "allowTimeout", 10_000, 1, MAX_TIMER),
      maxWorkload: wholeNumber(options, "maxWorkload", 67_108_864, 0, MAX_MAX_WORKLOAD),
      maxRequests: wholeNumber(options, "maxRequests", 10_000, 1, 0xffff_ffff),
      idleTimeout: wholeNumber(options, "idleTimeout", 300_000, 1, MAX_TIMER),
    };
    this.#maxConnections = wholeNumber(options, "maxConnections", 1_000, 1, 0xffff_ffff);
    this.#emit = (event) => {
      if (onEvent !== undefined) ignoreErrors(() => onEvent.call(options, event));
    };
  }

  /** Number of clients that are connected. */
  get connections(): number {
    return this.#sockets.size + this.#posts.size;
  }

  /**
   * Serves a WebSocket that the platform has upgraded; resolves when it has ended, and never rejects. Call it in the same
   * tick as the upgrade, so that no message is missed.
   *
   * @throws {TypeError} The socket must be a WebSocket, and the headers of `request` readable.
   */
  accept(socket: WebSocketLike, options: GatewayAcceptOptions): Promise<void> {
    checkOptions(options);
    const { request } = options;
    const acknowledge = options.acknowledge ?? offersAcknowledgements(request);
    const transport = new WebSocketTransport(socket, { acknowledge });
    const settings: SocketSettings = {
      ...this.#settings,
      onOpened: () => this.#emit({ type: "opened", request }),
      onRefused: (refusal) => this.#emit({ type: "refused", request, ...refusal }),
    };
    const served = new ServedSocket(settings, request, transport);
    socket.addEventListener("close", () => served.onLeft());
    if (this.#closing !== undefined) served.stop(GATEWAY_CLOSED);
    else if (this.connections >= this.#maxConnections) served.stop(TOO_MANY);
    else this.#sockets.add(served);
    return this.#serve(served, request);
  }

  /**
   * Answers a POST of a client that is connected with `dialFetch`; never rejects. The answer stays open until all jobs in
   * the foreground have ended. A client that goes away takes those that are queued with it, if the platform aborts
   * `request.signal` or cancels the body of the response then. While nothing else is sent, a packet that means nothing
   * (NOOP) goes out every 15 s, so that proxies keep the answer open.
   *
   * | status | why |
   * | --- | --- |
   * | 200 | the requests were passed on, or refused by `allow` |
   * | 400 | it holds something that a client does not send |
   * | 405, 415 | it must be a POST with the content type `application/vnd.gearman` |
   * | 408 | its body has not ended within `idleTimeout` |
   * | 413 | it is over `maxWorkload` or `maxRequests` |
   * | 503, with Retry-After | `maxConnections`, the gateway is closed, or the job server cannot be reached |
   *
   * With all statuses but 200, nothing was queued. Headers for other origins (CORS) are left to the platform.
   */
  async fetch(request: Request): Promise<Response> {
    const copy = copyWithoutBody(request);
    const settings: PostSettings = {
      ...this.#settings,
      onOpened: () => this.#emit({ type: "opened", request: copy }),
      onRefused: (refusal) => this.#emit({ type: "refused", request: copy, ...refusal }),
    };
    const served = new ServedPost(settings, request, copy);
    served.ended.then((end) => {
      this.#posts.delete(served);
      this.#emit({ type: "closed", request: copy, ...end });
    });
    if (this.#closing !== undefined) return served.refuse(refusePost(503, "The gateway is closed"));
    if (this.connections >= this.#maxConnections) {
      return served.refuse(refusePost(503, "There are too many connections"));
    }
    this.#posts.add(served);
    return await served.serve();
  }

  /** Closes all WebSockets and POSTs, and accepts no more; resolves when all have ended. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode Gateway.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(served: ServedSocket, request: Request): Promise<void> {
    const end = await served.serve();
    this.#sockets.delete(served);
    this.#emit({ type: "closed", request, ...end });
  }

  async #close(): Promise<void> {
    const sockets = Array.from(this.#sockets, (served) => served.stop(GATEWAY_CLOSED));
    const posts = Array.from(this.#posts, (served) => served.stop());
    await Promise.all<unknown>([...sockets, ...posts]);
  }
}

/** Copies a request without its body, unless its platform lets through what others forbid: TRACE, a URL with a user. */
function copyWithoutBody(request: Request): Request {
  try {
    return new Request(request.url, { method: request.method, headers: request.headers });
  } catch {
    return request;
  }
}

/**
 * Returns true if a client offers the subprotocol of acknowledgements.
 *
 * @throws {TypeError} The headers of the request cannot be read.
 */
function offersAcknowledgements(request: Request): boolean {
  let offered: string | null;
  try {
    offered = request.headers.get("sec-websocket-protocol");
  } catch (cause) {
    const advice = "copy the request before the upgrade, with new Request(request)";
    throw new TypeError(`Cannot read the headers of the request: ${advice}`, { cause });
  }
  return offered?.split(",").some((name) => name.trim() === SUBPROTOCOL) ?? false;
}
