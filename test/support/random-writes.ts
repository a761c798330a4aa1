// Writes of every kind that contacts meet, each on rows of one writer alone: no writer ever waits for another.
import fc from 'fast-check';

export const WRITERS = 4;
/** Contacts that a run begins with. */
const SEEDED = 4_600;
/** The oldest of them have a name of their own, which no walk from the newest on comes upon in time. */
const OLDEN = 2_150;
const NEWEST = Date.parse('2026-03-05T10:20:00Z');
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

export type Write =
  /** New contacts. */
  | { readonly kind: 'insert'; readonly like: number; readonly rows: number }
  /** Contacts that are new, or there and changed. */
  | { readonly kind: 'upsert'; readonly like: number; readonly rows: number }
  /** The last of its rows is refused, and so are all. */
  | { readonly kind: 'refused'; readonly like: number; readonly rows: number }
  | { readonly kind: 'update'; readonly set: string; readonly from: number; readonly rows: number }
  | { readonly kind: 'delete'; readonly from: number; readonly rows: number }
  /** More subtransactions than a snapshot keeps the numbers of, every third rolled back. */
  | { readonly kind: 'subtransactions'; readonly set: string };

/**
 * What an update sets: each leaves the schema's rules kept, whatever the contact was before. :serial makes new what
 * has to be unique.
 */
const CHANGES = [
  `contact_type = 'client'`,
  `contact_type = 'lead'`,
  `contact_type = 'investor', source = 'import'`,
  `source = 'manual'`,
  `source = 'web'`,
  `company_id = 'co_1'`,
  `company_id = CASE WHEN email IS NULL THEN company_id END`,
  `first_name = 'OMAR'`,
  `first_name = 'Ida', last_name = NULL`,
  `full_name_override = 'Zoltan Olden'`,
  `full_name_override = NULL`,
  `email = 'mar.' || md5(id || :serial) || '@acme.example'`,
  `email = CASE WHEN company_id IS NULL OR portal_access = 1 THEN email END`,
  `tags = 'vip'`,
  `tags = 'b,vip,c', product = 'crm'`,
  `tags = NULL, product = NULL`,
  `pipeline_stage = 'won', funnel_stage = NULL`,
  `pipeline_stage = NULL, funnel_stage = 'aware'`,
  // The role is the schema's choice.
  `portal_access = CASE WHEN email IS NULL THEN 0 ELSE 1 END`,
  `portal_access = 0, portal_role = NULL`,
  `created_at = created_at - interval '31 days'`,
  `created_at = created_at + interval '1 hour', contact_type = 'client'`,
  `created_at = timestamptz '2026-02-01T00:00:00Z'`,
  `created_at = date_trunc('day', created_at, 'UTC') - interval '1 microsecond'`,
  `id = 'ct_' || left(md5(id || :serial), 12) || right(id, 1)`,
  `id = 'ct_' || left(md5(id || :serial), 12) || right(id, 1), created_at = created_at + interval '3 days', tags = 'vip'`,
  // Nothing that a list filters by or searches.
  `notes = 'x', updated_at = now()`,
  `contact_type = contact_type`,
] as const;

/** A plain object of random fields, told as one when a test fails. */
export const record = <Fields>(fields: {
  [Name in keyof Fields]: fc.Arbitrary<Fields[Name]>;
}): fc.Arbitrary<Fields> => fc.record(fields, { noNullPrototype: true });

const set = fc.constantFrom(...CHANGES);
const like = fc.nat(100_000);
/** The place of the first among the writer's own, newest first. */
const from = fc.oneof(fc.constant(0), fc.nat(1_100));
const some = fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 30 }), fc.integer({ min: 100, max: 300 }));
const few = fc.integer({ min: 1, max: 5 });

export const anyWrite: fc.Arbitrary<Write> = fc.oneof(
  { weight: 3, arbitrary: record({ kind: fc.constant('insert' as const), like, rows: some }) },
  { weight: 1, arbitrary: record({ kind: fc.constant('upsert' as const), like, rows: few }) },
  { weight: 1, arbitrary: record({ kind: fc.constant('refused' as const), like, rows: few }) },
  { weight: 8, arbitrary: record({ kind: fc.constant('update' as const), set, from, rows: some }) },
  { weight: 2, arbitrary: record({ kind: fc.constant('delete' as const), from, rows: some }) },
  { weight: 1, arbitrary: record({ kind: fc.constant('subtransactions' as const), set }) },
);

export interface Statement {
  readonly sql: string;
  readonly values?: unknown[];
}

/** The contacts that a run begins with, most of them of one type, source, tag and name. */
export function seed(): Statement {
  return insert(
    Array.from({ length: SEEDED }, (_, index) => ({
      ...person(index, `s${index}w${index % WRITERS}`),
      last_name: index < SEEDED - OLDEN ? 'Smith' : 'Olden',
      // Three at a time, over five weeks.
      created_at: new Date(NEWEST - Math.floor(index / 3) * 31 * MINUTE).toISOString(),
    })),
  );
}

