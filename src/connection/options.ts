/** The options that clients and workers share, and what they report. */

import { checkFunction, MAX_TIMER, wholeNumber } from "../internal/checks.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { DEFAULT_MAX_PACKET_SIZE } from "../codec/decoder.ts";
import { parseServers } from "../transport/addresses.ts";
import { dialTcp, type TlsOptions } from "../transport/dial_tcp.ts";
import type { Dial, ServerAddress } from "../transport/transport.ts";

/**
 * What a client or a worker reports; more kinds may come in a minor version.
 *
 * | type | what happened |
 * | --- | --- |
 * | `connected`, `disconnected` | the connection to a server; `error` is why it was lost, and absent where it was closed here |
 * | `error` | a server could not be reached or was lost, or answered a worker with an ERROR: a result came too late |
 * | `retrying` | a server that failed is left alone for `delay` ms |
 * | `jobStarted`, `jobEnded` | a worker's handler, which ran for `duration` ms; `error` is what failed the job |
 */
export type GearmanEvent =
  | { readonly type: "connected"; readonly server: string }
  | { readonly type: "disconnected"; readonly server: string; readonly error?: Error }
  | { readonly type: "retrying"; readonly server: string; readonly delay: number }
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
  /** Ends the call with its reason; what was sent is not undone. */
  signal?: AbortSignal;
}

/** How to reach the job servers; shared by clients and workers. */
export interface ConnectOptions {
  /**
   * Default "127.0.0.1:4730". "host", "host:port", "[v6]:port", "unix:/path"; several in a list or with commas.
   */
  servers?: string | readonly string[];
  /** How to connect; default `dialTcp()`. Not together with `tls`. */
  dial?: Dial;
  /** Speak TLS; Debian's gearmand does not, whatever its `--ssl` says. Default false. */
  tls?: boolean | TlsOptions;
  /** Time for one attempt to connect, in ms; default 5,000. It is the one time limit that is not a signal. */
  connectTimeout?: number;
  /** Largest packet body accepted from a server, in bytes; default 128 MiB. */
  maxPacketSize?: number;
  /** For how long a server that failed is left alone, in ms, at first; it doubles, with jitter. Default 100. */
  minBackoff?: number;
  /** The longest time that a server that failed is left alone, in ms; default 30,000. */
  maxBackoff?: number;
  /**
   * After so many ms of silence a connection that something waits on is asked, and after as many again without an answer
   * it is given up; default 15,000.
   */
  probeInterval?: number;
  /** Told what happens, for logs and metrics; what it throws is ignored. */
  onEvent?(event: GearmanEvent): void;
}

/** {@linkcode ConnectOptions}, checked and complete. */
export interface ConnectionSettings extends Required<Omit<ConnectOptions, "servers" | "tls" | "onEvent">> {
  readonly emit: (event: GearmanEvent) => void;
}

/** Takes a string for the servers, as every constructor does. */
export function normalizeOptions<T extends ConnectOptions>(options: string | T = {} as T): T | { servers: string } {
  if (typeof options === "string") return { servers: options };
  if (typeof options !== "object" || options === null || Array.isArray(options) || "href" in options) {
    throw new TypeError("Cannot use the options: expected servers as a string, or an object");
  }
  return options;
}

/**
 * Checks options and fills in what is missing.
 *
 * @throws {TypeError} `dial` and `tls` are given both, or something is of the wrong kind.
 * @throws {RangeError} A server or a number makes no sense.
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
      // Whoever watches must not harm what he watches; where nobody does, an event costs nothing.
      emit: (event) => void (options.onEvent && ignoreErrors(() => options.onEvent?.(event))),
    },
  };
}
