// Settings that no start is let pass with.
import { describe, expect, test } from '@jest/globals';
import { loadEnv } from '../src/config/env.js';

const SECRET = 'ours alone, of forty letters and a few more';

describe('where others can reach the service, the placeholder secret is refused', () => {
  test.each([
    { HOST: '0.0.0.0' },
    { HOST: '::' },
    { HOST: '10.1.2.3' },
    { HOST: 'contacts.acme.com' },
    { PUBLIC_URL: 'https://contacts.acme.com' },
    { PUBLIC_URL: 'http://contacts.acme.com' },
  ])('%j', (settings) => {
    expect(() => loadEnv(settings)).toThrow('Refusing to start:\n  PORTAL_SECRET: ');
    expect(loadEnv({ ...settings, PORTAL_SECRET: SECRET })).toMatchObject(settings);
  });

  test.each([
    {},
    { HOST: 'localhost' },
    { HOST: '::1' },
    { HOST: '127.0.0.2' },
    { PUBLIC_URL: 'https://app.localhost:8443' },
    { PUBLIC_URL: 'http://[::1]:3000' },
    { PUBLIC_URL: 'http://localhost:3000/' },
  ])('but not with %j', (settings) => expect(loadEnv(settings)).toMatchObject(settings));
});

test.each([
  ['PUBLIC_URL', 'localhost:3000', 'must be a URL such as https://contacts.acme.com'],
  ['PUBLIC_URL', 'ftp://contacts.acme.com', 'must be a URL such as https://contacts.acme.com'],
  ['PUBLIC_URL', 'https://acme.com/contacts', 'must be a host of its own, without a path'],
  ['PUBLIC_URL', 'https://acme.com/?a', 'must be a host of its own, without a path'],
  ['GOOGLE_ISSUER', 'accounts.google.com:443', 'must be a URL such as https://accounts.google.com'],
  [
    'DATABASE_URL',
    'localhost:5432/contacts',
    'must be a URL such as postgres://user:password@host:5432/database',
  ],
  ['SMTP_URL', 'smtp.acme.com', 'must be a URL such as smtps://user:password@host:465'],
  ['PORT', 'abc', 'must be a number'],
  ['PORTAL_ORIGINS', 'http://localhost:5173/', 'without a path or a slash at the end'],
])('%s=%s is refused in words that help', (name, value, sentence) => {
  expect(() => loadEnv({ [name]: value })).toThrow(new RegExp(`^ {2}${name}: .*${sentence}`, 'm'));
});

describe('production refuses', () => {
  const production = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://contacts:secret@db.internal/contacts',
    PUBLIC_URL: 'https://contacts.acme.com',
    PORTAL_SECRET: SECRET,
    PORTAL_ORIGINS: 'https://portal.acme.com,http://localhost:5173',
    TRUST_PROXY: '10.0.0.0/8',
  };

  test('none of what is sound', () => {
    expect(loadEnv(production)).toMatchObject({ NODE_ENV: 'production' });
  });

  test.each([
    ['JWT_SECRET', { JWT_SECRET: SECRET }],
    ['PORTAL_ORIGINS', { PORTAL_ORIGINS: 'http://portal.acme.com' }],
    ['PORTAL_COOKIE_SAMESITE', { PORTAL_COOKIE_SAMESITE: 'none', PUBLIC_URL: 'http://contacts.acme.com' }],
    ['TRUST_PROXY', { TRUST_PROXY: '0.0.0.0/0' }],
    ['TRUST_PROXY', { TRUST_PROXY: '10.0.0.1,::/0' }],
    ['TRUST_PROXY', { TRUST_PROXY: '0.0.0.0/1,128.0.0.0/1' }],
    ['TRUST_PROXY', { TRUST_PROXY: '::ffff:0.0.0.0/96' }],
    ['GOOGLE_ISSUER', { GOOGLE_ISSUER: 'http://accounts.acme.com' }],
  ])('%s in %j', (name, settings) => {
    expect(() => loadEnv({ ...production, ...settings })).toThrow(
      `Refusing to start in production:\n  ${name}: `,
    );
  });
});
