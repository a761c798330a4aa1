// Which forms of ALTER TABLE hold up a table that is in use, or take away what the previous release reads.
import type { AlterTableCmd, ColumnDef, Constraint, Node } from 'libpg-query';

/** Why a statement is refused: it `locks` a table for long, or it `removes` what a running release may use. */
export interface Refusal {
  readonly kind: 'locks' | 'removes';
  readonly what: string;
}

export const locks = (what: string): Refusal => ({ kind: 'locks', what });
export const removes = (what: string): Refusal => ({ kind: 'removes', what });

/** Columns of one table that a CHECK constraint keeps from being null, by the constraint's name. */
interface NotNullCheck {
  readonly column: string;
  isValid: boolean;
}

/** What the statements so far have done to one table. */
export class TableHistory {
  readonly checks = new Map<string, NotNullCheck>();
  /** Whether the transaction under way holds a lock on it that keeps even readers out. */
  isHeld = false;
}

const REWRITES = new Set([
  'AT_SetAccessMethod',
  'AT_SetExpression',
  'AT_SetLogged',
  'AT_SetTableSpace',
  'AT_SetUnLogged',
]);

/** The faults of one command, in the light of what came before. */
export function alterTableFaults(
  { subtype = 'AT_AddColumn', name = '', def }: AlterTableCmd,
  table: string,
  history: TableHistory,
): Refusal[] {
  if (REWRITES.has(subtype)) return [locks(`${subtype.slice(3)} writes ${table} anew`)];
  switch (subtype) {
    case 'AT_AddColumn':
      return addedColumnFaults(columnOf(def), table);
    case 'AT_AddConstraint':
      return addedConstraintFaults(constraintOf(def), table, history);
    case 'AT_ValidateConstraint':
      return validationFaults(name, table, history);
    case 'AT_DropConstraint':
      history.checks.delete(name);
      return [];
    case 'AT_SetNotNull': {
      const isProved = [...history.checks.values()].some(({ column, isValid }) => isValid && column === name);
      if (isProved) return [];
      return [
        locks(
          `SET NOT NULL reads all of ${table}: first add CHECK (${name} IS NOT NULL) NOT VALID, VALIDATE it`,
        ),
      ];
    }
    case 'AT_AlterColumnType':
      return [locks(`ALTER COLUMN ${name} TYPE writes ${table} anew: add a column, fill it, use it`)];
    case 'AT_DropColumn':
      return [removes(`DROP COLUMN ${table}.${name}`)];
    default:
      return [];
  }
}

function addedColumnFaults({ colname, typeName, constraints = [] }: ColumnDef, table: string): Refusal[] {
  const column = `${table}.${colname}`;
  const rules = constraints.map(constraintOf);
  const initial = rules.find(({ contype }) => contype === 'CONSTR_DEFAULT');
  const faults: Refusal[] = [];
  if (/serial/.test(lastName(typeName?.names))) faults.push(locks(`a serial column writes ${table} anew`));
  for (const { contype, raw_expr, generated_kind } of rules) {
    if (contype === 'CONSTR_DEFAULT' && isVolatile(raw_expr)) {
      faults.push(
        locks(
          `the default of ${column} is volatile, which writes the table anew: set it later, fill in batches`,
        ),
      );
    }
    // A virtual one is computed when it is read.
    if (contype === 'CONSTR_GENERATED' && generated_kind !== 'v')
      faults.push(locks(`the stored column ${column} writes the table anew`));
    if (contype === 'CONSTR_IDENTITY')
      faults.push(locks(`the identity column ${column} writes the table anew`));
    if (contype === 'CONSTR_NOTNULL' && !initial && !/serial/.test(lastName(typeName?.names)))
      faults.push(locks(`${column} is NOT NULL without a default: no row has it, nor do INSERTs of today`));
    if (contype === 'CONSTR_CHECK')
      faults.push(locks(`the CHECK of ${column} reads all of the table: add it NOT VALID`));
    if (contype === 'CONSTR_UNIQUE' || contype === 'CONSTR_PRIMARY')
      faults.push(
        locks(`${column} has its index built while all wait: use a step { index, on }, then USING INDEX`),
      );
    if (contype === 'CONSTR_FOREIGN' && initial)
      faults.push(locks(`the foreign key of ${column} is checked for every row: add it NOT VALID`));
  }
  return faults;
}

function addedConstraintFaults(rule: Constraint, table: string, history: TableHistory): Refusal[] {
  const { contype, conname = '', skip_validation: isUnchecked = false, raw_expr, indexname } = rule;
  const column = contype === 'CONSTR_CHECK' ? columnNotNull(raw_expr) : undefined;
  if (column) history.checks.set(conname, { column, isValid: !isUnchecked });
  const what = `ADD CONSTRAINT ${conname}`;
  switch (contype) {
    case 'CONSTR_CHECK':
    case 'CONSTR_FOREIGN':
    case 'CONSTR_NOTNULL':
      return isUnchecked
        ? []
        : [locks(`${what} checks every row of ${table}: add it NOT VALID, then VALIDATE it`)];
    case 'CONSTR_UNIQUE':
    case 'CONSTR_PRIMARY':
      if (indexname) return [];
      return [locks(`${what} builds an index on ${table}: use a step { index, on }, then USING INDEX`)];
    case 'CONSTR_EXCLUSION':
      return [locks(`${what} builds an index on ${table}, which cannot be done CONCURRENTLY`)];
    default:
      return [];
  }
}

/** Validation itself lets reads and writes pass, but not what its transaction holds already. */
function validationFaults(name: string, table: string, history: TableHistory): Refusal[] {
  const check = history.checks.get(name);
  if (check) check.isValid = true;
  if (!history.isHeld) return [];
  return [
    locks(
      `VALIDATE CONSTRAINT ${name} reads all of ${table} while its transaction locks it: put it in a migration of its own`,
    ),
  ];
}

/** The column of `column IS NOT NULL`. */
function columnNotNull(expression: Node | undefined): string | undefined {
  if (!expression || !('NullTest' in expression)) return undefined;
  const { nulltesttype, arg } = expression.NullTest;
  if (nulltesttype !== 'IS_NOT_NULL' || !arg || !('ColumnRef' in arg)) return undefined;
  return lastName(arg.ColumnRef.fields);
}

/** Functions without side effects whose value is the same for a whole statement. */
const STABLE = new Set([
  'now',
  'transaction_timestamp',
  'statement_timestamp',
  'current_setting',
  'lower',
  'upper',
]);

/** Whether a default may differ from row to row; a function that is not known counts as such. */
function isVolatile(expression: unknown): boolean {
  if (typeof expression !== 'object' || expression === null) return false;
  if ('FuncCall' in expression) {
    const { funcname, ...rest } = expression.FuncCall as { funcname?: Node[] };
    return !STABLE.has(lastName(funcname)) || isVolatile(rest);
  }
  return Object.values(expression).some(isVolatile);
}

/** The name without its schema. */
export function lastName(names: readonly Node[] = []): string {
  const last = names.at(-1);
  return last && 'String' in last ? (last.String.sval ?? '') : '';
}

function columnOf(node: Node | undefined): ColumnDef {
  return node && 'ColumnDef' in node ? node.ColumnDef : {};
}

function constraintOf(node: Node | undefined): Constraint {
  return node && 'Constraint' in node ? node.Constraint : {};
}
