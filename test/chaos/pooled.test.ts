// The same behind PgBouncer in transaction mode: what happens to it, and to the database behind it.
import { describe } from '@jest/globals';
import { FAULTS } from '../support/chaos/faults.js';
import { surviveEach } from '../support/chaos/survival.js';
import type { Fault } from '../support/chaos/world.js';
import { findProgram } from '../support/find-program.js';
import { isLong } from './traffic.js';

/** Those that look another way through PgBouncer. */
const BEHIND_IT = [
  'killed with all its processes',
  'read-only',
  'deadlocked again and again',
  'line reset again and again',
  'every fiftieth answer lost with its connection',
  'every session ended again and again',
  'every statement cancelled again and again',
];
const ITS_OWN: Fault[] = [
  {
    name: 'reached by a PgBouncer that is killed',
    lasts: 500,
    begin: async ({ pooler }) => pooler?.kill(),
    end: async ({ pooler }) => pooler?.start(),
  },
];
const faults = [...ITS_OWN, ...FAULTS.filter(({ name }) => BEHIND_IT.includes(name))];

const program = findProgram('pgbouncer');
// Where PgBouncer is not installed nothing can stand behind it; `npm test` has no time for it.
const inTheLongVersion = program !== undefined && isLong ? describe : describe.skip;

inTheLongVersion('behind PgBouncer the database is', () => surviveEach(faults, program));
