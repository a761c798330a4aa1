// The image without Docker: what the Dockerfile copies and builds, with production dependencies only, runs.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, mkdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { type TestDatabase, createTestDatabase } from './support/database.js';
import { freePort } from './support/free-port.js';
import { type Finished, printed } from './support/process.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replaceAll(/\\\n\s*/g, '');
const [, BUILD_STAGE = '', IMAGE_STAGE = ''] = DOCKERFILE.split(/^FROM .*$/m);
const SETTINGS = {
  DATABASE_URL: '',
  DATABASE_DIRECT_URL: '',
  JWT_ISSUER: '',
  PUBLIC_URL: 'http://127.0.0.1:3000',
  PORTAL_SECRET: 'a secret of this test, and of nothing else',
  // The packages are links, and must find each other beside the link, not where it leads.
  NODE_OPTIONS: '--preserve-symlinks',
};
const ELSEWHERE = 'postgres://contacts@127.0.0.1:1/contacts';

let workshop: string;
let image: string;
let database: TestDatabase;

beforeAll(async () => {
  workshop = await mkdtemp(join(tmpdir(), 'contacts-image-'));
  database = await createTestDatabase();
  await emptyDatabase();
  image = await buildImage();
});

afterAll(async () => {
  await database.drop();
  await rm(workshop, { recursive: true, force: true, maxRetries: 3 });
});

test('the build context lets through what the Dockerfile copies', () => {
  const admitted = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  expect(admitted).toContain('*');
  const copied = [...copies(BUILD_STAGE), ...copies(IMAGE_STAGE)].filter(({ stage }) => !stage);
  for (const { source } of copied) expect(admitted).toContain(`!${source}`);
});

test('the image runs the service with the memory that npm start gives it', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  const [, options = ''] = /^ENV NODE_OPTIONS="(.*)"$/m.exec(IMAGE_STAGE) ?? [];
  expect(options).toContain('--max-old-space-size=');
  expect(scripts.start).toBe(`nest build && node ${options} ${command('CMD').slice(1).join(' ')}`);
});

test.each([
  ['without a database', {}, 'DATABASE_URL: required in production'],
  [
    'with a placeholder',
    { DATABASE_URL: 'postgres://contacts:change-me@127.0.0.1/contacts' },
    'DATABASE_URL: still a placeholder',
  ],
  ['without a secret', { DATABASE_URL: ELSEWHERE, PORTAL_SECRET: '' }, 'PORTAL_SECRET: still a placeholder'],
  [
    'with the secret of .env.example',
    { DATABASE_URL: ELSEWHERE, PORTAL_SECRET: 'placeholder-for-development-only-never-in-production' },
    'PORTAL_SECRET: still a placeholder',
  ],
  ['with a short secret', { DATABASE_URL: ELSEWHERE, PORTAL_SECRET: 'short' }, 'PORTAL_SECRET: '],
  ['without a public URL', { DATABASE_URL: ELSEWHERE, PUBLIC_URL: '' }, 'PUBLIC_URL: required in production'],
  [
    'and names what is missing when told to run on an embedded database',
    { NODE_ENV: 'development' },
    'embedded PostgreSQL',
  ],
])('it refuses to start %s', async (_case, settings, message) => {
  const { code, stdout, stderr } = await run(command('CMD'), settings);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(message);
});

test.each(['migrate.js status', 'cli.js keys list'])(
  '%s refuses the placeholder secret, too',
  async (line) => {
    const { code, stderr } = await run(['node', ...`dist/${line}`.split(' ')], {
      DATABASE_URL: database.url,
      PORTAL_SECRET: '',
    });
    expect(code).toBe(1);
    expect(stderr).toContain('PORTAL_SECRET: still a placeholder');
  },
);

