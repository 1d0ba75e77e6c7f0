/** The memory of workloads: those that are short share pages. */

/** Size of a page in bytes. A page stays in memory as long as one of its workloads. */
const PAGE_SIZE = 4_096;
/** Maximum length of a workload that is kept in a page, in bytes. */
export const MAX_PAGED_WORKLOAD = 256;

/** A workload in a page, or in memory of its own. */
export interface KeptWorkload {
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * Keeps workloads. An array for each short one would cost it 200 bytes and more, and a fifth of the time that the server
 * takes for a background job (32 bytes, Node 24).
 */
export class WorkloadPages {
  #page = new Uint8Array(0);
  #used = 0;

  /** Keeps a workload: a short one is copied into a page, and a longer one is kept as it is. */
  keep(workload: Uint8Array): KeptWorkload {
    if (workload.length > MAX_PAGED_WORKLOAD) return { memory: workload, start: 0, end: workload.length };
    if (this.#page.length - this.#used < workload.length) {
      this.#page = new Uint8Array(PAGE_SIZE);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += workload.length;
    this.#page.set(workload, start);
    return { memory: this.#page, start, end: this.#used };
  }
}
