/** The jobs of a server by number. */

/** Number of jobs in a block. A block stays in memory as long as one of its jobs. */
const BLOCK_SIZE = 256;

interface Block<T> {
  readonly items: (T | undefined)[];
  /** Number of items that are defined. */
  size: number;
}

/**
 * Items by number. Numbers are given once, in ascending order, so blocks of them are arrays: a map of a million jobs takes
 * three times as much memory, and ten times as long to fill.
 */
export class NumberTable<T> {
  readonly #blocks = new Map<number, Block<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): T | undefined {
    return this.#blocks.get(Math.floor(number / BLOCK_SIZE))?.items[number % BLOCK_SIZE];
  }

  /** Adds an item with a number that is higher than all before. */
  add(number: number, item: T): void {
    const blockNumber = Math.floor(number / BLOCK_SIZE);
    let block = this.#blocks.get(blockNumber);
    if (block === undefined) {
      block = { items: new Array(BLOCK_SIZE), size: 0 };
      this.#blocks.set(blockNumber, block);
    }
    block.items[number % BLOCK_SIZE] = item;
    block.size += 1;
    this.#size += 1;
  }

  delete(number: number): void {
    const blockNumber = Math.floor(number / BLOCK_SIZE);
    const block = this.#blocks.get(blockNumber);
    if (block?.items[number % BLOCK_SIZE] === undefined) return;
    block.items[number % BLOCK_SIZE] = undefined;
    block.size -= 1;
    this.#size -= 1;
    if (block.size === 0) this.#blocks.delete(blockNumber);
  }

  clear(): void {
    this.#blocks.clear();
    this.#size = 0;
  }

  /** Yields all items in the order of their numbers. */
  *values(): IterableIterator<T> {
    for (const { items } of this.#blocks.values()) {
      for (const item of items) if (item !== undefined) yield item;
    }
  }
}
