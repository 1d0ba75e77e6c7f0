/** A queue that costs the same at both ends, whatever its length; `Array.prototype.shift` does not. */

/** Empty places at the start of the list that are tolerated before the list is moved. */
const MIN_EMPTY = 32;

/** First in, first out. */
export class Fifo<T extends object> {
  #items: (T | undefined)[];
  #head = 0;

  /** Takes the first items; on V8 an array that grows by `push` has room for 17, and one that is written down for its own. */
  constructor(items: T[] = []) {
    this.#items = items;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    // At most half of the list is empty, so that an item moves at most once for each item that was taken.
    if (this.#head > MIN_EMPTY && this.#head * 2 >= this.#items.length) this.#items = this.drain();
    return item;
  }

  /** Iterates over the items that are there now, in their order. */
  [Symbol.iterator](): IterableIterator<T> {
    return (this.#items.slice(this.#head) as T[]).values();
  }

  /** Takes out the last `count` items, in their order. */
  takeLast(count: number): T[] {
    return this.#items.splice(this.#items.length - count) as T[];
  }

  /** Takes everything out. */
  drain(): T[] {
    const items = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return items;
  }
}
