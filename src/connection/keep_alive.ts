/** Keep-alive: finds out whether a server answers, where its connection is new or was silent for long. */

import type { Transport } from "../transport/transport.ts";

/** The connection that is watched. */
export interface WatchedConnection {
  /** Counts bytes in both directions: a large packet may take longer than any interval. */
  readonly transferred: number;
  /** Milliseconds since the last byte was received. */
  readonly silence: number;
}

/** Times in ms. */
export interface KeepAliveSettings {
  /** Silence after which the server is asked for a sign of life, and the longest time in which it must answer then. */
  readonly probeInterval: number;
  /** Longest time in which it must answer. */
  readonly connectTimeout: number;
}

/** How a user takes part in keeping a connection alive. */
export interface KeepAliveUser {
  /** An interval is over; `silent` if nothing came or went in it, so that it is time to ask the server something. */
  onTick(tick: { readonly silent: boolean }): void;
  /** Nothing came or went in the time for an answer, in ms. */
  onDead(time: number): void;
}

/**
 * Watches one connection, from `start` to `stop`, and again. Only while it is watched, it keeps the process alive.
 *
 * The server is asked something when the connection is new, or was silent. From then to its next packet the connection is
 * not confirmed.
 */
export class KeepAlive {
  readonly #connection: WatchedConnection;
  readonly #transport: Pick<Transport, "ref" | "unref">;
  readonly #settings: KeepAliveSettings;
  readonly #user: KeepAliveUser;
  /** False from a question to the next packet. */
  confirmed = true;
  /** Time for an answer to the last question. */
  #answerTime = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastTransferred = 0;

  constructor(
    connection: WatchedConnection,
    transport: Pick<Transport, "ref" | "unref">,
    settings: KeepAliveSettings,
    user: KeepAliveUser,
  ) {
    this.#connection = connection;
    this.#transport = transport;
    this.#settings = settings;
    this.#user = user;
  }

  /** The server was asked something, and has `answerTime` ms to answer; on a new connection it is `connectTimeout`. */
  asked(answerTime: number = this.#settings.connectTimeout): void {
    this.confirmed = false;
    this.#answerTime = answerTime;
    this.#reschedule();
  }

  /** The server has sent a packet. */
  confirm(): void {
    this.confirmed = true;
    this.#reschedule();
  }

  /** Begins to watch, or goes on; has the server asked at once if it was silent for an interval. */
  start(): void {
    if (this.#timer === undefined) {
      this.#transport.ref?.();
      this.#schedule();
    }
    if (this.confirmed && this.#connection.silence >= this.#settings.probeInterval) this.#report({ silent: true });
  }

  stop(): void {
    this.#transport.unref?.();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#lastTransferred = this.#connection.transferred;
    this.#timer = setTimeout(() => this.#tick(), this.confirmed ? this.#settings.probeInterval : this.#answerTime);
  }

  #reschedule(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#schedule();
  }

  #tick(): void {
    const silent = this.#connection.transferred === this.#lastTransferred;
    if (silent && !this.confirmed) return this.#user.onDead(this.#answerTime);
    this.#schedule();
    this.#report({ silent });
  }

  #report(tick: { readonly silent: boolean }): void {
    const { probeInterval, connectTimeout } = this.#settings;
    if (tick.silent) this.asked(Math.min(probeInterval, connectTimeout));
    this.#user.onTick(tick);
  }
}
