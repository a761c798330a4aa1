// What the service may do in the database when it runs as a role of its own, which owns nothing.
import { Client } from 'pg';
import type { Database } from './migration-table.js';

const KINDS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'] as const;
type Kind = (typeof KINDS)[number];

/**
 * What the service does with each table; one that is missing here is out of its reach. The triggers on contact and the
 * functions that fold and count run with its rights, so what they write is named, too.
 */
export const PRIVILEGES: Readonly<Record<string, readonly Kind[]>> = {
  api_key: ['SELECT', 'INSERT', 'UPDATE'],
  // Old entries go by auth_audit_log_sweep() alone.
  auth_audit_log: ['SELECT', 'INSERT'],
  company: ['SELECT', 'INSERT', 'UPDATE'],
  contact: ['SELECT', 'INSERT', 'UPDATE'],
  contact_change: ['SELECT', 'INSERT', 'DELETE'],
  contact_count: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  contact_fold: ['SELECT', 'INSERT', 'DELETE'],
  contact_search: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  idempotent_write: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  magic_link: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  migration: ['SELECT'],
  portal_identity: ['SELECT', 'INSERT', 'DELETE'],
  portal_session: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  rate_limit: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  refresh_token: ['SELECT', 'INSERT', 'UPDATE'],
  signing_key: ['SELECT', 'INSERT', 'UPDATE'],
};

/** The queue's tables are pg-boss's own affair. */
const QUEUE_PRIVILEGES: readonly Kind[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/** Run with their owner's rights, so they are for the service alone. */
const OWNERS_FUNCTIONS = ['public.auth_audit_log_sweep(interval, integer)', 'public.clean_pending_lists()'];

/**
 * The statements that give `role` what the service needs and take all else; they may be run again and again.
 * @param database its name.
 */
function grantStatements(role: string, database: string): string[] {
  const [to, here] = [identifier(role), identifier(database)];
  return [
    `REVOKE ALL ON ALL TABLES IN SCHEMA public, pgboss FROM ${to}`,
    // Whoever makes tables, temporary ones included, can put them in front of ours.
    `REVOKE CREATE ON SCHEMA public, pgboss FROM PUBLIC, ${to}`,
    `REVOKE CREATE, TEMPORARY ON DATABASE ${here} FROM PUBLIC, ${to}`,
    `REVOKE EXECUTE ON FUNCTION ${OWNERS_FUNCTIONS.join(', ')} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${here} TO ${to}`,
    `GRANT USAGE ON SCHEMA public, pgboss TO ${to}`,
    ...Object.entries(PRIVILEGES).map(
      ([table, kinds]) => `GRANT ${kinds.join(', ')} ON public.${table} TO ${to}`,
    ),
    `GRANT ${QUEUE_PRIVILEGES.join(', ')} ON ALL TABLES IN SCHEMA pgboss TO ${to}`,
    `GRANT EXECUTE ON FUNCTION ${OWNERS_FUNCTIONS.join(', ')} TO ${to}`,
  ];
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

interface Grant {
  /** Of the role that owns the schema. */
  readonly url: string;
  readonly role: string;
  /** Prints the statements instead. */
  readonly dryRun?: boolean;
  readonly log?: (line: string) => void;
}

/**
 * Grants `role` what the service needs, all or nothing, and finds out whether it can do more.
 * @throws Error when there is no such role, when it owns the schema, or when it can do more than the service needs.
 */
export async function grantServiceRole({
  url,
  role,
  dryRun = false,
  log = console.log,
}: Grant): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const db: Database = { query: async (sql, values) => (await client.query<object>(sql, values)).rows };
    const statements = grantStatements(role, await requireGrantable(db, role));
    if (dryRun) return statements.forEach((statement) => log(`${statement};`));
    // One after the other: two at once would meet in the catalogue, and one would fail.
    const all = ['BEGIN', `SELECT pg_advisory_xact_lock(hashtext('grant'))`, ...statements, 'COMMIT'];
    for (const statement of all) await client.query(statement);
    const { lacks, exceeds } = await compareRights(db, role);
    if (lacks.length > 0) throw new Error(`${role} could not be given ${lacks.join(', ')}.`);
    if (exceeds.length > 0)
      throw new Error(`${role} has what the service needs, but also ${exceeds.join(', ')}: take that away.`);
    log(`${role} has what the service needs, and nothing else.`);
  } finally {
    await client.end();
  }
}

