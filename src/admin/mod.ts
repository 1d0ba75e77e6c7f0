/**
 * The admin client: what a job server has to do and who does it, limits of queues, and jobs to cancel.
 *
 * It speaks gearmand's text protocol, with one server, and needs no more than a connection does.
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
