// Tests run as ES modules, compiled by SWC with the options of the build (.swcrc).
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  setupFiles: ['<rootDir>/test/support/jest-setup.ts'],
  globalSetup: '<rootDir>/test/support/global-setup.mts',
  globalTeardown: '<rootDir>/test/support/global-teardown.mts',
  // More than cores: many tests wait for processes, mails and locks.
  maxWorkers: 3,
  // Says that something hangs, and nothing about speed: a machine may be ten times slower than another.
  testTimeout: 300_000,
};
