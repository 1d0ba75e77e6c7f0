/**
 * The admin client: what a job server has to do and who does it, limits of queues, and jobs to cancel.
 *
 * It speaks gearmand's text protocol, with one server, and needs no more than a connection does. There is a method for every
 * command that gearmand 1.1.20 has; it has none that stops it.
 *
 * | command | method | what it does |
 * | --- | --- | --- |
 * | `status` | {@linkcode GearmanAdmin.prototype.status | status}, {@linkcode GearmanAdmin.prototype.watch | watch} | lists functions: jobs, those that run, workers |
 * | `prioritystatus` | {@linkcode GearmanAdmin.prototype.priorityStatus | priorityStatus} | lists functions: queued jobs by priority, workers |
 * | `workers` | {@linkcode GearmanAdmin.prototype.workers | workers} | lists connections, and what each can do |
 * | `show jobs` | {@linkcode GearmanAdmin.prototype.showJobs | showJobs} | lists jobs |
 * | `show unique jobs` | {@linkcode GearmanAdmin.prototype.showUniqueJobs | showUniqueJobs} | lists the uniques of jobs |
 * | `version` | {@linkcode GearmanAdmin.prototype.version | version} | says `1.1.20` |
 * | `getpid` | {@linkcode GearmanAdmin.prototype.pid | pid} | says its process id |
 * | `verbose` | {@linkcode GearmanAdmin.prototype.verbose | verbose} | says how much it logs |
 * | `maxqueue` | {@linkcode GearmanAdmin.prototype.maxQueue | maxQueue} | limits how many jobs a function may have |
 * | `create function` | {@linkcode GearmanAdmin.prototype.createFunction | createFunction} | makes a function known |
 * | `drop function` | {@linkcode GearmanAdmin.prototype.dropFunction | dropFunction} | forgets a function |
 * | `cancel job` | {@linkcode GearmanAdmin.prototype.cancelJob | cancelJob} | fails a queued job |
 *
 * @example What there is to do, and cancelling it
 * ```ts
 * import { GearmanClient } from "@gearwire/gearman";
 * import { GearmanAdmin } from "@gearwire/gearman/admin";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using client = new GearmanClient({ dial: server.dial });
 * const { handle } = await client.doBackground("resize", "cat.png");
 *
 * await using admin = new GearmanAdmin({ dial: server.dial });
 * console.log(await admin.status()); // [{ functionName: "resize", total: 1, running: 0, workers: 0 }]
 * await admin.cancelJob(handle);
 * ```
 *
 * @module
 */

export { type FunctionPriorityStatus, type FunctionStatus, GearmanAdmin } from "./admin.ts";
export type { JobInfo, WorkerInfo } from "./admin.ts";
export type { CallOptions, ConnectOptions, GearmanEvent } from "../connection/options.ts";
export type { Dial, ServerAddress, TlsOptions, Transport } from "../connection/mod.ts";
export { ConnectionError, type ConnectionErrorOptions, GearmanError, ProtocolError, ServerError } from "../errors.ts";
