/** The interface below connections: reading and writing chunks of bytes, and closing. */

/** Address of a job server; with `path` it is a unix socket, and `hostname` and `port` are ignored. */
export interface ServerAddress {
  /** Host name or IP address, an IPv6 one without brackets; empty for a unix socket. */
  readonly hostname: string;
  /** TCP port, 1 to 65,535; 0 for a unix socket. */
  readonly port: number;
  /** Path of a unix socket. */
  readonly path?: string | undefined;
}

/**
 * A stream of bytes in both directions, such as a socket.
 *
 * Iterating yields chunks as they arrive. They belong to the reader, which may free their memory, and are never
 * overwritten. The iteration ends when the peer ends the stream, throws when the stream breaks, and can be started once.
 */
export interface Transport extends AsyncIterable<Uint8Array> {
  /** Sends bytes, which belong to the transport from this call on; a returned promise resolves when it can take more. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** Closes the transport and ends the iteration; idempotent. */
  close(): void | Promise<void>;
  /** Settles when the transport is connected or has failed to connect; absent if it is connected from the start. */
  readonly opened?: Promise<unknown> | undefined;
  /** Lets an open transport keep the process alive, which is the default; absent if the transport has no such switch. */
  ref?: (() => void) | undefined;
  /** Lets the process end while the transport is open. */
  unref?: (() => void) | undefined;
}

/** Options of {@linkcode Dial}. */
export interface DialOptions {
  /** Aborts the attempt. */
  signal?: AbortSignal | undefined;
}

/** Connects to a job server. */
export type Dial = (server: ServerAddress, options: DialOptions) => Transport | Promise<Transport>;
