/**
 * A job server in memory, for tests, demos and development: what gearmand 1.1.20 says on the wire, without gearmand.
 *
 * It serves clients, workers and administrators over TCP, TLS and unix sockets
 * ({@linkcode JobServer.prototype.listen | listen}), in memory ({@linkcode JobServer.prototype.dial | dial}) and over any
 * transport ({@linkcode JobServer.prototype.accept | accept}); and it misbehaves on request
 * ({@linkcode JobServerOptions.fault | fault}), so that a program can be tested for the day when its job server does. It
 * keeps nothing on disk and asks nobody who he is: it listens on loopback unless told otherwise, and in production the
 * engine is gearmand.
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
 * Where gearmand crashes, hangs, loses jobs or corrupts, this one does not:
 *
 * | where | gearmand 1.1.20 | JobServer | because |
 * | --- | --- | --- | --- |
 * | a packet type of 0x80000000 or more | the whole server ends | closes that connection | one peer must not end the others |
 * | packet type 5, which is unused | `INVALID_COMMAND` | closes, as for every unknown type | it is none |
 * | a packet with too few arguments | waits, swallows what follows, then closes | closes at once | it can never become whole |
 * | a body of up to 4 GiB | waits for it | closes beyond `maxPacketSize` | memory ends |
 * | answers that nobody reads | kept without limit | serves no more requests of that peer when 1 MiB waits, and closes when 64 MiB wait and none was taken for 5 s, or 1 GiB waits | memory ends |
 * | a worker's 100,001st CAN_DO, or the server's 100,001st function | taken | closes that connection | memory ends |
 * | requests, and in the same write the end of the connection | not answered | answered | they were asked |
 * | GET_STATUS, GET_STATUS_UNIQUE of 64 bytes or more | no answer, and closes or not, by chance | the answer for an unknown job | without one, every later answer is taken for the one before |
 * | a unique of 64 bytes | cut to 63, coalesces with nothing, its workload begins with a NUL | kept whole | it is within the limit |
 * | the unique "-" beside a job whose unique is its workload | joins it, and GET_STATUS_UNIQUE may know the job as "-" | is a job of its own | a unique is not a workload |
 * | a longer unique of a reduce job | read over its end | `ARGUMENT_TOO_LARGE` | as for other jobs |
 * | SUBMIT_JOB_EPOCH with a number over 64 bits | the same | `ARGUMENT_TOO_LARGE` | as for GET_STATUS |
 * | CAN_DO_TIMEOUT with 2^63 - 1 or more | not registered, and beyond 64 bits closes or not, by chance | registered, with the longest limit, 24.8 days | nobody is told otherwise |
 * | a job that was lost 256 times | was lost never, so that `--job-retries` above 255 do not end it | was lost 256 times | it is what the option says |
 * | WORK_STATUS with a denominator over 10 bytes | dropped | forwarded | it is what the worker said |
 * | a job that is assigned and, in the same write, ended by its worker | its workload is freed before it is sent, and is any bytes | its workload | it is the job's |
 * | the time limit of CAN_DO_TIMEOUT, when the worker grabs another job | stays with the first job, the second has none | one for each job | it is the job's |
 * | the same, when the worker sends PRE_SLEEP | ends | stays | the same |
 * | the same, when the job is done and the worker says nothing more | runs on, and makes the count of running jobs 4294967295 | ends with its job | the same |
 * | a foreground job that its clients have left, submitted again while queued | answered, then thrown away: its client waits for ever | runs | JOB_CREATED is a promise |
 * | the same while it runs, and then its worker is lost | thrown away | runs again | the same |
 * | a background job that foreground clients joined, and left | thrown away | runs | the same |
 * | a background submission that joins a foreground job | ends with its clients | makes it a background job | the same |
 * | `cancel job` of a running job | its WORK_COMPLETE is forwarded after the WORK_FAIL | nothing comes after the WORK_FAIL, not by a second `cancel job` either | a job ends once |
 * | `cancel job` of a queued job | GET_STATUS_UNIQUE knows it still, and a second `cancel job` sends WORK_FAIL again | it is known by its handle only, and ends once | a job ends once |
 * | the same of an epoch job that waits | stays until its time, dangling where its function is dropped | goes at once | memory ends |
 * | submitting what was cancelled | joins the cancelled job, and vanishes with it | makes a new job | JOB_CREATED is a promise |
 * | an epoch job that waits | hides the LOW jobs of its function, from GRAB_JOB but not from PRE_SLEEP | hides none | workers would go round in circles |
 * | the same, with round robin | hides all jobs of the worker's other functions too | hides none | the same |
 * | an epoch job that is due | wakes nobody | wakes sleepers as a new job does | it would not run |
 * | PRE_SLEEP after a NOOP, without a GRAB_JOB between | no NOOP ever again | a NOOP with the next job | the worker would sleep for ever |
 * | `--worker-wakeup`, and the woken worker leaves | the others sleep on | wakes others | the job would wait |
 * | `drop function` with queued jobs | leaves them dangling | `ERR there are still ...` | they would never run |
 * | `drop function` of a name that is there in other cases too | drops all of them, with an `OK` for each | drops the one so written, or else the first | later answers would be taken for those before |
 * | `create function` ended by a bare LF | cuts the last letter off | takes the whole name | it is a name |
 * | white space and control characters in names | break the lines of `workers` and `status` | shown as `_` (blanks only in identifiers) | lines are for programs |
 *
 * And it is not gearmand: `version` and the handles say so, `verbose` is always `INFO`, lists are in the order in which
 * things were first named, text lines are read as UTF-8, and there is neither a persistent queue nor HTTP.
 *
 * ## What it takes
 *
 * A queued job with a workload of 32 bytes takes about 550 bytes of heap on Deno and 470 on Bun (of the process's memory
 * 900 and 600 bytes; measured with 500,000 jobs), and a unique of 36 characters 150 to 250 more.
 *
 * @example A connection that is lost when it matters
 * ```ts
 * import { ConnectionError, GearmanClient } from "@gearwire/gearman";
 * import { PacketType } from "@gearwire/gearman/codec";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer({
 *   fault: (request) => // answers, and ends the connection
 *     request.magic === "REQ" && request.type === PacketType.SUBMIT_JOB ? "drop-after" : undefined,
 * });
 * await using client = new GearmanClient({ dial: server.dial });
 * const error = await client.do("mail").text().catch((error) => error);
 * console.log(error instanceof ConnectionError, error.delivery); // true accepted
 * ```
 *
 * @module
 */

export { JobServer, type JobServerOptions, type JobServerSnapshot } from "./job_server.ts";
export type { ListenOptions } from "../transport/listen.ts";
export type { Fault } from "./faults.ts";
export type { Dial, ServerAddress, Transport } from "../transport/transport.ts";
export { type Packet, type PacketArgs, PacketType, type TextLine } from "../codec/mod.ts";
export { ConnectionError, type ConnectionErrorOptions, GearmanError } from "../errors.ts";