/** The database's name. */
async function requireGrantable(db: Database, role: string): Promise<string> {
  const [found] = (await db.query(
    `SELECT current_database() AS database, EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS is_there,
       COALESCE((SELECT rolsuper OR pg_has_role(rolname, relowner, 'MEMBER')
         FROM pg_roles, pg_class WHERE rolname = $1 AND pg_class.oid = to_regclass('migration')), false) AS is_owner`,
    [role],
  )) as [{ database: string; is_there: boolean; is_owner: boolean }];
  if (!found.is_there)
    throw new Error(`There is no role ${role}: CREATE ROLE ${identifier(role)} LOGIN makes it.`);
  if (found.is_owner)
    throw new Error(`${role} can act as the owner of the schema, so no grant would limit it.`);
  return found.database;
}

interface Rights {
  /** What the service needs and the role does not have, such as `INSERT on contact`. */
  readonly lacks: string[];
  /** What the role has and the service does not need. */
  readonly exceeds: string[];
}

/** Rights that differ from what the service needs, however the role came by them. */
const DIFFERENCES = `
  SELECT what, is_held FROM pg_roles r, LATERAL (
    SELECT kind || ' on ' || CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname AS what,
      CASE nspname WHEN 'public' THEN COALESCE($2::jsonb -> relname ? kind, false) ELSE $3::jsonb ? kind END AS is_needed,
      has_table_privilege(r.oid, c.oid, kind) AS is_held
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace, unnest($4::text[]) AS kind
    WHERE nspname IN ('public', 'pgboss') AND relkind IN ('r', 'p') AND NOT relispartition
    UNION ALL
    SELECT kind || ' on schema ' || nspname, kind = 'USAGE', has_schema_privilege(r.oid, n.oid, kind)
    FROM pg_namespace n, unnest('{USAGE,CREATE}'::text[]) AS kind WHERE nspname IN ('public', 'pgboss')
    UNION ALL
    SELECT kind || ' on the database', false, has_database_privilege(r.oid, current_database(), kind)
    FROM unnest('{CREATE,TEMPORARY}'::text[]) AS kind
    UNION ALL
    SELECT 'EXECUTE on function ' || p.oid::regprocedure, true, has_function_privilege(r.oid, p.oid, 'EXECUTE')
    FROM unnest($5::text[]) AS name JOIN pg_proc p ON p.oid = to_regprocedure(name)
    UNION ALL
    SELECT 'membership in ' || g.rolname, false, pg_has_role(r.oid, g.oid, 'MEMBER')
    FROM pg_roles g WHERE g.rolname ~ '^pg_(execute_server_program|(read|write)_server_files)$'
    UNION ALL
    SELECT 'CREATEROLE', false, r.rolcreaterole
  ) AS rights
  WHERE r.rolname = COALESCE($1, current_user) AND is_needed <> is_held ORDER BY what`;

/** Holds what `role` (the current one by default) may do against what the service does. */
export async function compareRights(db: Database, role: string | null = null): Promise<Rights> {
  const values = [
    role,
    JSON.stringify(PRIVILEGES),
    JSON.stringify(QUEUE_PRIVILEGES),
    KINDS,
    OWNERS_FUNCTIONS,
  ];
  const rows = (await db.query(DIFFERENCES, values)) as { what: string; is_held: boolean }[];
  const names = (held: boolean): string[] =>
    rows.filter(({ is_held }) => is_held === held).map(({ what }) => what);
  return { lacks: names(false), exceeds: names(true) };
}
