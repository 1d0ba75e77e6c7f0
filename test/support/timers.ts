// Timers of one duration, counted: whether something is still to happen is then seen, and not waited for.

import assert from "node:assert/strict";

/** The timers and intervals of one duration that were set while it watched. */
export interface WatchedTimers extends Disposable {
  /** How many were set. */
  readonly set: number;
  /** How many are still to fire. */
  readonly active: number;
  /** Fires all that are active, as if their time had come. */
  fire(): void;
}

/** Watches timers of `ms` until it is disposed of: they never fire by themselves, nor keep the process alive. */
export function watchTimers(ms: number): WatchedTimers {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  const active = new Map<unknown, { callback: () => void; repeats: boolean }>();
  let set = 0;
  const setting = (real: typeof setTimeout, repeats: boolean) => (callback: () => void, duration?: number) => {
    if (duration !== ms) return real(callback, duration);
    const timer = real(() => {}, 0);
    active.set(timer, { callback, repeats });
    set++;
    return timer;
  };
  const clearing = (real: typeof clearTimeout) => (timer?: never) => {
    active.delete(timer);
    real(timer);
  };
  Object.assign(globalThis, {
    setTimeout: setting(setTimeout, false),
    setInterval: setting(setTimeout, true),
    clearTimeout: clearing(clearTimeout),
    clearInterval: clearing(clearInterval),
  });
  return {
    get set() {
      return set;
    },
    get active() {
      return active.size;
    },
    fire() {
      assert.ok(active.size > 0, `no timer of ${ms} ms is active`);
      for (const [timer, { callback, repeats }] of [...active]) {
        if (!repeats) active.delete(timer);
        callback();
      }
    },
    [Symbol.dispose]: () => void Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval }),
  };
}

/** A clock that can be put forward: what `performance.now` says, until it is disposed of. */
export function watchClock(): Disposable & { advance(ms: number): void } {
  const { performance } = globalThis;
  let ahead = 0;
  const now = () => performance.now() + ahead;
  Object.defineProperty(globalThis, "performance", { value: { now }, configurable: true, writable: true });
  return {
    advance(ms) {
      ahead += ms;
    },
    [Symbol.dispose]: () =>
      void Object.defineProperty(globalThis, "performance", { value: performance, configurable: true, writable: true }),
  };
}
