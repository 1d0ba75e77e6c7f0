/** The job server itself: its options, the ways in, and its end. */

import { ConnectionError } from "../errors.ts";
import { checkFunction, wholeNumber } from "../internal/checks.ts";
import { DEFAULT_MAX_PACKET_SIZE } from "../codec/decoder.ts";
import type { Packet, TextLine } from "../codec/mod.ts";
import { listen, type Listener, type ListenOptions } from "../transport/listen.ts";
import { memoryPipe } from "../transport/memory_pipe.ts";
import type { Dial, ServerAddress, Transport } from "../transport/transport.ts";
import { toText } from "./names.ts";
import { Dispatcher } from "./dispatcher.ts";
import { PacketCommands } from "./packet_commands.ts";
import type { Fault } from "./faults.ts";
import { Peer, type PeerSettings } from "./peer.ts";
import { State } from "./state.ts";
import { TextCommands } from "./text_commands.ts";

/** Options of {@linkcode JobServer}; the names are those of gearmand where it has them. */
export interface JobServerOptions {
  /** What handles begin with, before a colon and a number; default `H:gearwire`. ASCII, without blanks. */
  handlePrefix?: string;
  /** After so many lost workers a job fails instead of being queued again; default 0, never. */
  jobRetries?: number;
  /** Send WORK_EXCEPTION to every client, whether it has asked for the option or not; default false. */
  exceptions?: boolean;
  /** Give a worker's functions out in turn, instead of always looking at the one it registered last first. */
  roundRobin?: boolean;
  /** How many sleeping workers a job wakes; default 0, all that can do it. */
  workerWakeup?: number;
  /** Largest packet body accepted, in bytes; default 128 MiB. A connection that announces more is closed. */
  maxPacketSize?: number;
  /** Most jobs at a time, running ones included; one more is answered `QUEUE_ERROR`. Default no limit. */
  maxJobs?: number;
  /**
   * Most connections at a time; one more is closed at once. With TLS a connection counts from the end of its handshake, for
   * which there are 10 s. Default no limit.
   */
  maxConnections?: number;
  /**
   * For tests: called for each request before it is served; what it returns goes wrong.
   *
   * `"drop-before"` closes the connection instead of serving the request, `"drop-after"` when the answer has gone out.
   * `"stall"` leaves it open, and neither serves nor sends anything on it any more. `"split"` serves, and sends what
   * that causes on this connection in writes of 1 to 7 bytes. `{ error: [code, text] }` answers ERROR (to a line of
   * the text protocol `ERR`) instead of serving. An error that it throws ends the connection, and is not caught; the
   * same is true of a `TypeError`, where it returns anything else.
   */
  fault?(request: Packet | TextLine): Fault | undefined;
}

/** What {@linkcode JobServer.prototype.inspect | inspect} sees. */
export interface JobServerSnapshot {
  /** How many connections are open. */
  readonly connections: number;
  /** Functions in the order in which they were first named, with their queued jobs by priority, and their workers. */
  readonly functions: readonly {
    readonly functionName: string;
    readonly high: number;
    readonly normal: number;
    readonly low: number;
    readonly workers: number;
  }[];
  /** Jobs in the order in which they were submitted. */
  readonly jobs: readonly {
    readonly handle: string;
    readonly functionName: string;
    readonly unique: string;
    readonly running: boolean;
  }[];
}

const DEFAULT_PREFIX = "H:gearwire";
/**
 * Longest prefix of handles, in bytes. gearmand and clients written in C keep a handle in 64 bytes, of which one is a
 * NUL, one a colon, and ten are the digits of gearmand's number.
 */
const MAX_PREFIX = 52;
const MAX_NUMBER = 4_294_967_295;

/**
 * An in-memory job server, which behaves as gearmand 1.1.20 does.
 *
 * For tests, demos and development: it keeps nothing on disk and asks nobody for a password. Where it differs from
 * gearmand, the documentation of this module says so.
 *
 * @example A job, without a network
 * ```ts
 * import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
 * import { JobServer } from "@gearwire/gearman/server";
 *
 * await using server = new JobServer();
 * await using worker = new GearmanWorker({ dial: server.dial }); // no sockets: all in memory
 * worker.addFunction("reverse", (job) => [...job.text()].reverse().join(""));
 * worker.run();
 *
 * await using client = new GearmanClient({ dial: server.dial });
 * console.log(await client.do("reverse", "hello").text()); // olleh
 * ```
 */
export class JobServer implements AsyncDisposable {
  readonly #state: State;
  readonly #dispatcher: Dispatcher;
  readonly #peers = new Set<Peer>();
  readonly #listeners = new Set<Listener>();
  readonly #maxConnections: number;
  readonly #peerSettings: PeerSettings;
  #accepted = 0;
  #closing: Promise<void> | undefined;

  /**
   * Connects in memory, whatever address is asked for: give it to clients and workers of the same process.
   *
   * Rejects with the signal's reason if that is aborted, and with a `ConnectionError` where the server is closed.
   */
  readonly dial: Dial = (_server, { signal } = {}) =>
    new Promise((resolve) => {
      signal?.throwIfAborted();
      const [here, there] = memoryPipe();
      this.accept(there);
      resolve(here);
    });

