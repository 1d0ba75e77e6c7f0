/** A link: one server as a client or a worker sees it. It dials when asked, backs off, notices silence, and reports. */

import { ConnectionError, type GearmanError } from "../errors.ts";
import { ignoreErrors, markHandled } from "../internal/promises.ts";
import { orAbort } from "../internal/signals.ts";
import { messageOf } from "../internal/text.ts";
import type { Decoded } from "../codec/decoder.ts";
import { formatServer } from "../transport/addresses.ts";
import type { ServerAddress, Transport } from "../transport/transport.ts";
import { Connection } from "./connection.ts";
import type { ConnectionSettings } from "./options.ts";

/** Whose link it is, and what it wants to hear. */
export interface ServerConnectionUser<Text extends boolean = false> {
  /** A packet or line came; a promise pauses reading, and what it throws ends the connection. */
  onPacket(packet: Decoded<Text>): void | Promise<void>;
  /** The connection is over. */
  onLost(error: GearmanError): void;
  /** Something has waited for another `probeInterval`; if nothing came meanwhile, it is time to ask the server something. */
  onTick?(silent: boolean): void;
}

/** An attempt to connect, and how many callers still want it: when the last has gone it is given up. */
type Attempt<C> = { readonly connection: Promise<C>; readonly controller: AbortController; waiting: number };

/** One server: at most one connection to it, and what is known of its health. */
export class ServerConnection<Text extends boolean = false> {
  /** The server as `host:port`, `[v6]:port` or `unix:/path`. */
  readonly name: string;
  readonly #server: ServerAddress;
  readonly #settings: ConnectionSettings;
  readonly #user: ServerConnectionUser<Text>;
  readonly #text: Text;
  #attempt: Attempt<Connection<Text>> | undefined;
  /** The open connection, if there is one. */
  connection: Connection<Text> | undefined;
  #transport: Transport | undefined;
  /** Before its first reply the server may refuse the connection, or fail once more, with everything that was sent. */
  refusable = false;
  #closed = false;
  /** Failures in a row; a packet from the server ends the row. */
  failures = 0;
  #retryAt = 0;
  /** Why it could not be reached, or was lost, the last time. */
  lastError: Error | undefined;
  /** For how many ms it was dialed in vain, also by callers less patient than `connectTimeout`. */
  #hung = 0;
  #waiting = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Ticks since something came or went: after one the server is asked, after two it is dead. */
  #silence = 0;
  /** Bytes that had come or gone by the last tick: a large packet may take longer than any silence lasts. */
  #transferred = 0;

  /** With `text`, lines of the text protocol may come too. */
  constructor(
    server: ServerAddress,
    settings: ConnectionSettings,
    user: ServerConnectionUser<Text>,
    text = false as Text,
  ) {
    this.#server = server;
    this.#settings = settings;
    this.#user = user;
    this.#text = text;
    this.name = formatServer(server);
  }

