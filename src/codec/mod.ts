/**
 * The Gearman protocol as pure functions: bytes to packets and lines, packets and lines to bytes.
 *
 * No sockets, no timers, no runtime: it works wherever JavaScript does, and everything else of this library stands on
 * it. Build a client, a proxy or a sniffer of your own on it.
 *
 * @example
 * ```ts
 * import { encodeRequest, PacketDecoder, PacketType } from "@gearwire/gearman/codec";
 *
 * const bytes = encodeRequest(PacketType.ECHO_REQ, "hello");
 * const decoder = new PacketDecoder();
 * decoder.push(bytes.subarray(0, 5)); // any chunking will do
 * decoder.push(bytes.subarray(5));
 * for (const packet of decoder) {
 *   if (packet.type === PacketType.ECHO_REQ) console.log(new TextDecoder().decode(packet.args[0])); // hello
 * }
 * ```
 *
 * @module
 */

export { type Packet, type PacketArgs, type PacketInput, packetName, PacketType } from "./packet.ts";
export { encodeRequest, encodeResponse, PacketEncoder } from "./encoder.ts";
export { type Decoded, decodePackets, type DecoderOptions, PacketDecoder, type TextLine } from "./decoder.ts";
export { ProtocolError } from "../errors.ts";
