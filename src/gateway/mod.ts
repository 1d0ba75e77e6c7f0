/**
 * A gateway in front of a job server, for clients that have no TCP: browsers and edges, over WebSockets or `fetch`.
 *
 * The client is the usual `GearmanClient`, over a transport of `fromWebSocket`, or with `dialFetch` where there is only
 * `fetch`. The gateway decodes each request, asks the option `allow` about it, and passes it on to one job server.
 *
 * ## What platforms lack
 *
 * | platform | what it lacks | what to do |
 * | --- | --- | --- |
 * | browsers | request headers that a program sets on a WebSocket | a token in the query, or a cookie together with a check of `Origin` |
 * | `Deno.serve` | headers that can be read after the upgrade | `new Request(request)` before it |
 * | `Bun.serve` | sockets with events | the adapter below |
 * | Cloudflare Workers | `bufferedAmount`, sockets that outlive a request | the subprotocol `gearman`, a gateway for each request |
 * | Node 20 | a WebSocket | the package `ws` |
 * | Deno, Bun, Node | `unref` of a WebSocket | close the client; with `ws`, see `fromWebSocket` |
 * | edge-runtime (Vercel) | servers of WebSockets | a client there, and the gateway elsewhere |
 * | browsers | more than six requests at a time to one host over `fetch` and HTTP/1.1 | HTTP/2, or a WebSocket |
 * | `Bun.serve` | answers that are silent for more than 10 s | `server.timeout(request, 0)` |
 * | workerd | a sign that a client over `fetch` has left (workerd issue 6832) | nothing: the gateway notices it at the next NOOP, after 15 s |
 * | all | a sign that a peer has vanished without closing | `idleTimeout`, and pings of the platform (Deno and Bun send them) |
 *
 * Give a browser your own id of a background job, not the job's token. A token has the address of the server, and a handle
 * that others can guess. Keep the ids with their tokens on the server, and refuse `status` calls with a handle.
 *
 * @example A gateway, and a client of it
 * ```ts
 * import { fromWebSocket, GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { Gateway } from "@gearwire/gearman/gateway";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using jobServer = new JobServer(); // in production: gearmand
 * await using worker = new GearmanWorker({ dial: jobServer.dial });
 * worker.addFunction("reverse", (job) => [...job.text()].reverse().join(""));
 * worker.run();
 *
 * const users = new Map([["a-token", "anna"]]);
 * await using gateway = new Gateway({
 *   dial: jobServer.dial,
 *   allow(call, request) {
 *     // A browser cannot set headers on a WebSocket: a token in the query, or a cookie together with the Origin.
 *     const user = users.get(new URL(request.url).searchParams.get("token") ?? "");
 *     if (user === undefined) return "Please log in";
 *     return call.kind === "foreground" && call.functionName === "reverse";
 *   },
 * });
 * const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
 *   const copy = new Request(request); // Deno cannot read the headers after the upgrade
 *   const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "gearman" });
 *   gateway.accept(socket, { request: copy });
 *   return response;
 * });
 *
 * const url = `ws://127.0.0.1:${server.addr.port}/?token=a-token`;
 * const client = new GearmanClient({
 *   servers: "jobs", // only a label: it stands in errors, and in the tokens of background jobs
 *   dial: () => fromWebSocket(new WebSocket(url, "gearman")),
 * });
 * console.log(await client.do("reverse", "hello").text()); // olleh
 * await client.close();
 * await server.shutdown();
 * ```
 *
 * @example A client that has only fetch
 * ```ts
 * import { dialFetch, GearmanClient } from "@gearwire/gearman";
 * import { Gateway } from "@gearwire/gearman/gateway";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using jobServer = new JobServer(); // in production: gearmand
 * await using gateway = new Gateway({
 *   dial: jobServer.dial,
 *   allow: (call, request) => request.headers.get("authorization") === "Bearer a-token" && call.kind === "background",
 * });
 * const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => gateway.fetch(request));
 *
 * const client = new GearmanClient({
 *   servers: "jobs", // only a label
 *   dial: dialFetch(`http://127.0.0.1:${server.addr.port}/`, { headers: { authorization: "Bearer a-token" } }),
 * });
 * const job = await client.doBackground("resize", "photo.jpg");
 * console.log((await client.jobStatusByUnique("none").catch((error) => error.code))); // NOT_ALLOWED
 * await client.close();
 * await server.shutdown();
 * ```
 *
 * @example The same on Bun, with an adapter: its sockets have handlers instead of events
 * ```js ignore
 * import { Gateway } from "@gearwire/gearman/gateway";
 * import { allow } from "./allow.js"; // decides who may call what, as above
 *
 * class ServerSocket extends EventTarget {
 *   constructor(socket) {
 *     super();
 *     this.socket = socket;
 *   }
 *   get readyState() {
 *     return this.socket.readyState;
 *   }
 *   get bufferedAmount() {
 *     return this.socket.getBufferedAmount();
 *   }
 *   send(data) {
 *     this.socket.send(data);
 *   }
 *   close(code, reason) {
 *     this.socket.close(code, reason);
 *   }
 *   terminate() {
 *     this.socket.terminate();
 *   }
 * }
 *
 * const gateway = new Gateway({ servers: process.env.GEARMAN, allow });
 * Bun.serve({
 *   hostname: "127.0.0.1",
 *   port: process.env.PORT,
 *   fetch(request, server) {
 *     if (request.method === "POST") {
 *       server.timeout(request, 0); // Bun ends an answer that is silent for 10 s
 *       return gateway.fetch(request);
 *     }
 *     // Bun selects the first subprotocol that the client offers.
 *     if (server.upgrade(request, { data: { request } })) return;
 *     return new Response("Expected a WebSocket", { status: 426 });
 *   },
 *   websocket: {
 *     open(socket) {
 *       socket.data.events = new ServerSocket(socket);
 *       gateway.accept(socket.data.events, { request: socket.data.request });
 *     },
 *     message(socket, data) {
 *       socket.data.events.dispatchEvent(new MessageEvent("message", { data }));
 *     },
 *     close(socket, code, reason) {
 *       socket.data.events.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
 *     },
 *   },
 * });
 * ```
 *
 * @example The same on Node, with `node:http` and the package `ws`
 * ```js ignore
 * import { createServer } from "node:http";
 * import { pipeline, Readable } from "node:stream";
 * import { Gateway } from "@gearwire/gearman/gateway";
 * import { WebSocketServer } from "ws";
 * import { allow } from "./allow.js"; // decides who may call what, as above
 *
 * const gateway = new Gateway({ servers: process.env.GEARMAN, allow });
 * const sockets = new WebSocketServer({ noServer: true }); // selects the first subprotocol that the client offers
 *
 * // For clients over fetch: passes requests to a web-standard handler, also from pages of other origins.
 * async function serve(message, answer) {
 *   answer.setHeader("access-control-allow-origin", "*");
 *   answer.setHeader("access-control-allow-headers", "content-type, authorization");
 *   answer.setHeader("access-control-expose-headers", "retry-after");
 *   if (message.method !== "POST") return answer.writeHead(message.method === "OPTIONS" ? 204 : 405).end();
 *   const left = new AbortController();
 *   answer.once("close", () => left.abort());
 *   const request = new Request(new URL(message.url, "http://localhost"), {
 *     method: "POST",
 *     headers: message.headers,
 *     body: Readable.toWeb(message),
 *     duplex: "half",
 *     signal: left.signal,
 *   });
 *   const response = await gateway.fetch(request);
 *   answer.writeHead(response.status, Object.fromEntries(response.headers)).flushHeaders();
 *   // The rest of a body that was refused is skipped, so that the client gets the answer.
 *   answer.once("finish", () => message.removeAllListeners("data").resume());
 *   pipeline(Readable.fromWeb(response.body), answer, () => {}); // an error cuts the answer off
 * }
 *
 * // What throws must not end the process: a URL that cannot be read, a client that has left.
 * const server = createServer((message, answer) => serve(message, answer).catch(() => answer.destroy()));
 *
 * // For clients over WebSockets.
 * server.on("upgrade", (message, stream, head) => {
 *   try {
 *     const request = new Request(new URL(message.url, "http://localhost"), { headers: message.headers });
 *     sockets.handleUpgrade(message, stream, head, (socket) => gateway.accept(socket, { request }));
 *   } catch {
 *     stream.destroy();
 *   }
 * });
 * server.listen(process.env.PORT, "127.0.0.1");
 * ```
 *
 * @example The same on Deno, as a program
 * ```js ignore
 * import { Gateway } from "@gearwire/gearman/gateway";
 * import { allow } from "./allow.js"; // decides who may call what, as above
 *
 * const gateway = new Gateway({ servers: Deno.env.get("GEARMAN"), allow });
 * Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT")) }, (request) => {
 *   if (request.method === "POST") return gateway.fetch(request);
 *   const copy = new Request(request); // Deno cannot read the headers after the upgrade
 *   const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "gearman" });
 *   gateway.accept(socket, { request: copy });
 *   return response;
 * });
 * ```
 *
 * @example The same in a Cloudflare Worker
 * ```js ignore
 * import { connect } from "cloudflare:sockets";
 * import { fromStreams } from "@gearwire/gearman";
 * import { Gateway } from "@gearwire/gearman/gateway";
 * import { allow } from "./allow.js"; // decides who may call what, as above
 *
 * export default {
 *   fetch(request, env, context) {
 *     const gateway = new Gateway({ servers: env.GEARMAN, dial: (server) => fromStreams(connect(server)), allow });
 *     if (request.method === "POST") return gateway.fetch(request);
 *     const { 0: client, 1: socket } = new WebSocketPair();
 *     socket.accept();
 *     context.waitUntil(gateway.accept(socket, { request }));
 *     const headers = { "sec-websocket-protocol": "gearman" };
 *     return new Response(null, { status: 101, webSocket: client, headers });
 *   },
 * };
 * ```
 *
 * @module
 */

export { Gateway, type GatewayAcceptOptions, type GatewayEvent, type GatewayOptions } from "./gateway.ts";
export type { GatewayCall } from "./client_request.ts";
export type { WebSocketLike } from "../transport/from_web_socket.ts";
export type { Bytes } from "../internal/bytes.ts";
export type { TlsOptions } from "../transport/dial_tcp.ts";
export type { Dial, DialOptions, ServerAddress, Transport } from "../transport/transport.ts";
