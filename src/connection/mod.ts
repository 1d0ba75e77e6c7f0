/**
 * Connections: packets over any transport, with a dialer of TCP, TLS and unix sockets.
 *
 * For programs that speak the protocol themselves; {@linkcode Connection} is all they need above the codec. What is below it
 * is a {@linkcode Transport}, which yields bytes and takes bytes: a socket ({@linkcode dialTcp}), any pair of streams
 * ({@linkcode fromStreams}), another program in the same memory ({@linkcode memoryPipe}), or an object of your own. Clients,
 * workers, the admin client and the job server take each of them, by their option `dial` or by `accept`.
 *
 * @example Is the job server there?
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

export { Connection } from "./connection.ts";
export { dialTcp, type DialTcpOptions, type TlsOptions } from "../transport/dial_tcp.ts";
export { type Duplex, fromStreams } from "../transport/from_streams.ts";
export { memoryPipe } from "../transport/memory_pipe.ts";
export type { Dial, ServerAddress, Transport } from "../transport/transport.ts";
export { ConnectionError, type ConnectionErrorOptions, GearmanError, ProtocolError } from "../errors.ts";
export { type Decoded, type DecoderOptions, type Packet, type PacketArgs } from "../codec/mod.ts";
export { type PacketInput, PacketType, type TextLine } from "../codec/mod.ts";
