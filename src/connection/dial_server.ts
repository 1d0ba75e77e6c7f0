/** One attempt to connect to a job server. */

import { ConnectionError } from "../errors.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { orAbort } from "../internal/signals.ts";
import { messageOf } from "../internal/text.ts";
import { formatServer } from "../transport/addresses.ts";
import type { Dial, DialOptions, ServerAddress, Transport } from "../transport/transport.ts";

/** Where the job server is, and how to connect to it. */
export interface DialSettings {
  readonly server: ServerAddress;
  readonly dial: Dial;
  /** Time limit in ms. */
  readonly connectTimeout: number;
}

/**
 * Connects to a job server, and returns what `onOpened` makes of the transport, which is closed if that throws. The attempt
 * can be aborted; when its time is over it is aborted with a `TimeoutError`.
 *
 * @throws {ConnectionError} The server could not be reached, or not in time.
 */
export async function dialServer<T>(
  settings: DialSettings,
  attempt: AbortController,
  onOpened: (transport: Transport) => T,
): Promise<T> {
  const { server, dial, connectTimeout } = settings;
  const { signal } = attempt;
  const timer = setTimeout(() => {
    attempt.abort(new DOMException(`no connection within ${connectTimeout} ms`, "TimeoutError"));
  }, connectTimeout);
  let transport: Transport | undefined;
  const opening = (async () => {
    transport = await dial(server, { signal, settings } as DialOptions); // `settings` are for dialFetch alone
    if (signal.aborted) ignoreErrors(() => transport!.close()); // it came too late
    await transport.opened;
    return transport;
  })();
  try {
    const opened = await orAbort(opening, signal);
    signal.throwIfAborted(); // it may have been aborted between the connection and this line
    return onOpened(opened);
  } catch (cause) {
    ignoreErrors(() => transport?.close());
    const name = formatServer(server);
    throw new ConnectionError(`Cannot connect to ${name}: ${messageOf(cause)}`, { cause, server: name });
  } finally {
    clearTimeout(timer);
  }
}
