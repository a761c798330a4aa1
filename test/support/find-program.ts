// Programs that a test needs and a machine may not have: it skips itself there.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where servers are installed, which is not on everybody's PATH. */
const SERVERS = ['/usr/sbin', '/usr/local/sbin'];

/** The path of the first of these programs that this machine has; undefined if it has none. */
export function findProgram(...names: string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVERS];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}
