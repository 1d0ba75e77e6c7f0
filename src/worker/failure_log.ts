// deno-lint-ignore-file no-console -- a worker without a listener must not fail in silence
/** What a worker without `onEvent` writes to `console.error`. */

import { GearmanError } from "../errors.ts";
import { messageOf, printable, utf8Decoder } from "../internal/text.ts";
import type { GearmanEvent } from "../connection/options.ts";

type JobEvent = GearmanEvent & { readonly type: "jobEnded" | "jobWarning" };

/** Maximum number of lines in a period. */
const MAX_LINES = 10;
/** Maximum number of bytes of a warning that are looked at. */
const MAX_WARNING = 1_000;
/** Length of a period in milliseconds. */
const PERIOD = 10_000;

/**
 * Writes one line for each failed job and each lost or unreachable server, and for what a server does not know.
 *
 * At most 10 lines are written in 10 s. When the 10 s are over, or at `close`, one more line has the number of those
 * that were left out.
 */
export class FailureLog {
  /** Runs while a period lasts, which begins with a line. */
  #period: ReturnType<typeof setTimeout> | undefined;
  #written = 0;
  #leftOut = 0;
  /** The last error of a server that was written: a loss is reported as an error and as a disconnection. */
  #lastServerError: Error | undefined;

  /** Writes a line if the event is a failure; never throws. */
  report(event: GearmanEvent): void {
    const line = this.#describe(event);
    if (line !== undefined) this.#write(line);
  }

  /** Ends the period: writes how many lines were left out, if any were. */
  close(): void {
    clearTimeout(this.#period);
    this.#period = undefined;
    if (this.#leftOut > 0) writeLine(`${this.#leftOut} more failures were left out`);
    this.#written = 0;
    this.#leftOut = 0;
  }

  #describe(event: GearmanEvent): string | undefined {
    switch (event.type) {
      case "jobEnded":
        if (!("error" in event)) return undefined;
        return `${describeJob(event)} failed: ${describeError(event.error)}`;
      case "jobWarning":
        return `${describeJob(event)} has sent a warning, which the server does not know: ${describeData(event.data)}`;
      case "serverLacks":
        return `${event.server} does not know ${event.packets.join(", ")}`;
      case "error":
      case "disconnected": {
        const { error, server = "" } = event;
        if (error === undefined || error === this.#lastServerError) return undefined;
        this.#lastServerError = error;
        const message = describeError(error);
        return message.includes(server) ? message : `${server}: ${message}`;
      }
      default:
        return undefined;
    }
  }

  #write(line: string): void {
    this.#period ??= startTimer(() => this.close(), PERIOD);
    if (this.#written === MAX_LINES) {
      this.#leftOut += 1;
    } else {
      this.#written += 1;
      writeLine(line);
    }
  }
}

function describeJob({ handle, functionName, server }: JobEvent): string {
  return `Job ${printable(handle)} ("${printable(functionName)}") on ${server}`;
}

function describeData(data: string | Uint8Array): string {
  return printable(typeof data === "string" ? data : utf8Decoder.decode(data.subarray(0, MAX_WARNING)));
}

function writeLine(line: string): void {
  try {
    console.error(`GearmanWorker: ${line}`);
  } catch {
    // A console that throws must not end the connection.
  }
}

/** Describes what was thrown, in one line; never throws. */
function describeError(error: unknown): string {
  const message = messageOf(error);
  try {
    if (!(error instanceof Error)) return message;
    if (message === error.name) return `${message} without a message`;
    const speaksForItself = error instanceof GearmanError || error.name === "Error";
    return speaksForItself ? message : `${printable(error.name)}: ${message}`;
  } catch {
    return message; // the error has properties that throw
  }
}

/** Starts a timer that does not keep the process alive. */
function startTimer(callback: () => void, ms: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(callback, ms);
  const { Deno } = globalThis as { Deno?: { unrefTimer?(id: unknown): void } };
  if (typeof timer === "object") (timer as { unref?(): void }).unref?.();
  else Deno?.unrefTimer?.(timer);
  return timer;
}
