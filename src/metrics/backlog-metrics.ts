// What waits to be done behind the requests: mail that has not left, and changes that are not counted yet.
import { Gauge, type Registry } from 'prom-client';
import type { ContactCounts } from '../contacts/contact-counts.js';
import type { Jobs } from '../mail/jobs.js';

/** How long the database may take to tell, in ms: whoever asks for metrics is not kept waiting by a silent one. */
const PATIENCE = 1_000;

export function watchBacklogs(registry: Registry, jobs: Jobs, counts: ContactCounts): void {
  const backlog = inTime(() => jobs.backlog());
  const unfolded = inTime(() => counts.unfolded());
  registry.registerMetric(
    new Gauge({
      name: 'contacts_queue_jobs',
      help: 'Jobs of all processes: waiting, active, or failed (given up, and kept for a while).',
      labelNames: ['queue', 'state'],
      registers: [],
      async collect() {
        this.reset();
        for (const { queue, waiting, active, failed } of (await backlog()) ?? [])
          for (const [state, held] of Object.entries({ waiting, active, failed }))
            this.set({ queue, state }, held);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_queue_oldest_seconds',
      help: 'Age of the oldest job that is not done, of all processes.',
      labelNames: ['queue'],
      registers: [],
      async collect() {
        this.reset();
        for (const { queue, oldest } of (await backlog()) ?? []) this.set({ queue }, oldest);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_changes_unfolded',
      help: 'Changes of contacts that are not folded into the counts, so that readers add them; 100,000 and no more.',
      registers: [],
      async collect() {
        const changes = await unfolded();
        if (changes === undefined) this.remove();
        else this.set(changes);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'contacts_fold_age_seconds',
      help: 'Time since this process has folded changes, or found another at it.',
      registers: [],
      collect() {
        this.set(counts.sinceFold);
      },
    }),
  );
}

/** `ask`, whose answer is undefined when it fails or is late; it is not asked again before it has answered. */
function inTime<Answer>(ask: () => Promise<Answer>): () => Promise<Answer | undefined> {
  let asked: Promise<Answer | undefined> | undefined;
  return () => {
    asked ??= ask()
      .catch(() => undefined)
      .finally(() => {
        asked = undefined;
      });
    return Promise.race([asked, late()]);
  };
}

const late = (): Promise<undefined> =>
  new Promise((resolve) => void setTimeout(() => resolve(undefined), PATIENCE).unref());
