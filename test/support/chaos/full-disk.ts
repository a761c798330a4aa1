// A disk without room for another contact: a small one of its own for their table, where this process may mount one.
import { spawnSync } from 'node:child_process';
import { mkdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.js';

/** Much more than there is room for, in bytes. */
const BALLAST = 64 * 1024 * 1024;

export async function fillDisk(cluster: Cluster): Promise<void> {
  const disk = join(cluster.place, 'disk');
  await mkdir(disk);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
  if (status !== 0) return refuse(cluster);
  const { uid, gid } = await stat(join(cluster.place, 'postgres', 'data'));
  spawnSync('chown', [`${uid}:${gid}`, disk]);
  await cluster.sql(`CREATE TABLESPACE small LOCATION '${disk}'`);
  await cluster.sql('ALTER TABLE contact SET TABLESPACE small');
  await writeFile(join(disk, 'ballast'), Buffer.alloc(BALLAST)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC') throw error;
  });
}

export async function freeDisk(cluster: Cluster): Promise<void> {
  const disk = join(cluster.place, 'disk');
  await rm(join(disk, 'ballast'), { force: true });
  await cluster.sql('DROP TRIGGER IF EXISTS disk_full ON contact');
  await cluster.sql('ALTER TABLE contact SET TABLESPACE pg_default');
  await cluster.sql('DROP TABLESPACE IF EXISTS small');
  spawnSync('umount', [disk]);
  await rmdir(disk);
}

/** Says what PostgreSQL says of a full disk, for want of one. */
async function refuse(cluster: Cluster): Promise<void> {
  process.stdout.write('No disk could be mounted: a trigger says that it is full.\n');
  await cluster.sql(`CREATE OR REPLACE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE disk_full USING MESSAGE = 'could not extend file: No space left on device';
  END $$`);
  await cluster.sql(
    `CREATE TRIGGER disk_full BEFORE INSERT OR UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION disk_full()`,
  );
}