/** The statement of a write; `serial` is unlike that of any other write. */
export function statementOf(write: Write, writer: number, serial: number): Statement {
  const people = (name: string, { like: first, rows }: { like: number; rows: number }): object[] =>
    Array.from({ length: rows }, (_, index) => person(first + index, `${name}${index}w${writer}`));
  const own = `SELECT id FROM contact WHERE right(id, 1) = '${writer}' ORDER BY created_at DESC, id DESC`;
  const assigned = (assignments: string): string => assignments.replaceAll(':serial', `'${serial}'`);
  switch (write.kind) {
    case 'insert':
      return insert(people(`n${serial}x`, write));
    case 'upsert': {
      // Emails would be in each other's way once an id has changed.
      const known = people('u', write).map((row) => ({ ...row, ...WITHOUT_EMAIL }));
      const { sql, values } = insert(known);
      const changes = ['contact_type', 'source', 'first_name', 'created_at'];
      const replaced = changes.map((name) => `${name} = EXCLUDED.${name}`).join(', ');
      return { sql: `${sql} ON CONFLICT (id) DO UPDATE SET ${replaced}`, values };
    }
    case 'refused': {
      const refused = people(`n${serial}x`, write);
      return insert([...refused, { ...refused[0], ...WITHOUT_EMAIL }]);
    }
    case 'update':
      return {
        sql: `UPDATE contact SET ${assigned(write.set)} WHERE id IN (${own} OFFSET $1 LIMIT $2)`,
        values: [write.from, write.rows],
      };
    case 'delete':
      return {
        sql: `DELETE FROM contact WHERE id IN (${own} OFFSET $1 LIMIT $2)`,
        values: [write.from, write.rows],
      };
    case 'subtransactions':
      break;
  }
  return {
    sql: `DO $$ BEGIN
          FOR n IN 0..70 LOOP
            BEGIN
              UPDATE contact SET ${assigned(write.set)} WHERE id = (${own} OFFSET n LIMIT 1);
              IF n % 3 = 0 THEN RAISE division_by_zero; END IF;
            EXCEPTION WHEN division_by_zero THEN NULL;
            END;
          END LOOP;
        END $$`,
  };
}

const WITHOUT_EMAIL = { email: null, company_id: 'co_3', portal_access: 0 };

const COLUMNS = [
  'id',
  'email',
  'company_id',
  'first_name',
  'last_name',
  'contact_type',
  'source',
  'product',
  'tags',
  'pipeline_stage',
  'funnel_stage',
  'engagement_score',
  'portal_access',
  'portal_role',
  'created_at',
].join(', ');

function insert(rows: readonly object[]): Statement {
  return {
    sql: `INSERT INTO contact (${COLUMNS}) SELECT ${COLUMNS} FROM jsonb_populate_recordset(NULL::contact, $1)`,
    values: [JSON.stringify(rows)],
  };
}

/** The contact of a number: the same each time, and skewed. */
function person(number: number, name: string): object {
  const percent = (of: number): number => (Math.imul(number * 31 + of + 1, 0x9e3779b1) % 1_000_003) % 100;
  const share = <Value>(of: number, ...values: [number, Value][]): Value | null => {
    const at = Math.abs(percent(of));
    return values.find(([below]) => at < below)?.[1] ?? null;
  };
  const email = share(1, [92, `${share(2, [30, 'mar'], [100, 'p'])}.${name}@acme.example`]);
  const admitted = email === null ? 0 : share(3, [35, 1], [100, 0]);
  return {
    id: `ct_${name}`,
    email,
    company_id: email === null ? 'co_3' : share(4, [40, 'co_1'], [50, 'co_2']),
    first_name: share(
      5,
      [40, 'Márta'],
      [70, 'Omar'],
      [71, 'Zoltan'],
      [73, '李明'],
      [75, '100% _a\\b'],
      [95, 'Ida'],
    ),
    last_name: share(6, [2, 'Olden'], [80, 'Müller']),
    contact_type: share(7, [80, 'client'], [95, 'lead'], [100, 'investor']),
    source: share(8, [75, 'manual'], [95, 'web'], [100, 'import']),
    product: share(9, [60, 'crm'], [70, 'seo']),
    tags: share(10, [50, 'vip'], [70, 'a,vip,b'], [80, 'early vip,a']),
    pipeline_stage: share(11, [50, 'won'], [60, 'new']),
    funnel_stage: share(12, [10, 'aware']),
    engagement_score: share(13, [50, number % 7]),
    portal_access: admitted,
    portal_role: admitted === 1 ? share(14, [30, 'client_admin'], [100, 'client_viewer']) : null,
    // Newer than all, among them, as old as one of them, and older than all.
    created_at: new Date(NEWEST + ((number % 5) - 3) * 12 * DAY + (number % 40) * 31 * MINUTE).toISOString(),
  };
}
