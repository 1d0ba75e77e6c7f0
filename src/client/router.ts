/** The router: which server gets a request, and which one next when it could not be sent. */

import { GearmanError } from "../errors.ts";
import { ignoreErrors, markHandled } from "../internal/promises.ts";
import type { ServerAddress } from "../transport/transport.ts";
import { type Balance, orderServers } from "./balance.ts";
import type { Request } from "./request.ts";
import { Session, type SessionSettings } from "./session.ts";

/** All servers of a client. */
export class Router {
  readonly #sessions: readonly Session[];
  readonly #balance: Balance;
  #turns = 0;
  /** One closure for all requests: where a function makes its own, V8 makes a context for it at each call. */
  readonly #nextTurn = (): number => this.#turns++;
  /** How often a request was returned unsent. */
  readonly #reroutes = new WeakMap<Request, number>();
  #closing: Promise<void> | undefined;

  constructor(servers: readonly ServerAddress[], settings: SessionSettings, balance: Balance) {
    this.#balance = balance;
    this.#sessions = servers.map((server) =>
      new Session(server, settings, (request, cause) => this.#reroute(request, cause))
    );
  }

  /** The names of all servers. */
  get names(): readonly string[] {
    return this.#sessions.map(({ name }) => name);
  }

  /** Sends a request to the server of choice, or to the next one that can be reached. */
  send(request: Request, signal: AbortSignal | undefined): void {
    if (signal !== undefined) request.abortOn(signal);
    if (request.settled) return;
    const candidates = this.#candidates(request);
    const first = candidates[0]!;
    // The usual case, without a detour: the server of choice is connected.
    if (first.server.ready !== undefined) return first.send(request);
    request.copyArguments();
    this.#route(request, candidates);
  }

  /** Lets pending writes go out, closes every connection, and ends all that still waits. */
  close(): Promise<void> {
    return this.#closing ??= Promise.all(this.#sessions.map((session) => session.close())).then(() => {});
  }

  /** The servers for a request, in the order in which they are to be tried. */
  #candidates(request: Request): readonly Session[] {
    if (this.#sessions.length === 1) return this.#sessions; // what is pinned is pinned to one of them
    if (request.pinnedTo !== undefined) {
      const { pinnedTo } = request; // a closure with the request itself would cost every call a context
      return this.#sessions.filter(({ name }) => name === pinnedTo);
    }
    return orderServers(this.#sessions, this.#balance, request.balanceKey, this.#nextTurn);
  }

  async #route(request: Request, candidates: readonly Session[], lastError?: unknown): Promise<void> {
    const failing = candidates.filter(({ server }) => server.failing);
    const healthy = candidates.filter(({ server }) => !server.failing);
    // If another server takes the request, the dial of a failing one goes on beside it, however little time the request
    // has: this is how its recovery is found out.
    const dialSignal = healthy.length > 0 ? undefined : request.signal;
    for (const session of failing) {
      markHandled(session.server.open(dialSignal));
    }
    for (const session of [...healthy, ...failing]) {
      if (session.server.ready === undefined) {
        await ignoreErrors(() => session.server.open(request.signal));
        lastError = session.server.lastError ?? lastError;
      }
      if (request.settled) return;
      if (this.#closing !== undefined) return request.fail(new GearmanError("Cannot send: the client is closed"));
      if (session.server.connection !== undefined) return session.send(request);
    }
    request.onUnsent(lastError);
  }

  /** Takes back a request that was not sent; it goes round at most twice. */
  #reroute(request: Request, cause: unknown): void {
    const count = this.#reroutes.get(request) ?? 0;
    this.#reroutes.set(request, count + 1);
    if (count === 2 * this.#sessions.length) request.onUnsent(cause);
    else this.#route(request, this.#candidates(request), cause);
  }
}
