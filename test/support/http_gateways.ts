/** Gateways behind real HTTP servers, and clients of them over `fetch`. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline, Readable } from "node:stream";
import { dialFetch, type DialFetchOptions, GearmanClient } from "../../mod.ts";
import type { ClientOptions } from "../../mod.ts";
import { Gateway, type GatewayEvent, type GatewayOptions } from "../../src/gateway/mod.ts";
import { runtime } from "./exceptions.ts";

/** Answers a request. */
export type HttpHandler = (request: Request) => Response | Promise<Response>;

/** A running HTTP server. */
export interface HttpServer {
  readonly url: string;
  /** Closes it with all its connections. */
  stop(): Promise<void>;
}

/** Starts a server of `node:http` on an unused port. */
export async function startNodeServer(
  handle: HttpHandler,
  { maxRequestsPerSocket = 0 }: { readonly maxRequestsPerSocket?: number } = {},
): Promise<HttpServer> {
  const serve = async (message: IncomingMessage, answer: ServerResponse) => {
    const controller = new AbortController();
    answer.once("close", () => controller.abort());
    const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as [string, string]);
    const init = { method: message.method!, headers, signal: controller.signal };
    const hasBody = message.method !== "GET" && message.method !== "HEAD";
    const body = hasBody ? { body: Readable.toWeb(message) as unknown as ReadableStream, duplex: "half" } : {};
    const response = await handle(new Request(new URL(message.url!, "http://127.0.0.1"), { ...init, ...body }));
    answer.writeHead(response.status, Object.fromEntries(response.headers));
    answer.flushHeaders();
    answer.once("finish", () => message.removeAllListeners("data").resume());
    if (response.body === null) answer.end();
    else pipeline(Readable.fromWeb(response.body as never), answer, () => {});
  };
  const server = createServer((message, answer) => void serve(message, answer).catch(() => answer.destroy()));
  server.maxRequestsPerSocket = maxRequestsPerSocket;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/gearman`,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface DenoServer {
  readonly addr: { readonly port: number };
  readonly finished: Promise<void>;
}

interface BunServer {
  readonly port: number;
  stop(force: boolean): Promise<void>;
}

/** Starts the runtime's own server: `Deno.serve`, `Bun.serve`, or `node:http`. */
export function startOwnServer(handle: HttpHandler): Promise<HttpServer> | HttpServer {
  if (runtime === "deno") {
    const controller = new AbortController();
    const { signal } = controller;
    const { Deno } = globalThis as unknown as { Deno: { serve(options: unknown, handle: HttpHandler): DenoServer } };
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, signal, onListen() {}, onError: fail }, handle);
    return {
      url: `http://127.0.0.1:${server.addr.port}/gearman`,
      stop: async () => {
        controller.abort();
        await server.finished;
      },
    };
  }
  if (runtime === "bun") {
    const { Bun } = globalThis as unknown as { Bun: { serve(options: unknown): BunServer } };
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: handle });
    return { url: `http://127.0.0.1:${server.port}/gearman`, stop: () => server.stop(true) };
  }
  return startNodeServer(handle);
}

function fail(): Response {
  return new Response("", { status: 500 });
}

/** The servers that a gateway is tested behind: two on each runtime, so that all run the same number of tests. */
export const HTTP_SERVERS: Readonly<Record<string, (handle: HttpHandler) => Promise<HttpServer> | HttpServer>> = {
  "node:http": startNodeServer,
  ...(runtime === "node"
    ? { "node:http, a connection for each request": (handle) => startNodeServer(handle, { maxRequestsPerSocket: 1 }) }
    : { "the runtime's own server": startOwnServer }),
};

/** A gateway behind an HTTP server. */
export interface HttpGateway {
  readonly gateway: Gateway;
  readonly events: GatewayEvent[];
  readonly url: string;
  /** Number of requests so far. */
  readonly requests: number;
  /** Makes a client. */
  client(options?: ClientOptions, fetchOptions?: DialFetchOptions): GearmanClient;
  stop(): Promise<void>;
}

/** Starts a gateway that allows everything, unless `allow` is given. */
export async function startHttpGateway(
  options: Partial<GatewayOptions>,
  start: (handle: HttpHandler) => Promise<HttpServer> | HttpServer = startNodeServer,
): Promise<HttpGateway> {
  const events: GatewayEvent[] = [];
  let requests = 0;
  const gateway = new Gateway({ allow: () => true, onEvent: (event) => void events.push(event), ...options });
  const server = await start((request) => {
    requests += 1;
    return gateway.fetch(request);
  });
  return {
    gateway,
    events,
    url: server.url,
    get requests() {
      return requests;
    },
    client: (options, fetchOptions) => new GearmanClient({ dial: dialFetch(server.url, fetchOptions), ...options }),
    stop: async () => {
      await gateway.close();
      await server.stop();
    },
  };
}
