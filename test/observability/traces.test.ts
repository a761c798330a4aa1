// Traces as a collector gets them: a span per request with its statements, in the caller's trace; and without one, nothing.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type CollectedSpan, Collector } from '../support/collector.js';
import { type TestDatabase, createTestDatabase } from '../support/database.js';
import { createCompany } from '../support/factories.js';
import { freePort } from '../support/free-port.js';
import { pipeline } from '../support/pipelined.js';
import { RunningService } from '../support/running-service.js';
import { TestService } from '../support/service.js';
import { Session } from '../support/session.js';
import { waitUntil } from '../support/wait.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const [SERVER, CLIENT, ERROR] = [2, 3, 2];

describe('with a collector', () => {
  let collector: Collector;
  let service: TestService;
  /** Everything is asked before, for spans come in batches; the last at the end of the service. */
  beforeAll(async () => {
    collector = await Collector.start();
    service = await TestService.start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collect',
      OTEL_SERVICE_NAME: 'contacts-test',
      // Long enough to connect, on a busy machine.
      DATABASE_TIMEOUT_MS: '3000',
    });
    const { api } = service;
    const get = (path: string, id: string, headers = {}) =>
      api.get(path, { headers: { 'x-request-id': id, ...headers } });
    const company_id = await createCompany(api);
    await get('/api/contacts/ct_0', 'request-one');
    const body = { email: 'trace@acme.test', company_id, portal_access: 1 };
    await api.post('/api/contacts', body, { headers: { 'x-request-id': 'request-write' } });
    await service.sql(`ALTER TABLE contact ADD CONSTRAINT contact_title_ck CHECK (title <> 'refused')`);
    const sent = ['a', 'b', 'refused', 'd'].map((title, index) => ({
      method: 'POST' as const,
      path: '/api/contacts',
      body: { company_id, title },
      headers: { 'x-request-id': `together-${index}` },
    }));
    await pipeline(service, sent);
    await get('/api/contacts/ct_0', 'request-continued', { traceparent: `00-${TRACE}-${PARENT}-01` });
    await get('/api/contacts/ct_0', 'request-unsampled', { traceparent: `00-${TRACE}-${PARENT}-00` });
    await get('/api/contacts/ct_0', 'request-garbage', { traceparent: `00-${TRACE}-garbage-01` });
    await get('/nope', 'request-nowhere');
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => get('/api/contacts/ct_0', `parallel-${index}`)),
    );
    const session = await Session.open(service.databaseUrl);
    await session.client.query('BEGIN; LOCK TABLE contact IN ACCESS EXCLUSIVE MODE');
    await get('/api/contacts/ct_0', 'request-late');
    await session.client.end();
    await service.stop();
  });
  afterAll(() => collector.stop());

  const one = (id: string): CollectedSpan => {
    const span = collector.requestSpan(id);
    if (!span) throw new Error(`There is no span of ${id}.`);
    return span;
  };

  /** Without those that look up the key again, as it has to be on a busy machine. */
  const statementsOf = (request: CollectedSpan): CollectedSpan[] =>
    collector
      .childrenOf(request)
      .filter(({ attributes }) => !String(attributes['db.query.text']).includes('api_key'));

  test('a request is a span, after the conventions, and its statement a child of it', () => {
    const request = one('request-one');
    expect(request).toMatchObject({
      name: 'GET /api/contacts/:id',
      kind: SERVER,
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/api/contacts/:id',
        'http.response.status_code': 404,
        'url.scheme': 'http',
        'enduser.id': expect.stringMatching(/^[a-z0-9]{12}$/),
      },
    });
    expect(request.parentSpanId ?? '').toBe('');
    const [statement, ...others] = statementsOf(request);
    expect(others).toEqual([]);
    expect(statement).toMatchObject({
      name: 'SELECT',
      kind: CLIENT,
      traceId: request.traceId,
      attributes: {
        'db.system.name': 'postgresql',
        'db.operation.name': 'SELECT',
        'db.query.text': expect.stringMatching(/FROM contact c[\s\S]*c\.id = asked\.p2\) answer$/),
        'server.address': '127.0.0.1',
      },
    });
    expect(JSON.stringify(statement)).not.toContain('ct_0');
  });

  test('a request with a body keeps its statements, those of a transaction in order', () => {
    const names = statementsOf(one('request-write')).map(({ name }) => name);
    expect(names.at(0)).toBe('START');
    expect(names).toContain('INSERT');
    expect(names.at(-1)).toBe('COMMIT');
  });

  test('requests whose statement is the same each have it, and none that was for others', () => {
    // The third is at fault, and found in the second half by halving it.
    const sent = [0, 1, 2, 3].map((index) => statementsOf(one(`together-${index}`)).length);
    expect(sent).toEqual([2, 2, 3, 3]);
    for (const index of [0, 1, 2, 3])
      for (const { name, traceId } of statementsOf(one(`together-${index}`)))
        expect({ name, traceId }).toEqual({ name: 'INSERT', traceId: one(`together-${index}`).traceId });
  });

  test("a caller's trace goes on; what it does not keep is not kept, and nonsense begins a new one", () => {
    expect(one('request-continued')).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
    expect(collector.requestSpan('request-unsampled')).toBeUndefined();
    expect(one('request-garbage').traceId).not.toBe(TRACE);
  });

  test('what has no route is named by its method alone', () => {
    expect(one('request-nowhere')).toMatchObject({
      name: 'GET',
      attributes: { 'http.response.status_code': 404 },
    });
  });

  test('requests at the same time each have their own statement', () => {
    const requests = Array.from({ length: 20 }, (_, index) => one(`parallel-${index}`));
    expect(new Set(requests.map(({ traceId }) => traceId)).size).toBe(20);
    for (const request of requests) expect(statementsOf(request)).toHaveLength(1);
  });

  test('what fails is marked, with a code and without a message', () => {
    const request = one('request-late');
    expect(request).toMatchObject({ status: { code: ERROR }, attributes: { 'error.type': '503' } });
    expect(request.status).not.toHaveProperty('message');
    const [statement] = statementsOf(request);
    expect(statement).toMatchObject({
      status: { code: ERROR },
      events: [],
      attributes: { 'error.type': '57014', 'db.response.status_code': '57014' },
    });
  });

  test('there is no statement without its request, although the service sends some of its own', () => {
    const requests = new Set(
      collector.spans.filter(({ kind }) => kind === SERVER).map(({ spanId }) => spanId),
    );
    const orphans = collector.spans.filter(
      ({ kind, parentSpanId = '' }) => kind === CLIENT && !requests.has(parentSpanId),
    );
    expect(orphans).toEqual([]);
  });

  test('the collector is told whose traces these are, and the key it asks for', () => {
    expect(collector.resource).toMatchObject({ 'service.name': 'contacts-test', 'service.version': '0.1.0' });
    expect(collector.headers.authorization).toBe('Bearer collect');
  });
});

