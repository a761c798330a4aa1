// What is asked of the database in the same moment goes there together.
import { isOfOneAmongMany } from './database-errors.js';
import { gathered, sentTogether } from './signals.js';
import type { HasId } from './sql.js';

/** So many are asked for together at most: a larger crowd has several statements, at once. */
export const TOGETHER = 16;

/** A statement, and those of its parameters that are the same for all who are asked for together. */
interface Kind {
  readonly sql: string;
  readonly others: readonly unknown[];
}

/** One who waits for an answer; several, if they share it. */
interface Asked<Item> extends PromiseWithResolvers<HasId | null> {
  readonly item: Item;
}

/**
 * Nobody waits for company: what has come by the end of this turn of the event loop goes, and that is one unless the process
 * is busy. Each gets the answer it would get alone: when the statement is refused for one of them, it is halved until that
 * one is alone.
 */
export class Gathering<Item extends HasId> {
  /** By kind and id; those that wait for the end of this turn. */
  private readonly waiting = new Map<string, Map<string, Asked<Item>>>();

  /**
   * @param ask answers rows with the ids of the items, no matter how many.
   * @param options isShared: whether those who ask for the same id share an answer; else there are never two in one statement.
   */
  constructor(
    private readonly ask: (kind: Kind, items: readonly Item[]) => Promise<readonly HasId[]>,
    private readonly options: { readonly isShared: boolean },
  ) {}

  /** The answer with the id of this item; null where there is none. */
  add(kind: Kind, item: Item): Promise<HasId | null> {
    const key = `${kind.sql}\0${JSON.stringify(kind.others)}`;
    const batch = this.waiting.get(key);
    const same = batch?.get(item.id);
    const asked = (this.options.isShared && same) || { ...Promise.withResolvers<HasId | null>(), item };
    gathered.tell(asked);
    if (asked === same) return same.promise;
    if (!batch || same || batch.size === TOGETHER) this.begin(key, kind, asked);
    else batch.set(item.id, asked);
    return asked.promise;
  }

  private begin(key: string, kind: Kind, first: Asked<Item>): void {
    const batch = new Map([[first.item.id, first]]);
    this.waiting.set(key, batch);
    setImmediate(() => {
      if (this.waiting.get(key) === batch) this.waiting.delete(key);
      this.send(kind, [...batch.values()]);
    });
  }

  /** In the traces, for the requests of these and no others. */
  private send(kind: Kind, asked: readonly Asked<Item>[]): void {
    sentTogether.around({ items: asked }, () => void this.answer(kind, asked));
  }

  private async answer(kind: Kind, asked: readonly Asked<Item>[]): Promise<void> {
    try {
      const items = asked.map(({ item }) => item);
      const answers = await this.ask(kind, items);
      const byId = new Map(answers.map((answer) => [answer.id, answer]));
      for (const { item, resolve } of asked) resolve(byId.get(item.id) ?? null);
    } catch (error) {
      const half = asked.length >> 1;
      if (half > 0 && isOfOneAmongMany(error)) {
        this.send(kind, asked.slice(0, half));
        this.send(kind, asked.slice(half));
      } else for (const { reject } of asked) reject(error);
    }
  }
}
