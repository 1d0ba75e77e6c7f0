/**
 * Connections: packets over any transport, with a dialer for TCP, TLS and unix sockets.
 *
 * This entry point is for programs that speak the protocol themselves, with the codec and a {@linkcode Connection}. A
 * connection sends and receives packets over a {@linkcode Transport}, which sends and receives bytes. A transport can be:
 *
 * - a socket ({@linkcode dialTcp})
 * - a pair of web streams ({@linkcode fromStreams})
 * - a WebSocket ({@linkcode fromWebSocket})
 * - requests over `fetch` ({@linkcode dialFetch})
 * - another part of the same program ({@linkcode memoryPipe})
 * - an object of your own
 *
 * All of them also work with clients, workers and the admin client (option `dial`, a function that opens a transport), and
 * with the job server (method `accept`).
 *
 * @example Ask whether the job server is there
 * ```ts
 * import { Connection, dialTcp } from "@gearwire/gearman/connection";
 * import { PacketType } from "@gearwire/gearman/codec";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using connection = new Connection(await dialTcp()(await server.listen(), {}));
 * connection.send(PacketType.ECHO_REQ, "hello");
 * for await (const packet of connection) {
 *   console.log(packet.type === PacketType.ECHO_RES); // true
 *   break;
 * }
 * ```
 *
 * @module
 */

export { Connection, type ConnectionOptions } from "./connection.ts";
export { dialTcp, type DialTcpOptions, type TlsOptions } from "../transport/dial_tcp.ts";
export { type Duplex, fromStreams } from "../transport/from_streams.ts";
export { dialFetch, type DialFetchOptions, type FetchInit } from "./dial_fetch.ts";
export { fromWebSocket, type FromWebSocketOptions, type WebSocketLike } from "../transport/from_web_socket.ts";
export { memoryPipe } from "../transport/memory_pipe.ts";
export type { Bytes } from "../internal/bytes.ts";
export type { Dial, DialOptions, ServerAddress, Transport } from "../transport/transport.ts";
export { ConnectionError, type ConnectionErrorOptions, GearmanError } from "../errors.ts";
export { ProtocolError, type ProtocolErrorOptions } from "../errors.ts";
export type { DecoderOptions, EncodablePacket, Packet, PacketArgs, PacketDecoder, PacketInput } from "../codec/mod.ts";
export { PacketType } from "../codec/mod.ts";
