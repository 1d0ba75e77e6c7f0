/** What one server knows of the protocol, as far as a worker needs it. It is remembered for the life of the worker. */

import { packetName, PacketType } from "../codec/packet.ts";

/** A request for a job, and what else some servers do not know. */
export type GrabType =
  | typeof PacketType.GRAB_JOB_ALL
  | typeof PacketType.GRAB_JOB_UNIQ
  | typeof PacketType.GRAB_JOB;
export type OptionalRequest =
  | GrabType
  | typeof PacketType.OPTION_REQ
  | typeof PacketType.SET_CLIENT_ID
  | typeof PacketType.CAN_DO_TIMEOUT
  | typeof PacketType.WORK_DATA
  | typeof PacketType.WORK_WARNING;

/** What a server has answered, and what it has refused. */
export class ServerAbilities {
  readonly #known = new Set<OptionalRequest>();
  readonly #refused = new Set<OptionalRequest>();
  /** The ways to ask for a job, from the one that tells most about a job to the oldest. */
  readonly #grabs: readonly GrabType[] = [PacketType.GRAB_JOB_ALL, PacketType.GRAB_JOB_UNIQ, PacketType.GRAB_JOB];
  /** A request that is taken for refused since the server has ended the connection on it, which may have been chance. */
  #guess: OptionalRequest | undefined;
  #grab: GrabType | undefined = this.#grabs[0];
  /** Number of refusals that were reported. */
  #reported = 0;

  /** How to ask for a job; `undefined` if the server has refused all ways. */
  get grab(): GrabType | undefined {
    return this.#grab;
  }

  /** True if the server has shown that it knows a request. */
  knows(request: OptionalRequest): boolean {
    return this.#known.has(request);
  }

  /** True if a request may be sent. */
  takes(request: OptionalRequest): boolean {
    if (this.#refused.has(request)) return false;
    return !(this.isOld && (request === PacketType.WORK_DATA || request === PacketType.WORK_WARNING));
  }

  /**
   * True if the server has refused GRAB_JOB_UNIQ: it is Perl's, or older than 2009. Such a server knows neither WORK_DATA
   * nor WORK_WARNING, and WORK_EXCEPTION does not end a job there.
   */
  get isOld(): boolean {
    return this.#refused.has(PacketType.GRAB_JOB_UNIQ);
  }

  /** The server knows the request. */
  learn(request: OptionalRequest): void {
    this.#known.add(request);
  }

  /** The server has refused the request. */
  refuse(request: OptionalRequest): void {
    this.#refused.add(request);
    this.#updateGrab();
  }

  /** The server has ended the connection on the request. */
  suspect(request: OptionalRequest): void {
    this.refuse(request);
    this.#guess = request;
  }

  /** The server is there again, and was not asked this time. */
  confirmSuspicion(): void {
    this.#guess = undefined;
  }

  /** The server was lost for another reason: it cannot be reached, or ends a connection without a word. */
  dropSuspicion(): void {
    if (this.#guess === undefined) return;
    this.#refused.delete(this.#guess);
    this.#guess = undefined;
    this.#updateGrab();
  }

  /** Starts from the best way again, after all ways to ask for a job were refused. */
  forgetGrabs(): void {
    for (const request of this.#grabs) this.#refused.delete(request);
    this.#guess = undefined;
    this.#updateGrab();
  }

  /** Returns the names of the packets that the server does not know, if there are some that were not reported yet. */
  takeReport(): string[] | undefined {
    if (this.#refused.size === this.#reported) return undefined;
    this.#reported = this.#refused.size;
    const implied = this.isOld ? [PacketType.WORK_DATA, PacketType.WORK_WARNING] : [];
    return [...new Set([...this.#refused, ...implied])].map(packetName);
  }

  #updateGrab(): void {
    this.#grab = this.#grabs.find((request) => !this.#refused.has(request));
  }
}
