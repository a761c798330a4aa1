// A real PgBouncer in front of the tests' PostgreSQL, where this machine has one, set up by the file in deploy/.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.js';
import { waitUntil } from './wait.js';

const FILE = new URL('../../deploy/pgbouncer.ini', import.meta.url);

export class PgBouncer {
  private child?: ChildProcess;

  private constructor(
    private readonly program: string,
    private readonly folder: string,
    /** The database by way of PgBouncer. */
    readonly url: string,
  ) {}

  /** Puts it in front of the database at `target`; `settings` replace those of the file. */
  static async start(program: string, target: string, settings: Record<string, string>): Promise<PgBouncer> {
    const { hostname, port, pathname, username, password } = new URL(target);
    const own = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'contacts-pgbouncer-'));
    await chmod(folder, 0o755);
    const files = {
      'userlist.txt': `"${username}" "${decodeURIComponent(password)}"\n`,
      'pgbouncer.ini': configured(await readFile(FILE, 'utf8'), {
        ...settings,
        contacts: `host=${hostname} port=${port} dbname=${pathname.slice(1)}`,
        listen_port: String(own),
        auth_file: join(folder, 'userlist.txt'),
      }),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const url = Object.assign(new URL(target), {
      hostname: '127.0.0.1',
      port: String(own),
      pathname: '/contacts',
    });
    const pooler = new PgBouncer(program, folder, url.href);
    await pooler.start();
    return pooler;
  }

  async start(): Promise<void> {
    const user = process.getuid?.() === 0 ? await this.handOver() : {};
    const child = spawn(this.program, ['-q', 'pgbouncer.ini'], {
      cwd: this.folder,
      stdio: 'ignore',
      ...user,
    });
    this.child = child;
    await waitUntil(() => answers(this.url));
  }

  /** Ends it with all its connections. */
  async kill(): Promise<void> {
    if (!this.child) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** As root it refuses to run: somebody else does, and reads the files. */
  private async handOver(): Promise<{ uid: number; gid: number }> {
    const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'nobody'])));
    for (const name of ['userlist.txt', 'pgbouncer.ini']) await chown(join(this.folder, name), uid, gid);
    return { uid, gid };
  }
}

/** The text with other values. @throws Error for a setting that it does not have. */
function configured(text: string, settings: Record<string, string>): string {
  return Object.entries(settings).reduce((whole, [name, value]) => {
    const line = new RegExp(`^${name} = .*$`, 'm');
    if (!line.test(whole)) throw new Error(`deploy/pgbouncer.ini does not set ${name}.`);
    return whole.replace(line, `${name} = ${value}`);
  }, text);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
