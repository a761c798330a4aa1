// The service as a role that owns nothing: all of it works, and what it does not do is refused by the database.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PRIVILEGES } from '../src/database/service-role.js';
import { EveryRoute } from './support/every-route.js';
import { OwnedDatabase } from './support/owned-database.js';
import { type Finished, runEntry } from './support/process.js';
import { RunningService } from './support/running-service.js';

const INSUFFICIENT_PRIVILEGE = '42501';

let database: OwnedDatabase;
let everyRoute: EveryRoute;
beforeAll(async () => {
  database = await OwnedDatabase.create();
  await database.migrate();
  everyRoute = await EveryRoute.prepare();
});
afterAll(async () => {
  await everyRoute.stop();
  await database.drop();
});

const grant = (...args: string[]): Promise<Finished> =>
  runEntry('migrate', ['grant', ...args], { DATABASE_URL: database.ownerUrl });
const asService = (entry: string, ...args: string[]): Promise<Finished> =>
  runEntry(entry, args, { ...everyRoute.settings, DATABASE_URL: database.serviceUrl });

describe('before it was granted anything', () => {
  test('the service says in one sentence what to do', async () => {
    const { code, stdout, stderr } = await asService('main');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^The role \w+_service lacks .* and \d+ more rights: run `npx nest start migrate -- grant \w+_service`.*\n$/,
    );
  });

  test('a dry run prints what would be granted, and grants nothing', async () => {
    const { code, stdout } = await grant(database.serviceRole, '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain(`GRANT SELECT, INSERT ON public.auth_audit_log TO "${database.serviceRole}";\n`);
    await expect(database.asService('TABLE contact')).rejects.toMatchObject({ code: INSUFFICIENT_PRIVILEGE });
  });
});

