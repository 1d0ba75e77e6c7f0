/** A gate that jobs wait at, so that a check can prove that something arrives while a job is running. */

import type { AssignedJob } from "@gearwire/gearman";

/** Holds the jobs of the functions below until it is opened. */
export class Gate {
  #opened = 0;
  #waiting: (() => void)[] = [];

  /** Lets one job pass: the first that waits, or else the next that arrives. */
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

  /** Yields as many lines as the workload says, and waits after each. */
  async *count(job: AssignedJob): AsyncGenerator<string, void, undefined> {
    for (let i = 1; i <= Number(job.text()); i++) {
      yield `line ${i}\n`;
      await this.#pass();
    }
  }

  /** The same, with the progress before each line. */
  async *advance(job: AssignedJob): AsyncGenerator<string, void, undefined> {
    const count = Number(job.text());
    for (let i = 1; i <= count; i++) {
      await job.sendStatus(i, count);
      yield `line ${i}\n`;
      await this.#pass();
    }
  }

  /** Reports that half of the work is done, and waits. */
  async hold(job: AssignedJob): Promise<string> {
    await job.sendStatus(1, 2);
    await this.#pass();
    return "done";
  }
}
