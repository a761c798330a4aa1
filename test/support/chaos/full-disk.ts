// A disk without room for another contact, or for the log of it: a small one of its own, where this process may mount one.
import { spawnSync } from 'node:child_process';
import { lstat, mkdir, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitUntil } from '../wait.js';
import type { Cluster } from './cluster.js';

/** Much more than there is room for, in bytes. */
const BALLAST = 256 * 1024 * 1024;

export async function fillDisk(cluster: Cluster): Promise<void> {
  const disk = await mountDisk(cluster, '16m');
  if (disk === null) return refuse(cluster);
  await cluster.sql(`CREATE TABLESPACE small LOCATION '${disk}'`);
  await cluster.sql('ALTER TABLE contact SET TABLESPACE small');
  await fill(disk);
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

/** Until the server has died: it cannot go on without its log. Without a disk of its own it is killed. */
export async function fillLogDisk(cluster: Cluster): Promise<void> {
  const disk = await mountDisk(cluster, '128m');
  if (disk === null) return cluster.kill();
  const log = join(cluster.place, 'postgres', 'data', 'pg_wal');
  await cluster.stop();
  await move(log, join(disk, 'log'));
  await symlink(join(disk, 'log'), log);
  await cluster.start();
  await fill(disk);
  // What is there already of the log takes no room: it is used up.
  const use = `SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) FROM generate_series(1, 1000)`;
  await waitUntil(() =>
    cluster.sql(use).then(
      () => false,
      () => true,
    ),
  );
  await waitUntil(async () => !(await cluster.isUp()));
}

export async function freeLogDisk(cluster: Cluster): Promise<void> {
  const disk = join(cluster.place, 'disk');
  const log = join(cluster.place, 'postgres', 'data', 'pg_wal');
  if ((await lstat(log)).isSymbolicLink()) {
    await rm(log);
    await move(join(disk, 'log'), log);
    spawnSync('umount', [disk]);
  }
  await rm(disk, { recursive: true });
  await cluster.start();
}

/** A small disk of the server's user; null where none may be mounted. */
async function mountDisk(cluster: Cluster, size: string): Promise<string | null> {
  const disk = join(cluster.place, 'disk');
  await mkdir(disk);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]);
  if (status !== 0) return null;
  const { uid, gid } = await stat(join(cluster.place, 'postgres', 'data'));
  spawnSync('chown', [`${uid}:${gid}`, disk]);
  return disk;
}

async function fill(disk: string): Promise<void> {
  await writeFile(join(disk, 'ballast'), Buffer.alloc(BALLAST)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC') throw error;
  });
}

/** From one disk to another, whoever owns it. */
async function move(from: string, to: string): Promise<void> {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  await rm(from, { recursive: true });
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
