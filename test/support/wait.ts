// Waits for what cannot be awaited.
import { setTimeout as sleep } from 'node:timers/promises';

/** Asks every 20 ms until `holds` does. @throws Error after half a minute: a busy machine is no failure. */
export async function waitUntil(holds: () => Promise<boolean>, every = 20): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('Waited half a minute in vain.');
    await sleep(every);
  }
}
