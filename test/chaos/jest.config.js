// `npm run test:chaos`: the long version of what `npm test` runs briefly, one file after the other.
import base from '../../jest.config.js';

export default {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/chaos/**/*.test.ts'],
  globals: { IS_LONG: true },
  maxWorkers: 1,
};
