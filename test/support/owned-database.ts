// A database as operations set it up: the schema belongs to one role, the service runs as another that owns nothing.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Migrator } from '../../src/database/migrator.js';
import { installQueues } from '../../src/mail/install-queues.js';

export class OwnedDatabase {
  private constructor(
    private readonly server: string,
    readonly name: string,
    /** Of the role that owns the schema: no superuser. */
    readonly ownerUrl: string,
    /** Of the role that the service is meant to run as; it has no rights yet. */
    readonly serviceUrl: string,
  ) {}

  /** Migrated by its owner. `server` is an administrator's connection. */
  static async create(server = process.env.TEST_SERVER_URL ?? ''): Promise<OwnedDatabase> {
    const name = `contacts_test_${randomBytes(6).toString('hex')}`;
    const password = randomBytes(12).toString('hex');
    const urlOf = (username: string): string =>
      Object.assign(new URL(server), { username, password, pathname: `/${name}` }).href;
    await run(server, [
      `CREATE ROLE ${name}_owner LOGIN PASSWORD '${password}'`,
      `CREATE ROLE ${name}_service LOGIN PASSWORD '${password}'`,
      `CREATE DATABASE ${name} OWNER ${name}_owner TEMPLATE template0`,
    ]);
    return new OwnedDatabase(server, name, urlOf(`${name}_owner`), urlOf(`${name}_service`));
  }

  /** What a release does before it starts. */
  async migrate(): Promise<void> {
    await new Migrator({ url: this.ownerUrl, log: () => undefined }).up();
    await installQueues(this.ownerUrl);
  }

  get serviceRole(): string {
    return `${this.name}_service`;
  }

  /** Runs statements as the server's administrator, on its own database. */
  asAdministrator(...statements: string[]): Promise<object[][]> {
    return run(this.server, statements);
  }

  /** Runs statements as the owner. */
  asOwner(...statements: string[]): Promise<object[][]> {
    return run(this.ownerUrl, statements);
  }

  /** Runs statements as the service's role. */
  asService(...statements: string[]): Promise<object[][]> {
    return run(this.serviceUrl, statements);
  }

  async drop(): Promise<void> {
    await run(this.server, [
      `DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`,
      `DROP ROLE ${this.name}_service`,
      `DROP ROLE ${this.name}_owner`,
    ]);
  }
}

/** The rows of each statement. */
async function run(url: string, statements: string[]): Promise<object[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const answers: object[][] = [];
    for (const statement of statements) answers.push((await client.query<object>(statement)).rows);
    return answers;
  } finally {
    await client.end();
  }
}
