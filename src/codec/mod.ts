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
 * Every packet is 12 bytes of header (magic `\0REQ` or `\0RES`, type, length of the body; big-endian) and its arguments. All
 * but the last end with a NUL, and the last is the rest of the body. WORK_ packets leave the worker as requests, and reach
 * clients as responses.
 *
 * | type | name | who sends it to whom | arguments | for example |
 * | --- | --- | --- | --- | --- |
 * | 1 | CAN_DO | Worker to server | functionName | `\0REQ\0\0\0\x01\0\0\0\x07reverse` |
 * | 2 | CANT_DO | Worker to server | functionName | `\0REQ\0\0\0\x02\0\0\0\x07reverse` |
 * | 3 | RESET_ABILITIES | Worker to server |  | `\0REQ\0\0\0\x03\0\0\0\0` |
 * | 4 | PRE_SLEEP | Worker to server |  | `\0REQ\0\0\0\x04\0\0\0\0` |
 * | 6 | NOOP | Server to worker |  | `\0RES\0\0\0\x06\0\0\0\0` |
 * | 7 | SUBMIT_JOB | Client to server | functionName, unique, workload | `\0REQ\0\0\0\x07\0\0\0\x0ereverse\0u1\0abc` |
 * | 8 | JOB_CREATED | Server to client | handle | `\0RES\0\0\0\x08\0\0\0\x07H:box:1` |
 * | 9 | GRAB_JOB | Worker to server |  | `\0REQ\0\0\0\x09\0\0\0\0` |
 * | 10 | NO_JOB | Server to worker |  | `\0RES\0\0\0\x0a\0\0\0\0` |
 * | 11 | JOB_ASSIGN | Server to worker | handle, functionName, workload | `\0RES\0\0\0\x0b\0\0\0\x13H:box:1\0reverse\0abc` |
 * | 12 | WORK_STATUS | Worker to server to client | handle, numerator, denominator | `\0REQ\0\0\0\x0c\0\0\0\x0bH:box:1\x001\x002` |
 * | 13 | WORK_COMPLETE | Worker to server to client | handle, data | `\0REQ\0\0\0\x0d\0\0\0\x0bH:box:1\0cba` |
 * | 14 | WORK_FAIL | Worker to server to client | handle | `\0REQ\0\0\0\x0e\0\0\0\x07H:box:1` |
 * | 15 | GET_STATUS | Client to server | handle | `\0REQ\0\0\0\x0f\0\0\0\x07H:box:1` |
 * | 16 | ECHO_REQ | Anyone to server | data | `\0REQ\0\0\0\x10\0\0\0\x03cba` |
 * | 17 | ECHO_RES | Server to anyone | data | `\0RES\0\0\0\x11\0\0\0\x03cba` |
 * | 18 | SUBMIT_JOB_BG | Client to server | functionName, unique, workload | `\0REQ\0\0\0\x12\0\0\0\x0ereverse\0u1\0abc` |
 * | 19 | ERROR | Server to anyone | code, text | `\0RES\0\0\0\x13\0\0\0\x10QUEUE_ERROR\0full` |
 * | 20 | STATUS_RES | Server to client | handle, known, running, numerator, denominator | `\0RES\0\0\0\x14\0\0\0\x0fH:box:1\x001\x000\x001\x002` |
 * | 21 | SUBMIT_JOB_HIGH | Client to server | functionName, unique, workload | `\0REQ\0\0\0\x15\0\0\0\x0ereverse\0u1\0abc` |
 * | 22 | SET_CLIENT_ID | Anyone to server | id | `\0REQ\0\0\0\x16\0\0\0\x02me` |
 * | 23 | CAN_DO_TIMEOUT | Worker to server | functionName, timeout | `\0REQ\0\0\0\x17\0\0\0\x0creverse\x001000` |
 * | 24 | ALL_YOURS | Worker to server |  | `\0REQ\0\0\0\x18\0\0\0\0` |
 * | 25 | WORK_EXCEPTION | Worker to server to client | handle, data | `\0REQ\0\0\0\x19\0\0\0\x0bH:box:1\0cba` |
 * | 26 | OPTION_REQ | Anyone to server | option | `\0REQ\0\0\0\x1a\0\0\0\x0aexceptions` |
 * | 27 | OPTION_RES | Server to anyone | option | `\0RES\0\0\0\x1b\0\0\0\x0aexceptions` |
 * | 28 | WORK_DATA | Worker to server to client | handle, data | `\0REQ\0\0\0\x1c\0\0\0\x0bH:box:1\0cba` |
 * | 29 | WORK_WARNING | Worker to server to client | handle, data | `\0REQ\0\0\0\x1d\0\0\0\x0bH:box:1\0cba` |
 * | 30 | GRAB_JOB_UNIQ | Worker to server |  | `\0REQ\0\0\0\x1e\0\0\0\0` |
 * | 31 | JOB_ASSIGN_UNIQ | Server to worker | handle, functionName, unique, workload | `\0RES\0\0\0\x1f\0\0\0\x16H:box:1\0reverse\0u1\0abc` |
 * | 32 | SUBMIT_JOB_HIGH_BG | Client to server | functionName, unique, workload | `\0REQ\0\0\0\x20\0\0\0\x0ereverse\0u1\0abc` |
 * | 33 | SUBMIT_JOB_LOW | Client to server | functionName, unique, workload | `\0REQ\0\0\0\x21\0\0\0\x0ereverse\0u1\0abc` |
 * | 34 | SUBMIT_JOB_LOW_BG | Client to server | functionName, unique, workload | `\0REQ\0\0\0\x22\0\0\0\x0ereverse\0u1\0abc` |
 * | 35 | SUBMIT_JOB_SCHED | Client to server | functionName, unique, minute, hour, dayOfMonth, month, dayOfWeek, workload | `\0REQ\0\0\0\x23\0\0\0\x18reverse\0u1\0*\0*\0*\0*\0*\0abc` |
 * | 36 | SUBMIT_JOB_EPOCH | Client to server | functionName, unique, epoch, workload | `\0REQ\0\0\0\x24\0\0\0\x19reverse\0u1\x001893456000\0abc` |
 * | 37 | SUBMIT_REDUCE_JOB | Client to server | functionName, unique, reducer, aggregator, workload | `\0REQ\0\0\0\x25\0\0\0\x13reverse\0u1\0sum\0\0abc` |
 * | 38 | SUBMIT_REDUCE_JOB_BACKGROUND | Client to server | functionName, unique, reducer, aggregator, workload | `\0REQ\0\0\0\x26\0\0\0\x13reverse\0u1\0sum\0\0abc` |
 * | 39 | GRAB_JOB_ALL | Worker to server |  | `\0REQ\0\0\0\x27\0\0\0\0` |
 * | 40 | JOB_ASSIGN_ALL | Server to worker | handle, functionName, unique, reducer, workload | `\0RES\0\0\0\x28\0\0\0\x1aH:box:1\0reverse\0u1\0sum\0abc` |
 * | 41 | GET_STATUS_UNIQUE | Client to server | unique | `\0REQ\0\0\0\x29\0\0\0\x02u1` |
 * | 42 | STATUS_RES_UNIQUE | Server to client | unique, known, running, numerator, denominator, clients | `\0RES\0\0\0\x2a\0\0\0\x0cu1\x001\x000\x001\x002\x001` |
 *
 * Between packets there may be lines of the text protocol, ended by LF or CR LF: what begins with another byte than NUL.
 *
 * @module
 */

export { type Packet, type PacketArgs, type PacketInput, packetName, PacketType } from "./packet.ts";
export { encodeRequest, encodeResponse, PacketEncoder } from "./encoder.ts";
export { type Decoded, decodePackets, type DecoderOptions, PacketDecoder, type TextLine } from "./decoder.ts";
export { ProtocolError } from "../errors.ts";
