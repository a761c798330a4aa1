// What comes and goes with every request, in the order in which it came.

/** One in the list; by itself once it is removed. */
class Link<Item> {
  before: Link<Item> = this;
  after: Link<Item> = this;

  constructor(public item?: Item) {}
}

/**
 * In place of a Set that lives as long as the process. Such a Set makes a new table after some dozens of changes, and a
 * table of a Set that is old is old garbage from the start: until the next look through the whole heap, which comes the
 * sooner for it, all that was in it then is kept as if it was in use. Here nothing of what was removed leads to anything.
 */
export class LinkedList<Item> {
  size = 0;
  /** Holds nothing: the first is after it, the last before it. */
  private readonly ring = new Link<Item>();

  /** Adds it as the last, and answers how to remove it, which answers whether it was still there. */
  add(item: Item): () => boolean {
    const { ring } = this;
    const link = new Link(item);
    link.before = ring.before;
    link.after = ring;
    ring.before.after = link;
    ring.before = link;
    this.size += 1;
    return () => this.remove(link);
  }

  /** Removes the first and answers it; undefined where there is none. */
  shift(): Item | undefined {
    const first = this.ring.after;
    const { item } = first;
    this.remove(first);
    return item;
  }

  /** Those that are there now, in the order in which they came. */
  toArray(): Item[] {
    const items: Item[] = [];
    for (let link = this.ring.after; link !== this.ring; link = link.after) items.push(link.item as Item);
    return items;
  }

  private remove(link: Link<Item>): boolean {
    if (link.after === link) return false;
    link.before.after = link.after;
    link.after.before = link.before;
    link.before = link.after = link;
    link.item = undefined;
    this.size -= 1;
    return true;
  }
}
