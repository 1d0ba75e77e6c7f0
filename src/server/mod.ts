/**
 * A job server in memory, for tests, demos and development. It behaves like gearmand 2.0.0, or like 1.1.20 with the option
 * {@linkcode JobServerOptions.version | version}.
 *
 * It serves clients, workers and administrators in three ways:
 *
 * - over TCP, TLS and unix sockets ({@linkcode JobServer.prototype.listen | listen});
 * - in memory ({@linkcode JobServer.prototype.dial | dial});
 * - over any transport ({@linkcode JobServer.prototype.accept | accept}).
 *
 * It also fails on request, so that you can test how a program behaves then:
 *
 * - {@linkcode JobServer.prototype.faults | faults} makes a kind of request fail;
 * - {@linkcode JobServerOptions.fault | fault} decides for each packet;
 * - {@linkcode JobServer.prototype.disconnectAll | disconnectAll} closes every connection.
 *
 * It keeps nothing on disk and has no authentication, so by default it listens on the loopback address. In production, use
 * gearmand.
 *
 * ```ts
 * import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer();
 * const { hostname, port } = await server.listen();
 *
 * await using worker = new GearmanWorker(`${hostname}:${port}`);
 * worker.addFunction("shout", (job) => job.text().toUpperCase());
 * worker.run();
 *
 * await using client = new GearmanClient(`${hostname}:${port}`);
 * console.log(await client.do("shout", "hello").text()); // HELLO
 * ```
 *
 * ## Where it differs from gearmand
 *
 * In some cases, gearmand crashes, hangs, loses jobs or corrupts data. This server does not. All cases were seen in gearmand
 * 1.1.20, and those with 2.0 also in 2.0.0:
 *
 * | where | version | gearmand | JobServer | because |
 * | --- | --- | --- | --- | --- |
 * | a packet type of 0x80000000 or more | 1.1, 2.0 | the whole server ends | closes that connection | one peer must not end the others |
 * | packet type 5, which is unused | 1.1, 2.0 | `INVALID_COMMAND` | closes, as for every unknown type | the type does not exist |
 * | a packet with too few arguments | 1.1, 2.0 | waits, swallows what follows, then closes | closes at once | the packet can never become complete |
 * | a body of up to 4 GiB | 1.1, 2.0 | waits for it | closes beyond `maxPacketSize` | memory is limited |
 * | answers that the peer does not read | 1.1, 2.0 | kept without limit | pauses the requests of that peer above 1 MiB; closes above 64 MiB if the peer has read nothing for 5 s, and above 1 GiB | memory is limited |
 * | a worker's 100,001st CAN_DO, or the server's 100,001st function | 1.1, 2.0 | accepted | closes that connection | memory is limited |
 * | requests, and in the same write the end of the connection | 1.1 | not answered | answered | they are complete requests |
 * | GET_STATUS, GET_STATUS_UNIQUE of 64 bytes or more | 1.1, 2.0 | no answer, and sometimes the connection is closed | the answer for an unknown job | without an answer, every later one belongs to the wrong request |
 * | a unique of 64 bytes | 1.1, 2.0 | cut to 63, never coalesces, and its workload begins with a NUL | kept whole | it is within the limit |
 * | the unique "-" beside a job whose unique is its workload | 1.1, 2.0 | joins that job, and GET_STATUS_UNIQUE may know the job as "-" | is a job of its own | a unique is not a workload |
 * | a unique of more than 64 bytes, of a reduce job | 1.1, 2.0 | reads memory beyond the unique | `ARGUMENT_TOO_LARGE` | as for other jobs |
 * | SUBMIT_JOB_EPOCH with a number over 64 bits | 1.1, 2.0 | no answer, and sometimes the connection is closed | `ARGUMENT_TOO_LARGE` | as for GET_STATUS |
 * | CAN_DO_TIMEOUT with 2^63 - 1 or more | 1.1, 2.0 | not registered; above 64 bits, the connection is sometimes closed | registered, with the longest limit, 24.8 days | the worker gets no error |
 * | a job that was lost 256 times | 1.1, 2.0 | counts as never lost, so a `--job-retries` above 255 has no effect | counts as lost 256 times | the option says so |
 * | WORK_STATUS with a denominator over 10 bytes | 1.1, 2.0 | dropped | forwarded | the worker sent it |
 * | a job that is assigned and, in the same write, ended by its worker | 1.1 | its workload is freed before it is sent, and arrives damaged | its workload | the worker needs it |
 * | the time limit of CAN_DO_TIMEOUT, when the worker grabs another job | 1.1, 2.0 | 1.1: stays with the first job; 2.0: goes to the last one. The others have none | one for each job | the limit belongs to the job |
 * | that time limit, when the worker sends PRE_SLEEP | 1.1, 2.0 | ends | stays | the same |
 * | that time limit, when the job is done and the worker sends nothing more | 1.1, 2.0 | continues, and sets the number of running jobs to 4294967295 | ends with its job | the same |
 * | a foreground job that its clients have left, submitted again while queued | 1.1, 2.0 | answered, then discarded: its client waits forever | runs | JOB_CREATED is a promise |
 * | such a job that is submitted again while it runs, and then its worker is lost | 1.1, 2.0 | discarded | runs again | the same |
 * | a background job that foreground clients joined, and left | 1.1, 2.0 | discarded | runs | the same |
 * | a background submission that joins a foreground job | 1.1, 2.0 | ends with its clients | makes it a background job | the same |
 * | `cancel job` of a running job | 1.1, 2.0 | its WORK_COMPLETE is forwarded after the WORK_FAIL | nothing follows the WORK_FAIL, and a second `cancel job` sends nothing | a job ends once |
 * | `cancel job` of a queued job | 1.1, 2.0 | GET_STATUS_UNIQUE still knows it, and a second `cancel job` sends WORK_FAIL again | only its handle is known, and it ends once | a job ends once |
 * | `cancel job` of an epoch job that waits | 1.1, 2.0 | stays until its time, and dangles if its function is dropped | is removed at once | memory is limited |
 * | a submission with the unique of a cancelled job | 1.1, 2.0 | joins the cancelled job, and is lost with it | makes a new job | JOB_CREATED is a promise |
 * | an epoch job that waits | 1.1 | hides the LOW jobs of its function, from GRAB_JOB but not from PRE_SLEEP | hides none | workers would loop without a job |
 * | an epoch job that waits, with round robin | 1.1 | also hides all jobs of the worker's other functions | hides none | the same |
 * | an epoch job that is due | 1.1, 2.0 | 1.1: wakes no worker; 2.0: wakes sleeping workers up to a second later | wakes sleeping workers at once, as a new job does | it would not run, except that workers of this library ask every `pollInterval` |
 * | PRE_SLEEP after a NOOP, without a GRAB_JOB between | 1.1, 2.0 | never gets a NOOP again | gets a NOOP with the next job | the worker would sleep forever |
 * | `--worker-wakeup`, and the woken worker leaves | 1.1, 2.0 | the others sleep on | wakes others | the job would wait |
 * | `drop function` with queued jobs | 1.1, 2.0 | leaves them dangling | `ERR there are still ...` | they would never run |
 * | `drop function` of a name that exists in other cases too | 1.1, 2.0 | drops all of them, with an `OK` for each | drops the one in the same case, or else the newest | every later answer would belong to the wrong command |
 * | a text line of 8,191 bytes, ended by CR LF | 1.1 | closes the connection | answers | the CR is no part of the line |
 * | `create function` ended by a bare LF | 1.1, 2.0 | cuts off the last letter | takes the whole name | the name is complete |
 * | white space and control characters in names | 1.1, 2.0 | break the lines of `workers` and `status` | shown as `_` (blanks only in identifiers) | programs read these lines |
 *
 * You can also tell it from gearmand:
 *
 * - handles begin with another prefix, and `verbose` is always `INFO`;
 * - lists are in the order in which their entries were first named;
 * - text lines are read as UTF-8;
 * - there is neither a persistent queue nor HTTP.
 *
 * ## Memory
 *
 * A queued job with a workload of 32 bytes takes about 220 bytes of heap on Deno and 280 on Bun, and 930 and 370 bytes of the
 * process's memory (measured with 500,000 jobs). A unique of 36 characters takes 170 to 320 bytes more.
 *
 * @example A connection that is lost when it matters
 * ```ts
 * import { ConnectionError, GearmanClient } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer();
 * server.faults.once("do", "drop-after"); // answers, then closes the connection
 * await using client = new GearmanClient({ dial: server.dial });
 * const error = await client.do("mail").text().catch((error) => error);
 * console.log(error instanceof ConnectionError, error.delivery); // true accepted
 * ```
 *
 * @module
 */

export { JobServer, type JobServerOptions, type JobServerSnapshot } from "./job_server.ts";
export type { ListenOptions, ListenTlsOptions } from "../transport/listen.ts";
export type { Fault } from "./faults.ts";
export type { GearmandVersion } from "./state.ts";
export type { FaultTarget, JobServerFaults, PlannedFault } from "./planned_faults.ts";
export type { Dial, DialOptions, ServerAddress, Transport } from "../transport/transport.ts";
export { type Packet, type PacketArgs, PacketType, type TextLine } from "../codec/mod.ts";
export { ConnectionError, type ConnectionErrorOptions, GearmanError } from "../errors.ts";
