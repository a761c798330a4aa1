// What the service needs of a database beside its schema: settings that are chosen when it is made, or for all sessions.
import type { Database } from './migration-table.js';

export interface SettingsCheck {
  readonly refusal: string | null;
  readonly warning: string | null;
}

/** Of a database whose schema is up. */
export async function checkSettings(db: Database): Promise<SettingsCheck> {
  const [{ name, style, knows }] = (await db.query(
    `SELECT current_database() AS name, current_setting('DateStyle') AS style, show_trgm('ш') <> '{}' AS knows`,
  )) as [{ name: string; style: string; knows: boolean }];
  const refusal =
    `The service reads dates as ISO 8601, and this database writes them as ${style}:` +
    ` ALTER DATABASE "${name}" RESET datestyle (or the role's, or the server's), then start again.`;
  const warning =
    'The LC_CTYPE of this database knows no letters but those of ASCII: a search in any other script is right, but reads' +
    ' every search document. A database with LC_CTYPE C.UTF-8, restored from a dump, has an index for it.';
  return { refusal: style.startsWith('ISO') ? null : refusal, warning: knows ? null : warning };
}
