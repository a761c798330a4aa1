// Processor time of processes, from /proc: of a server, and of PostgreSQL with all its processes.
import { readFileSync, readdirSync } from 'node:fs';
import type pg from 'pg';

/** The kernel's unit of times in /proc, 100 a second on every platform that Node supports. */
const MS_PER_TICK = 10;

interface Stat {
  parent: number;
  name: string;
  /** Of the process itself, and of its children that have ended, in ms. */
  own: number;
  ended: number;
}

/** Milliseconds of processor time that a process has used; null where there is no /proc. */
export function processCpu(pid: number): number | null {
  return read(pid)?.own ?? null;
}

/** Milliseconds that a PostgreSQL server has used, with connections that have ended. */
export function databaseCpu(postmaster: number | null): number | null {
  const server = postmaster === null ? null : read(postmaster);
  if (!server) return null;
  let sum = server.own + server.ended;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const child = read(Number(entry));
    if (child?.parent === postmaster) sum += child.own;
  }
  return sum;
}

/** The process id of the server behind a connection; null when it runs elsewhere. */
export async function findPostmaster(client: pg.Client): Promise<number | null> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const backend = read(rows[0]?.pid ?? 0);
  return backend?.name === 'postgres' && read(backend.parent)?.name === 'postgres' ? backend.parent : null;
}

/** Resident memory in MB; null where there is no /proc. */
export function residentMemory(pid: number): number | null {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) / 1024;
  } catch {
    return null;
  }
}

function read(pid: number): Stat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // no such process, or no /proc
  }
  // The name is in parentheses and may hold anything; fields are numbered from the state, which is the third.
  const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (number: number): number => fields[number - 3] ?? 0;
  return {
    parent: at(4),
    name,
    own: (at(14) + at(15)) * MS_PER_TICK,
    ended: (at(16) + at(17)) * MS_PER_TICK,
  };
}
