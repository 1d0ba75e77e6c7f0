/** Waiting that a signal can end, without a listener or a timer left behind. */

/**
 * Checks the signal of a call.
 *
 * @throws {TypeError} It must be an `AbortSignal`.
 */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw new TypeError("Cannot use the signal: it must be an AbortSignal");
  }
}

/**
 * Callbacks by signal. Each signal has one listener of ours, whatever the number of callbacks: with 20,000 listeners,
 * removing one costs a search through all of them.
 */
const callbacksOf = /* @__PURE__ */ new WeakMap<EventTarget, Set<(reason: unknown) => void>>();

/** Calls back with the signal's reason when it fires, at once if it has fired; returns a function that cancels this. */
export function onAbort(signal: AbortSignal, callback: (reason: unknown) => void): () => void {
  if (signal.aborted) {
    callback(signal.reason);
    return () => {};
  }
  const callbacks = callbacksOf.get(signal) ?? new Set();
  if (callbacks.size === 0) signal.addEventListener("abort", runCallbacks, { once: true });
  callbacksOf.set(signal, callbacks.add(callback));
  return () => {
    if (callbacks.delete(callback) && callbacks.size === 0) signal.removeEventListener("abort", runCallbacks);
  };
}

function runCallbacks({ target }: Event): void {
  const signal = target as AbortSignal;
  for (const callback of callbacksOf.get(signal)!) callback(signal.reason);
  callbacksOf.delete(signal);
}

/** Settles as the promise does, or rejects with the signal's reason if that comes first; leaves no listener behind. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const forgetSignal = signal && onAbort(signal, reject);
    // The same chain with and without a signal: callers that wait for one promise resume in the order of their calls.
    promise.then(resolve, reject).then(forgetSignal);
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
