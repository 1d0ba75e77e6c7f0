/** The job server: its options, its entry points, and its end. */

import { ConnectionError } from "../errors.ts";
import { checkFunction, checkOneOf, checkOptions, wholeNumber } from "../internal/checks.ts";
import { DEFAULT_MAX_PACKET_SIZE } from "../codec/decoder.ts";
import type { Packet, TextLine } from "../codec/mod.ts";
import { listen, type Listener, type ListenOptions } from "../transport/listen.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { memoryPipe } from "../transport/memory_pipe.ts";
import type { Dial, ServerAddress, Transport } from "../transport/transport.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Fault } from "./faults.ts";
import { toText } from "./names.ts";
import { FaultPlan, type JobServerFaults } from "./planned_faults.ts";
import { PacketCommands } from "./packet_commands.ts";
import { Peer, type PeerSettings } from "./peer.ts";
import { type GearmandVersion, ServerState } from "./state.ts";
import { TextCommands } from "./text_commands.ts";

/** Options of {@linkcode JobServer}. An option that gearmand has, too, has the same name here. */
export interface JobServerOptions {
  /**
   * The version of gearmand that the server answers as, default `"2.0"`.
   *
   * - `"2.0"`, as gearmand 2.0.0: a worker with several functions gets the job of the highest priority first, and jobs of the
   *   same priority from its functions in turn.
   * - `"1.1"`, as gearmand 1.1.20: it gets all jobs of the function that it registered last first, whatever their priority.
   */
  version?: GearmandVersion | undefined;
  /**
   * Start of every job handle, before a colon and a number; default `H:gearwire`. It must have 1 to 52 characters of
   * printable ASCII, without blanks.
   */
  handlePrefix?: string | undefined;
  /** Number of lost workers after which a job fails instead of being queued again; default 0, which means never. */
  jobRetries?: number | undefined;
  /** Send WORK_EXCEPTION to every client, even if it has not set the option `exceptions`; default false. */
  exceptions?: boolean | undefined;
  /**
   * With version `"1.1"`: serve the functions of a worker in turn, instead of always beginning with the newest one; default
   * false. Version `"2.0"` always does.
   */
  roundRobin?: boolean | undefined;
  /** Maximum number of sleeping workers that a job wakes; default 0, which wakes all workers of its function. */
  workerWakeup?: number | undefined;
  /** Maximum size of a packet body, in bytes; default 128 MiB. A larger one closes its connection. */
  maxPacketSize?: number | undefined;
  /** Maximum number of jobs, including running ones; one more is answered with `QUEUE_ERROR`. Default: no limit. */
  maxJobs?: number | undefined;
  /**
   * Maximum number of connections; one more is closed at once. Default: no limit.
   *
   * With TLS, a connection counts from the end of its handshake, which may take 10 seconds.
   */
  maxConnections?: number | undefined;
  /**
   * For tests: called before each request is served; what it returns goes wrong. It may look at the arguments of packets,
   * and at lines. {@linkcode JobServer.prototype.faults | faults} needs no knowledge of the protocol.
   *
   * An error that it throws goes to `onError`, and ends the connection. The same is true of the `TypeError` that follows if
   * it returns anything else.
   */
  fault?: ((request: Packet | TextLine) => Fault | undefined) | undefined;
  /**
   * Called with each error that is not the peer's: one that `fault` has thrown, or a defect of this server. Default: it is
   * written to the console.
   *
   * The connection that was being served is closed, and all others are served on. What this function throws is ignored.
   */
  onError?: ((error: unknown) => void) | undefined;
}

/** The result of {@linkcode JobServer.prototype.inspect | inspect}. */
export interface JobServerSnapshot {
  /** Number of open connections. */
  readonly connections: number;
  /** Functions in the order in which they were first named: the number of queued jobs by priority, and of workers. */
  readonly functions: readonly {
    readonly functionName: string;
    readonly high: number;
    readonly normal: number;
    readonly low: number;
    readonly workers: number;
  }[];
  /** Jobs in the order of their submission. */
  readonly jobs: readonly {
    readonly handle: string;
    readonly functionName: string;
    readonly unique: string;
    readonly running: boolean;
  }[];
}

const DEFAULT_HANDLE_PREFIX = "H:gearwire";
/**
 * Maximum length of the prefix of handles, in bytes. gearmand and clients in C keep a handle in 64 bytes: one is a NUL, one a
 * colon, and ten are the digits of the number.
 */