  /**
   * Makes a server, which serves nobody until it is given a way in: `listen`, `dial` or `accept`.
   *
   * @throws {TypeError} An option is of the wrong kind.
   * @throws {RangeError} A number is out of range, or the prefix is empty, over 52 bytes, or not printable ASCII.
   */
  constructor(options: JobServerOptions = {}) {
    const { handlePrefix = DEFAULT_PREFIX, exceptions = false, roundRobin = false, fault } = options;
    if (typeof handlePrefix !== "string" || !/^[!-~]+$/.test(handlePrefix) || handlePrefix.length > MAX_PREFIX) {
      throw new RangeError(`Cannot use handlePrefix: expected 1 to ${MAX_PREFIX} characters of ASCII without blanks`);
    }
    if (typeof exceptions !== "boolean" || typeof roundRobin !== "boolean") {
      throw new TypeError("Cannot use exceptions or roundRobin: expected true or false");
    }
    if (fault !== undefined) checkFunction(fault, "fault");
    const number = (name: NumberOption, otherwise: number, least: number) =>
      wholeNumber(options, name, otherwise, least, MAX_NUMBER);
    this.#maxConnections = number("maxConnections", Infinity, 1);
    this.#state = new State({
      handlePrefix,
      roundRobin,
      jobRetries: number("jobRetries", 0, 0),
      workerWakeup: number("workerWakeup", 0, 0),
      maxJobs: number("maxJobs", Infinity, 1),
    });
    this.#dispatcher = new Dispatcher(this.#state);
    const packetCommands = new PacketCommands(this.#state, this.#dispatcher);
    const textCommands = new TextCommands({ state: this.#state, dispatcher: this.#dispatcher, peers: this.#peers });
    this.#peerSettings = {
      exceptions,
      maxPacketSize: number("maxPacketSize", DEFAULT_MAX_PACKET_SIZE, 0),
      fault: fault?.bind(options),
      serve: (peer, request) => {
        if (request.magic === "TEXT") textCommands.serve(peer, request);
        else packetCommands.serve(peer, request);
      },
    };
  }

  /**
   * Listens on TCP or on a unix socket, and resolves to the address really bound; default 127.0.0.1 and a free port.
   * It may be called more than once.
   *
   * @throws {TypeError} `path` is given together with `hostname` or `port`, or `tls` lacks its certificate or key.
   * @throws {RangeError} The port is not a whole number from 0 to 65,535.
   * @throws {ConnectionError} It cannot listen there (`cause` says why), or the server is closed.
   * @throws {GearmanError} This runtime has no listening sockets.
   */
  async listen(options: ListenOptions = {}): Promise<ServerAddress> {
    this.#assertOpen("listen");
    const listener = await listen(options, (transport, address) => this.#accept(transport, address));
    if (this.#closing !== undefined) listener.close();
    this.#assertOpen("listen");
    this.#listeners.add(listener);
    return listener.address;
  }

  /**
   * Serves one connection over a transport of the caller's.
   *
   * @throws {TypeError} It is not a transport.
   * @throws {ConnectionError} The server is closed.
   */
  accept(transport: Transport): void {
    const methods = ["write", "close", Symbol.asyncIterator] as const;
    if (methods.some((name) => typeof transport?.[name] !== "function")) {
      throw new TypeError("Cannot accept: no transport");
    }
    this.#assertOpen("accept");
    this.#accept(transport, "-");
  }

  /** Looks inside, without a connection: what the server holds at this moment. */
  inspect(): JobServerSnapshot {
    return {
      connections: this.#peers.size,
      functions: Array.from(this.#state.functions.values(), ({ name, queued: [high, normal, low], workers }) => {
        return { functionName: toText(name), high, normal, low, workers: workers.length };
      }),
      jobs: Array.from(this.#state.jobs.values(), ({ handle, functionQueue, details, ability }) => ({
        handle,
        functionName: toText(functionQueue.name),
        unique: toText(details.unique),
        running: ability !== undefined,
      })),
    };
  }

  /**
   * Closes every listener, connection and timer; answers already given may still go out, for two seconds at most to a
   * peer that does not read. Jobs are gone with it. Idempotent.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode JobServer.prototype.close | close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#dispatcher.close();
    for (const listener of this.#listeners) listener.close();
    await Promise.all(Array.from(this.#peers, (peer) => peer.drop()));
    this.#peers.clear();
    this.#state.clear();
  }

  #assertOpen(verb: string): void {
    if (this.#closing !== undefined) throw new ConnectionError(`Cannot ${verb}: the job server is closed`);
  }

  #accept(transport: Transport, address: string): void {
    const peer = new Peer(++this.#accepted, address, transport, this.#peerSettings);
    if (this.#closing !== undefined || this.#peers.size >= this.#maxConnections) peer.drop();
    else this.#serve(peer);
  }

  async #serve(peer: Peer): Promise<void> {
    this.#peers.add(peer);
    try {
      await peer.run();
    } finally {
      this.#dispatcher.release(peer);
      await peer.end();
      this.#peers.delete(peer);
    }
  }
}

type NumberOption = "jobRetries" | "workerWakeup" | "maxPacketSize" | "maxJobs" | "maxConnections";
