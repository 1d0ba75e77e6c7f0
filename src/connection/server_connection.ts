/** One server as a client, a worker or an admin client sees it: dialed when needed, backed off, kept alive, reported. */

import { ConnectionError, type GearmanError } from "../errors.ts";
import { orAbort } from "../internal/signals.ts";
import { PacketDecoder, REPLY_CLASS } from "../codec/decoder.ts";
import type { Packet } from "../codec/packet.ts";
import { formatServer } from "../transport/addresses.ts";
import type { ServerAddress, Transport } from "../transport/transport.ts";
import { BackOff } from "./back_off.ts";
import { Connection } from "./connection.ts";
import { dialServer } from "./dial_server.ts";
import { KeepAlive } from "./keep_alive.ts";
import type { ConnectionSettings } from "./options.ts";
import { Reply } from "./reply.ts";

/** The owner of a server connection, and the events that it receives. */
export interface ServerConnectionUser<Item = Packet> {
  /** A packet arrived. A promise pauses reading; what it throws ends the connection. */
  onPacket(packet: Item): void | Promise<void>;
  /** The connection is over; what it has not sent can be recalled from it. */
  onLost(error: GearmanError, connection: Connection<Item>): void;
  /**
   * The connection is open: asks the server something. The connection is confirmed by the first packet, which must arrive
   * within `connectTimeout`. Without this method, connections are confirmed from the start.
   */
  onOpen?(): void;
  /** The connection is confirmed: a packet arrived, the first one or the first since the server was asked something. */
  onConfirmed?(): void;
  /** Makes the decoder of a new connection. Without this method it decodes packets, and skips oversized ones. */
  makeDecoder?(): PacketDecoder<Item>;
  /** Something has waited for another `probeInterval`; if it was silent, it is time to ask the server something. */
  onTick?(tick: { readonly silent: boolean }): void;
}

/** An attempt to connect, shared by all callers that wait for it. When the last of them leaves, it is aborted. */
interface Attempt<Item> {
  readonly connection: Promise<Connection<Item>>;
  readonly controller: AbortController;
  callers: number;
}

/** What belongs to an open connection, which is closing while pending writes go out. */
interface Connected<Item> {
  readonly phase: "open" | "closing";
  readonly connection: Connection<Item>;
  readonly keepAlive: KeepAlive;
}

/** The phases without a connection. */
type Disconnected<Item> =
  & { readonly connection?: undefined }
  & (
    | { readonly phase: "idle" }
    | { readonly phase: "dialing"; readonly attempt: Attempt<Item> }
    | { readonly phase: "backing off"; readonly until: number }
    | { readonly phase: "closed" }
  );

/** The phases of a server's connection; `src/README.md` has the diagram. */
type ServerConnectionState<Item> = Connected<Item> | Disconnected<Item>;

/** Microtasks that a call after an awaited one may take to begin. */
const IDLE_TICKS = 10;

/** One server: at most one connection to it, and what is known of its health. */
export class ServerConnection<Item = Packet> {
  /** The server as `host:port`, `[v6]:port` or `unix:/path`. */
  readonly name: string;
  readonly #server: ServerAddress;
  readonly #settings: ConnectionSettings;
  readonly #user: ServerConnectionUser<Item>;
  readonly #backOff: BackOff;
  #state: ServerConnectionState<Item> = { phase: "idle" };
  /** Why the server could not be reached, or was lost, the last time. */
  lastError: Error | undefined;
  /** Time in ms spent on attempts that were aborted: many impatient callers find out that a server hangs, too. */
  #abortedDialTime = 0;
  /** The last connection on which a packet arrived. */
  #heardOn: Connection<Item> | undefined;
  #waiting = false;

  constructor(server: ServerAddress, settings: ConnectionSettings, user: ServerConnectionUser<Item>) {
    this.#server = server;
    this.#settings = settings;
    this.#user = user;
    this.#backOff = new BackOff(settings.minBackoff, settings.maxBackoff);
    this.name = formatServer(server);
  }

  /** The open connection, until it is closed here. */
  get connection(): Connection<Item> | undefined {
    return this.#state.phase === "open" ? this.#state.connection : undefined;
  }