const MAX_HANDLE_PREFIX = 52;
/** Maximum of every number option. */
const MAX_OPTION = 4_294_967_295;

/**
 * An in-memory job server that behaves as gearmand 2.0.0 does, or as 1.1.20 with the option `version`.
 *
 * It is for tests, demos and development: it keeps nothing on disk and has no authentication. The documentation of this
 * module lists where it differs from gearmand.
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
  readonly #state: ServerState;
  readonly #dispatcher: Dispatcher;
  readonly #peers = new Set<Peer>();
  /** Connections that `disconnectAll` has closed, and that still send what was sent before. */
  readonly #disconnected = new Set<Peer>();
  readonly #listeners = new Set<Listener>();
  readonly #faults = new FaultPlan();
  readonly #maxConnections: number;
  readonly #peerSettings: PeerSettings;
  /** Number of connections so far. */
  #accepted = 0;
  #closing: Promise<void> | undefined;

  /**
   * Connects in memory, and ignores the address. Give it to clients and workers of the same process as their option `dial`.
   *
   * Rejects with the signal's reason if the signal is aborted, and with a `ConnectionError` if the server is closed.
   */
  // deno-lint-ignore require-await -- what it throws must be a rejection
  readonly dial: Dial = async (_server, { signal } = {}) => {
    signal?.throwIfAborted();
    this.#assertOpen("connect");
    const [here, there] = memoryPipe();
    this.#accept(there, "-");
    return here;
  };

  /**
   * Creates a server. It serves connections from `listen`, `dial` and `accept`.
   *
   * @throws {TypeError} An option is of the wrong kind.
   * @throws {RangeError} A number is out of range, the version is unknown, or the prefix is not 1 to 52 characters of printable
   * ASCII.
   */
  constructor(options: JobServerOptions = {}) {
    checkOptions(options);
    const { handlePrefix = DEFAULT_HANDLE_PREFIX, exceptions = false, roundRobin = false, fault } = options;
    const { version = "2.0" } = options;
    checkOneOf(version, "version", ["1.1", "2.0"]);
    checkHandlePrefix(handlePrefix);
    checkBoolean(exceptions, "exceptions");
    checkBoolean(roundRobin, "roundRobin");
    if (fault !== undefined) checkFunction(fault, "fault");
    if (options.onError !== undefined) checkFunction(options.onError, "onError");
    const readNumber = (name: NumberOption, fallback: number, min: number) =>
      wholeNumber(options, name, fallback, min, MAX_OPTION);
    this.#maxConnections = readNumber("maxConnections", Infinity, 1);
    const state = new ServerState({
      handlePrefix,
      version,
      roundRobin: roundRobin || version === "2.0",
      jobRetries: readNumber("jobRetries", 0, 0),
      workerWakeup: readNumber("workerWakeup", 0, 0),
      maxJobs: readNumber("maxJobs", Infinity, 1),
    });
    const onError = (error: unknown) => {
      ignoreErrors(() => options.onError === undefined ? writeToConsole(error) : options.onError(error));
    };
    const dispatcher = new Dispatcher(state, onError);
    const packetCommands = new PacketCommands(state, dispatcher);
    const textCommands = new TextCommands({ state, dispatcher, version, peers: this.#peers });
    this.#state = state;
    this.#dispatcher = dispatcher;
    this.#peerSettings = {
      exceptions,
      maxPacketSize: readNumber("maxPacketSize", DEFAULT_MAX_PACKET_SIZE, 0),
      fault: (request) => fault?.call(options, request) ?? this.#faults.next(request),
      onError,
      serve(peer, request) {
        if (request.magic === "TEXT") textCommands.serve(peer, request);
        else packetCommands.serve(peer, request);
      },
    };
  }

  /**
   * Listens on TCP or on a unix socket, and resolves to the address that it is bound to; default 127.0.0.1 and a free port.
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
   * Serves one connection over a transport of the caller.
   *
   * @throws {TypeError} It must be a transport.
   * @throws {ConnectionError} The server is closed.
   */
  accept(transport: Transport): void {
    checkTransport(transport);
    this.#assertOpen("accept the transport");
    this.#accept(transport, "-");
  }

  /** Returns what the server holds at this moment. It needs no connection. */
  inspect(): JobServerSnapshot {
    return {
      connections: this.#peers.size,
      functions: Array.from(this.#state.functions.values(), ({ name, queued: [high, normal, low], abilityCount }) => {
        return { functionName: toText(name), high, normal, low, workers: abilityCount };
      }),
      jobs: Array.from(this.#state.jobs.values(), ({ handle, functionQueue, unique, ability }) => ({
        handle,
        functionName: toText(functionQueue.name),
        unique: toText(unique),
        running: ability !== undefined,
      })),
    };
  }

  /** Plans faults for kinds of requests. The option {@linkcode JobServerOptions.fault | fault} decides for each packet. */
  get faults(): JobServerFaults {
    return this.#faults;
  }

  /**
   * Closes all connections, as a job server does that is restarted but keeps its jobs. Listeners stay open, so clients and
   * workers may connect again at once.
   *
   * Running jobs are queued again, and foreground jobs have lost their clients. Answers that were sent before still go out;
   * a peer that does not read them is given two seconds. It resolves when all connections are closed.
   *
   * @example A worker that connects again
   * ```ts
   * import { GearmanClient, GearmanWorker } from "@gearwire/gearman";
   * import { JobServer } from "@gearwire/gearman/server";
   *
   * await using server = new JobServer();
   * await using worker = new GearmanWorker({ dial: server.dial, onEvent: () => {} });
   * worker.addFunction("shout", (job) => job.text().toUpperCase());
   * worker.run();
   *
   * await using client = new GearmanClient({ dial: server.dial });
   * console.log(await client.do("shout", "hello").text()); // HELLO
   * await server.disconnectAll();
   * console.log(await client.do("shout", "again").text()); // AGAIN
   * ```
   */
  async disconnectAll(): Promise<void> {
    const peers = [...this.#peers];
    this.#peers.clear();
    for (const peer of peers) this.#disconnected.add(peer);
    const closing = peers.map((peer) => peer.close());
    // When all are closed, so that no worker among them is woken for a job of another.
    for (const peer of peers) this.#release(peer);
    await Promise.all(closing);
  }

  /**
   * Closes all listeners, connections and timers, and discards all jobs.
   *
   * Answers that were sent before still go out. A peer that does not read them is given two seconds. It may be called again.
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
    this.#faults.close();
    for (const listener of this.#listeners) listener.close();
    await Promise.all([...this.#peers, ...this.#disconnected].map((peer) => peer.close()));
    this.#peers.clear();
    this.#state.clear();
  }

  #assertOpen(action: string): void {
    if (this.#closing !== undefined) throw new ConnectionError(`Cannot ${action}: the job server is closed`);
  }

  #accept(transport: Transport, address: string): void {
    this.#accepted += 1;
    const peer = new Peer(this.#accepted, address, transport, this.#peerSettings);
    // A listener may still have a connection for a server that is closed.
    if (this.#closing !== undefined || this.#peers.size >= this.#maxConnections) peer.close();
    else this.#serve(peer);
  }

  /** Serves a peer to its end. Whatever is thrown ends this peer's connection, and nothing else. */
  async #serve(peer: Peer): Promise<void> {
    this.#peers.add(peer);
    await peer.run();
    this.#release(peer);
    await peer.end();
    this.#peers.delete(peer);
    this.#disconnected.delete(peer);
  }

  #release(peer: Peer): void {
    try {
      this.#dispatcher.release(peer);
    } catch (error) {
      this.#peerSettings.onError(error);
    }
  }
}

type NumberOption = "jobRetries" | "workerWakeup" | "maxPacketSize" | "maxJobs" | "maxConnections";

function checkHandlePrefix(prefix: string): void {
  if (typeof prefix === "string" && /^[!-~]+$/.test(prefix) && prefix.length <= MAX_HANDLE_PREFIX) return;
  throw new RangeError(
    `Cannot use handlePrefix: it must have 1 to ${MAX_HANDLE_PREFIX} characters of printable ASCII, without blanks`,
  );
}

function checkBoolean(value: boolean, name: string): void {
  if (typeof value !== "boolean") throw new TypeError(`Cannot use ${name}: it must be true or false`);
}

function writeToConsole(error: unknown): void {
  // deno-lint-ignore no-console -- nothing else would show an error of `fault`, or a defect of this server
  console.error("The job server closed a connection, because serving it failed:", error);
}

function checkTransport(transport: Transport): void {
  const methods = ["write", "close", Symbol.asyncIterator] as const;
  if (methods.some((name) => typeof transport?.[name] !== "function")) {
    throw new TypeError("Cannot accept the transport: it must have write, close and Symbol.asyncIterator");
  }
}
