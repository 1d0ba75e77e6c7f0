/**
 * The admin client: lists functions, workers and jobs of a job server, limits queues, and cancels jobs.
 *
 * {@linkcode GearmanAdmin} speaks gearmand's text protocol with one server, and has a method for every command of gearmand
 * 1.1.20. It does not need a client or a worker. gearmand 1.1.20 has no command that stops the server.
 *
 * @example List the functions and cancel a job
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

export * from "./admin.ts";
export type { CallOptions, ConnectOptions, GearmanEvent, WatchOptions } from "../connection/options.ts";
export type { Dial, DialOptions, ServerAddress, TlsOptions, Transport } from "../connection/mod.ts";
export { ConnectionError, type ConnectionErrorOptions, GearmanError } from "../errors.ts";
export { ProtocolError, type ProtocolErrorOptions, ServerError } from "../errors.ts";
