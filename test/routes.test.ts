// Every route and who may call it: a change of access shows in the snapshot, a forgotten one in a refusal.
import { Controller, Get, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { ACCESS, type RouteAccess } from '../src/auth/access.decorator.js';
import { AccessGuard } from '../src/auth/access.guard.js';
import { OriginCheck } from '../src/auth/session-cookie.js';
import { ErrorFilter } from '../src/common/error.filter.js';
import { TestService } from './support/service.js';

type Method = 'get' | 'post' | 'patch' | 'delete';

interface Route {
  method: Method;
  path: string;
  access: RouteAccess | 'public' | undefined;
}

interface Operation {
  security?: Record<string, string[]>[];
  responses: Record<string, unknown>;
  parameters?: { name: string }[];
}

const METHODS: Record<number, Method | undefined> = { 0: 'get', 1: 'post', 3: 'delete', 4: 'patch' };
const DOCUMENT = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<Method, Operation>>;
};

let service: TestService;
let routes: Route[];
beforeAll(async () => {
  service = await TestService.start();
  routes = routesOf(service.app);
});
afterAll(() => service.stop());

function routesOf(app: NestFastifyApplication): Route[] {
  const controllers = [...app.get(ModulesContainer).values()].flatMap(({ controllers: all }) => [
    ...all.values(),
  ]);
  return controllers.flatMap(({ metatype }) => {
    const prototype = metatype?.prototype as Record<string, object>;
    return new MetadataScanner().getAllMethodNames(prototype).flatMap((name) => {
      const handler = prototype[name] as object;
      const method = METHODS[Reflect.getMetadata('method', handler) as number];
      if (!method) return [];
      const parts = [
        Reflect.getMetadata('path', metatype as object),
        Reflect.getMetadata('path', handler),
      ] as string[];
      const path = `/${parts.join('/')}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
      return [{ method, path, access: Reflect.getMetadata(ACCESS, handler) as Route['access'] }];
    });
  });
}

const described = ({ method, path, access }: Route): string => {
  const key = access !== 'public' && access?.key ? [`key with ${access.key}`] : [];
  const portal = access !== 'public' && access?.portal ? ['portal user'] : [];
  const who = access === 'public' ? 'everybody' : [...key, ...portal].join(', ');
  return `${method.toUpperCase()} ${path}: ${who}`;
};

test('the routes and who may call them', () => {
  expect(routes.map(described).toSorted()).toMatchSnapshot();
});

test('every route declares its access', () => {
  expect(routes.length).toBeGreaterThan(10);
  expect(routes.filter(({ access }) => access === undefined)).toEqual([]);
});

test('the router has these routes and the documentation, nothing else', () => {
  expect(service.app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false })).toMatchSnapshot();
});

/** Answers pages only, and takes whatever parameters Google adds. */
const GOOGLE_CALLBACK = '/auth/sso/google/callback';

/** Visited by browsers, not called by clients: pages, a form, a redirect, and keys in the form of RFC 7517. */
const NOT_IN_REFERENCE = [
  'get /.well-known/jwks.json',
  'get /auth/magic-link',
  'post /auth/magic-link/confirm',
  `get ${GOOGLE_CALLBACK}`,
];

const isForBrowsers = ({ method, path }: Route): boolean => NOT_IN_REFERENCE.includes(`${method} ${path}`);

test('every route is documented but those that only browsers visit, and nothing else is', () => {
  const documented = Object.entries(DOCUMENT.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const all = routes.map(({ method, path }) => `${method} ${path}`);
  expect([...documented, ...NOT_IN_REFERENCE].toSorted()).toEqual(all.toSorted());
});

test('the documented security is the declared access', () => {
  for (const { method, path, access } of routes) {
    const operation = DOCUMENT.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method];
    const schemes = (operation?.security ?? []).flatMap((scheme) => Object.keys(scheme)).toSorted();
    const { key, portal } = access === 'public' || !access ? {} : access;
    const expected = [...(key ? ['apiKey'] : []), ...(portal ? ['portalToken'] : [])];
    expect({ method, path, schemes }).toEqual({ method, path, schemes: expected });
    if (access === 'public') continue;
    const refusals = ['401', '403'].filter((status) => status in (operation?.responses ?? {}));
    expect({ method, path, refusals }).toEqual({ method, path, refusals: ['401', '403'] });
  }
});

test('every POST and PATCH of a known caller takes an Idempotency-Key; the public ones are safe to repeat as they are', () => {
  const writes = routes.filter(({ method }) => method === 'post' || method === 'patch');
  const takesKey = writes.map(({ method, path, access }) => {
    const operation = DOCUMENT.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method];
    const takes = operation?.parameters?.some(({ name }) => name === 'Idempotency-Key') ?? false;
    return { method, path, isRight: takes === (access !== 'public') };
  });
  expect(takesKey.length).toBeGreaterThan(5);
  expect(takesKey.filter(({ isRight }) => !isRight)).toEqual([]);
});

test('every route but the public ones refuses a caller without credentials', async () => {
  const nobody = service.as({});
  for (const { method, path, access } of routes.filter((route) => !isForBrowsers(route))) {
    const url = path.replace(':id', 'ct_a1b2c3d4');
    const response =
      method === 'post' || method === 'patch' ? await nobody[method](url, {}) : await nobody[method](url);
    const refused = response.body.error?.code === 'unauthenticated';
    expect({ method, path, refused }).toEqual({ method, path, refused: access !== 'public' });
  }
});

test('every route refuses a query parameter that it does not know, and says which', async () => {
  const withKey = routes.filter(({ access }) => access === 'public' || access?.key);
  for (const { method, path } of withKey.filter((route) => route.path !== GOOGLE_CALLBACK)) {
    const url = `${path.replace(':id', 'ct_a1b2c3d4')}?unheard_of=1`;
    const { api } = service;
    const response =
      method === 'post' || method === 'patch' ? await api[method](url, {}) : await api[method](url);
    expect({ method, path, status: response.status }).toEqual({ method, path, status: 400 });
    expect(response.body.error.details).toContainEqual({
      field: 'unheard_of',
      code: 'unknown_parameter',
      message: 'There is no parameter "unheard_of".',
    });
  }
});

test('every route that is sent a body refuses a field that it does not know, even where it takes none', async () => {
  const withKey = routes.filter(({ access }) => access === 'public' || access?.key);
  for (const { method, path } of withKey.filter((route) => route.method !== 'get' && !isForBrowsers(route))) {
    const url = path.replace(':id', 'ct_a1b2c3d4');
    const body = { unheard_of: 1 };
    const { api } = service;
    const response =
      method === 'post' || method === 'patch'
        ? await api[method](url, body)
        : await api[method](url, { body });
    expect({ method, path, details: response.body.error.details }).toEqual({
      method,
      path,
      details: expect.arrayContaining([
        { field: 'unheard_of', code: 'unknown_field', message: 'There is no field "unheard_of".' },
      ]),
    });
  }
});

test('a method that a route does not have is said to be the matter, too', async () => {
  const { status, body } = await service.api.delete('/api/contacts/ct_a1b2c3d4');
  expect([status, body.error.message]).toEqual([404, 'There is no such route, or not with this method.']);
});

test.each(['/docs', '/openapi.json'])('%s is open to everybody', async (path) => {
  expect((await fetch(service.url + path)).status).toBe(200);
});

describe('a route that declares nothing', () => {
  @Controller('forgotten')
  class ForgottenController {
    @Get()
    read(): string {
      return 'open to the world';
    }
  }

  @Module({
    controllers: [ForgottenController],
    providers: [
      { provide: APP_GUARD, useClass: AccessGuard },
      { provide: OriginCheck, useValue: new OriginCheck([]) },
      { provide: APP_FILTER, useClass: ErrorFilter },
    ],
  })
  class ForgottenModule {}

  test('is denied to everybody, a key of every scope included', async () => {
    // No strategy is asked who is calling, so none is there.
    const testing = await Test.createTestingModule({ imports: [ForgottenModule] })
      .useMocker(() => ({}))
      .compile();
    const app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    await app.init();
    try {
      for (const headers of [{}, { 'x-sm-key': 'any' }, { authorization: 'Bearer any' }]) {
        const response = await app.inject({ method: 'GET', url: '/forgotten', headers });
        expect([response.statusCode, response.json().error.code]).toEqual([403, 'forbidden']);
        expect(response.body).not.toContain('open to the world');
      }
    } finally {
      await app.close();
    }
  });
});
