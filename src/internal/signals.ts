/** Waiting: for what others settle, for a signal, for a time. */

/** What settles a promise. */
export interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise and what settles it. */
export interface Deferred<T> extends Settle<T> {
  readonly promise: Promise<T>;
}

/** Makes one; `Promise.withResolvers` is not in Node 20. */
export function deferred<T>(): Deferred<T> {
  let settle!: Settle<T>;
  const promise = new Promise<T>((resolve, reject) => settle = { resolve, reject });
  return { promise, resolve: settle.resolve, reject: settle.reject }; // a spread is slow, and twice as large
}

/** A promise that may be left alone: a failure that nobody looks at is nobody's crash. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Does what may fail, at once or later, without harm to anybody: to close what is broken, mostly. */
export async function quietly(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch {
    // What cannot be closed is closed.
  }
}

/**
 * Checks the signal of a call.
 *
 * @throws {TypeError} It is no `AbortSignal`.
 */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw new TypeError("Cannot use the signal: it is no AbortSignal");
  }
}

/** Who waits for a signal. It has one listener of ours: with one for each of 20,000 calls, each costs a look at all. */
const waiting = /* @__PURE__ */ new WeakMap<EventTarget, Set<(reason: unknown) => void>>();

/** Calls back with the signal's reason when it fires, at once if it has; returns what takes that back. */
export function onAbort(signal: AbortSignal, callback: (reason: unknown) => void): () => void {
  if (signal.aborted) {
    callback(signal.reason);
    return () => {};
  }
  const callbacks = waiting.get(signal) ?? new Set();
  if (callbacks.size === 0) signal.addEventListener("abort", tell, { once: true });
  waiting.set(signal, callbacks.add(callback));
  return () => {
    if (callbacks.delete(callback) && callbacks.size === 0) signal.removeEventListener("abort", tell);
  };
}

function tell({ target }: Event): void {
  for (const callback of waiting.get(target!)!) callback((target as AbortSignal).reason);
  waiting.delete(target!);
}

/** The promise's outcome, or the signal's reason if that comes first; leaves no listener behind. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = signal && onAbort(signal, reject);
    // Without a signal too: whoever waits for the same promise goes on in the order in which they came.
    promise.then(resolve, reject).then(done);
  });
}

/** Resolves after `ms` milliseconds, or rejects with the signal's reason; leaves neither timer nor listener behind. */
export async function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await orAbort(new Promise<void>((resolve) => timer = setTimeout(resolve, ms)), signal);
  } finally {
    clearTimeout(timer);
  }
}
