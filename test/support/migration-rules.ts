// Finds what a migration does that the release still running would suffer from, by PostgreSQL's own parser.
import { type AlterTableStmt, type DropStmt, type Node, type RangeVar, parse } from 'libpg-query';
import { type Migration, statementsOf } from '../../src/database/migration.js';
import {
  type Refusal,
  TableHistory,
  alterTableFaults,
  lastName,
  locks,
  removes,
} from './alter-table-rules.js';

/** A migration with its name, as they are applied: in this order. */
export interface NamedMigration {
  readonly name: string;
  readonly migration: Migration;
}

/** LOCK TABLE in this mode or a stronger one makes writers wait (SHARE). */
const SHARE_LOCK = 5;

/** Kinds of objects that statements of the service name. */
const READ_BY_RELEASES = new Set(['TABLE', 'VIEW', 'MATVIEW', 'SEQUENCE', 'FUNCTION', 'SCHEMA', 'TYPE']);

/**
 * One line per fault of the `up` steps, and per exemption that nothing needs. What a migration itself creates it may
 * treat as it likes: no release uses that yet.
 */
export async function migrationFaults(migrations: readonly NamedMigration[]): Promise<string[]> {
  const histories = new Map<string, TableHistory>();
  const lines: string[] = [];
  for (const { name, migration } of migrations) {
    const refusals = await new Examination(migration, histories).refusals();
    for (const kind of ['locks', 'removes'] as const) {
      const found = refusals.filter((refusal) => refusal.kind === kind);
      if (migration[kind] === undefined) lines.push(...found.map(({ what }) => `${name} ${kind}: ${what}`));
      else if (found.length === 0) lines.push(`${name} says why it ${kind}, but nothing in it does.`);
    }
  }
  return lines;
}

/** One migration under examination. */
class Examination {
  private readonly created = new Set<string>();

  constructor(
    private readonly migration: Migration,
    private readonly histories: Map<string, TableHistory>,
  ) {
    for (const history of histories.values()) history.isHeld = false;
  }

  async refusals(): Promise<Refusal[]> {
    const refusals: Refusal[] = [];
    for (const step of this.migration.up) {
      const isBatch = typeof step === 'object' && 'batch' in step;
      for (const sql of statementsOf(step)) {
        for (const { stmt } of (await parse(sql)).stmts ?? []) {
          if (stmt) refusals.push(...this.examine(stmt), ...(isBatch ? [] : this.writing(stmt)));
        }
      }
    }
    return refusals;
  }

  /** Rows are locked to the end of the transaction, and so is a table that was altered before. */
  private writing(node: Node): Refusal[] {
    const [verb, relation] =
      'UpdateStmt' in node
        ? ['UPDATE', node.UpdateStmt.relation]
        : 'DeleteStmt' in node
          ? ['DELETE FROM', node.DeleteStmt.relation]
          : [];
    if (verb)
      return this.onUsed(relation, (table) => [
        locks(`${verb} ${table} keeps its rows to the end of it: use a step { batch }`),
      ]);
    const source = 'InsertStmt' in node ? node.InsertStmt.selectStmt : node;
    const reads = source && 'SelectStmt' in source && source.SelectStmt.fromClause !== undefined;
    const held = [...this.histories].filter(([, { isHeld }]) => isHeld).map(([table]) => table);
    if (!reads || held.length === 0) return [];
    return [locks(`while something is read, nobody gets at ${held.join(', ')}, which was altered before`)];
  }

  private examine(node: Node): Refusal[] {
    const created = createdBy(node);
    if (created) this.created.add(created);
    if ('AlterTableStmt' in node) return this.alter(node.AlterTableStmt);
    if ('IndexStmt' in node) {
      const { relation, concurrent, idxname = 'INDEX' } = node.IndexStmt;
      return concurrent
        ? []
        : this.onUsed(relation, (table) => [
            locks(`CREATE INDEX ${idxname} keeps every writer of ${table} out: use a step { index, on }`),
          ]);
    }
    if ('DropStmt' in node) return this.drop(node.DropStmt);
    if ('RenameStmt' in node) {
      const { relation, subname = '', newname } = node.RenameStmt;
      return this.onUsed(relation, (table) => [removes(`RENAME ${table} ${subname} TO ${newname}`)]);
    }
    if ('AlterObjectSchemaStmt' in node)
      return this.onUsed(node.AlterObjectSchemaStmt.relation, (table) => [removes(`SET SCHEMA of ${table}`)]);
    if ('TruncateStmt' in node)
      return this.onEach(node.TruncateStmt.relations, (table) => [removes(`TRUNCATE ${table}`)]);
    if ('LockStmt' in node) {
      const { relations, mode = 0 } = node.LockStmt;
      if (mode < SHARE_LOCK) return [];
      return this.onEach(relations, (table) => [locks(`LOCK TABLE ${table} keeps writers out to the end`)]);
    }
    return this.maintenance(node);
  }

