/**
 * The Gearman protocol as pure functions: bytes to packets and lines, packets and lines to bytes.
 *
 * The codec needs no sockets and no timers, and works on every JavaScript runtime. The rest of this library uses it.
 * Use it to build a client, a proxy or a sniffer.
 *
 * ```ts
 * import { encodeRequest, PacketDecoder, PacketType } from "@gearwire/gearman/codec";
 *
 * const bytes = encodeRequest(PacketType.ECHO_REQ, "hello");
 * const decoder = new PacketDecoder();
 * decoder.push(bytes.subarray(0, 5)); // in chunks of any size
 * decoder.push(bytes.subarray(5));
 * for (const packet of decoder) {
 *   if (packet.type === PacketType.ECHO_REQ) console.log(new TextDecoder().decode(packet.args[0])); // hello
 * }
 * ```
 *
 * ## Packets
 *
 * Every packet has a header of 12 bytes (magic `\0REQ` or `\0RES`, type, length of the body; big-endian) and a body with
 * its arguments. All arguments but the last end with a NUL, and the last is the rest of the body. Clients (C) and workers
 * (W) send requests, and the job server (S) sends responses: `WORK_` packets leave the worker as requests, and reach
 * clients as responses.
 *
 * | type | name | from → to | arguments | meaning |
 * | --- | --- | --- | --- | --- |
 * | 1 | CAN_DO | W → S | functionName | this worker can do the function |
 * | 2 | CANT_DO | W → S | functionName | it can no longer do the function; a running job of that function goes back to the queue |
 * | 3 | RESET_ABILITIES | W → S |  | CANT_DO for every function |
 * | 4 | PRE_SLEEP | W → S |  | it is about to sleep, and NOOP wakes it |
 * | 6 | NOOP | S → W |  | wake up, there may be a job |
 * | 7 | SUBMIT_JOB | C → S | functionName, unique, workload | a foreground job of normal priority |
 * | 8 | JOB_CREATED | S → C | handle | the job is queued under this handle |
 * | 9 | GRAB_JOB | W → S |  | asks for a job |
 * | 10 | NO_JOB | S → W |  | there is no job |
 * | 11 | JOB_ASSIGN | S → W | handle, functionName, workload | a job |
 * | 12 | WORK_STATUS | W → S → C | handle, numerator, denominator | progress, as two decimal numbers |
 * | 13 | WORK_COMPLETE | W → S → C | handle, data | the job is done |
 * | 14 | WORK_FAIL | W → S → C | handle | the job failed; gearmand may put a NUL, or a NUL and more, after the handle |
 * | 15 | GET_STATUS | C → S | handle | asks for the status of a job, by its handle |
 * | 16 | ECHO_REQ | C, W → S | data | asks for these bytes back |
 * | 17 | ECHO_RES | S → C, W | data | the bytes of an ECHO_REQ |
 * | 18 | SUBMIT_JOB_BG | C → S | functionName, unique, workload | a background job of normal priority |
 * | 19 | ERROR | S → C, W | code, text | a request could not be served |
 * | 20 | STATUS_RES | S → C | handle, known, running, numerator, denominator | the answer to GET_STATUS |
 * | 21 | SUBMIT_JOB_HIGH | C → S | functionName, unique, workload | a foreground job of high priority |
 * | 22 | SET_CLIENT_ID | C, W → S | id | the name that the command `workers` shows |
 * | 23 | CAN_DO_TIMEOUT | W → S | functionName, timeout | CAN_DO with a time limit for each job, in milliseconds on gearmand (at least 1,000) |
 * | 24 | ALL_YOURS | W → S |  | in PROTOCOL, but refused by gearmand |
 * | 25 | WORK_EXCEPTION | W → S → C | handle, data | the job failed with an exception; no packet of that job follows |
 * | 26 | OPTION_REQ | C, W → S | option | switches an option on; gearmand knows `exceptions` |
 * | 27 | OPTION_RES | S → C, W | option | the option is on |
 * | 28 | WORK_DATA | W → S → C | handle, data | a piece of the result |
 * | 29 | WORK_WARNING | W → S → C | handle, data | a warning |
 * | 30 | GRAB_JOB_UNIQ | W → S |  | asks for a job with its unique |
 * | 31 | JOB_ASSIGN_UNIQ | S → W | handle, functionName, unique, workload | a job with its unique |
 * | 32 | SUBMIT_JOB_HIGH_BG | C → S | functionName, unique, workload | a background job of high priority |
 * | 33 | SUBMIT_JOB_LOW | C → S | functionName, unique, workload | a foreground job of low priority |
 * | 34 | SUBMIT_JOB_LOW_BG | C → S | functionName, unique, workload | a background job of low priority |
 * | 35 | SUBMIT_JOB_SCHED | C → S | functionName, unique, minute, hour, dayOfMonth, month, dayOfWeek, workload | a job by a calendar; in PROTOCOL, but refused by gearmand |
 * | 36 | SUBMIT_JOB_EPOCH | C → S | functionName, unique, epoch, workload | a background job that waits until a time, in seconds since 1970 |
 * | 37 | SUBMIT_REDUCE_JOB | C → S | functionName, unique, reducer, aggregator, workload | a foreground job with a reducer |
 * | 38 | SUBMIT_REDUCE_JOB_BACKGROUND | C → S | functionName, unique, reducer, aggregator, workload | a background job with a reducer |
 * | 39 | GRAB_JOB_ALL | W → S |  | asks for a job with its unique and reducer |
 * | 40 | JOB_ASSIGN_ALL | S → W | handle, functionName, unique, reducer, workload | a job with its unique and reducer; gearmand sends JOB_ASSIGN_UNIQ for a job without one |
 * | 41 | GET_STATUS_UNIQUE | C → S | unique | asks for the status of a job, by its unique |
 * | 42 | STATUS_RES_UNIQUE | S → C | unique, known, running, numerator, denominator, clients | the answer to GET_STATUS_UNIQUE |
 *
 * ## Packets as bytes
 *
 * One packet of each type, as its first sender in the table above sends it:
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
 * Lines of the text protocol may stand between packets. A line begins with a byte other than NUL, and ends with LF or
 * CR LF. {@linkcode encodeLine} makes one, and a {@linkcode MixedDecoder} decodes lines and packets.
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
export { type EncodablePacket, encodeRequest, encodeResponse, PacketEncoder } from "./encoder.ts";
export { decodePackets, type DecoderOptions, PacketDecoder } from "./decoder.ts";
export { encodeLine, MixedDecoder, type MixedDecoderOptions, type TextLine } from "./lines.ts";
export { ProtocolError, type ProtocolErrorOptions } from "../errors.ts";