describe('a process', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  let service: RunningService;
  afterEach(() => service.kill());

  /** Starts it, which prints each module it loads that is OpenTelemetry's. */
  async function start(settings: Record<string, string> = {}): Promise<void> {
    const telling = `import { registerHooks } from 'node:module';
      registerHooks({ load: (url, context, next) => {
        const [, name] = /@opentelemetry.([\\w-]+)/.exec(url) ?? [];
        if (name) process.stderr.write('loads ' + name + '\\n');
        return next(url, context);
      } });`;
    const NODE_OPTIONS = `--import "data:text/javascript,${encodeURIComponent(telling)}"`;
    service = await RunningService.start({ DATABASE_URL: database.url, NODE_OPTIONS, ...settings });
  }
  const ask = (): Promise<number | string> =>
    service.statusOf('/api/contacts', { traceparent: `00-${TRACE}-${PARENT}-01` });

  test('without a collector loads nothing of it, and its log knows no trace', async () => {
    await start();
    expect(await ask()).toBe(401);
    service.signal();
    expect(await service.ended).toBe(0);
    // The queue's library has the interface, which does nothing.
    expect(new Set(service.output.match(/loads [\w-]+/g))).toEqual(new Set(['loads api']));
    expect(service.messages).toContain('request completed');
    expect(service.output).not.toContain('traceId');
  });

  test('whose collector is dead serves as ever, says so once, and ends as ever; its log names the trace', async () => {
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}` });
    const warnings = (): number =>
      service.messages.filter((message) => message.startsWith('The collector takes no traces')).length;
    await waitUntil(async () => {
      expect(await ask()).toBe(401);
      return warnings() === 1;
    });
    expect(await ask()).toBe(401);
    service.signal();
    expect(await service.ended).toBe(0);
    expect(warnings()).toBe(1);
    expect(service.output).toContain(`"traceId":"${TRACE}"`);
    expect(service.output).toContain('loads sdk-trace');
  });
});
