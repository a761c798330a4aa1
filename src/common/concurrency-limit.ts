// How many requests may run at once: as many as leave the process time to take notice of all others.

/** How often it is looked at, in ms, and how late that may be before it is too much. */
const LOOK_EVERY = 25;
const LATE = 20;
/** Fewer gain nothing: the database would be idle. */
const LEAST = 4;
const MORE = 2;
const LESS = 0.75;

/**
 * Between 4 and `most`. A process that comes late to its own timer has, or is left, too little processor time, and
 * each request that runs takes more of it away: by itself, and where the database is on the same machine by that. So
 * the limit falls by a quarter each time that happens, and rises step by step otherwise, as TCP does with its window.
 */
export class ConcurrencyLimit {
  private limit: number;
  private timer?: NodeJS.Timeout;

  constructor(private readonly most: number) {
    this.limit = most;
  }

  get current(): number {
    return this.limit;
  }

  /** @param adapted called whenever the limit may have changed. */
  watch(adapted: () => void): void {
    let due = performance.now() + LOOK_EVERY;
    this.timer = setInterval(() => {
      const now = performance.now();
      this.adapt(now - due);
      adapted();
      due = now + LOOK_EVERY;
    }, LOOK_EVERY).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** @param delay how late the process came, in ms. */
  private adapt(delay: number): void {
    const wanted = delay > LATE ? Math.floor(this.limit * LESS) : this.limit + MORE;
    this.limit = Math.min(this.most, Math.max(wanted, LEAST));
  }
}
