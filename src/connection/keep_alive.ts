/** Keep-alive: finds out that a silent connection is dead while something waits for it. */

/** How a user takes part in keeping a connection alive. */
export interface KeepAliveUser {
  /** One interval is over; `silent` if nothing came or went in it, so that it is time to ask the peer something. */
  onTick(tick: { readonly silent: boolean }): void;
  /** Nothing came or went in the interval after that either. */
  onDead(): void;
}

/** Watches one connection, from `start` to `stop`, and again. */
export class KeepAlive {
  readonly #interval: number;
  readonly #user: KeepAliveUser;
  /** Counts the connection's bytes: a large packet may take longer than any interval. */
  readonly #transferred: () => number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #state: "alive" | "asked" = "alive";
  #lastTransferred = 0;

  /** Takes the interval in ms. */
  constructor(interval: number, transferred: () => number, user: KeepAliveUser) {
    this.#interval = interval;
    this.#transferred = transferred;
    this.#user = user;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#state = "alive";
    this.#lastTransferred = this.#transferred();
    this.#timer = setInterval(() => this.#tick(), this.#interval);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const transferred = this.#transferred();
    const silent = transferred === this.#lastTransferred;
    this.#lastTransferred = transferred;
    if (silent && this.#state === "asked") return this.#user.onDead();
    this.#state = silent ? "asked" : "alive";
    this.#user.onTick({ silent });
  }
}
