/** A binary heap from which any item can be removed. */

/** Distinct items in order; adding and removing one cost logarithmic time. */
export class IndexedHeap<T> {
  readonly #items: T[] = [];
  readonly #indexes = new Map<T, number>();
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  /** Adds an item, unless it is there already. Its order must not change until it is removed. */
  add(item: T): void {
    if (!this.#indexes.has(item)) this.#rise(item, this.#items.length);
  }

  /** Removes an item; returns false if it is not there. */
  delete(item: T): boolean {
    const index = this.#indexes.get(item);
    if (index === undefined) return false;
    this.#indexes.delete(item);
    const last = this.#items.pop()!;
    if (last === item) return true;
    const settled = this.#rise(last, index);
    if (settled === index) this.#sink(last, index);
    return true;
  }

  /** Puts an item at an index, or above it; returns where it was put. */
  #rise(item: T, from: number): number {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(item, this.#items[parent]!)) break;
      this.#put(this.#items[parent]!, index);
      index = parent;
    }
    this.#put(item, index);
    return index;
  }

  /** Puts an item at an index, or below it. */
  #sink(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    while (2 * index + 1 < items.length) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const child = right < items.length && this.#isBefore(items[right]!, items[left]!) ? right : left;
      if (!this.#isBefore(items[child]!, item)) break;
      this.#put(items[child]!, index);
      index = child;
    }
    this.#put(item, index);
  }

  #put(item: T, index: number): void {
    this.#items[index] = item;
    this.#indexes.set(item, index);
  }
}
