/** The options and events that clients, workers and admin clients share. */

import { checkFunction, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { checkSignal } from "../internal/signals.ts";
import { DEFAULT_MAX_PACKET_SIZE } from "../codec/decoder.ts";
import { parseServers } from "../transport/addresses.ts";
import { dialTcp, type TlsOptions } from "../transport/dial_tcp.ts";
import type { Dial, ServerAddress } from "../transport/transport.ts";

/**
 * Events that a client or a worker reports; a minor version may add more kinds.
 *
 * | type | what happened |
 * | --- | --- |
 * | `connected`, `disconnected` | the connection to a server; `error` is why it was lost, and absent after a close here |
 * | `error` | a server could not be reached, was lost, or answered a worker with an ERROR: a result came too late |
 * | `retrying` | a server that failed is not dialed again for `delay` ms |
 * | `serverLacks` | a server does not know some packets of a worker, which does without them: `packets` has their names |
 * | `jobWarning` | a worker's handler has sent a warning, to a server that does not know warnings: no client gets it |
 * | `jobStarted`, `jobEnded` | a worker's handler, which ran for `duration` ms; `error` is what failed the job |
 */
export type GearmanEvent =
  | { readonly type: "connected"; readonly server: string }
  | { readonly type: "disconnected"; readonly server: string; readonly error?: Error }
  | { readonly type: "retrying"; readonly server: string; readonly delay: number }
  | { readonly type: "serverLacks"; readonly server: string; readonly packets: readonly string[] }
  | {
    readonly type: "jobWarning";
    readonly server: string;
    readonly handle: string;
    readonly functionName: string;
    readonly data: string | Uint8Array;
  }
  | { readonly type: "jobStarted"; readonly server: string; readonly handle: string; readonly functionName: string }
  | {
    readonly type: "jobEnded";
    readonly server: string;
    readonly handle: string;
    readonly functionName: string;
    readonly duration: number;
    readonly error?: unknown;
  }
  | { readonly type: "error"; readonly server?: string; readonly error: Error };

/** Options of every call. */
export interface CallOptions {
  /** Ends the call with the signal's reason; what was sent is not undone. */
  signal?: AbortSignal | undefined;
}

/** Options of a call that asks again and again. */
export interface WatchOptions extends CallOptions {
  /** Time between two questions in ms. Default 1,000. */
  interval?: number | undefined;
}

/**
 * Checks and returns the signal that ends a call: every call of a client and an admin client gets its signal here.
 *
 * @throws {TypeError} The signal must be an `AbortSignal`.
 */
export function signalOf({ signal }: CallOptions): AbortSignal | undefined {
  checkSignal(signal);
  return signal;
}

/** How to reach the job servers; shared by clients and workers. */
export interface ConnectOptions {
  /**
   * Servers as "host", "host:port", "[v6]:port" or "unix:/path", with commas between them, or as addresses; one or a list.
   * Default "127.0.0.1:4730".
   */
  servers?: string | ServerAddress | readonly (string | ServerAddress)[] | undefined;
  /** Connects to a server. Default `dialTcp()`. Not together with `tls`. */
  dial?: Dial | undefined;
  /** Use TLS. Default false. Debian's gearmand does not speak it, whatever its `--ssl` says. */
  tls?: boolean | TlsOptions | undefined;
  /**
   * Time limit in ms of one connection attempt, and then of the server's answer on the new connection, or on one that was
   * silent. Default 5,000. It is the one time limit that is not a signal.
   */
  connectTimeout?: number | undefined;
  /**
   * Maximum size of a packet's body in bytes. Default 128 MiB.
   *
   * It bounds what a server sends, and what a worker sends: a job whose workload or result is larger fails, with an
   * exception that names both sizes, and the other jobs go on.
   */
  maxPacketSize?: number | undefined;
  /** First back-off of a server that failed, in ms; it doubles with each failure, with jitter. Default 100. */
  minBackoff?: number | undefined;
  /** Longest back-off of a server that keeps failing, in ms. Default 30,000. */
  maxBackoff?: number | undefined;
  /**
   * Keep-alive interval in ms. Default 15,000. If a connection with pending work is silent for this long, it is pinged, and
   * considered lost without a reply within the same time, or within `connectTimeout` if that is shorter. A client also
   * pings before it sends anything after such a silence.
   */
  probeInterval?: number | undefined;
  /**
   * Receives events, for logs and metrics; what it throws is ignored. Without it a client is quiet, and a worker writes
   * its failures to `console.error`.
   */
  onEvent?: ((event: GearmanEvent) => void) | undefined;
}

/** The options that {@linkcode ConnectionSettings} takes over, all of them defined. */
type DefinedOptions = {
  [Name in Exclude<keyof ConnectOptions, "servers" | "tls" | "onEvent">]-?: NonNullable<ConnectOptions[Name]>;
};

/** {@linkcode ConnectOptions}, checked and complete. */
export interface ConnectionSettings extends DefinedOptions {
  /** Reports an event; never throws. */
  readonly emit: (event: GearmanEvent) => void;
}

/**
 * Turns the argument of a constructor into options: a string stands for the servers.
 *
 * @throws {TypeError} It must be a string or an object.
 */
export function normalizeOptions<T extends ConnectOptions>(options: string | T = {} as T): T | { servers: string } {
  if (typeof options === "string") return { servers: options };
  if (typeof options !== "object" || options === null || Array.isArray(options) || "hostname" in options) {
    throw new TypeError("Cannot use the options: expected a string or an object");
  }
  return options;
}

/**
 * Checks options, and fills in the defaults.
 *
 * @throws {TypeError} `dial` and `tls` are given both, or an option is of the wrong kind.
 * @throws {RangeError} A server cannot be read, or a number is out of its range.
 */
export function readConnectOptions(
  options: ConnectOptions,
): { servers: ServerAddress[]; settings: ConnectionSettings } {
  const { tls = false, dial = dialTcp({ tls }), onEvent } = options;
  if (options.dial !== undefined && tls !== false) throw new TypeError("Cannot use dial and tls together");
  checkFunction(dial, "dial");
  if (onEvent !== undefined) checkFunction(onEvent, "onEvent");
  const minBackoff = wholeNumber(options, "minBackoff", 100, 0, MAX_TIMER);
  return {
    servers: parseServers(options.servers),
    settings: {
      dial,
      connectTimeout: wholeNumber(options, "connectTimeout", 5_000, 1, MAX_TIMER),
      maxPacketSize: wholeNumber(options, "maxPacketSize", DEFAULT_MAX_PACKET_SIZE, 0, 0xffff_ffff),
      minBackoff,
      maxBackoff: Math.max(minBackoff, wholeNumber(options, "maxBackoff", 30_000, 0, MAX_TIMER)),
      probeInterval: wholeNumber(options, "probeInterval", 15_000, 1, MAX_TIMER),
      emit(event) {
        // Without a listener an event costs no promise.
        if (options.onEvent !== undefined) ignoreErrors(() => options.onEvent?.(event));
      },
    },
  };
}
