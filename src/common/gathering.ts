// What is asked of the database in the same moment, gathered to be asked together.
import { gathered, sentTogether } from './signals.js';

/**
 * Nobody waits for company: what has come by the end of this turn of the event loop goes, and that is one unless the process
 * is busy. What is asked together is of one kind, and of different ids.
 */
export class Gathering<Item extends { readonly id: string }> {
  /** By kind and id; those that wait for the end of this turn. */
  private readonly waiting = new Map<string, Map<string, Item>>();

  /**
   * @param most items that are sent together.
   * @param ask sends them, and answers or refuses each.
   */
  constructor(
    private readonly most: number,
    private readonly ask: (kind: string, items: readonly Item[]) => Promise<void>,
  ) {}

  /** The same that somebody else asks for already, and that is asked for twice by that. */
  join(kind: string, id: string): Item | undefined {
    const item = this.waiting.get(kind)?.get(id);
    if (item) gathered.tell(item);
    return item;
  }

  add(kind: string, item: Item): void {
    gathered.tell(item);
    const batch = this.waiting.get(kind);
    if (batch && batch.size < this.most && !batch.has(item.id)) batch.set(item.id, item);
    else this.begin(kind, item);
  }

  /** In the traces, for the requests of these items and no others. */
  send(kind: string, items: readonly Item[]): void {
    sentTogether.around({ items }, () => void this.ask(kind, items));
  }

  private begin(kind: string, first: Item): void {
    const batch = new Map([[first.id, first]]);
    this.waiting.set(kind, batch);
    setImmediate(() => {
      if (this.waiting.get(kind) === batch) this.waiting.delete(kind);
      this.send(kind, [...batch.values()]);
    });
  }
}
