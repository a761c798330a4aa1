// What holds of every source file; which module may use which is dependency-cruiser's to check (`npm run check`).
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../', import.meta.url));
const files = ['src', 'migrations', 'test'].flatMap((folder) =>
  readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(`${root}${folder}/${name}`, 'utf8') })),
);
const sources = files.filter(({ name }) => name.startsWith('src/'));
const namesOf = (some: typeof files): string[] => some.map(({ name }) => name);

test('every file can be read in one sitting', () => {
  expect(namesOf(files.filter(({ text }) => text.split('\n').length > 250))).toEqual([]);
});

test('every file opens with its purpose, but for modules, which say nothing else', () => {
  const silent = files.filter(({ name, text }) => !name.endsWith('.module.ts') && !text.startsWith('// '));
  expect(namesOf(silent)).toEqual([]);
});

test('file names are kebab-case, with their kind after a dot', () => {
  const odd = files.filter(
    ({ name }) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(name),
  );
  expect(namesOf(odd)).toEqual([]);
});

describe('rules of the layers', () => {
  test('SQL is run by repositories, and by those whose subject is the database', () => {
    const runsSql = sources.filter(({ text }) => /\.query(<[^(]*>)?\(/.test(text));
    const allowed =
      /\.repository\.ts$|^src\/(database|local)\/|^src\/common\/(batched-writes|forgetful-client|list|lane|prepared-pool|reads|servers|standby|transaction|unhurried)\.ts$|^src\/auth\/(api-key-changes|audit-log|verification-keys)\.ts$|^src\/mail\/jobs\.ts$/;
    expect(namesOf(runsSql).filter((name) => !allowed.test(name))).toEqual([]);
  });

  test('every query on contacts and companies takes the caller', () => {
    for (const name of [
      'src/contacts/contacts.repository.ts',
      'src/contacts/contact-lists.repository.ts',
      'src/companies/companies.repository.ts',
    ]) {
      const text = sources.find((file) => file.name === name)?.text ?? '';
      const methods = [...text.matchAll(/^  (?:async )?(\w+)(?:<\w+>)?\(\s*([^)]*)/gm)].map(
        ([, method, given]) => ({ method, given }),
      );
      const reading = methods.filter(
        ({ method }) => !['constructor', 'insert', 'transaction'].includes(method ?? ''),
      );
      expect(reading.length).toBeGreaterThan(0);
      for (const { method, given } of reading)
        expect({ name, method, given }).toMatchObject({
          given: expect.stringMatching(/^(_?caller|\{.*\}): (Key|Portal)?Caller/),
        });
    }
  });

  test('nobody constructs a caller but the guards; the audit log names one as an actor', () => {
    const makers = sources.filter(({ text }) => /kind: '(key|portal)'[,}]/.test(text));
    expect(namesOf(makers).toSorted()).toEqual([
      'src/auth/api-key-verifier.ts',
      'src/auth/audit-log.ts',
      'src/auth/caller.ts',
      'src/auth/portal-callers.repository.ts',
    ]);
  });

  test('the environment is read in one place', () => {
    const readers = sources.filter(({ text }) => text.includes('process.env'));
    // What the embedded PostgreSQL inherits is no setting of ours.
    expect(namesOf(readers).filter((name) => !name.startsWith('src/local/'))).toEqual(['src/config/env.ts']);
  });
});