  /**
   * The open connection if it is confirmed: the server has answered on it, and not long ago. On any other one a server that
   * rejects it, is out of descriptors, or has forgotten it would take with it what is sent.
   */
  get ready(): Connection<Item> | undefined {
    return this.#state.phase === "open" && this.#state.keepAlive.confirmed ? this.#state.connection : undefined;
  }

  /** True from a failure to the next packet from the server. */
  get failing(): boolean {
    return this.#backOff.failures > 0;
  }

  /** Milliseconds until the next connection attempt; 0 if one may be made now. */
  get retryDelay(): number {
    return this.#state.phase === "backing off" ? Math.max(0, this.#state.until - performance.now()) : 0;
  }

  /**
   * Returns the open connection, or makes one; calls at the same time share the attempt.
   *
   * @throws {ConnectionError} The connection could not be made. During the back-off that follows, every call throws the
   * same error.
   */
  async open(signal?: AbortSignal): Promise<Connection<Item>> {
    if (this.#state.phase === "open") return this.#state.connection;
    if (this.#state.phase === "closed" || this.#state.phase === "closing") {
      throw new ConnectionError(`Cannot connect to ${this.name}: closed`, { server: this.name });
    }
    if (this.retryDelay > 0) throw this.lastError;
    const attempt = this.#state.phase === "dialing" ? this.#state.attempt : this.#startAttempt();
    attempt.callers += 1;
    try {
      return await orAbort(attempt.connection, signal);
    } finally {
      attempt.callers -= 1;
      if (attempt.callers === 0) this.#abort(attempt);
    }
  }

  /**
   * Tells whether something waits for the server: only then is silence watched, and the process kept alive. Both go on
   * for some microtasks: calls that are awaited one after the other must not pay for a timer and for `ref` each time.
   */
  setWaiting(waiting: boolean): void {
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    if (waiting) this.#updateKeepAlive();
    else queueMicrotask(this.#becomeIdle);
  }

  /** Begins in a microtask: Bun would compile a call of it into the callers of `setWaiting`, and leave their code each time. */
  readonly #becomeIdle = async (): Promise<void> => {
    for (let tick = 0; !this.#waiting && tick < IDLE_TICKS; tick++) await undefined;
    this.#updateKeepAlive();
  };

  /** Lets pending writes go out, closes, and opens no more. */
  async close(): Promise<void> {
    const state = this.#state;
    if (state.phase === "dialing") this.#abort(state.attempt);
    if (state.connection === undefined) {
      this.#state = { phase: "closed" };
      return;
    }
    this.#state = { ...state, phase: "closing" };
    this.#updateKeepAlive();
    await state.connection.close();
    this.#end(state.connection, connectionClosed());
  }

  #startAttempt(): Attempt<Item> {
    const controller = new AbortController();
    const started = performance.now();
    const settings = { ...this.#settings, server: this.#server, user: this.#user };
    const connection = dialServer(settings, controller, (transport) => this.#connect(transport));
    // First of all that hear of it, so that callers find the next phase; every caller may have left.
    connection.catch((error) => this.#onDialFailed(controller, error, performance.now() - started));
    const attempt = { connection, controller, callers: 0 };
    this.#state = { phase: "dialing", attempt };
    return attempt;
  }

  #abort(attempt: Attempt<Item>): void {
    if (this.#state.phase !== "dialing" || this.#state.attempt !== attempt) return;
    attempt.controller.abort();
    this.#state = { phase: "idle" };
  }

  /** An attempt has failed, or was aborted, after `time` ms. */
  #onDialFailed({ signal }: AbortController, error: Error, time: number): void {
    this.#abortedDialTime += time;
    const timedOut = signal.reason?.name === "TimeoutError";
    const hangs = timedOut || this.#abortedDialTime >= this.#settings.connectTimeout;
    if (signal.aborted && !hangs) return;
    // By now the connection may be closed, or another caller may have begun another attempt.
    const state = this.#state;
    if (state.phase === "closed") return;
    this.lastError = error;
    const next = this.#recordFailure(error, { firstIsFree: false });
    const isCurrent = state.phase === "dialing" && state.attempt.controller.signal === signal;
    if (isCurrent || state.phase === "idle") this.#state = next;
  }

  /** Makes the connection over an open transport. */
  #connect(transport: Transport): Connection<Item> {
    const options = { maxPacketSize: this.#settings.maxPacketSize, skipOversized: true, [REPLY_CLASS]: Reply };
    const decoder = this.#user.makeDecoder?.() ?? new PacketDecoder<Item>(options);
    const onFailed = (error: GearmanError) => this.#onLost(connection, error);
    const connection: Connection<Item> = new Connection(transport, { decoder, onFailed });
    const keepAlive = new KeepAlive(connection, transport, this.#settings, {
      onTick: (tick) => this.#user.onTick?.(tick),
      onDead: (time) => this.#onLost(connection, connectionLost(`${this.name} did not answer within ${time} ms`), true),
    });
    this.#state = { phase: "open", connection, keepAlive };
    this.#abortedDialTime = 0;
    this.#updateKeepAlive();
    this.#settings.emit({ type: "connected", server: this.name });
    if (this.#user.onOpen !== undefined) {
      keepAlive.asked();
      this.#user.onOpen();
    }
    this.#read(connection, keepAlive);
    return connection;
  }

  async #read(connection: Connection<Item>, keepAlive: KeepAlive): Promise<void> {
    try {
      await connection.pump((packet) => {
        if (this.#heardOn !== connection || !keepAlive.confirmed) this.#onHeard(connection, keepAlive);
        return this.#user.onPacket(packet);
      });
      const isClosing = this.#state.phase === "closing";
      this.#onLost(connection, isClosing ? connectionClosed() : connectionLost(`${this.name} ended it`));
    } catch (error) {
      this.#onLost(connection, error as GearmanError);
    }
  }

  /** The first packet on a connection, or since the server was asked something: it is well. */
  #onHeard(connection: Connection<Item>, keepAlive: KeepAlive): void {
    this.#backOff.reset();
    this.#heardOn = connection;
    keepAlive.confirm();
    this.#user.onConfirmed?.();
  }

  /**
   * The connection has ended, or failed. A server that accepts connections and ends them unanswered is failing too; the
   * first time it may be chance.
   */
  #onLost(
    connection: Connection<Item>,
    error: GearmanError,
    failed: boolean = this.connection === connection && this.#heardOn !== connection,
  ): void {
    this.#end(connection, error, failed ? this.#recordFailure(error, { firstIsFree: true }) : undefined);
  }

