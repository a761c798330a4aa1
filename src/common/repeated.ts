// Work of the service's own that is never done.

/** Does it again and again, a pause after each time, until it is ended. */
export class Repeated {
  private timer?: NodeJS.Timeout;
  private underWay?: Promise<void>;
  private isFailing = false;
  private isEnded = false;

  /**
   * @param pause in ms.
   * @param tell hears of the first failure in a row; after a failure, too, it goes on.
   */
  constructor(
    private readonly pause: number,
    private readonly work: () => Promise<unknown>,
    private readonly tell: (error: Error) => void,
  ) {}

  /** The first time comes after a pause. */
  begin(): void {
    if (this.isEnded) return;
    this.timer = setTimeout(() => {
      this.underWay = this.once().then(() => this.begin());
    }, this.pause);
    this.timer.unref();
  }

  /** Waits for what is under way. */
  async end(): Promise<void> {
    this.isEnded = true;
    clearTimeout(this.timer);
    await this.underWay;
  }

  private async once(): Promise<void> {
    try {
      await this.work();
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) this.tell(error as Error);
      this.isFailing = true;
    }
  }
}
