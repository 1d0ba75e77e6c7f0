// An AbortSignal that counts who listens to it.

/** A signal and its controller; `listeners` is how many have been added and not taken away. */
export interface CountedSignal {
  readonly signal: AbortSignal;
  readonly listeners: () => number;
  abort(reason: unknown): void;
}

/** Makes a signal whose listeners are counted; those that fired once and for all are not. */
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
