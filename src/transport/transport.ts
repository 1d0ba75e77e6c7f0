/** What a connection stands on: a way to read chunks of bytes, to write them, and to close. */

/** A job server's address; with `path` it is a unix socket, and `hostname` and `port` mean nothing. */
export interface ServerAddress {
  /** Host name or IP address, an IPv6 one without brackets; empty for a unix socket. */
  readonly hostname: string;
  /** TCP port, 1 to 65,535; 0 for a unix socket. */
  readonly port: number;
  /** Path of a unix socket. */
  readonly path?: string;
}

/**
 * A stream of bytes in both directions, such as a socket.
 *
 * Iterating yields chunks as they arrive; they belong to the reader and are never overwritten. The iteration ends when
 * the peer ends the stream, throws when the stream breaks, and is started once.
 */
export interface Transport extends AsyncIterable<Uint8Array> {
  /** Sends bytes, whose ownership it takes; a returned promise resolves when more can be taken. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** Closes it, and ends the iteration; idempotent. */
  close(): void | Promise<void>;
  /** Settles when the transport is connected, or could not be; absent on one that was connected from the start. */
  readonly opened?: Promise<unknown>;
  /**
   * Whether the peer may refuse it until its first bytes have come, and what was written with it: with TLS 1.3 a client's
   * certificate is looked at after the client has connected. A client then holds its calls back for so long.
   */
  readonly refusable?: boolean;
  /** Lets an open transport keep the process alive, as it does at first; absent where there is no such thing. */
  ref?(): void;
  /** Lets the process end although the transport is open. */
  unref?(): void;
}

/** Connects to a job server; `signal` aborts the attempt. */
export type Dial = (server: ServerAddress, options: { signal?: AbortSignal }) => Transport | Promise<Transport>;
