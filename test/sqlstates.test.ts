// What the database refuses, by SQLSTATE: which of it is a 503 that a client may repeat, and which a fault of ours.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pipeline } from './support/pipelined.js';
import { TestService } from './support/service.js';

const docs = readFileSync(fileURLToPath(new URL('../docs/operations.md', import.meta.url)), 'utf8');
/** [class or code, status, how often the service tries]. */
const documented = [...docs.matchAll(/^\| `([0-9A-Z]{2,5})` +\|.*\| (\d{3}) +\| (\d) +\|$/gm)].map(
  ([, code = '', status, tries]) => ({ code, status: Number(status), tries: Number(tries) }),
);
const ofOthers = { code: '', status: 500, tries: 1 };

/** Every class of PostgreSQL's that is an error, and of mixed ones every code. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const SQLSTATES = (
  '03000 08000 08003 08006 08001 08004 08007 08P01 09000 0A000 0B000 0F000 0L000 0P000 0Z000 20000 21000 22000 22P05 ' +
  '23000 23001 23502 23514 24000 25000 25001 25002 25008 25003 25004 25005 25006 25007 25P01 25P02 25P03 25P04 26000 ' +
  '27000 28000 28P01 2B000 2D000 2F000 34000 38000 39000 3B000 3D000 3F000 40000 40002 40001 40003 40P01 42000 42501 ' +
  '42P01 42703 42883 44000 53000 53100 53200 53300 53400 54000 54001 55000 55006 55P02 55P03 55P04 57000 57014 57P01 ' +
  '57P02 57P03 57P04 57P05 58000 58030 58P01 58P02 58P03 72000 F0000 F0001 HV000 P0000 P0001 P0002 P0003 P0004 XX000 ' +
  'XX001 XX002'
).split(' ');

let service: TestService;
beforeAll(async () => {
  service = await TestService.start();
  await service.sql('CREATE SEQUENCE tries');
  await service.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM nextval('tries');
    RAISE EXCEPTION 'refused' USING ERRCODE = upper(split_part(NEW.email, '@', 1));
  END $$`);
  await service.sql(`CREATE TRIGGER refuse BEFORE INSERT ON contact FOR EACH ROW
    WHEN (NEW.email LIKE '%@sqlstate.test') EXECUTE FUNCTION refuse()`);
});
afterAll(() => service.stop());

const tries = async (): Promise<number> =>
  Number((await service.sql<{ n: string }>(`SELECT nextval('tries') AS n`))[0]?.n);

describe('docs/operations.md', () => {
  test('lists codes and classes that there are', () => {
    expect(documented.length).toBeGreaterThan(10);
    for (const { code } of documented) expect(SQLSTATES.some((one) => one.startsWith(code))).toBe(true);
  });
});

// A write of one statement, and one in a transaction.
describe.each([[{}], [{ portal_access: 1 }]])('%j', (fields) => {
  test.each(SQLSTATES)('%s', async (sqlstate) => {
    const expected = documented.find(({ code }) => sqlstate.startsWith(code)) ?? ofOthers;
    const before = await tries();
    const email = `${sqlstate.toLowerCase()}@sqlstate.test`;
    const { status, headers, body } = await service.api.post('/api/contacts', { email, ...fields });
    const isTemporary = expected.status === 503;
    expect({ status, code: body.error.code, retryAfter: headers['retry-after'] }).toEqual({
      status: expected.status,
      code: isTemporary ? 'unavailable' : 'internal_error',
      retryAfter: isTemporary ? '1' : undefined,
    });
    expect((await tries()) - before - 1).toBe(expected.tries);
  });
});

/** What befalls all who were sent together. */
const ofAll = [...(/What begins with (.+?) befalls all/s.exec(docs)?.[1]?.matchAll(/`(\w+)`/g) ?? [])].map(
  ([, code = '']) => code,
);

/** The statuses of three who are written together, of whom the second is refused so. */
async function statusesOf(sqlstate: string, attempt: number): Promise<(number | undefined)[]> {
  const emails = [
    `before-${sqlstate}-${attempt}@example.org`,
    `${sqlstate}@sqlstate.test`,
    `after-${sqlstate}-${attempt}@example.org`,
  ];
  const requests = emails.map((email) => ({
    method: 'POST' as const,
    path: '/api/contacts',
    body: { email },
  }));
  return (await pipeline(service, requests)).map(({ status }) => status);
}

test.each(SQLSTATES)('%s of one of several that are written together', async (sqlstate) => {
  expect(ofAll.length).toBeGreaterThan(5);
  const { status } = documented.find(({ code }) => sqlstate.startsWith(code)) ?? ofOthers;
  const others = ofAll.some((code) => sqlstate.startsWith(code)) ? status : 201;
  const expected = [others, status, others];
  // Whom a lock kept waiting was parted from the others before: on a busy machine it may take another attempt.
  let statuses = await statusesOf(sqlstate, 1);
  for (let attempt = 2; attempt <= 3 && String(statuses) !== String(expected); attempt += 1)
    statuses = await statusesOf(sqlstate, attempt);
  expect(statuses).toEqual(expected);
});