  /** For how many ms more the server is left alone. */
  get backoff(): number {
    return this.connection === undefined ? Math.max(0, this.#retryAt - performance.now()) : 0;
  }

  /** Whether it is connected and, if it had failed before, has answered since. */
  get ready(): boolean {
    return this.connection !== undefined && this.failures === 0;
  }

  /**
   * The open connection, or a new one; calls at the same time share the attempt.
   *
   * @throws {ConnectionError} It could not be made; the server is then left alone for its back-off, and until that is
   * over, every call throws the same error.
   */
  async open(signal?: AbortSignal): Promise<Connection<Text>> {
    if (this.connection !== undefined) return this.connection;
    if (this.#closed) throw new ConnectionError(`Cannot connect to ${this.name}: closed`, { server: this.name });
    if (this.backoff > 0) throw this.lastError;
    const attempt = this.#attempt ??= this.#startAttempt();
    attempt.waiting++;
    try {
      return await orAbort(attempt.connection, signal);
    } finally {
      if (--attempt.waiting === 0 && this.#attempt === attempt) this.#giveUp();
    }
  }

  /** Says whether something waits for the server: only then is silence looked at, and the process kept alive. */
  setWaiting(waiting: boolean): void {
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    this.#watch();
  }

  /** Ends the connection for a reason of the caller's. */
  drop(error: GearmanError): void {
    if (this.connection !== undefined) this.#over(this.connection, error);
  }

  /** Lets pending writes go out, closes, and opens no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#giveUp();
    const connection = this.connection;
    if (connection === undefined) return;
    this.#watch();
    await connection.close();
    this.#over(connection, new ConnectionError("The connection was closed here"));
  }

  #startAttempt(): Attempt<Connection<Text>> {
    const controller = new AbortController();
    return { connection: markHandled(this.#dial(controller)), controller, waiting: 0 }; // every caller may have gone
  }

  #giveUp(): void {
    this.#attempt?.controller.abort();
    this.#attempt = undefined;
  }

  async #dial(controller: AbortController): Promise<Connection<Text>> {
    const { connectTimeout, dial, maxPacketSize } = this.#settings;
    const started = performance.now();
    const timer = setTimeout(() => {
      this.#hung = connectTimeout;
      controller.abort(new DOMException(`no connection within ${connectTimeout} ms`, "TimeoutError"));
    }, connectTimeout);
    let transport: Transport | undefined;
    const { signal } = controller;
    const dialing = (async () => {
      transport = await dial(this.#server, { signal });
      if (signal.aborted) ignoreErrors(() => transport!.close()); // too late
      await transport.opened;
      return transport;
    })();
    try {
      const opened = await orAbort(dialing, signal);
      signal.throwIfAborted(); // given up between the connection and this line
      return this.#start(opened, new Connection(opened, { maxPacketSize, text: this.#text }));
    } catch (cause) {
      ignoreErrors(() => transport?.close());
      const server = this.name;
      const error = new ConnectionError(`Cannot connect to ${server}: ${messageOf(cause)}`, { cause, server });
      const hung = (this.#hung += performance.now() - started) >= connectTimeout && !this.#closed;
      if (!signal.aborted || hung) this.#failed(error, ++this.failures);
      throw error;
    } finally {
      clearTimeout(timer);
      if (this.#attempt?.controller === controller) this.#attempt = undefined;
    }
  }

  #start(transport: Transport, connection: Connection<Text>): Connection<Text> {
    this.#transport = transport;
    this.refusable = transport.refusable === true || this.failures > 0;
    this.#hung = 0;
    this.connection = connection;
    this.#watch();
    this.#settings.emit({ type: "connected", server: this.name });
    let heard = false;
    connection.pump((packet) => {
      heard = true;
      this.refusable = false;
      this.failures = 0;
      // After drop() a rest of the last chunk may still come.
      if (this.connection === connection) return this.#user.onPacket(packet);
    }).then(() => new ConnectionError(`The connection was lost: ${this.name} ended it`), (error) => error).then(
      (error) => {
        // A server that takes connections and ends them unanswered is failing too; the first time it may be chance.
        if (this.connection === connection && !heard && !this.#closed) this.#failed(error, this.failures++);
        this.#over(connection, error);
      },
    );
    return connection;
  }

  #over(connection: Connection<Text>, error: GearmanError): void {
    if (this.connection !== connection) return;
    this.lastError = error;
    this.connection = this.#transport = undefined;
    this.#waiting = false;
    this.#watch();
    connection.destroy(error);
    this.#settings.emit({ type: "disconnected", server: this.name, ...(this.#closed ? {} : { error }) });
    this.#user.onLost(error);
  }

  /** Leaves the server alone: not at all, then for `minBackoff`, then twice as long each time, with jitter. */
  #failed(error: Error, failures: number): void {
    this.lastError = error;
    const { minBackoff, maxBackoff } = this.#settings;
    const most = failures === 0 ? 0 : Math.min(maxBackoff, minBackoff * 2 ** (failures - 1));
    const delay = Math.round(most * (0.5 + Math.random() / 2));
    this.#retryAt = performance.now() + delay;
    this.#settings.emit({ type: "error", server: this.name, error });
    if (delay > 0) this.#settings.emit({ type: "retrying", server: this.name, delay });
  }

  #watch(): void {
    const watched = this.#waiting && this.connection !== undefined && !this.#closed;
    if (watched) this.#transport?.ref?.();
    else this.#transport?.unref?.();
    if (watched === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!watched) return;
    this.#silence = 1;
    this.#transferred = this.connection!.transferred;
    this.#timer = setInterval(() => this.#tick(), this.#settings.probeInterval);
  }

  #tick(): void {
    const transferred = this.connection!.transferred;
    if (transferred !== this.#transferred) this.#silence = 0;
    this.#transferred = transferred;
    if (++this.#silence <= 2) return this.#user.onTick?.(this.#silence === 2);
    const { probeInterval } = this.#settings;
    const error = new ConnectionError(
      `The connection was lost: ${this.name} did not answer within ${probeInterval} ms`,
    );
    this.#failed(error, this.failures++);
    this.drop(error);
  }
}
