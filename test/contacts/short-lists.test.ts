// Which lists go together with others: those that take a moment, whatever is asked for.
import { describe, expect, test } from '@jest/globals';
import type { Caller } from '../../src/auth/caller.js';
import { isShort } from '../../src/contacts/contact.list.js';
import { ContactQuery } from '../../src/contacts/contact.query.js';
import { shapeOf } from '../../src/contacts/list-shape.js';

const KEY = { kind: 'key' } as Caller;
const USER = { kind: 'portal', contactId: 'ct_1', companyId: 'co_1' } as Caller;
const REMEMBERED = { total: 5_000, asOf: '1:1:', fold: '1', isOld: false };

const short = (caller: Caller, query: Partial<ContactQuery>, total: 'counted' | typeof REMEMBERED): boolean =>
  isShort(shapeOf(caller, Object.assign(new ContactQuery(), query)), { total });

describe('a list goes with others', () => {
  test.each([
    ['of a company', KEY, { company_id: 'co_1' }],
    ['of an address', KEY, { email: 'jane@acme.com' }],
    ['of a portal user', USER, {}],
    ['of a portal user that names its company', USER, { company_id: 'co_1' }],
  ])('%s, whether its total is known or not', (_which, caller, query) => {
    expect(short(caller, query, 'counted')).toBe(true);
    expect(short(caller, query, REMEMBERED)).toBe(true);
  });

  test('by a filter with an index of its own, once its total is known', () => {
    expect(short(KEY, { product: 'crm' }, 'counted')).toBe(false);
    expect(short(KEY, { product: 'crm' }, REMEMBERED)).toBe(true);
  });
});

describe('a list goes by itself', () => {
  test.each([
    ['of a company by a further filter', KEY, { company_id: 'co_1', type: 'client' }],
    ['of a portal user by a filter', USER, { type: 'client' }],
    ['by two filters', KEY, { product: 'crm', funnel_stage: 'purchase' }],
    ['by a tag', KEY, { tag: 'vip' }],
    ['of whoever may sign in', KEY, { portal_access: 1 }],
    ['of a company in another order', KEY, { company_id: 'co_1', sort: 'full_name' }],
    ['far from its start', KEY, { company_id: 'co_1', page: 1_000 }],
    ['of what a search finds', KEY, { search: 'anna' }],
  ])('%s, whether its total is known or not', (_which, caller, query) => {
    expect(short(caller, query, 'counted')).toBe(false);
    expect(short(caller, query, REMEMBERED)).toBe(false);
  });
});
