// The service as its clients meet it: over HTTP, on a database of its own, every answer held against openapi.json.
import { DataSource } from 'typeorm';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import supertest, { type Response } from 'supertest';
import { createApp } from '../../src/app.setup.js';
import { ApiKeysService } from '../../src/auth/api-keys.service.js';
import { OPERATOR, SCOPES, type Scope } from '../../src/auth/caller.js';
import { loadEnv } from '../../src/config/env.js';
import { createTestDatabase } from './database.js';
import { expectDocumented } from './documented.js';

/** A PORTAL_SECRET for services that are to be reached by https, where the placeholder is refused. */
export const TEST_SECRET = 'a secret of the tests, and of the tests alone';

/** For tests that send more at once than there are connections: a busy machine may be slow to come to the last. */
export const PATIENT = { DATABASE_POOL_WAIT_MS: '30000' };

type Method = 'get' | 'post' | 'patch' | 'delete';

export interface RequestOptions {
  /** Sent as JSON; text is sent as it stands. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** Sends requests as one caller. */
export class Client {
  constructor(
    private readonly app: NestFastifyApplication,
    readonly credentials: Record<string, string>,
  ) {}

  get(path: string, options: RequestOptions = {}): Promise<Response> {
    return this.send('get', path, options);
  }

  post(path: string, body: unknown, options: RequestOptions = {}): Promise<Response> {
    return this.send('post', path, { body, ...options });
  }

  patch(path: string, body: unknown, options: RequestOptions = {}): Promise<Response> {
    return this.send('patch', path, { body, ...options });
  }

  delete(path: string, options: RequestOptions = {}): Promise<Response> {
    return this.send('delete', path, options);
  }

  private async send(
    method: Method,
    path: string,
    { body, headers = {} }: RequestOptions,
  ): Promise<Response> {
    const request = supertest(this.app.getHttpServer())
      [method](path)
      .set({ ...this.credentials, ...headers });
    if (body !== undefined) {
      if (!('content-type' in headers)) request.set('content-type', 'application/json');
      request.send(typeof body === 'string' ? body : JSON.stringify(body));
    }
    const response = await request;
    await expectDocumented(method, path, response);
    return response;
  }
}

export class TestService {
  private constructor(
    readonly app: NestFastifyApplication,
    readonly databaseUrl: string,
    private readonly dropDatabase: () => Promise<void>,
    /** Calls with a key of every scope. */
    readonly api: Client,
  ) {}

  /** Starts the service; `settings` are environment variables. */
  static async start(settings: Record<string, string> = {}): Promise<TestService> {
    const database = await createTestDatabase();
    const env = loadEnv({ NODE_ENV: 'test', LOG_LEVEL: 'silent', DATABASE_URL: database.url, ...settings });
    const app = await createApp(env);
    await app.listen(Number(settings.PORT ?? 0), '127.0.0.1');
    const { key } = await app.get(ApiKeysService).create(OPERATOR, { name: 'test', scopes: [...SCOPES] });
    return new TestService(app, database.url, database.drop, new Client(app, { 'x-sm-key': key }));
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.dropDatabase();
  }

  /** The base URL, for raw sockets and other clients. */
  get url(): string {
    const address = this.app.getHttpServer().address();
    if (address === null || typeof address === 'string') throw new Error('The service does not listen.');
    return `http://127.0.0.1:${address.port}`;
  }

  /** A caller with these request headers, and no others of ours. */
  as(credentials: Record<string, string>): Client {
    return new Client(this.app, credentials);
  }

  /** A caller with a new key of these scopes. */
  async withScopes(...scopes: Scope[]): Promise<Client> {
    const { key } = await this.app.get(ApiKeysService).create(OPERATOR, { name: 'scoped', scopes });
    return this.as({ 'x-sm-key': key });
  }

  /** Looks into the database past the service. */
  sql<Row>(statement: string, values: unknown[] = []): Promise<Row[]> {
    return this.app.get(DataSource).query<Row[]>(statement, values);
  }
}
