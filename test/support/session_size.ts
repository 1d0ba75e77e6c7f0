/** What the sessions of clients hold. */

import { Session } from "../../src/client/session.ts";

/** Counts the requests, expected replies and jobs that a session holds, including abandoned ones. */
export function sizeOf({ held, awaiting, jobs }: Session): number {
  return held.length + awaiting.length + jobs.size;
}

/** Returns a function that counts what all sessions hold that send from now on: clients do not show their tables. */
export function watchSessions(): () => number {
  const sessions = new Set<Session>();
  const { send } = Session.prototype;
  Session.prototype.send = function (request): void {
    sessions.add(this);
    send.call(this, request);
  };
  return () => [...sessions].reduce((sum, session) => sum + sizeOf(session), 0);
}
