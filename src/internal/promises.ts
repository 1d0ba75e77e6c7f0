/** Promises that are settled from outside, waiting for a change, and promises that may fail without notice. */

/** The two functions that settle a promise. */
export interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise together with the functions that settle it. */
export interface Deferred<T> extends Settle<T> {
  readonly promise: Promise<T>;
}

/** Makes a deferred promise; `Promise.withResolvers` is missing in Node 20. */
export function deferred<T>(): Deferred<T> {
  let settle!: Settle<T>;
  const promise = new Promise<T>((resolve, reject) => settle = { resolve, reject });
  return { promise, resolve: settle.resolve, reject: settle.reject }; // a spread is slow, and twice as large
}

/** Lets any number of waits go on at the next notice: what they wait for may be true then. */
export class Notifier {
  #next: Deferred<void> | undefined;

  /** Resolves at the next notice. */
  wait(): Promise<void> {
    this.#next ??= deferred();
    return this.#next.promise;
  }

  /** Ends all waits that are under way. */
  notify(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}

/** Returns the promise; if it rejects and nothing awaits it, no unhandled rejection ends the process. */
export function markHandled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Runs an action and ignores its errors, thrown or rejected: mostly to close what is broken already. */
export async function ignoreErrors(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch {
    // The result of the action does not matter to the caller.
  }
}

/** True if a value is a promise, of whatever library. */
export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === "function";
}

/**
 * Calls, and continues with the result: at once, or when its promise resolves. What one of the two throws, or rejects with,
 * goes to `onError`.
 */
export function attempt<T, R>(
  call: () => T | PromiseLike<T>,
  next: (result: T) => R | PromiseLike<R>,
  onError: (error: unknown) => R,
): R | PromiseLike<R> {
  try {
    const result = call();
    return isPromiseLike(result) ? Promise.resolve(result).then(next).catch(onError) : next(result);
  } catch (error) {
    return onError(error);
  }
}
