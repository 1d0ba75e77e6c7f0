/** Connecting to the job server behind a gateway. */

import { ConnectionError } from "../errors.ts";
import { ignoreErrors } from "../internal/promises.ts";
import { orAbort } from "../internal/signals.ts";
import { messageOf } from "../internal/text.ts";
import { formatServer } from "../transport/addresses.ts";
import type { Dial, ServerAddress, Transport } from "../transport/transport.ts";

/** Where the job server is, and how to connect to it. */
export interface DialSettings {
  readonly server: ServerAddress;
  readonly dial: Dial;
  /** Time limit in ms. */
  readonly connectTimeout: number;
}

/**
 * Connects to the job server; `attempt` can be aborted, and is aborted when the time is over.
 *
 * @throws {ConnectionError} It could not be reached, or not in time.
 */
export async function dialServer(settings: DialSettings, attempt: AbortController): Promise<Transport> {
  const { server, dial, connectTimeout } = settings;
  const { signal } = attempt;
  const timer = setTimeout(() => {
    attempt.abort(new DOMException(`no connection within ${connectTimeout} ms`, "TimeoutError"));
  }, connectTimeout);
  let transport: Transport | undefined;
  const opening = (async () => {
    transport = await dial(server, { signal });
    if (signal.aborted) ignoreErrors(() => transport!.close()); // it came too late
    await transport.opened;
    return transport;
  })();
  try {
    return await orAbort(opening, signal);
  } catch (cause) {
    ignoreErrors(() => transport?.close());
    const name = formatServer(server);
    throw new ConnectionError(`Cannot connect to ${name}: ${messageOf(cause)}`, { cause, server: name });
  } finally {
    clearTimeout(timer);
  }
}
