// What TypeORM would change to make the schema match the entities; only ever read, never run.
import { DataSource, type DataSourceOptions, type ReplicationMode, type Table } from 'typeorm';
import { Query } from 'typeorm/driver/Query.js';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { PostgresQueryRunner } from 'typeorm/driver/postgres/PostgresQueryRunner.js';

export interface Drift {
  readonly up: string[];
  readonly down: string[];
}

/**
 * Compares the entities with the database behind `options`: tables, columns, types, nullability, defaults,
 * collations and primary keys, and whatever indexes and constraints the entities name.
 * What SQL alone manages is no drift: indexes, constraints and generated columns which no entity mentions.
 * A generated column may be mentioned, as a plain column.
 */
export async function findDrift(options: DataSourceOptions): Promise<Drift> {
  const dataSource = new DriftDataSource(options);
  await dataSource.initialize();
  try {
    const { upQueries, downQueries } = await dataSource.driver.createSchemaBuilder().log();
    return {
      up: upQueries.map(({ query }) => query),
      down: downQueries.map(({ query }) => query).toReversed(),
    };
  } finally {
    await dataSource.destroy();
  }
}

class DriftDataSource extends DataSource {
  override createQueryRunner(mode: ReplicationMode = 'master'): PostgresQueryRunner {
    const runner = new EntityViewRunner(this.driver as PostgresDriver, mode);
    return Object.assign(runner, { manager: this.createEntityManager(runner) });
  }
}

/** Reads the tables as the entities may see them. */
class EntityViewRunner extends PostgresQueryRunner {
  private last: Promise<unknown> = Promise.resolve();

  /** One query at a time: TypeORM reads columns in parallel on one connection, of which pg warns. */
  override query<T>(...parameters: Parameters<PostgresQueryRunner['query']>): Promise<T> {
    const result = this.last.then(() => super.query(...parameters) as Promise<T>);
    this.last = result.catch(() => undefined);
    return result;
  }

  override async getTables(names?: string[]): Promise<Table[]> {
    const tables = await super.getTables(names);
    const metadatas = this.connection.entityMetadatas;
    const declared = new Set(
      metadatas.flatMap(({ indices, uniques, checks, exclusions, foreignKeys }) =>
        [indices, uniques, checks, exclusions, foreignKeys].flatMap((items) => items.map(({ name }) => name)),
      ),
    );
    const isDeclared = ({ name }: { name?: string }) => name !== undefined && declared.has(name);

    for (const table of tables) {
      table.indices = table.indices.filter(isDeclared);
      table.uniques = table.uniques.filter(isDeclared);
      table.checks = table.checks.filter(isDeclared);
      table.exclusions = table.exclusions.filter(isDeclared);
      table.foreignKeys = table.foreignKeys.filter(isDeclared);

      const metadata = metadatas.find(({ tableName }) => tableName === table.name);
      const columns = new Set(metadata?.columns.map(({ databaseName }) => databaseName));
      table.columns = table.columns.filter(({ name, generatedType }) => !generatedType || columns.has(name));
      for (const column of table.columns) column.generatedType = column.asExpression = undefined;
    }
    return tables;
  }

  /** TypeORM keeps expressions of generated columns in a table of its own, which this schema does not have. */
  protected override selectTypeormMetadataSql(): Query {
    return new Query('SELECT NULL AS value WHERE false');
  }
}
