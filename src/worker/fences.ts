/**
 * How far a server has come with what a worker has sent on one connection.
 *
 * A server answers in order, but functions and results have no answer, and some servers do not answer requests that they
 * do not know. A fence is an ECHO_REQ behind them. When it has passed, the server has handled everything before it: what
 * is not answered by then never will be.
 */

import { Fifo } from "../internal/queue.ts";
import type { OptionalRequest } from "./server_abilities.ts";

/** An ECHO_REQ to send. */
export interface FenceOptions {
  /** A request that was sent just before, and that the server may not know. */
  readonly doubted?: OptionalRequest;
  readonly onPassed?: () => void;
}

/** An ECHO_REQ that was sent. */
interface Fence extends FenceOptions {
  /** Number of grabs that were sent before it on this connection. */
  readonly grabsBefore: number;
}

/** The grabs and fences of one connection, in the order in which they were sent. */
export class Fences {
  readonly #fences = new Fifo<Fence>();
  #grabsSent = 0;
  /** Grabs that were answered or refused. */
  #grabsEnded = 0;

  /** Number of grabs that are not answered yet. */
  get grabsInFlight(): number {
    return this.#grabsSent - this.#grabsEnded;
  }

  /** True if a fence has not passed. */
  get areAwaited(): boolean {
    return this.#fences.first !== undefined;
  }

  grabSent(): void {
    this.#grabsSent += 1;
  }

  /** A grab was answered: the server has also handled the fences before it, whether it has answered them or not. */
  grabAnswered(): void {
    this.#grabsEnded += 1;
    while (this.#fences.first !== undefined && this.#fences.first.grabsBefore < this.#grabsEnded) {
      this.#fences.shift()!.onPassed?.();
    }
  }

  /** An ECHO_REQ was sent; calls back when it has passed. */
  fenceSent(options: FenceOptions = {}): void {
    this.#fences.push({ ...options, grabsBefore: this.#grabsSent });
  }

  /** The request in doubt that an ERROR is about if it arrives now: the server has answered everything before it. */
  get doubted(): OptionalRequest | undefined {
    const fence = this.#fences.first;
    return fence !== undefined && fence.grabsBefore <= this.#grabsEnded ? fence.doubted : undefined;
  }

  /** An ECHO_RES has arrived; returns the number of grabs that it has overtaken, which the server will not answer. */
  fenceAnswered(): number {
    const fence = this.#fences.shift();
    if (fence === undefined) return 0;
    const overtaken = Math.max(0, fence.grabsBefore - this.#grabsEnded);
    this.#grabsEnded += overtaken;
    fence.onPassed?.();
    return overtaken;
  }
}
