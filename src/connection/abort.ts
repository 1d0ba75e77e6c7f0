/** Waiting: for what others settle, for a signal, for a time. */

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Makes one; `Promise.withResolvers` is not in Node 20. */
export function deferred<T>(): Deferred<T> {
  let settle!: Omit<Deferred<T>, "promise">;
  const promise = new Promise<T>((resolve, reject) => settle = { resolve, reject });
  return { promise, resolve: settle.resolve, reject: settle.reject }; // a spread is slow, and twice as large
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
const waiting = /* @__PURE__ */ new WeakMap<EventTarget, Set<() => void>>();

/** Calls back when the signal fires, which it has not yet; returns what takes that back. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = waiting.get(signal) ?? new Set();
  if (callbacks.size === 0) signal.addEventListener("abort", tell);
  waiting.set(signal, callbacks.add(callback));
  return () => {
    if (callbacks.delete(callback) && callbacks.size === 0) signal.removeEventListener("abort", tell);
  };
}

function tell({ target }: Event): void {
  for (const callback of waiting.get(target!)!) callback();
}

/** The promise's outcome, or the signal's reason if that comes first; leaves no listener behind. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let done = () => {};
    const abort = () => {
      done();
      reject(signal!.reason);
    };
    if (signal?.aborted) abort();
    else if (signal !== undefined) done = onAbort(signal, abort);
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
