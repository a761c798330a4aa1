// The schema as text: the same on every supported PostgreSQL, ordered by name, fit to be committed and compared.
import pg from 'pg';

/** Each query gives rows of one text column, `line`; all leave out what belongs to an extension. */
const OURS = (oid: string, catalog: string) =>
  `NOT EXISTS (SELECT FROM pg_depend WHERE objid = ${oid} AND classid = '${catalog}'::regclass AND deptype = 'e')`;

const SECTIONS = [
  `SELECT format('EXTENSION %s;', extname) AS line FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname`,

  `SELECT rtrim(pg_get_functiondef(oid), E'\\n') || ';' AS line FROM pg_proc
   WHERE pronamespace = 'public'::regnamespace AND ${OURS('oid', 'pg_proc')}
   ORDER BY proname, pg_get_function_identity_arguments(oid)`,

  // Columns in their order, then constraints; NOT NULL is told by the column (PostgreSQL 18 also has constraints).
  `SELECT format(E'TABLE %s (\\n%s\\n);', relname, concat_ws(E',\\n',
     (SELECT string_agg('  ' || concat_ws(' ', attname, format_type(atttypid, atttypmod),
         'COLLATE ' || (SELECT quote_ident(collname) FROM pg_collation
           WHERE oid = attcollation AND attcollation <> (SELECT typcollation FROM pg_type WHERE oid = atttypid)),
         CASE WHEN attnotnull THEN 'NOT NULL' END,
         CASE attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY BY DEFAULT' END,
         CASE attgenerated WHEN '' THEN 'DEFAULT ' ELSE 'GENERATED ' END || pg_get_expr(adbin, adrelid)),
         E',\\n' ORDER BY attnum)
       FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
       WHERE attrelid = class.oid AND attnum > 0 AND NOT attisdropped),
     (SELECT string_agg(format('  CONSTRAINT %s %s', conname, pg_get_constraintdef(oid)), E',\\n' ORDER BY conname)
       FROM pg_constraint WHERE conrelid = class.oid AND contype IN ('p', 'f', 'u', 'c', 'x')))) AS line
   FROM pg_class AS class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
     AND ${OURS('class.oid', 'pg_class')}
   ORDER BY relname`,

  `SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN ';' ELSE ' INVALID;' END AS line
   FROM pg_index JOIN pg_class ON oid = indexrelid
   WHERE relnamespace = 'public'::regnamespace
     AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
   ORDER BY relname`,

  `SELECT pg_get_triggerdef(pg_trigger.oid) || ';' AS line FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
   WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal ORDER BY relname, tgname`,

  `SELECT format('%s %s;', kind, name) AS line FROM (
     SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'VIEW' END AS kind, relname AS name FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('S', 'v', 'm') AND ${OURS('oid', 'pg_class')}
     UNION ALL
     SELECT 'TYPE', typname FROM pg_type
       WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r') AND ${OURS('oid', 'pg_type')}
   ) AS other ORDER BY kind, name`,
];

/** Everything in the public schema of the database at `url`, and its extensions. */
export async function dumpSchema(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const sections: string[] = [];
    for (const query of SECTIONS) {
      const { rows } = await client.query<{ line: string }>(query);
      if (rows.length > 0) sections.push(rows.map(({ line }) => line.trim()).join('\n'));
    }
    return `${sections.join('\n\n')}\n`;
  } finally {
    await client.end();
  }
}
