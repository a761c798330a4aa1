// What is asked of the database in the same moment goes there together.
import { isOfOneAmongMany } from './database-errors.js';
import { gathered, sentTogether } from './signals.js';

/** So many are asked for together at most: a larger crowd has several statements, at once. */
export const TOGETHER = 16;

/** Told apart by this from all others that go with it. */
export interface HasId {
  readonly id: string;
}

/** One who waits for an answer; several, if they share it. */
interface Asked<Item, Answer> extends PromiseWithResolvers<Answer | null> {
  readonly item: Item;
}

/**
 * Nobody waits for company: what has come by the end of this turn of the event loop goes, and that is one unless the process
 * is busy. Each gets the answer it would get alone: when the statement is refused for one of them, it is halved until that
 * one is alone.
 */
export class Gathering<Item extends HasId, Answer extends HasId> {
  /** By id; those that wait for the end of this turn. */
  private waiting?: Map<string, Asked<Item, Answer>>;

  /**
   * @param ask answers with the ids of the items, no matter how many.
   * @param options isShared: whether those who ask for the same id share an answer; else there are never two in one statement.
   */
  constructor(
    private readonly ask: (items: readonly Item[]) => Promise<readonly Answer[]>,
    private readonly options: { readonly isShared: boolean },
  ) {}

  /** The answer with the id of this item; null where there is none. */
  add(item: Item): Promise<Answer | null> {
    const batch = this.waiting;
    const same = batch?.get(item.id);
    const asked = (this.options.isShared && same) || { ...Promise.withResolvers<Answer | null>(), item };
    gathered.tell(asked);
    if (asked === same) return same.promise;
    if (!batch || same || batch.size === TOGETHER) this.begin(asked);
    else batch.set(item.id, asked);
    return asked.promise;
  }

  private begin(first: Asked<Item, Answer>): void {
    const batch = new Map([[first.item.id, first]]);
    this.waiting = batch;
    setImmediate(() => {
      if (this.waiting === batch) this.waiting = undefined;
      this.send([...batch.values()]);
    });
  }

  /** In the traces, for the requests of these and no others. */
  private send(asked: readonly Asked<Item, Answer>[]): void {
    sentTogether.around({ items: asked }, () => void this.answer(asked));
  }

  private async answer(asked: readonly Asked<Item, Answer>[]): Promise<void> {
    try {
      const items = asked.map(({ item }) => item);
      const answers = await this.ask(items);
      const byId = new Map(answers.map((answer) => [answer.id, answer]));
      for (const { item, resolve } of asked) resolve(byId.get(item.id) ?? null);
    } catch (error) {
      const half = asked.length >> 1;
      if (half > 0 && isOfOneAmongMany(error)) {
        this.send(asked.slice(0, half));
        this.send(asked.slice(half));
      } else for (const { reject } of asked) reject(error);
    }
  }
}
