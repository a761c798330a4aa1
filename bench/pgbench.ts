// Runs pgbench, which sends prepared statements as fast as the database takes them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Run {
  /** SQL; each client picks one of them at random, again and again. */
  scripts: readonly string[];
  clients: number;
  seconds: number;
}

/**
 * Runs of a script per second.
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
      String(seconds),
      ...files,
      url,
    ];
    const child = spawn('pgbench', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    }
    const [code] = (await once(child, 'close')) as [number | null];
    const [, rate] = /^tps = ([\d.]+)/m.exec(output) ?? [];
    if (code !== 0 || rate === undefined) throw new Error(`pgbench failed:\n${output.slice(0, 4_000)}`);
    return Number(rate);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
