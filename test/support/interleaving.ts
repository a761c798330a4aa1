// Open transactions of several connections, interleaved step by step: the same steps always lead to the same contacts.
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { ContactCountsRepository } from '../../src/contacts/contact-counts.repository.js';
import { type ListCall, anyList, matchesOf } from './random-lists.js';
import { WRITERS, type Write, anyWrite, record, seed, statementOf } from './random-writes.js';
import { Session } from './session.js';
import { SnapshotLists } from './snapshot-lists.js';

/** Snapshots that stay open over later steps, at most. */
const READERS = 3;

export type Step =
  | { readonly do: 'write'; readonly writer: number; readonly write: Write }
  | {
      readonly do: 'begin' | 'savepoint' | 'rollback to savepoint' | 'commit' | 'rollback';
      readonly writer: number;
    }
  /** By the service's upkeep, which keeps so many changes; its transaction may stay open over later steps. */
  | { readonly do: 'fold'; readonly keep: number; readonly open: boolean }
  | { readonly do: 'recount'; readonly open: boolean }
  | { readonly do: 'end upkeep'; readonly commit: boolean }
  | { readonly do: 'open snapshot'; readonly reader: number }
  | { readonly do: 'read'; readonly reader: number; readonly list: ListCall }
  | { readonly do: 'read anew'; readonly list: ListCall }
  | { readonly do: 'verify'; readonly reader: number };

const one = <Name extends string>(...names: Name[]) => fc.constantFrom(...names);
const writer = fc.nat(WRITERS - 1);
const reader = fc.nat(READERS - 1);
const isRare = fc.integer({ min: 0, max: 3 }).map((number) => number === 3);

export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 24, arbitrary: record({ do: one('write'), writer, write: anyWrite }) },
  {
    weight: 20,
    arbitrary: record({
      do: one(
        'begin',
        'begin',
        'begin',
        'savepoint',
        'rollback to savepoint',
        'commit',
        'commit',
        'rollback',
      ),
      writer,
    }),
  },
  {
    weight: 10,
    arbitrary: record({
      do: one('fold'),
      keep: fc.constantFrom(0, 10, 100, 500, 1_000, 50_000),
      open: isRare,
    }),
  },
  { weight: 1, arbitrary: record({ do: one('recount'), open: isRare }) },
  { weight: 4, arbitrary: record({ do: one('end upkeep'), commit: fc.boolean() }) },
  { weight: 5, arbitrary: record({ do: one('open snapshot'), reader }) },
  { weight: 12, arbitrary: record({ do: one('read'), reader, list: anyList }) },
  { weight: 24, arbitrary: record({ do: one('read anew'), list: anyList }) },
  { weight: 3, arbitrary: record({ do: one('verify'), reader }) },
);

/** Where some of the reading is done; `caughtUp` resolves when it has all that is committed by then. */
interface Elsewhere {
  readonly url: string;
  readonly caughtUp: () => Promise<void>;
}

export class Interleaving {
  private lists = new SnapshotLists(new Map());
  private serial = 0;

  private constructor(
    private readonly writers: readonly Session[],
    private readonly readers: readonly Session[],
    private readonly fresh: Session,
    private readonly upkeep: Session,
    /** While its snapshot is open, nothing is removed that one on the standby may still see. */
    private readonly holder: Session,
    private readonly standby?: Elsewhere,
  ) {}

  /** @param standby where all but the first reader read, if given. */
  static async start(url: string, standby?: Elsewhere): Promise<Interleaving> {
    const elsewhere = standby?.url ?? url;
    const several = (urls: string[]) => Promise.all(urls.map((each) => Session.open(each)));
    const [fresh, upkeep, holder] = (await several([elsewhere, url, url])) as [Session, Session, Session];
    await upkeep.client.query(
      `INSERT INTO company (id, name) VALUES ('co_1', 'One'), ('co_2', 'Two'), ('co_3', 'Three')`,
    );
    const writers = await several(Array.from({ length: WRITERS }, () => url));
    const readers = await several([url, ...Array.from({ length: READERS - 1 }, () => elsewhere)]);
    return new Interleaving(writers, readers, fresh, upkeep, holder, standby);
  }

  async stop(): Promise<void> {
    await Promise.all(this.sessions.map(({ client }) => client.end()));
  }

  private get sessions(): readonly Session[] {
    return [...this.writers, ...this.readers, this.fresh, this.upkeep, this.holder];
  }

