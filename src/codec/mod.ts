/**
 * The Gearman protocol as pure functions: bytes to packets and lines, packets and lines to bytes.
 *
 * No sockets, no timers, no runtime: it works wherever JavaScript does, and everything else of this library stands on
 * it. Build a client, a proxy or a sniffer of your own on it.
 *
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
 * ## Packets
 *
 * Every packet is 12 bytes of header (magic `\0REQ` or `\0RES`, type, length of the body; big-endian) and its arguments.
 * All but the last end with a NUL, and the last is the rest of the body. Clients (C) and workers (W) send requests, the
 * job server (S) sends responses: `WORK_` packets leave the worker as requests, and reach clients as responses.
 *
 * | type | name | from → to | arguments |
 * | --- | --- | --- | --- |
 * | 1 | CAN_DO | W → S | functionName |
 * | 2 | CANT_DO | W → S | functionName |
 * | 3 | RESET_ABILITIES | W → S |  |
 * | 4 | PRE_SLEEP | W → S |  |
 * | 6 | NOOP | S → W |  |
 * | 7 | SUBMIT_JOB | C → S | functionName, unique, workload |
 * | 8 | JOB_CREATED | S → C | handle |
 * | 9 | GRAB_JOB | W → S |  |
 * | 10 | NO_JOB | S → W |  |
 * | 11 | JOB_ASSIGN | S → W | handle, functionName, workload |
 * | 12 | WORK_STATUS | W → S → C | handle, numerator, denominator |
 * | 13 | WORK_COMPLETE | W → S → C | handle, data |
 * | 14 | WORK_FAIL | W → S → C | handle |
 * | 15 | GET_STATUS | C → S | handle |
 * | 16 | ECHO_REQ | any → S | data |
 * | 17 | ECHO_RES | S → any | data |
 * | 18 | SUBMIT_JOB_BG | C → S | functionName, unique, workload |
 * | 19 | ERROR | S → any | code, text |
 * | 20 | STATUS_RES | S → C | handle, known, running, numerator, denominator |
 * | 21 | SUBMIT_JOB_HIGH | C → S | functionName, unique, workload |
 * | 22 | SET_CLIENT_ID | any → S | id |
 * | 23 | CAN_DO_TIMEOUT | W → S | functionName, timeout |
 * | 24 | ALL_YOURS | W → S |  |
 * | 25 | WORK_EXCEPTION | W → S → C | handle, data |
 * | 26 | OPTION_REQ | any → S | option |
 * | 27 | OPTION_RES | S → any | option |
 * | 28 | WORK_DATA | W → S → C | handle, data |
 * | 29 | WORK_WARNING | W → S → C | handle, data |
 * | 30 | GRAB_JOB_UNIQ | W → S |  |
 * | 31 | JOB_ASSIGN_UNIQ | S → W | handle, functionName, unique, workload |
 * | 32 | SUBMIT_JOB_HIGH_BG | C → S | functionName, unique, workload |
 * | 33 | SUBMIT_JOB_LOW | C → S | functionName, unique, workload |
 * | 34 | SUBMIT_JOB_LOW_BG | C → S | functionName, unique, workload |
 * | 35 | SUBMIT_JOB_SCHED | C → S | functionName, unique, minute, hour, dayOfMonth, month, dayOfWeek, workload |
 * | 36 | SUBMIT_JOB_EPOCH | C → S | functionName, unique, epoch, workload |
 * | 37 | SUBMIT_REDUCE_JOB | C → S | functionName, unique, reducer, aggregator, workload |
 * | 38 | SUBMIT_REDUCE_JOB_BACKGROUND | C → S | functionName, unique, reducer, aggregator, workload |
 * | 39 | GRAB_JOB_ALL | W → S |  |
 * | 40 | JOB_ASSIGN_ALL | S → W | handle, functionName, unique, reducer, workload |
 * | 41 | GET_STATUS_UNIQUE | C → S | unique |
 * | 42 | STATUS_RES_UNIQUE | S → C | unique, known, running, numerator, denominator, clients |
 *
 * ## Packets as bytes
 *
 * One of each, as whoever is named first sends it:
 *
 * ```text
 * CAN_DO                        \0REQ\0\0\0\x01\0\0\0\x07reverse
 * CANT_DO                       \0REQ\0\0\0\x02\0\0\0\x07reverse
 * RESET_ABILITIES               \0REQ\0\0\0\x03\0\0\0\0
 * PRE_SLEEP                     \0REQ\0\0\0\x04\0\0\0\0
 * NOOP                          \0RES\0\0\0\x06\0\0\0\0
 * SUBMIT_JOB                    \0REQ\0\0\0\x07\0\0\0\x0ereverse\0u1\0abc
 * JOB_CREATED                   \0RES\0\0\0\x08\0\0\0\x07H:box:1
 * GRAB_JOB                      \0REQ\0\0\0\x09\0\0\0\0
 * NO_JOB                        \0RES\0\0\0\x0a\0\0\0\0
 * JOB_ASSIGN                    \0RES\0\0\0\x0b\0\0\0\x13H:box:1\0reverse\0abc
 * WORK_STATUS                   \0REQ\0\0\0\x0c\0\0\0\x0bH:box:1\x001\x002
 * WORK_COMPLETE                 \0REQ\0\0\0\x0d\0\0\0\x0bH:box:1\0cba
 * WORK_FAIL                     \0REQ\0\0\0\x0e\0\0\0\x07H:box:1
 * GET_STATUS                    \0REQ\0\0\0\x0f\0\0\0\x07H:box:1
 * ECHO_REQ                      \0REQ\0\0\0\x10\0\0\0\x03cba
 * ECHO_RES                      \0RES\0\0\0\x11\0\0\0\x03cba
 * SUBMIT_JOB_BG                 \0REQ\0\0\0\x12\0\0\0\x0ereverse\0u1\0abc
 * ERROR                         \0RES\0\0\0\x13\0\0\0\x10QUEUE_ERROR\0full
 * STATUS_RES                    \0RES\0\0\0\x14\0\0\0\x0fH:box:1\x001\x000\x001\x002
 * SUBMIT_JOB_HIGH               \0REQ\0\0\0\x15\0\0\0\x0ereverse\0u1\0abc
 * SET_CLIENT_ID                 \0REQ\0\0\0\x16\0\0\0\x02me
 * CAN_DO_TIMEOUT                \0REQ\0\0\0\x17\0\0\0\x0creverse\x001000
 * ALL_YOURS                     \0REQ\0\0\0\x18\0\0\0\0
 * WORK_EXCEPTION                \0REQ\0\0\0\x19\0\0\0\x0bH:box:1\0cba
 * OPTION_REQ                    \0REQ\0\0\0\x1a\0\0\0\x0aexceptions
 * OPTION_RES                    \0RES\0\0\0\x1b\0\0\0\x0aexceptions
 * WORK_DATA                     \0REQ\0\0\0\x1c\0\0\0\x0bH:box:1\0cba
 * WORK_WARNING                  \0REQ\0\0\0\x1d\0\0\0\x0bH:box:1\0cba
 * GRAB_JOB_UNIQ                 \0REQ\0\0\0\x1e\0\0\0\0
 * JOB_ASSIGN_UNIQ               \0RES\0\0\0\x1f\0\0\0\x16H:box:1\0reverse\0u1\0abc
 * SUBMIT_JOB_HIGH_BG            \0REQ\0\0\0\x20\0\0\0\x0ereverse\0u1\0abc
 * SUBMIT_JOB_LOW                \0REQ\0\0\0\x21\0\0\0\x0ereverse\0u1\0abc
 * SUBMIT_JOB_LOW_BG             \0REQ\0\0\0\x22\0\0\0\x0ereverse\0u1\0abc
 * SUBMIT_JOB_SCHED              \0REQ\0\0\0\x23\0\0\0\x18reverse\0u1\0*\0*\0*\0*\0*\0abc
 * SUBMIT_JOB_EPOCH              \0REQ\0\0\0\x24\0\0\0\x19reverse\0u1\x001893456000\0abc
 * SUBMIT_REDUCE_JOB             \0REQ\0\0\0\x25\0\0\0\x13reverse\0u1\0sum\0\0abc
 * SUBMIT_REDUCE_JOB_BACKGROUND  \0REQ\0\0\0\x26\0\0\0\x13reverse\0u1\0sum\0\0abc
 * GRAB_JOB_ALL                  \0REQ\0\0\0\x27\0\0\0\0
 * JOB_ASSIGN_ALL                \0RES\0\0\0\x28\0\0\0\x1aH:box:1\0reverse\0u1\0sum\0abc
 * GET_STATUS_UNIQUE             \0REQ\0\0\0\x29\0\0\0\x02u1
 * STATUS_RES_UNIQUE             \0RES\0\0\0\x2a\0\0\0\x0cu1\x001\x000\x001\x002\x001
 * ```
 *
 * ## Text
 *
 * Between packets there may be lines of the text protocol, ended by LF or CR LF: what begins with another byte than NUL.
 *
 * @example A sniffer
 * ```ts
 * import { decodePackets, encodeRequest, packetName, PacketType } from "@gearwire/gearman/codec";
 *
 * async function* recorded() { // a socket, a file, one side of a proxy: anything that yields bytes
 *   yield encodeRequest(PacketType.SUBMIT_JOB_BG, "reverse", "", "hello");
 * }
 * for await (const packet of decodePackets(recorded())) {
 *   console.log(packetName(packet.type), packet.args.length); // SUBMIT_JOB_BG 3
 * }
 * ```
 *
 * @module
 */

export { type Packet, type PacketArgs, type PacketInput, packetName, PacketType } from "./packet.ts";
export { encodeRequest, encodeResponse, PacketEncoder } from "./encoder.ts";
export { type Decoded, decodePackets, type DecoderOptions, PacketDecoder, type TextLine } from "./decoder.ts";
export { ProtocolError } from "../errors.ts";
