/** What a session of a client holds. */

import type { Session } from "../../src/client/session.ts";

/** Counts the requests, expected replies and jobs that a session holds, including abandoned ones. */
export function sizeOf({ held, awaiting, jobs }: Session): number {
  return held.length + awaiting.length + jobs.size;
}
