/** Functions whose jobs go on when they are told to: that something comes while a job runs can be seen, not guessed. */

import type { AssignedJob } from "@gearwire/gearman";

/** What the worker's functions wait for. */
export class Gate {
  #opened = 0;
  #waiting: (() => void)[] = [];

  /** Lets one wait end, be it under way or the next. */
  open(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#opened++;
    else next();
  }

  #pass(): Promise<void> {
    if (this.#opened === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#opened--;
    return Promise.resolve();
  }

  /** Yields so many lines, and waits after each. */
  async *count(job: AssignedJob): AsyncGenerator<string, void, undefined> {
    for (let i = 1; i <= Number(job.text()); i++) {
      yield `line ${i}\n`;
      await this.#pass();
    }
  }

  /** Reports that half is done, and waits. */
  async hold(job: AssignedJob): Promise<string> {
    await job.sendStatus(1, 2);
    await this.#pass();
    return "done";
  }
}
