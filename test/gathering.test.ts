// What is asked in one turn of the event loop goes together, each with the answer it would get alone.
import { expect, test } from '@jest/globals';
import { DatabaseError } from 'pg';
import { QueryFailedError } from 'typeorm';
import { Gathering } from '../src/common/gathering.js';

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `ct_${index}`);

/** A gathering whose every statement is written down, as the ids it was for. */
function recorded(isShared: boolean, refuse: (ids: string[]) => Error | undefined = () => undefined) {
  const asked: string[][] = [];
  const gathering = new Gathering(
    async (items) => {
      const ids = items.map(({ id }) => id);
      asked.push(ids);
      const error = refuse(ids);
      if (error) throw error;
      return ids.filter((id) => id !== 'ct_none').map((id) => ({ id }));
    },
    { isShared },
  );
  const ask = async (ids: string[]): Promise<unknown[]> => {
    const answers = await Promise.allSettled(ids.map((id) => gathering.add({ id })));
    return answers.map((answer) =>
      answer.status === 'fulfilled' ? (answer.value?.id ?? null) : (answer.reason as Error).message,
    );
  };
  return { asked, ask };
}

function refused(code: string, severity = 'ERROR'): DatabaseError {
  return Object.assign(new DatabaseError('refused', 0, 'error'), { code, severity });
}

test('one is sent alone, and who comes in a later turn does not go with it', async () => {
  const { asked, ask } = recorded(false);
  expect(await ask(['ct_1'])).toEqual(['ct_1']);
  expect(await ask(['ct_2'])).toEqual(['ct_2']);
  expect(asked).toEqual([['ct_1'], ['ct_2']]);
});

test('seventeen are a statement for sixteen and one for the last, each answered for itself', async () => {
  const { asked, ask } = recorded(false);
  const ids = [...numbered(15), 'ct_none', 'ct_last'];
  expect(await ask(ids)).toEqual([...numbered(15), null, 'ct_last']);
  expect(asked).toEqual([ids.slice(0, 16), ['ct_last']]);
});

test('the same id twice shares an answer, or is in statements of its own', async () => {
  const ids = ['ct_1', 'ct_2', 'ct_1'];
  const sharing = recorded(true);
  expect(await sharing.ask(ids)).toEqual(ids);
  expect(sharing.asked).toEqual([['ct_1', 'ct_2']]);
  const parting = recorded(false);
  expect(await parting.ask(ids)).toEqual(ids);
  expect(parting.asked).toEqual([['ct_1', 'ct_2'], ['ct_1']]);
});

const FAULTS: [string, Error][] = [
  ['a broken rule', refused('23514')],
  ['a lock that is not to be had', refused('55P03')],
  ['a code of a trigger', refused('P0001')],
  ['an error that TypeORM wraps', new QueryFailedError('SELECT', [], refused('23514'))],
];

test.each(FAULTS)('%s is told to whom it belongs, after halving', async (_what, error) => {
  const { asked, ask } = recorded(false, (ids) => (ids.includes('ct_5') ? error : undefined));
  const answers = await ask(numbered(8));
  expect(answers).toEqual(numbered(8).map((id) => (id === 'ct_5' ? error.message : id)));
  expect(asked.map((ids) => ids.length)).toEqual([8, 4, 4, 2, 2, 1, 1]);
});

const OUTCOMES: [string, Error][] = [
  ['a lost connection', new Error('Connection terminated unexpectedly')],
  ['a statement that took too long', refused('57014')],
  ['a server without space', refused('53100')],
  ['a session that was ended', refused('XX000', 'FATAL')],
];

test.each(OUTCOMES)('%s is told to all, and nothing is sent again', async (_what, error) => {
  const { asked, ask } = recorded(false, () => error);
  expect(await ask(numbered(8))).toEqual(numbered(8).map(() => error.message));
  expect(asked).toHaveLength(1);
});
