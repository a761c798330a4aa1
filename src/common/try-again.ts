// Does again what was certainly undone, and never that whose outcome nobody knows.
import { setTimeout as sleep } from 'node:timers/promises';

const ATTEMPTS = 5;
/** The first pause is at most this long, in ms, and each after it at most twice as long. */
const PAUSE = 20;

/** Thrown by an attempt that has changed nothing and may be repeated; `cause` is why. */
export class Undone extends Error {
  constructor(override readonly cause: unknown) {
    super('Undone.');
  }
}

/** The result of `attempt`, which is repeated a few times, after random pauses, while it throws `Undone`. */
export async function tryAgain<T>(attempt: () => Promise<T>): Promise<T> {
  for (let failed = 1; ; failed += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Undone)) throw error;
      if (failed === ATTEMPTS) throw error.cause;
      // At random, so that those who got in each other's way do not meet again.
      await sleep(PAUSE * 2 ** (failed - 1) * Math.random());
    }
  }
}
