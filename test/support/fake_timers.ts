// Timers and a clock that a test controls, so that it does not have to wait.

import assert from "node:assert/strict";

/** The timers and intervals of one duration. */
export interface FakeTimers extends Disposable {
  /** Number of timers that were set. */
  readonly set: number;
  /** Number of timers that are active. */
  readonly active: number;
  /** Fires all active timers. */
  fire(): void;
}

/**
 * Replaces timers of `ms` until it is disposed of: they do not fire by themselves, and do not keep the process alive.
 */
export function fakeTimers(ms: number): FakeTimers {
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
    [Symbol.dispose]() {
      Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
    },
  };
}

/**
 * Replaces `performance.now` by a clock that a test can advance, until it is disposed of. It also advances by `stepMs`
 * whenever it is looked at.
 */
export function fakeClock({ stepMs = 0 }: { stepMs?: number } = {}): Disposable & { advance(ms: number): void } {
  const { performance } = globalThis;
  let ahead = 0;
  const now = () => {
    ahead += stepMs;
    return performance.now() + ahead;
  };
  Object.defineProperty(globalThis, "performance", { value: { now }, configurable: true, writable: true });
  return {
    advance(ms) {
      ahead += ms;
    },
    [Symbol.dispose]() {
      Object.defineProperty(globalThis, "performance", { value: performance, configurable: true, writable: true });
    },
  };
}

/** Runs `run` with a `setTimeout` that starts no timer; returns the timers, so that the test can fire them. */
export function holdTimers(run: () => void): { callback: () => void; ms: number }[] {
  const held: { callback: () => void; ms: number }[] = [];
  const real = globalThis.setTimeout;
  const holding = (callback: () => void, ms = 0) => {
    held.push({ callback, ms });
    return real(() => {}, 0);
  };
  globalThis.setTimeout = holding as unknown as typeof setTimeout;
  try {
    run();
  } finally {
    globalThis.setTimeout = real;
  }
  return held;
}
