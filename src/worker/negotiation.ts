/**
 * Finds out, on one connection, what a server knows, and how to ask it for a job.
 *
 * A request that a server may not know is followed by a fence, an ECHO_REQ. An ERROR that arrives before the fence has
 * passed is the refusal. Grabs have answers of their own: only if an ERROR arrives while the first one is unanswered is a
 * fence sent, since the ERROR may be about something else. A grab that the fence overtakes was refused. A server that
 * ignores what it does not know is found in the same way, by the ECHO_REQ that probes a silent connection. One that answers
 * ECHO_REQ with ERROR is found by the second probe.
 */

import type { ServerError } from "../errors.ts";
import { PacketType } from "../codec/packet.ts";
import { Fences } from "./fences.ts";
import type { GrabType, OptionalRequest, ServerAbilities } from "./server_abilities.ts";

/** What a negotiation needs of the registration. */
export interface NegotiationUser {
  send(type: typeof PacketType.ECHO_REQ, data: string): void;
  /** The server has refused a request. */
  onRefused(request: OptionalRequest): void;
  /** Grabs that were sent will not be answered. */
  onGrabsRefused(): void;
  /** Reports an ERROR that is about something else. */
  onError(error: ServerError): void;
}

/** Codes of an ERROR for a result that came too late, of gearmand and of Perl's server. */
const LATE_RESULT: readonly string[] = ["JOB_NOT_FOUND", "not_worker"];

/** The requests on one connection that a server may not know. */
export class Negotiation {
  readonly #abilities: ServerAbilities;
  readonly #user: NegotiationUser;
  readonly #fences = new Fences();
  /** Requests that the server has shown to know on this connection: it may be another server than before. */
  readonly #shown = new Set<OptionalRequest>();
  /** Requests in doubt, each with a fence that has not passed. */
  readonly #doubted = new Set<OptionalRequest>();
  /** The type of the grabs that are in flight. */
  #grabType: GrabType | undefined;
  /** Errors that are about grabs if the next fence overtakes some: at most one for each grab. */
  #heldErrors: ServerError[] = [];
  /** OPTION_REQ was sent, and its answer comes before any other. */
  #awaitsOption = true;
  #probes = 0;

  constructor(abilities: ServerAbilities, user: NegotiationUser) {
    this.#abilities = abilities;
    this.#user = user;
  }

  get grabsInFlight(): number {
    return this.#fences.grabsInFlight;
  }

  /** True if a grab may have been refused: until this is known no other is sent. */
  get isDoubtful(): boolean {
    return this.#heldErrors.length > 0;
  }

  /** The request that the server may have ended the connection on, if it has. */
  get suspect(): OptionalRequest | undefined {
    const { doubted } = this.#fences;
    if (doubted !== undefined && !this.#abilities.knows(doubted) && this.#probes === 0) return doubted;
    const isUnproven = this.#grabType !== undefined && !this.#abilities.knows(this.#grabType);
    if (!isUnproven || this.grabsInFlight === 0) return undefined;
    // A server that was silent before may be dead. One that has answered ERROR has refused the grab.
    return this.#probes === 0 || this.isDoubtful ? this.#grabType : undefined;
  }

  /** A request was sent that the server may not know. */
  requestSent(request: OptionalRequest): void {
    if (this.#shown.has(request) || this.#doubted.has(request)) return;
    this.#doubted.add(request);
    this.#sendFence({ doubted: request, onPassed: () => this.#endDoubt(request) });
  }

  grabSent(type: GrabType): void {
    this.#grabType = type;
    this.#fences.grabSent();
  }

  /** Calls back when the server has handled everything that was sent before. */
  fence(onPassed: () => void): void {
    this.#sendFence({ onPassed });
  }

  /** Asks a silent server for a sign of life. */
  probe(): void {
    // The probe before was answered, or the connection would be lost by now, but not with ECHO_RES: no fence ever passes.
    const refusesEcho = this.#probes > 0;
    if (refusesEcho && this.#isGrabUnproven) this.#passAllFences();
    this.#probes += 1;
    this.#sendFence({ onPassed: () => this.#probes -= 1 });
  }

  /** The worker is about to close, and waits for grabs: finds out whether they will be answered. */
  drain(): void {
    if (this.#isGrabUnproven) this.#sendFence({});
  }

  optionAnswered(): void {
    this.#awaitsOption = false;
  }

  /** A grab was answered: the errors before were about something else. */
  grabAnswered(): void {
    this.#awaitsOption = false;
    this.#fences.grabAnswered();
    this.#learn(this.#grabType!);
    this.#reportHeldErrors();
  }

  /** ECHO_RES: a fence has passed. */
  echoAnswered(): void {
    this.#awaitsOption = false;
    const refused = this.#fences.fenceAnswered();
    if (refused === 0) {
      if (this.grabsInFlight === 0) this.#reportHeldErrors();
      return;
    }
    this.#heldErrors.splice(0, refused);
    this.#reportHeldErrors();
    const type = this.#grabType!;
    if (!this.#shown.has(type)) {
      this.#abilities.refuse(type);
      this.#user.onRefused(type);
    }
    this.#user.onGrabsRefused();
  }

  /** ERROR: finds out what it is about. */
  errorReceived(error: ServerError): void {
    if (this.#awaitsOption) {
      this.#awaitsOption = false;
      this.#refuse(PacketType.OPTION_REQ);
      return;
    }
    const { doubted } = this.#fences;
    if (doubted !== undefined && !LATE_RESULT.includes(error.code)) {
      this.#refuse(doubted);
      return;
    }
    const mayBeAboutGrab = this.#heldErrors.length < this.grabsInFlight && !this.#shown.has(this.#grabType!);
    if (!mayBeAboutGrab) {
      this.#user.onError(error);
      return;
    }
    this.#heldErrors.push(error);
    if (this.#heldErrors.length === 1) this.#sendFence({});
  }

  /** The connection is lost: reports the errors that were not explained. */
  end(): void {
    this.#reportHeldErrors();
  }

  /** True if a grab is in flight, and none of its type was answered on this connection. */
  get #isGrabUnproven(): boolean {
    return this.grabsInFlight > 0 && !this.#shown.has(this.#grabType!);
  }

  #passAllFences(): void {
    while (this.#fences.areAwaited) this.echoAnswered();
  }

  #sendFence(fence: { readonly doubted?: OptionalRequest; readonly onPassed?: () => void }): void {
    this.#fences.fenceSent(fence);
    this.#user.send(PacketType.ECHO_REQ, "");
  }

  #refuse(request: OptionalRequest): void {
    if (!this.#abilities.takes(request)) return; // one of several packets of this type
    this.#abilities.refuse(request);
    this.#user.onRefused(request);
  }

  #endDoubt(request: OptionalRequest): void {
    this.#doubted.delete(request);
    if (this.#abilities.takes(request)) this.#learn(request);
  }

  #learn(request: OptionalRequest): void {
    if (this.#shown.has(request)) return;
    this.#shown.add(request);
    this.#abilities.learn(request);
  }

  #reportHeldErrors(): void {
    for (const error of this.#heldErrors.splice(0)) this.#user.onError(error);
  }
}