  /** Ends the phases with a connection, and goes to the next one. */
  #end(connection: Connection<Item>, error: GearmanError, next: ServerConnectionState<Item> = { phase: "idle" }): void {
    const state = this.#state;
    if (state.connection !== connection) return;
    const wasClosing = state.phase === "closing";
    state.keepAlive.stop();
    this.lastError = error;
    this.#waiting = false;
    this.#state = wasClosing ? { phase: "closed" } : next;
    connection.destroy(error);
    this.#settings.emit({ type: "disconnected", server: this.name, ...(wasClosing ? {} : { error }) });
    this.#user.onLost(error, connection);
  }

  /** Counts and reports a failure of the server; returns the phase that follows. */
  #recordFailure(error: Error, options: { firstIsFree: boolean }): ServerConnectionState<Item> {
    const delay = this.#backOff.fail(options);
    const until = performance.now() + delay;
    this.#settings.emit({ type: "error", server: this.name, error });
    if (delay === 0) return { phase: "idle" };
    this.#settings.emit({ type: "retrying", server: this.name, delay });
    return { phase: "backing off", until };
  }

  #updateKeepAlive(): void {
    const state = this.#state;
    if (state.connection === undefined) return;
    if (this.#waiting && state.phase !== "closing") state.keepAlive.start();
    else state.keepAlive.stop();
  }
}

function connectionLost(reason: string): ConnectionError {
  return new ConnectionError(`The connection was lost: ${reason}`);
}

function connectionClosed(): ConnectionError {
  return new ConnectionError("The connection was closed here");
}
