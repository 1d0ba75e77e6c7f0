/** A worker at one server: it connects, registers, and does both again when the connection is lost. */

import { ConnectionError, type GearmanError, ProtocolError, ServerError } from "../errors.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { delay } from "../internal/signals.ts";
import { readText } from "../internal/text.ts";
import { BackOff } from "../connection/back_off.ts";
import { type Packet, packetName, PacketType } from "../codec/packet.ts";
import type { ServerAddress } from "../transport/transport.ts";
import type { Connection } from "../connection/connection.ts";
import { ServerConnection, type ServerConnectionUser } from "../connection/server_connection.ts";
import { describeOversize } from "./outcome.ts";
import { Registration, type WorkerContext } from "./registration.ts";
import { ServerAbilities } from "./server_abilities.ts";

/** One server of a worker, for as long as the worker exists. */
export class WorkerConnection implements ServerConnectionUser {
  readonly #worker: WorkerContext;
  readonly #server: ServerConnection;
  /** The registration on the open connection; `undefined` while there is none. */
  #registration: Registration | undefined;
  readonly #abilities = new ServerAbilities();
  /** Counts connections in a row that ended on a request for a job. */
  readonly #backOff: BackOff;
  #state: "serving" | "closing" = "serving";
  /** Earliest time of the next connection attempt: a server may accept each connection, answer, and end it. */
  #nextAttemptAt = 0;

  constructor(address: ServerAddress, worker: WorkerContext) {
    const { minBackoff, maxBackoff } = worker.settings;
    this.#worker = worker;
    this.#backOff = new BackOff(minBackoff, maxBackoff);
    this.#server = new ServerConnection(address, worker.settings, this);
  }

  /** Number of the worker's slots that are in use at this server. */
  get slotsInUse(): number {
    return this.#registration?.slotsInUse ?? 0;
  }

  /** True if a grab makes sense. A server that has failed must answer something first: a grab would only hold a slot. */
  get canGrab(): boolean {
    return this.#isUsable && this.#registration?.canGrab === true;
  }

