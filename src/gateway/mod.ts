/**
 * A gateway in front of a job server, for clients that have no TCP: browsers and edges, over WebSockets.
 *
 * The client is the same as everywhere, over a transport of `fromWebSocket`. The gateway decodes what comes in,
 * asks whether it is allowed, and passes it on to one job server.
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
 * @module
 */

export { Gateway, type GatewayAcceptOptions, type GatewayEvent, type GatewayOptions } from "./gateway.ts";
export type { GatewayCall } from "./client_request.ts";
export type { WebSocketLike } from "../transport/from_web_socket.ts";
export type { Bytes } from "../internal/bytes.ts";
export type { TlsOptions } from "../transport/dial_tcp.ts";
export type { Dial, DialOptions, ServerAddress, Transport } from "../transport/transport.ts";
