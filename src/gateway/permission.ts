/** Asking whether a call is allowed. */

import type { GatewayCall } from "./client_request.ts";

/** Decides whether a client may make a call; the option `allow` of a gateway. */
export type Allow = (call: GatewayCall, request: Request) => boolean | string | PromiseLike<boolean | string>;

/** The answer to a call: `reason` is for the client, `error` for the log. */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason?: string; readonly error?: unknown };

export const ALLOWED: Verdict = { allowed: true };

/** Whom to ask, and how long to wait for the answer. */
export interface PermissionSettings {
  readonly allow: Allow;
  /** Milliseconds after which a call is refused. */
  readonly allowTimeout: number;
}

/**
 * Asks for permission. Only `true` allows a call; a string is a refusal with that reason. What `allow` throws, and no
 * answer in time, are refusals without a reason.
 */
export function askPermission(
  { allow, allowTimeout }: PermissionSettings,
  call: GatewayCall,
  request: Request,
): Verdict | Promise<Verdict> {
  try {
    const answer = allow(call, request);
    const settled = typeof answer === "boolean" || typeof answer === "string";
    return settled ? toVerdict(answer) : answerInTime(Promise.resolve(answer), allowTimeout);
  } catch (error) {
    return { allowed: false, error };
  }
}

function answerInTime(answer: Promise<unknown>, allowTimeout: number): Promise<Verdict> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve({ allowed: false, error: new DOMException(`no answer within ${allowTimeout} ms`, "TimeoutError") });
    }, allowTimeout);
    answer.then(toVerdict, (error) => ({ allowed: false, error }) as const).then((verdict) => {
      clearTimeout(timer);
      resolve(verdict);
    });
  });
}

function toVerdict(answer: unknown): Verdict {
  if (answer === true) return ALLOWED;
  return typeof answer === "string" ? { allowed: false, reason: answer } : { allowed: false };
}