  /** True if the server is connected, and not failing. */
  get #isUsable(): boolean {
    return this.#server.connection !== undefined && !this.#server.failing;
  }

  /** Serves on one connection after the other, until the signal fires. */
  async serve(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const connection = await this.#connect(signal);
      if (connection !== undefined) await this.#register(connection);
    }
  }

  /** Announces a function that was added or replaced, or withdraws one that was removed. */
  announce(functionName: string): void {
    this.#registration?.announce(functionName);
  }

  /** Calls back when the server has handled everything that was sent before, if it is connected. */
  fence(onPassed: () => void): void {
    this.#registration?.fence(onPassed);
  }

  /** Asks for one job. */
  grab(): void {
    this.#registration?.grab();
  }

  /** Lets the server wake the worker, if there is nothing to do at this server. */
  sleepIfIdle(): void {
    this.#registration?.sleepIfIdle();
  }

  /** Asks the server, while the worker sleeps there, whether it has a job by now. */
  poll(): void {
    this.#registration?.poll();
  }

  /** The worker is about to close: grabs in flight that will not be answered must not hold it. */
  drain(): void {
    this.#registration?.drain();
  }

  /** Resolves when everything was sent, or the connection is lost. */
  async flush(): Promise<void> {
    await ignoreErrors(() => this.#server.connection?.flush());
  }

  /** Aborts the signals of the held jobs, and discards their outcomes. */
  abort(reason: unknown): void {
    this.#registration?.abort(reason);
  }

  /** Closes the connection when everything was sent, or after two seconds. */
  close(): Promise<void> {
    this.#state = "closing";
    this.#registration?.close();
    return this.#server.close();
  }

  onPacket(packet: Packet): void {
    if (packet.oversized !== undefined && !isJob(packet)) {
      const reason = describeOversize(packet.oversized, this.#worker.settings.maxPacketSize);
      throw new ProtocolError(`Cannot receive ${packetName(packet.type)}: ${reason}`);
    }
    const isFirst = this.#registration?.hear() === true;
    if (isFirst) this.#abilities.confirmSuspicion();
    switch (packet.type) {
      case PacketType.JOB_ASSIGN:
      case PacketType.JOB_ASSIGN_UNIQ:
      case PacketType.JOB_ASSIGN_ALL:
      case PacketType.NO_JOB:
        if (this.#registration === undefined || this.#registration.grabsInFlight === 0) {
          throw new ProtocolError("The server answered a request for a job that was never sent");
        }
        this.#registration.receiveAnswer(packet);
        this.#backOff.reset();
        break;
      case PacketType.NOOP:
        if (this.#registration?.receiveNoop() !== true) return;
        break;
      case PacketType.OPTION_RES:
        this.#registration?.receiveOption();
        break;
      case PacketType.ECHO_RES:
        this.#registration?.receiveEcho();
        break;
      case PacketType.ERROR:
        this.#receiveError(new ServerError(readText(packet.args[0]), readText(packet.args[1])));
    }
    // After any other packet too: the server may be ready again, and allow a grab.
    this.#worker.update();
  }

  onTick({ silent }: { readonly silent: boolean }): void {
    if (!silent) return;
    try {
      this.#registration?.probe();
    } catch (error) {
      this.#server.connection?.destroy(error); // the server refuses every request for a job
    }
    this.#worker.update();
  }

  onLost(cause: GearmanError): void {
    const registration = this.#registration;
    this.#registration = undefined;
    if (registration !== undefined && this.#state === "serving") this.#learnFrom(registration, cause);
    const server = this.#server.name;
    const message = "The connection was lost: the server gives the job to another worker";
    registration?.connectionLost(new ConnectionError(message, { cause, server }));
    this.#worker.update();
  }

  #receiveError(error: ServerError): void {
    if (this.#registration === undefined) {
      this.#worker.settings.emit({ type: "error", server: this.#server.name, error });
    } else {
      this.#registration.receiveError(error);
    }
  }

  /**
   * Takes the loss of a connection for the refusal of the request that was in doubt, if there was one. The server then
   * has failed, and is asked for less the next time.
   */
  #learnFrom(registration: Registration, cause: GearmanError): void {
    if (!registration.wasHeard) this.#abilities.dropSuspicion();
    const suspect = cause instanceof ProtocolError ? undefined : registration.suspect;
    if (suspect !== undefined) this.#abilities.suspect(suspect);
    const refusesAll = this.#abilities.grab === undefined;
    if (refusesAll) this.#abilities.forgetGrabs();
    if (suspect === undefined && !refusesAll) return;
    const delay = this.#backOff.fail({ firstIsFree: false });
    this.#nextAttemptAt = performance.now() + delay;
    this.#worker.settings.emit({ type: "retrying", server: this.#server.name, delay });
  }

  /** Waits for the back-off and connects; `undefined` if that fails. */
  async #connect(signal: AbortSignal): Promise<Connection | undefined> {
    try {
      await delay(Math.max(this.#server.retryDelay, this.#nextAttemptAt - performance.now()), signal);
      const connection = await this.#server.open(signal);
      const isLost = connection !== this.#server.connection;
      return isLost ? undefined : connection;
    } catch {
      // The signal has fired, or the server cannot be reached, which was reported as an event.
      this.#abilities.dropSuspicion();
      return undefined;
    }
  }

  /** Registers, and resolves when the connection is lost. */
  async #register(connection: Connection): Promise<void> {
    this.#nextAttemptAt = performance.now() + this.#worker.settings.minBackoff;
    const confirmed = this.#isUsable;
    const registration = new Registration(this.#worker, connection, this.#server.name, this.#abilities, { confirmed });
    this.#registration = registration;
    this.#server.setWaiting(true);
    this.#worker.update();
    await registration.lost;
  }
}

function isJob({ type }: Packet): boolean {
  return type === PacketType.JOB_ASSIGN || type === PacketType.JOB_ASSIGN_UNIQ || type === PacketType.JOB_ASSIGN_ALL;
}
