// Does something again and again until it is told to stop.
import { setTimeout as sleep } from 'node:timers/promises';

export class Loop {
  private isStopped = false;
  private readonly running: Promise<void>;

  /** @param every the pause after each time, in ms. */
  constructor(
    private readonly work: () => Promise<unknown>,
    private readonly every: number,
  ) {
    this.running = this.run();
  }

  /** Resolves when what is under way is done. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      await this.work();
      await sleep(this.every);
    }
  }
}