  private maintenance(node: Node): Refusal[] {
    if ('VacuumStmt' in node && hasOption(node.VacuumStmt.options, 'full'))
      return [locks('VACUUM FULL writes tables anew')];
    if ('ClusterStmt' in node)
      return this.onUsed(node.ClusterStmt.relation, (table) => [locks(`CLUSTER writes ${table} anew`)]);
    if ('ReindexStmt' in node && !hasOption(node.ReindexStmt.params, 'concurrently'))
      return [locks('REINDEX keeps writers out: REINDEX (CONCURRENTLY)')];
    if ('RefreshMatViewStmt' in node && !node.RefreshMatViewStmt.concurrent)
      return this.onUsed(node.RefreshMatViewStmt.relation, (view) => [
        locks(`REFRESH MATERIALIZED VIEW ${view} keeps readers out: CONCURRENTLY`),
      ]);
    if ('DoStmt' in node) return [locks('DO hides what it does: write the statements out')];
    return [];
  }

  private alter({ relation, cmds = [] }: AlterTableStmt): Refusal[] {
    return this.onUsed(relation, (table) => {
      const history = this.histories.get(table) ?? new TableHistory();
      this.histories.set(table, history);
      const commands = cmds.map((cmd) => ('AlterTableCmd' in cmd ? cmd.AlterTableCmd : {}));
      const refusals = commands.flatMap((command) => alterTableFaults(command, table, history));
      const keepsReadersOut = commands.some(({ subtype }) => subtype !== 'AT_ValidateConstraint');
      if (keepsReadersOut && !this.migration.withoutTransaction) history.isHeld = true;
      return refusals;
    });
  }

  private drop({ removeType, objects = [] }: DropStmt): Refusal[] {
    const kind = removeType?.replace('OBJECT_', '') ?? '';
    if (!READ_BY_RELEASES.has(kind)) return [];
    const names = objects.map((object) => {
      if ('List' in object) return lastName(object.List.items);
      if ('ObjectWithArgs' in object) return lastName(object.ObjectWithArgs.objname);
      return 'TypeName' in object ? lastName(object.TypeName.names) : lastName([object]);
    });
    return names.filter((name) => !this.created.has(name)).map((name) => removes(`DROP ${kind} ${name}`));
  }

  /** The faults of what is done to a table, unless this migration has made it. */
  private onUsed(relation: RangeVar | undefined, faults: (table: string) => Refusal[]): Refusal[] {
    const name = relation?.relname ?? 'an object';
    return this.created.has(name) ? [] : faults(name);
  }

  private onEach(relations: readonly Node[] = [], faults: (table: string) => Refusal[]): Refusal[] {
    return relations.flatMap((node) => ('RangeVar' in node ? this.onUsed(node.RangeVar, faults) : []));
  }
}

/** The name of what a statement makes that cannot have been there before. */
function createdBy(node: Node): string | undefined {
  if ('CreateStmt' in node && !node.CreateStmt.if_not_exists) return node.CreateStmt.relation?.relname;
  if ('CreateTableAsStmt' in node && !node.CreateTableAsStmt.if_not_exists)
    return node.CreateTableAsStmt.into?.rel?.relname;
  if ('CreateFunctionStmt' in node && !node.CreateFunctionStmt.replace)
    return lastName(node.CreateFunctionStmt.funcname);
  return 'ViewStmt' in node && !node.ViewStmt.replace ? node.ViewStmt.view?.relname : undefined;
}

function hasOption(options: readonly Node[] = [], name: string): boolean {
  return options.some((option) => 'DefElem' in option && option.DefElem.defname === name);
}
