// Everything a fault is done to, and what holds after each: nothing lost, nothing doubled, nothing left behind.
import { expect } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { Line } from '../line.js';
import { MailServer } from '../mail-server.js';
import { PgBouncer } from '../pgbouncer.js';
import { waitUntil } from '../wait.js';
import { audit, derivedFaults, sessions } from './audit.js';
import { Cluster } from './cluster.js';
import { Loop } from './loop.js';
import { POOL_SIZE, ServiceProcess, TIMEOUT } from './service.js';
import { Writers } from './writers.js';

export interface Fault {
  readonly name: string;
  /** How long it lasts, in ms. */
  readonly lasts: number;
  begin(world: World): Promise<void>;
  /** Puts everything right again; resolves when the database can be reached. */
  end(world: World): Promise<void>;
  /** A fault that no client notices. */
  readonly isHarmless?: boolean;
  /** Clients wait for answers that will never come: only after the service's timeout do they ask again. */
  readonly isSilent?: boolean;
}

const CLIENTS = 6;
/** Good answers before and after the fault. */
const SOME = 150;
/** What the process may take after any number of faults more than after the first, in MB. */
const GROWTH = 60;
/** Between two attempts of a plain client to connect, in ms. */
const POLL_EVERY = 100;
/** Attempts of a plain client that may succeed before a write through the service does: a second's worth. */
const BEHIND = 10;
/** Seconds after which PgBouncer asks a server again that refused (deploy/pgbouncer.ini). */
const LOGIN_RETRY = 1;

export class World {
  private runs = 0;
  /** What the process took after the first fault, in MB. */
  private memoryAtFirst?: number;

  private constructor(
    readonly cluster: Cluster,
    readonly line: Line,
    readonly service: ServiceProcess,
    readonly mail: MailServer,
    /** Between line and database, if it is there. */
    readonly pooler?: PgBouncer,
  ) {}

  /** @param program PgBouncer, where the service is to ask the database by way of it. */
  static async create(program?: string): Promise<World> {
    const cluster = await Cluster.create();
    const pooler = program === undefined ? undefined : await pool(program, cluster);
    const line = new Line(new URL(pooler?.url ?? cluster.url));
    const mail = await MailServer.start();
    const service = await ServiceProcess.start(await line.open(), cluster, mail.url);
    return new World(cluster, line, service, mail, pooler);
  }

  async destroy(): Promise<void> {
    await this.service.stop();
    await this.pooler?.stop();
    await this.mail.stop();
    this.line.close();
    await this.cluster.destroy();
  }

  /** Lets clients write while the fault comes and goes, and holds the outcome against what was acknowledged. */
  async survive(fault: Fault, now: Cluster = this.cluster): Promise<void> {
    const writers = new Writers(`run${(this.runs += 1)}`, this.service.target);
    writers.start(CLIENTS);
    await writers.progress(SOME);
    const before = this.service.use;
    await fault.begin(this);
    await sleep(fault.lasts);
    const plain = new PlainClient(now);
    await fault.end(this);
    await plain.answered();
    const returned = performance.now();
    await writers.progress(1);
    const recovery = performance.now() - returned;
    const behind = plain.answers;
    await plain.stop();
    await writers.progress(SOME);
    await writers.stop();

    expect(this.service.death).toBeNull();
    const db = await now.connect();
    try {
      const { lost, doubled, torn } = await audit(writers, db);
      report(fault, writers, { lost, doubled, recovery, before, after: this.service.use });
      expect({ lost, doubled, torn, faults: writers.faults }).toEqual({
        lost: [],
        doubled: [],
        torn: [],
        faults: [],
      });
      const patience = (fault.isSilent ? TIMEOUT : 0) + (this.pooler ? LOGIN_RETRY * 1_000 : 0);
      expect(behind).toBeLessThanOrEqual(BEHIND + patience / POLL_EVERY);
      if (fault.isHarmless) expect(writers.refused).toBe(0);
      await this.expectHealth(db, before?.handles);
    } finally {
      await db.end();
    }
  }

  /** Every part of the service is back, and holds no more than it did. */
  private async expectHealth(db: pg.Client, handlesBefore = Infinity): Promise<void> {
    await waitUntil(async () => {
      const { contacts = 0, 'contacts-reads': reads = 0, ...others } = await sessions(db);
      const one = { 'contacts-listen': 1, 'contacts-counts': 1 };
      return (
        contacts + reads <= POOL_SIZE + 2 &&
        (others['contacts-jobs'] ?? 0) <= 3 &&
        Object.entries(one).every(([name, count]) => others[name] === count)
      );
    });
    await waitUntil(async () => (this.service.use?.handles ?? 0) <= handlesBefore + 2 * POOL_SIZE);
    const memory = this.service.use?.memory ?? 0;
    this.memoryAtFirst ??= memory;
    expect(memory).toBeLessThan(this.memoryAtFirst + GROWTH);
    // Once everything is folded, counts and search documents are those of the contacts.
    await waitUntil(async () => {
      const unfolded = await db.query('SELECT FROM contact_changes_since((contact_last_fold()).as_of)');
      return unfolded.rowCount === 0;
    });
    expect(await derivedFaults(db)).toEqual([]);
    await this.expectMail(db);
  }

  /** The queue is at work again. */
  private async expectMail(db: pg.Client): Promise<void> {
    const email = `mail${this.runs}@chaos.test`;
    await db.query(`INSERT INTO contact (id, email, portal_access) VALUES ($1, $2, 1)`, [
      `ct_mail${this.runs}`,
      email,
    ]);
    const { status } = await fetch(`${this.service.target.url}/auth/magic-link`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email }),
    });
    expect(status).toBe(202);
    await waitUntil(async () => this.mail.mailsTo(email).length === 1);
  }
}

/** PgBouncer with its file, and the settings of the role that the file names; it lends as many as the service asks for. */
async function pool(program: string, cluster: Cluster): Promise<PgBouncer> {
  await cluster.sql(`ALTER ROLE postgres SET statement_timeout = '${TIMEOUT}ms'`);
  return PgBouncer.start(program, cluster.url, { default_pool_size: String(POOL_SIZE) });
}

/** A plain client that connects again and again, beside the service. */
class PlainClient {
  answers = 0;
  private readonly first = Promise.withResolvers<void>();
  private readonly loop: Loop;

  constructor(cluster: Cluster) {
    this.loop = new Loop(() => this.poll(cluster), POLL_EVERY);
  }

  /** Resolves with its first answer. */
  answered(): Promise<void> {
    return this.first.promise;
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async poll(cluster: Cluster): Promise<void> {
    try {
      await cluster.sql('SELECT 1');
      this.answers += 1;
      this.first.resolve();
    } catch {
      // Not yet.
    }
  }
}

type Use = ServiceProcess['use'];

function report(
  fault: Fault,
  { sent, acknowledged, refused, longestOutage }: Writers,
  outcome: { lost: string[]; doubled: string[]; recovery: number; before: Use; after: Use },
): void {
  const { lost, doubled, recovery, before, after } = outcome;
  process.stdout.write(
    `${fault.name}: ${sent} requests sent, ${acknowledged} acknowledged, ${refused} refused, ${lost.length} lost, ` +
      `${doubled.length} doubled; longest outage ${Math.round(longestOutage)} ms, first acknowledged write ` +
      `${Math.round(recovery)} ms after the database's; memory ${before?.memory} to ${after?.memory} MB, ` +
      `handles ${before?.handles} to ${after?.handles}\n`,
  );
}
