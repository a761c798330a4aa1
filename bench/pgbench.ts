// Runs pgbench, which sends prepared statements as fast as the database takes them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './children.ts';
import { PGOPTIONS } from './servers.ts';

interface Run {
  /** SQL; each client picks one of them at random, again and again. */
  scripts: readonly string[];
  clients: number;
  seconds: number;
}

/**
 * Runs of a script per second, after as long a time that does not count: until a connection has planned its statements, and
 * has found in memory all pages it needs, it is several times slower.
 * @throws Error with what pgbench printed when a statement fails.
 */
export async function pgbench(url: string, { scripts, clients, seconds }: Run): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'contacts-bench-'));
  try {
    const files: string[] = [];
    for (const [index, script] of scripts.entries()) {
      const file = join(folder, `${index}.sql`);
      await writeFile(file, script);
      files.push('-f', file);
    }
    const args = [
      '-n',
      '-M',
      'prepared',
      '-j',
      '2',
      '-c',
      String(clients),
      '-T',
      String(2 * seconds + 1),
      '-P',
      String(seconds),
      ...files,
      url,
    ];
    const { code, output } = await runChild('pgbench', args, { PGOPTIONS });
    // A machine too busy to report twice in that time has told a rate of all of it, which is lower.
    const rate =
      [...output.matchAll(/^progress: .*? ([\d.]+) tps/gm)].at(1)?.[1] ??
      /^tps = ([\d.]+)/m.exec(output)?.[1];
    if (code !== 0 || rate === undefined) throw new Error(`pgbench failed:\n${output.slice(0, 4_000)}`);
    return Number(rate);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
