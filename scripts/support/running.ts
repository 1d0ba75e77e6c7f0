/** Programs that run beside a check: their output, and how they end. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";

/** Milliseconds after which a program that has not done what is expected is considered to hang. */
const TIMEOUT = 60_000;

/** A program that runs; it is killed when it is disposed of. */
export class Running implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** Resolves to its status, or to the signal that has ended it. */
  readonly #closed: Promise<number | string>;
  #output = "";

  /** Starts a program in a folder. */
  constructor(command: readonly string[], folder: string) {
    const [name, ...args] = command;
    this.#child = spawn(name!, args, {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, so that what it starts (as tsx does) ends with it
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text) => this.#output += text);
    }
    this.#closed = new Promise((resolve) => this.#child.once("close", (status, signal) => resolve(status ?? signal!)));
  }

  /** Resolves when it has printed a text. */
  async printed(text: string): Promise<void> {
    let ended = false;
    void this.#closed.then(() => ended = true);
    await until(() => ended || this.#output.includes(text)).catch(() => {});
    assert.ok(this.#output.includes(text), `"${text}" must be printed:\n${this.#output}`);
  }

  /** Resolves to its output when it has ended with status 0. */
  async end(): Promise<string> {
    const timer = setTimeout(() => this.#signal("SIGKILL"), TIMEOUT);
    const status = await this.#closed;
    clearTimeout(timer);
    assert.equal(status, 0, this.#output);
    return this.#output;
  }

  /** Does what Ctrl+C does. */
  interrupt(): void {
    this.#signal("SIGINT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal("SIGKILL");
    await this.#closed;
  }

  #signal(signal: "SIGINT" | "SIGKILL"): void {
    signalGroup(this.#child, signal);
  }
}

/** Signals a program that has a process group of its own, and what it has started, unless all of it has ended. */
export function signalGroup({ pid }: ChildProcess, signal: "SIGINT" | "SIGKILL"): void {
  try {
    process.kill(-pid!, signal);
  } catch {
    // It has ended.
  }
}

/** Resolves when something listens on a port of 127.0.0.1. */
export async function isListening(port: number): Promise<void> {
  await until(() =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("error", () => resolve(false)).once("connect", () => {
        socket.destroy();
        resolve(true);
      });
    })
  );
}

/** Asks again and again until the answer is true. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const started = Date.now();
  while (!await condition()) {
    if (Date.now() - started > TIMEOUT) throw new Error(`It did not happen within ${TIMEOUT / 1_000} s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
