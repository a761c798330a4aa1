// The database fails in every way it can while clients write: nothing acknowledged is lost, nothing is done twice.
import { describe } from '@jest/globals';
import { FAULTS } from '../support/chaos/faults.js';
import { surviveEach } from '../support/chaos/survival.js';
import { isLong } from './traffic.js';

/** What `npm test` has time for. */
const SHORT = ['killed with all its processes', 'every fiftieth answer lost with its connection'];
const faults = FAULTS.filter(({ name }) => isLong || SHORT.includes(name));

// PostgreSQL is signalled and told apart from other processes as Unix does it.
const onUnix = process.platform === 'win32' ? describe.skip : describe;

onUnix('the database is', () => surviveEach(faults));
