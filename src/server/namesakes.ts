/** An index of items by a key that several of them may share, such as jobs by their unique. */

/** An item of an index; the links belong to the index. */
export interface Namesake<T> {
  /** The item of the same key that was added before this one. */
  olderNamesake: T | undefined;
  /** The item of the same key that was added after this one. */
  newerNamesake: T | undefined;
}

/** Items by key. Every operation takes constant time, however many items share a key. */
export class NamesakeIndex<T extends Namesake<T>> {
  readonly #newest = new Map<string, T>();

  /** Returns the item of that key that was added last. */
  newest(key: string): T | undefined {
    return this.#newest.get(key);
  }

  /** Adds an item that is in no index. */
  add(key: string, item: T): void {
    const older = this.#newest.get(key);
    item.olderNamesake = older;
    if (older !== undefined) older.newerNamesake = item;
    this.#newest.set(key, item);
  }

  /** Removes an item that was added with this key. */
  delete(key: string, item: T): void {
    const { olderNamesake: older, newerNamesake: newer } = item;
    if (older !== undefined) older.newerNamesake = newer;
    if (newer !== undefined) newer.olderNamesake = older;
    else if (older !== undefined) this.#newest.set(key, older);
    else this.#newest.delete(key);
    item.olderNamesake = undefined;
    item.newerNamesake = undefined;
  }

  clear(): void {
    this.#newest.clear();
  }
}