  /**
   * Begins with the same contacts each time, and a service that remembers nothing.
   * @param ways counts the lists by how they are read.
   * @param hasReplica whether the service knows that some of them are read on a standby.
   */
  async begin(ways: Map<string, number>, hasReplica = this.standby !== undefined): Promise<void> {
    for (const session of this.sessions) await session.end('ROLLBACK');
    const { client } = this.upkeep;
    await client.query('TRUNCATE contact CASCADE');
    const { sql, values } = seed();
    await client.query(sql, values);
    if (this.standby) await this.holder.see();
    this.lists = new SnapshotLists(ways, hasReplica);
    this.serial = 0;
  }

  async take(step: Step): Promise<void> {
    this.serial += 1;
    switch (step.do) {
      case 'write':
        return this.write(at(this.writers, step.writer), step);
      case 'begin':
        return at(this.writers, step.writer).begin();
      case 'savepoint':
        return at(this.writers, step.writer).savepoint();
      case 'rollback to savepoint':
        return at(this.writers, step.writer).rollbackToSavepoint();
      case 'commit':
        return at(this.writers, step.writer).end('COMMIT');
      case 'rollback':
        return at(this.writers, step.writer).end('ROLLBACK');
      case 'fold':
        return this.keepUp(`SELECT contact_fold_changes(${step.keep})`, step.open);
      case 'recount':
        return this.keepUp('SELECT contact_recount()', step.open);
      case 'end upkeep':
        return this.upkeep.end(step.commit ? 'COMMIT' : 'ROLLBACK');
      case 'open snapshot':
        await at(this.readers, step.reader).end('COMMIT');
        return this.see(at(this.readers, step.reader));
      case 'read':
        return this.read(at(this.readers, step.reader), step.list);
      case 'read anew':
        await this.fresh.end('COMMIT');
        return this.read(this.fresh, step.list);
      case 'verify':
        return this.verify(at(this.readers, step.reader));
    }
  }

  /** Lets all that is open end, and looks for what is left behind. */
  async finish(): Promise<void> {
    for (const [index, session] of this.sessions.entries()) {
      await session.end(index % 2 === 0 ? 'COMMIT' : 'ROLLBACK');
    }
    await this.verify(this.fresh);
    await this.upkeep.client.query('SELECT contact_fold_changes(0)');
    await this.fresh.end('COMMIT');
    await this.verify(this.fresh);
  }

  private async see(session: Session): Promise<void> {
    await this.standby?.caughtUp();
    await session.see();
  }

  private async write(
    session: Session,
    { writer: by, write }: { writer: number; write: Write },
  ): Promise<void> {
    const { sql, values = [] } = statementOf(write, by, this.serial);
    if (write.kind === 'refused') return session.refused(sql, values);
    await session.client.query(sql, values);
  }

  private async keepUp(sql: string, open: boolean): Promise<void> {
    await this.upkeep.end('COMMIT');
    if (open) await this.upkeep.begin();
    await this.upkeep.client.query(sql);
  }

  private async read(session: Session, call: ListCall): Promise<void> {
    await this.see(session);
    const { client } = session;
    const { from, order } = matchesOf(call);
    const { page = 1, limit = 25, total = 1, cursor } = call.view;
    const skipped = (page - 1) * limit;
    const answer = await this.lists.read(client, call);
    const { rows } = await client.query<{ count: number; ids: string[] }>(
      `SELECT (SELECT count(*)::int ${from}) AS count,
         ARRAY(SELECT id ${from} ${order} OFFSET ${skipped} ${cursor === undefined ? `LIMIT ${limit + 1}` : ''}) AS ids`,
    );
    const [{ count, ids }] = rows as [{ count: number; ids: string[] }];
    const counted = total === 0 ? undefined : count;
    const expected = (start: number) => ({
      ids: ids.slice(start, start + limit),
      total: counted,
      hasMore: ids.length > start + limit,
    });
    let [found, start] = [answer, 0];
    expect(gist(found)).toEqual(expected(start));
    while (found.next_cursor) {
      found = await this.lists.read(client, call, found.next_cursor);
      start += limit;
      expect(gist(found)).toEqual(expected(start));
    }
  }

  /** The service's own comparison of counts and documents with the contacts. */
  private async verify(session: Session): Promise<void> {
    await this.see(session);
    const counts = new ContactCountsRepository({
      query: async <Rows>(sql: string, values?: unknown[]) =>
        (await session.client.query(sql, values)).rows as Rows,
    });
    const { counts: faults, log } = await counts.compareCounts();
    expect(faults.shown).toEqual([]);
    expect(log.held).toBe(log.folded);
    const documents = await counts.compareDocuments(null);
    expect(documents).toMatchObject({ faults: [], end: null });
  }
}

const gist = ({
  items,
  total,
  hasMore,
}: {
  items: readonly { id: string }[];
  total?: number;
  hasMore: boolean;
}) => ({
  ids: items.map(({ id }) => id),
  total,
  hasMore,
});

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new Error(`There is no ${index}.`);
  return item;
}