test('it migrates, issues a key, serves, and tells its health', async () => {
  const settings = { DATABASE_URL: database.url };
  expect(await run(['node', 'dist/main.js'], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('node dist/migrate.js up'),
  });
  expect(await run(['node', 'dist/migrate.js', 'up'], settings)).toMatchObject({ code: 0, stderr: '' });
  const issue = ['node', 'dist/cli.js', 'keys', 'create', '--name', 'test', '--scopes', 'contacts:read'];
  const { stdout: key } = await run(issue, settings);

  const port = String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  const service = start(command('CMD'), { ...settings, HOST: '127.0.0.1', PORT: port, PUBLIC_URL: url });
  expect(await printed(service, /running at (\S+)[\s\S]*curl/)).toContain(`running at ${url}\n`);
  const response = await fetch(`${url}/api/contacts`, { headers: { 'x-sm-key': key.trim() } });
  expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ ok: true })]);
  expect((await fetch(`${url}/docs`)).status).toBe(200);
  expect((await fetch(`${url}/portal-demo/`)).status).toBe(404);
  const keySet = await fetch(`${url}/.well-known/jwks.json`);
  expect(await keySet.json()).toMatchObject({ keys: [{ alg: 'ES256' }, { alg: 'ES256' }] });

  const health = { PORT: port };
  expect(await run(command('HEALTHCHECK'), health)).toMatchObject({ code: 0 });
  const ended = once(service, 'exit');
  service.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(await run(command('HEALTHCHECK'), health)).toMatchObject({ code: 1 });
});

/** Does what the Dockerfile says, in two folders. */
async function buildImage(): Promise<string> {
  const build = join(workshop, 'build');
  await copyAll(BUILD_STAGE, build);
  expect(BUILD_STAGE).toContain('\nRUN npm ci\n');
  await symlink(join(ROOT, 'node_modules'), join(build, 'node_modules'), 'junction');
  expect(BUILD_STAGE).toContain('\nRUN npx nest build && npm prune --omit=dev\n');
  const nest = join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js');
  const built = await finished(process.execPath, [nest, 'build'], { cwd: build });
  expect(built).toMatchObject({ code: 0 });
  await rm(join(build, 'node_modules'));
  await linkProductionPackages(build);
  const made = join(workshop, 'image');
  await copyAll(IMAGE_STAGE, made, build);
  return made;
}

interface Copy {
  stage: boolean;
  source: string;
  target: string;
}

/** The COPY lines of a stage. */
function copies(stage: string): Copy[] {
  return [...stage.matchAll(/^COPY (--from=build )?(.+) (\S+)$/gm)].flatMap(
    ([, from, sources = '', target = '']) =>
      sources.split(' ').map((source) => ({
        stage: from !== undefined,
        source: source.replace('/app/', ''),
        target: target === './' ? source : target,
      })),
  );
}

async function copyAll(stage: string, folder: string, build = ''): Promise<void> {
  await mkdir(folder);
  for (const { stage: fromBuild, source, target } of copies(stage)) {
    await cp(join(fromBuild ? build : ROOT, source), join(folder, target), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

/** The least that `npm prune --omit=dev` leaves: the lock file says which packages are for development alone. */
async function linkProductionPackages(folder: string): Promise<void> {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>;
  };
  for (const [path, { dev, optional, devOptional }] of Object.entries(lock.packages)) {
    if (dev || optional || devOptional || path.lastIndexOf('node_modules/') !== 0) continue;
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(join(ROOT, path), join(folder, path), 'junction');
  }
}

/** The exec form of a Dockerfile instruction. */
function command(instruction: 'CMD' | 'HEALTHCHECK'): string[] {
  const pattern = { CMD: /^CMD (\[.*\])$/m, HEALTHCHECK: /^HEALTHCHECK .*CMD (\[.*\])$/m }[instruction];
  return JSON.parse(pattern.exec(IMAGE_STAGE)?.[1] ?? '') as string[];
}

/** The settings of the image, then those of its user. */
function environment(settings: Record<string, string>): NodeJS.ProcessEnv {
  const [, line = ''] = /^ENV (.+)$/m.exec(IMAGE_STAGE) ?? [];
  return {
    ...process.env,
    ...SETTINGS,
    ...Object.fromEntries(line.split(' ').map((pair) => pair.split('='))),
    ...settings,
  };
}

function start([program = '', ...args]: string[], settings: Record<string, string>): ChildProcess {
  expect(program).toBe('node');
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  return spawn(process.execPath, args, { cwd: image, env: environment(settings), stdio });
}

function run([program = '', ...args]: string[], settings: Record<string, string>): Promise<Finished> {
  expect(program).toBe('node');
  return finished(process.execPath, args, { cwd: image, env: environment(settings) });
}

function finished(program: string, args: string[], options: object): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(program, args, { encoding: 'utf8', ...options }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

async function emptyDatabase(): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  } finally {
    await client.end();
  }
}