describe('grant', () => {
  test.each([
    ['no role', [], 2, 'grant takes the name of a role.'],
    ['two roles', ['a', 'b'], 2, 'Unexpected argument: b'],
    [
      'an unknown role',
      ['nobody"; DROP TABLE contact; --'],
      1,
      'There is no role nobody"; DROP TABLE contact; --',
    ],
  ])('refuses %s', async (_case, args, code, message) => {
    const refused = await grant(...args);
    expect(refused).toMatchObject({ code, stderr: expect.stringContaining(message) });
  });

  test('refuses the owner, and whoever can become it', async () => {
    expect(await grant(`${database.name}_owner`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('can act as the owner of the schema'),
    });
    await database.asAdministrator(`GRANT ${database.name}_owner TO ${database.serviceRole}`);
    expect(await grant(database.serviceRole)).toMatchObject({ code: 1 });
    await database.asAdministrator(`REVOKE ${database.name}_owner FROM ${database.serviceRole}`);
  });

  test('takes what the role was given beyond the needs of the service, and may be repeated', async () => {
    const { serviceRole } = database;
    await database.asOwner(
      `GRANT ALL ON ALL TABLES IN SCHEMA public, pgboss TO ${serviceRole}`,
      `GRANT ALL ON SCHEMA public, pgboss TO ${serviceRole}`,
      `GRANT ALL ON DATABASE ${database.name} TO ${serviceRole}`,
    );
    for (const time of [1, 2]) {
      const granted = await grant(serviceRole);
      expect({ time, ...granted }).toEqual({
        time,
        code: 0,
        stdout: `${serviceRole} has what the service needs, and nothing else.\n`,
        stderr: '',
      });
    }
  });

  test('tells what the role can do besides in a way that it leaves alone', async () => {
    await database.asOwner('GRANT TRUNCATE ON contact, auth_audit_log TO PUBLIC');
    expect(await grant(database.serviceRole)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'but also TRUNCATE on auth_audit_log, TRUNCATE on contact: take that away',
      ),
    });
    await database.asOwner('REVOKE TRUNCATE ON contact, auth_audit_log FROM PUBLIC');
    expect(await grant(database.serviceRole)).toMatchObject({ code: 0 });
  });

  test('knows every table', async () => {
    const [tables] = await database.asOwner(
      `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
    );
    expect(tables?.map((row) => Object.values(row)[0])).toEqual(Object.keys(PRIVILEGES).toSorted());
  });
});

describe('granted', () => {
  test('a service serves every route, keeps its counts and sends its mail, and is denied nothing', async () => {
    const made = await asService('cli', 'keys', 'create', '--name', 'all', '--scopes',
      'contacts:read,contacts:write,companies:read,companies:write,keys:manage,audit:read'); // prettier-ignore
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const service = await RunningService.start({ ...everyRoute.settings, DATABASE_URL: database.serviceUrl });
    try {
      await everyRoute.visit(service.url, made.stdout.trim());
      for (const [command, ...args] of [
        ['signing-keys', 'rotate'],
        ['verify', '--rebuild'],
        ['sweep'],
        ['keys', 'list'],
      ])
        expect(await asService('cli', command ?? '', ...args)).toMatchObject({ code: 0 });
      await everyRoute.visit(service.url, made.stdout.trim());
    } finally {
      await service.stop();
    }
    expect(service.output).toContain('"status":200');
    expect(service.output).not.toMatch(/permission denied|must be owner|fall behind|"level":[56]0/);
  });

  test.each([
    'CREATE TABLE surplus ()',
    'CREATE TEMPORARY TABLE contact ()',
    'CREATE TABLE pgboss.surplus ()',
    'CREATE SCHEMA surplus',
    'CREATE VIEW surplus AS SELECT 1',
    'CREATE FUNCTION surplus() RETURNS integer LANGUAGE sql RETURN 1',
    'CREATE EXTENSION citext',
    'CREATE INDEX ON contact (title)',
    'ALTER TABLE contact ADD surplus text',
    'ALTER TABLE contact DISABLE TRIGGER contact_log_update',
    'ALTER TABLE auth_audit_log DISABLE TRIGGER ALL',
    'ALTER FUNCTION auth_audit_log_refuse() RENAME TO surplus',
    'ALTER TABLE pgboss.job ADD surplus text',
    'DROP TABLE contact',
    'DROP TRIGGER auth_audit_log_append_only ON auth_audit_log',
    'DROP FUNCTION auth_audit_log_sweep',
    'TRUNCATE contact',
    'TRUNCATE auth_audit_log',
    'TRUNCATE api_key',
    `UPDATE auth_audit_log SET event = 'sign_in'`,
    'DELETE FROM auth_audit_log',
    'DELETE FROM contact',
    'DELETE FROM company',
    'DELETE FROM api_key',
    'DELETE FROM signing_key',
    'DELETE FROM refresh_token',
    'DELETE FROM migration',
    `INSERT INTO migration (name, duration_ms, checksum) VALUES ('x', 0, 'x')`,
    'SELECT rolpassword FROM pg_authid',
    `SELECT pg_read_file('postgresql.conf')`,
    `COPY contact TO PROGRAM 'cat'`,
    'SET session_replication_role = replica',
    'SET ROLE pg_database_owner',
  ])('it may not: %s', async (statement) => {
    await expect(database.asService(statement)).rejects.toMatchObject({ code: INSUFFICIENT_PRIVILEGE });
  });

  test('it sweeps no entry of the audit log that is younger than 90 days, whatever period it names', async () => {
    const age = async (days: number): Promise<void> => {
      await database.asOwner(
        `INSERT INTO auth_audit_log (event, actor_kind, at) VALUES ('sign_in', 'operator', now() - interval '${days} days')`,
      );
    };
    const days = async () =>
      (
        await database.asOwner(
          `SELECT floor(extract(day FROM now() - at))::int AS days FROM auth_audit_log WHERE at < now() - interval '80 days' ORDER BY at`,
        )
      )[0];
    await age(89);
    await age(91);
    for (const period of ['0', '1 day', '-1 day', '89 days'])
      await expect(
        database.asService(`SELECT auth_audit_log_sweep('${period}', 1000)`),
      ).rejects.toMatchObject({ code: INSUFFICIENT_PRIVILEGE });
    expect(await days()).toEqual([{ days: 91 }, { days: 89 }]);
    expect(await database.asService(`SELECT auth_audit_log_sweep('90 days', 1000)`)).toEqual([
      [{ auth_audit_log_sweep: 1 }],
    ]);
    expect(await days()).toEqual([{ days: 89 }]);
    await expect(database.asOwner('DELETE FROM auth_audit_log')).rejects.toMatchObject({
      code: INSUFFICIENT_PRIVILEGE,
    });
  });

  test('a right that a release needs is asked for at its start, not by the first request', async () => {
    await database.asOwner(`REVOKE INSERT ON contact FROM ${database.serviceRole}`);
    const { code, stderr } = await asService('main');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('lacks INSERT on contact: run'),
    });
    await database.asOwner(`REVOKE USAGE ON SCHEMA pgboss FROM ${database.serviceRole}`);
    expect((await asService('cli', 'keys', 'list')).stderr).toContain(
      'INSERT on contact, USAGE on schema pgboss: run',
    );
    await grant(database.serviceRole);
    expect(await asService('cli', 'keys', 'list')).toMatchObject({ code: 0 });
  });
});
