// An AbortSignal that counts its listeners.

/** A signal and its controller; `listeners` returns the number of listeners that were added and not removed. */
export interface CountedSignal {
  readonly signal: AbortSignal;
  readonly listeners: () => number;
  abort(reason: unknown): void;
}

/** Makes a signal that counts its listeners, without those with `once` that have fired. */
export function countedSignal(): CountedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const present = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: never, options?: AddEventListenerOptions | boolean) => {
    present.add(listener);
    if (typeof options === "object" && options.once === true) add(type, () => present.delete(listener), options);
    add(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: never) => {
    present.delete(listener);
    remove(type, listener);
  };
  return { signal, listeners: () => present.size, abort: (reason) => controller.abort(reason) };
}
