/**
 * Gearman for Deno, Bun, Node and edge runtimes: submit jobs to a job server, follow them, and work on them.
 *
 * This entry point has the client ({@linkcode GearmanClient}), the worker ({@linkcode GearmanWorker}), typed functions
 * ({@linkcode defineFunction}) and the errors. There are five more entry points:
 *
 * | import | what it has |
 * | --- | --- |
 * | `@gearwire/gearman/admin` | the text protocol: the state of a job server, limits of queues, cancelling jobs |
 * | `@gearwire/gearman/codec` | pure functions that encode and decode packets, and a description of the wire format |
 * | `@gearwire/gearman/connection` | packets over any transport, for programs that speak the protocol themselves |
 * | `@gearwire/gearman/gateway` | a gateway for clients that have no TCP: browsers and edges, over WebSockets or `fetch` |
 * | `@gearwire/gearman/server` | a job server in memory, for tests and development |
 *
 * @example A worker and its client
 * ```ts
 * import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer(); // in production: gearmand
 * await using worker = new GearmanWorker({ dial: server.dial });
 * worker.addFunction("reverse", (job) => [...job.text()].reverse().join(""));
 * worker.run();
 *
 * await using client = new GearmanClient({ dial: server.dial });
 * console.log(await client.do("reverse", "hello").text()); // olleh
 * ```
 *
 * @module
 */

export { type ClientOptions, GearmanClient } from "./src/client/client.ts";
export type { Job, JobEvent } from "./src/client/job.ts";
export type { Balance } from "./src/client/balance.ts";
export type { BackgroundJob } from "./src/client/background_job.ts";
export type { JobStatus, UniqueJobStatus } from "./src/client/status.ts";
export type { DoBackgroundOptions, DoOptions, Priority } from "./src/client/submission_packet.ts";
export type { DoBackgroundAllOptions } from "./src/client/batch.ts";
export type { CallOptions, ConnectOptions, GearmanEvent, WatchOptions } from "./src/connection/options.ts";
export type { Bytes } from "./src/internal/bytes.ts";
export type { Workload } from "./src/connection/arguments.ts";
export { dialFetch, dialTcp, fromStreams, fromWebSocket } from "./src/connection/mod.ts";
export type {
  Dial,
  DialFetchOptions,
  DialOptions,
  DialTcpOptions,
  Duplex,
  FetchInit,
  FromWebSocketOptions,
  ServerAddress,
  TlsOptions,
  Transport,
  WebSocketLike,
} from "./src/connection/mod.ts";
export { ConnectionError, GearmanError, JobFailedError, ProtocolError, ServerError } from "./src/errors.ts";
export { ValidationError } from "./src/errors.ts";
export type { ConnectionErrorOptions, JobFailedErrorOptions, ProtocolErrorOptions, SchemaIssue } from "./src/errors.ts";
export { defineFunction } from "./src/function/define_function.ts";
export type { AnyFunction, CallArguments, GearmanFunction } from "./src/function/function.ts";
export type { JsonName } from "./src/function/json_name.ts";
export type { EncodeOptions, FunctionOptions, Payload } from "./src/function/payload.ts";
export type { Schema, SchemaResult } from "./src/function/schema.ts";
export { bytesSerializer, jsonSerializer, type Serializer } from "./src/function/serializer.ts";
export { type AddFunctionOptions, GearmanWorker, type RunOptions, type WorkerOptions } from "./src/worker/worker.ts";
export type { AssignedJob, JobContext, JobHandler } from "./src/worker/assigned_job.ts";
export type { FunctionHandler, HandlerOf } from "./src/worker/typed_handler.ts";
